"""The images of a run: where they lie, and what can be wrong with them."""

import logging
import os
import pathlib
from typing import Any

from cyclegan_keras.config import value_range
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import run_folder

_log = logging.getLogger(__name__)


def place(config: TrainConfig) -> pathlib.Path:
    """Finds the folder of a run's images.

    A relative path is one from the folder that the process is in or, if there is nothing and the
    run is begun, from one that the run's folder is in: most likely it was begun there.

    Args:
        config: The settings.

    Returns:
        The folder, which need not exist.
    """
    found = pathlib.Path(config.data_dir or pathlib.Path("data") / config.dataset)
    if found.exists() or config.run_dir is None:
        return found
    folder = pathlib.Path(config.run_dir).resolve()
    if not (folder / run_folder.CONFIG).exists():
        return found
    begun = (parent / found for parent in folder.parents)
    # A run is often called as its data set.
    return next((p for p in begun if p.exists() and not (p / run_folder.CONFIG).exists()), found)


def make_loader(config: TrainConfig) -> Any:
    """Makes the `DataLoader` of a run; nothing is read yet.

    Args:
        config: The settings.

    Returns:
        The loader.
    """
    from cyclegan_keras.data.loader import DataLoader

    directory = pathlib.Path(os.path.abspath(place(config)))
    height, width = config.img_res
    return DataLoader(
        directory.name,
        config.img_res,
        directory.parent,
        load_res=(
            (round(height * config.enlarge), round(width * config.enlarge))
            if config.enlarge > 1
            else None
        ),
        channels=config.channels,
        flip=config.flip,
        epoch_length="longer" if config.epoch_length == "longer" else "shorter",
        paired=config.info.data == "paired",
        cache_memory=config.cache_memory,
        skip_bad_images=config.skip_bad_images,
        value_range=config.value_range,
    )


def read(config: TrainConfig) -> Any:
    """Makes the loader of a run and reads its images, so that what is wrong with them is told.

    Args:
        config: The settings.

    Returns:
        The `DataLoader`.

    Raises:
        FileNotFoundError: If there is no such data.
        ValueError: If an image is wrong, or the data does not fit the settings.
    """
    loader = make_loader(config)
    if not loader.directory.exists() and config.dataset in ("fruit", "fruit_pairs"):
        _log.info(f"Drawing the data set {config.dataset} into {loader.directory} …")
    _check(loader, config)
    if gray := [domain for domain in "AB" if loader.channels == 3 and loader.is_gray(domain)]:
        _log.info(
            f"All images of {' and '.join(gray)} are gray, and are trained on as RGB."
            + (" --channels 1 trains in gray." if len(gray) == 2 else ""),
        )
    if config.value_range == value_range.AUTO:
        _log.info(
            "Range   "
            + ", ".join(
                f"{one.low:g} to {one.high:g} in {domain}"
                for domain, one in loader.value_ranges.items()
            ),
        )
    for note in loader.notes():
        _log.info(note)
    return loader


def _check(loader: Any, config: TrainConfig) -> None:
    """All that can be wrong with the data is told now, and not after hours."""
    from cyclegan_keras.metrics import paired

    for domain in "AB":
        loader.pixels(domain)
        if loader.has_test_images:
            loader.pixels(domain, is_testing=True)
    paired.check_pairs(loader)
    if loader.paired and loader.has_test_images and not loader.test_pairs:
        raise ValueError(
            f"{config.info.title} shows test images beside the truth, so testA and testB must hold "
            f"pairs, that is, images of equal names. Those in {str(loader.directory)!r} are none. "
            "Rename them, or take both folders away."
        )
