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
    source = parser.add_mutually_exclusive_group()
    kinds = typing.get_type_hints(TrainConfig)
    for field in dataclasses.fields(TrainConfig):
        group = source if field.name in ("dataset", "data_dir") else parser
        kind = value_type(kinds[field.name])
        default = "" if field.default is None else f" (default: {field.default})"
        group.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=kind,
            choices=field.metadata["choices"],
            default=argparse.SUPPRESS,
            metavar=_metavar(field, kind),
            help=field.metadata["help"] + default,
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
    base = TrainConfig.from_json(arguments.config) if arguments.config else TrainConfig()
    # Where the old run went is no setting of the new one.
    base = dataclasses.replace(base, run_dir=None)
    names = {field.name for field in dataclasses.fields(TrainConfig)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    if "dataset" in given:
        given["data_dir"] = None  # The one takes the other's place.
    return dataclasses.replace(base, **given)


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
    config = config_from(arguments)
    if config.data_dir is not None and not pathlib.Path(config.data_dir).is_dir():
        raise FileNotFoundError(
            f"No folder {config.data_dir!r}. --data-dir must name one with trainA and trainB in it."
        )
    print("Loading TensorFlow …", flush=True)
    # Only now: this takes seconds, and wrong flags should be told at once.
    with without_startup_notes():
        from cyclegan_keras.cyclegan import CycleGAN
        from cyclegan_keras.data import images
        from cyclegan_keras.data.loader import DataLoader
        from cyclegan_keras.evaluation import truth
        from cyclegan_keras.training import callbacks, devices, loop, runs

        devices.use_threads()
        found = devices.devices_in_words()

    place = pathlib.Path("data") / config.dataset if config.data_dir is None else config.data_dir
    directory = pathlib.Path(os.path.abspath(place))
    size = (config.image_size, config.image_size)
    loader = DataLoader(directory.name, size, directory.parent, cache_memory=config.cache_memory)
    if not directory.exists() and config.dataset == "fruit":
        print(f"Drawing the data set fruit into {directory} …", flush=True)
    num_batches = loader.num_batches(config.batch_size)
    # All that can be wrong with the data is told now, and not after hours.
    for domain in "AB":
        loader.pixels(domain)
        if loader.has_test_images:
            loader.pixels(domain, is_testing=True)
    truth.check_pairs(loader)
    run_dir = runs.make_run_dir(config, loader.dataset_name)
    print(
        f"Data    {directory}: {len(loader.paths('A'))} images of A, {len(loader.paths('B'))} of B"
        f"\nDevice  {found}"
        f"\nRun     {run_dir}: {config.epochs} epochs of {num_batches} steps",
        flush=True,
    )
    with devices.precision(config.precision):
        gan = CycleGAN(
            (*size, 3),
            gf=config.gf,
            df=config.df,
            lambda_cycle=config.lambda_cycle,
            lambda_id=config.lambda_id,
            data_loader=loader,
            learning_rate=config.learning_rate,
            seed=config.seed,
        )
    interrupt = callbacks.StopOnInterrupt()
    hooks = [
        callbacks.ProgressBar(),
        callbacks.LearningRateDecay(config.decay_epochs),
        callbacks.HistoryCSV(run_dir / "history.csv", config.sample_interval),
        callbacks.SampleGrid(
            loader,
            config.sample_interval,
            callbacks.writes_samples_to(run_dir / "samples"),
        ),
        interrupt,
    ]
    loop.run(gan, loader, config.epochs, config.batch_size, hooks, seed=config.seed)
    for generator in (gan.g_AB, gan.g_BA):
        translator = runs.in_full_precision(generator)
        runs.save_whole(translator, run_dir / f"{generator.name}.keras")
    print(f"Saved   {run_dir / 'g_AB.keras'} and {run_dir / 'g_BA.keras'}", flush=True)
    images.write_image(run_dir / "translations.png", picture(gan, loader))
    figures = truth.evaluate(gan.g_AB, gan.g_BA, loader)
    runs.save_figures(figures, run_dir / "metrics.json")
    print(truth.in_words(figures))
    return INTERRUPTED if interrupt.stopped else 0


def picture(gan: Any, loader: Any) -> Any:
    """Shows a few test images at the end of a run, beside the truth where it is known.

    Args:
        gan: The trained `CycleGAN`.
        loader: Its `DataLoader`.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    from cyclegan_keras import plotting

    testing = loader.has_test_images
    count = min(NUM_SHOWN, *(len(loader.paths(domain, testing)) for domain in "AB"))
    imgs = [loader.load_data(domain, count, testing, seed=0) for domain in "AB"]
    grid = plotting.truth_grid if loader.test_pairs else plotting.cycle_grid
    return grid(gan.g_AB, gan.g_BA, *imgs)
