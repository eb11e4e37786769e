"""The images of a run: where they are, and checks of them before the training."""

import logging
import os
import pathlib
from typing import Any

from cyclegan_keras.config import value_range
from cyclegan_keras.config.data import DRAWN
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import run_folder

_log = logging.getLogger(__name__)


def place(config: TrainConfig) -> pathlib.Path:
    """Finds the folder of a run's images.

    A relative path starts from the current folder or, if there is nothing and the run was begun
    before, from a parent of the run's folder, where it was most likely begun.

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
    # A run often has the same name as its data set.
    return next((p for p in begun if p.exists() and not (p / run_folder.CONFIG).exists()), found)


def make_loader(config: TrainConfig) -> Any:
    """Makes the `DataLoader` of a run, without reading any image.

    Args:
        config: The settings.

    Returns:
        The loader.
    """
    from cyclegan_keras.data.labels import LabelledDataLoader
    from cyclegan_keras.data.loader import DataLoader

    make = LabelledDataLoader if config.info.labels else DataLoader
    directory = pathlib.Path(os.path.abspath(place(config)))
    height, width = config.img_res
    return make(
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
        fit=config.fit,
        decode=config.decode,
    )


def make_judging_loader(config: TrainConfig) -> Any:
    """Makes the `DataLoader` of those who judge a run beside others: it gives whole images.

    A training of enlarged images gets parts of them, which is its own affair; judges that learn
    from training images are the same for all.

    Args:
        config: The settings.

    Returns:
        The loader.
    """
    return make_loader(config.replace(enlarge=1.0))


def read(config: TrainConfig) -> Any:
    """Makes the loader of a run and reads its images, to report any error before the training.

    Args:
        config: The settings.

    Returns:
        The `DataLoader`.

    Raises:
        FileNotFoundError: If the data does not exist.
        ValueError: If an image is damaged, or the data does not fit the settings.
    """
    loader = make_loader(config)
    if not loader.directory.exists() and config.dataset in DRAWN:
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
    """Checks everything about the data now, and not after hours of training."""
    from cyclegan_keras.metrics import paired

    if config.info.labels:
        check_classes(loader, config)
    for domain in "AB":
        loader.pixels(domain)
        if loader.has_test_images:
            loader.pixels(domain, is_testing=True)
    paired.check_pairs(loader)
    if loader.paired and loader.has_test_images and not loader.test_pairs:
        raise ValueError(
            f"{config.info.title} needs pairs, that is, images of equal names, in testA and testB "
            f"as well. Those in {str(loader.directory)!r} are not pairs. Rename them, or remove "
            "both folders."
        )


def check_classes(loader: Any, config: TrainConfig) -> None:
    """Checks the labels of images, which a run keeps as they were when it began.

    Args:
        loader: A `LabelledDataLoader`.
        config: The settings of the run.

    Raises:
        FileNotFoundError: If the data does not exist.
        ValueError: If labels are missing or unknown, or the run was begun with other classes.
    """
    for is_testing in (False, True) if loader.has_test_images else (False,):
        for domain in "AB":
            loader.labels(domain, is_testing)
    begun = config.classes
    if begun is None and config.run_dir is not None:
        path = pathlib.Path(config.run_dir) / run_folder.CONFIG
        begun = TrainConfig.from_json(path).classes if path.exists() else None
    if begun is not None and begun != loader.classes:
        raise ValueError(
            f"The classes in {str(loader.directory)!r} are not those of the run. Restore them, or "
            f"begin another run. Received: {', '.join(loader.classes)}, before: {', '.join(begun)}"
        )
