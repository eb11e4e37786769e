"""Train translators between two folders of images."""

import argparse
import dataclasses
import os
import pathlib
import typing
from typing import Any

from cyclegan_keras.cli.quiet import without_startup_notes
from cyclegan_keras.config import TrainConfig, value_type

INTERRUPTED = 130
NUM_SHOWN = 6
HELP = "train translators between two folders of images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Makes a flag of every setting in `TrainConfig`.

    Args:
        parser: Of this verb.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="start from the settings in this config.json; other flags come on top",
    )
    groups: dict[str, Any] = {}
    kinds = typing.get_type_hints(TrainConfig)
    for field in dataclasses.fields(TrainConfig):
        about = field.metadata
        if about["group"] not in groups:
            groups[about["group"]] = parser.add_argument_group(about["group"])
            if about["group"] == "data":
                source = groups["data"].add_mutually_exclusive_group()
        group = source if field.name in ("dataset", "data_dir") else groups[about["group"]]
        kind = value_type(kinds[field.name])
        only = f" (of {about['models'][0]})" if len(about["models"]) == 1 else ""
        default = "" if field.default is None else f" (default: {field.default})"
        options: dict[str, Any] = {"type": kind, "choices": about["choices"]}
        if kind is bool:
            options = {"action": argparse.BooleanOptionalAction}
            default = "" if field.default else default
        else:
            options["metavar"] = _metavar(field, kind)
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            default=argparse.SUPPRESS,
            help=about["help"] + only + default,
            **options,
        )


def _metavar(field: dataclasses.Field, kind: type) -> str | None:
    if field.metadata["choices"]:
        return None  # The choices themselves.
    return {int: "N", float: "X"}.get(kind, field.name.upper().removeprefix("DATA_"))


def config_from(arguments: argparse.Namespace) -> TrainConfig:
    """Puts the flags that were given on top of `--config`, or of the defaults.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The settings of the run.

    Raises:
        FileNotFoundError: If there is no such settings file.
        ValueError: If a setting is wrong.
    """
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    if "dataset" in given:
        given["data_dir"] = None  # The one takes the other's place.
    if not arguments.config:
        return TrainConfig.make(**given)
    # Where the old run went is no setting of the new one.
    return TrainConfig.make(TrainConfig.from_json(arguments.config), **{"run_dir": None, **given})


def run(arguments: argparse.Namespace) -> int:
    """Trains, and leaves everything in the run's folder.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If the run's folder is in use.
        FileNotFoundError: If there is no such data.
        ValueError: If a setting or an image is wrong.
    """
    return INTERRUPTED if train(config_from(arguments)) is None else 0


def train(config: TrainConfig) -> dict[str, float] | None:
    """Trains as the settings say, and leaves everything in the run's folder.

    Args:
        config: The settings.

    Returns:
        The figures at the end, or `None` if the training was interrupted.

    Raises:
        FileExistsError: If the run's folder is in use.
        FileNotFoundError: If there is no such data.
        ValueError: If an image is wrong, or the data does not fit the settings.
    """
    if config.data_dir is not None and not pathlib.Path(config.data_dir).is_dir():
        raise FileNotFoundError(
            f"No folder {config.data_dir!r}. --data-dir must name one with trainA and trainB in it."
        )
    print("Loading TensorFlow …", flush=True)
    # Only now: this takes seconds, and wrong flags should be told at once.
    with without_startup_notes():
        from cyclegan_keras.cyclegan import CycleGAN
        from cyclegan_keras.data import images
        from cyclegan_keras.evaluation import truth
        from cyclegan_keras.pix2pix import Pix2Pix
        from cyclegan_keras.training import callbacks, devices, loop, runs

        devices.use_threads()
        found = devices.devices_in_words()

    loader = make_loader(config)
    if not loader.directory.exists() and config.dataset in ("fruit", "fruit_pairs"):
        print(f"Drawing the data set {config.dataset} into {loader.directory} …", flush=True)
    num_batches = loader.num_batches(config.batch_size)
    # All that can be wrong with the data is told now, and not after hours.
    for domain in "AB":
        loader.pixels(domain)
        if loader.has_test_images:
            loader.pixels(domain, is_testing=True)
    truth.check_pairs(loader)
    if loader.paired and loader.has_test_images and not loader.test_pairs:
        raise ValueError(
            "pix2pix shows test images beside the truth, so testA and testB must hold pairs, that "
            f"is, images of equal names. Those in {str(loader.directory)!r} are none. Rename them, "
            "or take both folders away."
        )
    run_dir = runs.make_run_dir(config, loader.dataset_name)
    print(
        f"Data    {loader.directory}: {len(loader.paths('A'))} images of A, "
        f"{len(loader.paths('B'))} of B"
        f"\nDevice  {found}"
        f"\nRun     {run_dir}: {config.epochs} epochs of {num_batches} steps",
        flush=True,
    )
    kind = Pix2Pix if config.model == "pix2pix" else CycleGAN
    with devices.precision(config.precision):
        gan = kind(**config.model_settings(), data_loader=loader)
    interrupt = callbacks.StopOnInterrupt()
    hooks = [
        callbacks.ProgressBar(),
        callbacks.LearningRateDecay(config.decay_epochs or 0),
        callbacks.HistoryCSV(run_dir / "history.csv", config.sample_interval),
        callbacks.SampleGrid(
            loader,
            config.sample_interval,
            callbacks.writes_samples_to(run_dir / "samples"),
        ),
        interrupt,
    ]
    loop.run(gan, loader, config.epochs, config.batch_size, hooks, seed=config.seed)
    translators = gan.translators
    saved = [run_dir / f"{name}.keras" for name in translators]
    for translator, path in zip(translators.values(), saved, strict=True):
        runs.save_whole(runs.in_full_precision(translator), path)
    print(f"Saved   {' and '.join(map(str, saved))}", flush=True)
    images.write_image(run_dir / "translations.png", picture(translators, loader))
    figures = truth.evaluate(translators, loader)
    figures["interrupted"] = interrupt.stopped
    runs.save_figures(figures, run_dir / "metrics.json")
    print(truth.in_words(figures))
    return None if interrupt.stopped else figures


def make_loader(config: TrainConfig) -> Any:
    """Makes the `DataLoader` of a run; nothing is read yet.

    Args:
        config: The settings.

    Returns:
        The loader.
    """
    from cyclegan_keras.data.loader import DataLoader

    place = pathlib.Path("data") / config.dataset if config.data_dir is None else config.data_dir
    directory = pathlib.Path(os.path.abspath(place))
    load_size = round(config.image_size * config.enlarge)
    return DataLoader(
        directory.name,
        (config.image_size, config.image_size),
        directory.parent,
        load_res=(load_size, load_size) if config.enlarge > 1 else None,
        flip=config.flip,
        epoch_length="longer" if config.epoch_length == "longer" else "shorter",
        paired=config.model == "pix2pix",
        cache_memory=config.cache_memory,
    )


def picture(translators: dict[str, Any], loader: Any) -> Any:
    """Shows a few test images at the end of a run, beside the truth where it is known.

    Args:
        translators: Generators by name, `g_AB`, `g_BA` or both.
        loader: The `DataLoader`.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    from cyclegan_keras import plotting

    testing = loader.has_test_images
    count = min(NUM_SHOWN, *(len(loader.paths(domain, testing)) for domain in "AB"))
    imgs_A, imgs_B = (loader.load_data(domain, count, testing, seed=0) for domain in "AB")
    return plotting.grid_of(translators, imgs_A, imgs_B, are_pairs=loader.test_pairs)
