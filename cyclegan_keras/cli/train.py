"""Train translators between two folders of images."""

import argparse
import dataclasses
import os
import pathlib
import shlex
import typing
from typing import Any

from cyclegan_keras import _backend
from cyclegan_keras.cli import judging
from cyclegan_keras.cli.quiet import without_startup_notes
from cyclegan_keras.config import TrainConfig
from cyclegan_keras.settings import value_type
from cyclegan_keras.training import runs
from cyclegan_keras.words import counted

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
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with the run in --run-dir, with its settings",
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
    if arguments.resume:
        if arguments.config or "run_dir" not in given:
            raise ValueError(
                "--resume takes its settings from a run. Say which, with --run-dir, and leave "
                "--config out."
            )
        return TrainConfig.make(_settings_of_run(given["run_dir"]), **given)
    if not arguments.config:
        return TrainConfig.make(**given)
    # Where the old run went is no setting of the new one.
    return TrainConfig.make(TrainConfig.from_json(arguments.config), **{"run_dir": None, **given})


def _settings_of_run(run_dir: str) -> TrainConfig:
    path = pathlib.Path(run_dir) / "config.json"
    if not path.exists():
        raise FileNotFoundError(
            f"There is no run in {run_dir!r} to go on with. Leave --resume out to begin one."
        )
    return TrainConfig.from_json(path)


def run(arguments: argparse.Namespace) -> int:
    """Trains, and leaves everything in the run's folder.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If the run's folder is in use.
        FileNotFoundError: If there is no such data.
        KeyboardInterrupt: If SIGINT or SIGTERM asked to stop.
        ValueError: If a setting or an image is wrong.
    """
    train(config_from(arguments))
    return 0


def train(config: TrainConfig) -> dict[str, float]:
    """Trains as the settings say, from where the run in its folder stands if there is one.

    Args:
        config: The settings.

    Returns:
        The figures at the end.

    Raises:
        FileExistsError: If the run's folder is in use.
        FileNotFoundError: If there is no such data.
        KeyboardInterrupt: If SIGINT or SIGTERM asked to stop. All is saved then.
        ValueError: If an image is wrong, the data does not fit the settings, the run was begun with
            other ones, or a loss is no number.
    """
    if config.data_dir is not None and not pathlib.Path(config.data_dir).is_dir():
        raise FileNotFoundError(
            f"No folder {config.data_dir!r}. --data-dir must name one with trainA and trainB in it."
        )
    runs.check_folder(config)
    if (figures := runs.figures_if_finished(config)) is not None:
        print(
            f"{_finished(config, figures)} To train it further, give more --epochs than "
            f"{figures['epochs']}."
        )
        return figures
    print("Loading TensorFlow …", flush=True)
    # Only now: this takes seconds, and wrong flags should be told at once.
    with without_startup_notes():
        from cyclegan_keras.data.images import write_image
        from cyclegan_keras.evaluation import verdict
        from cyclegan_keras.training import devices, saving, session, tensorboard

        _backend.check_settings()
        devices.use_threads()
        devices.compute_the_same(config.deterministic)
        found = devices.devices_in_words()

    if config.tensorboard:
        tensorboard.check_installed()
    loader = _read_data(config)
    judge, judged_in_training = judging.make_judge(config, loader)
    with runs.opened(config, loader.dataset_name) as run_dir:
        print(
            f"Data    {loader.directory}: {counted(len(loader.paths('A')), 'image')} of A, "
            f"{len(loader.paths('B')):,} of B"
            f"\nDevice  {found}"
            f"\nRun     {run_dir}: {counted(config.epochs, 'epoch')} of "
            f"{counted(loader.num_batches(config.batch_size), 'step')}",
            flush=True,
        )
        gan = make_model(config)
        training = session.Session(gan, loader, config, run_dir, judged_in_training)
        stopped_at = training.train()
        translators = gan.translators
        saved = saving.save_translators(translators, run_dir)
        print(f"Saved   {' and '.join(map(str, saved))}", flush=True)
        write_image(run_dir / "translations.png", picture(translators, loader))
        figures = {
            "epochs": config.epochs,
            **({} if stopped_at is None else {"stopped_at_step": stopped_at}),
            **judge.measure(translators).figures,
        }
        saving.save_figures(figures, run_dir / runs.FIGURES)
        print(verdict.in_words(figures))
        if not config.evaluate_every:
            place = shlex.quote(str(run_dir))
            print(f"How good is it? cyclegan evaluate --run-dir {place} writes a report.")
        return figures


def _finished(config: TrainConfig, figures: dict[str, float]) -> str:
    if (step := figures.get("stopped_at_step")) is None:
        return f"The run in {config.run_dir} is finished."
    return (
        f"The run in {config.run_dir} is finished: it came no further and stopped at step {step:,}."
    )


def _read_data(config: TrainConfig) -> Any:
    """Makes the loader of a run and reads its images, so that what is wrong with them is told."""
    loader = make_loader(config)
    if not loader.directory.exists() and config.dataset in ("fruit", "fruit_pairs"):
        print(f"Drawing the data set {config.dataset} into {loader.directory} …", flush=True)
    _check_data(loader)
    if loader.skipped:
        path, reason = next(iter(loader.skipped.items()))
        print(
            f"Skipped {counted(len(loader.skipped), 'image')} that cannot be used, "
            f"such as {str(path)!r}: {reason}",
            flush=True,
        )
    return loader


def _check_data(loader: Any) -> None:
    """All that can be wrong with the data is told now, and not after hours."""
    from cyclegan_keras.evaluation import truth

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


def make_model(config: TrainConfig) -> Any:
    """Makes the model of a run, with its initial weights.

    Args:
        config: The settings.

    Returns:
        A `CycleGAN` or a `Pix2Pix`.
    """
    from cyclegan_keras.cyclegan import CycleGAN
    from cyclegan_keras.pix2pix import Pix2Pix
    from cyclegan_keras.training import devices

    kind = Pix2Pix if config.model == "pix2pix" else CycleGAN
    with devices.precision(config.precision):
        return kind(**config.model_settings())


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
        skip_bad_images=config.skip_bad_images,
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
