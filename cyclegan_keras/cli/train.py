"""Train translators between two folders of images."""

import argparse
import dataclasses
import functools
import os
import pathlib
import shlex
import sys
import typing
from typing import Any

from cyclegan_keras import _backend
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras._text import counted
from cyclegan_keras.config import scale, value_range
from cyclegan_keras.config.fields import value_type
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import judging, record, run_folder, warm_start

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
        if about["flag"] == "":
            continue
        if about["group"] not in groups:
            groups[about["group"]] = parser.add_argument_group(about["group"])
            if about["group"] == "data":
                source = groups["data"].add_mutually_exclusive_group()
        group = source if field.name in ("dataset", "data_dir") else groups[about["group"]]
        kind = value_type(kinds[field.name])
        only = f" (of {about['models'][0]})" if len(about["models"]) == 1 else ""
        default = "" if field.default is None else f" (default: {field.default})"
        if field.name == "image_size":
            kind = str  # A number, or two; `TrainConfig` tells what is wrong with it.
        options: dict[str, Any] = {"type": kind, "choices": about["choices"]}
        if kind is bool:
            options = {"action": argparse.BooleanOptionalAction}
            default = "" if field.default else default
        else:
            options["metavar"] = _metavar(field, kind)
        if about["words"]:
            options |= {"nargs": "+", "metavar": about["words"]}
        group.add_argument(
            f"--{(about['flag'] or field.name).replace('_', '-')}",
            dest=field.name,
            default=argparse.SUPPRESS,
            help=about["help"] + only + default,
            **options,
        )


def _metavar(field: dataclasses.Field, kind: type) -> str | None:
    if field.metadata["choices"]:
        return None  # The choices themselves.
    if field.name == "image_size":
        return "N|HxW"
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
    if "start_from" in given:
        given["start_from"] = os.pathsep.join(given["start_from"])
    if arguments.resume:
        if "start_from" in given:
            raise ValueError(
                "--from begins a new run, and --resume goes on with an old one. Leave one of them "
                f"out. Received: --from {given['start_from']} --resume"
            )
        if arguments.config or "run_dir" not in given:
            raise ValueError(
                "--resume takes its settings from a run. Say which, with --run-dir, and leave "
                "--config out."
            )
        return TrainConfig.make(_settings_of_run(given["run_dir"]), **given)
    if not arguments.config:
        return TrainConfig.make(**given)
    # Where the old run went, and what it found, is no setting of the new one.
    base = TrainConfig.from_json(arguments.config)
    anew: dict[str, Any] = {"run_dir": None, "start_digest": None}
    if value_range.is_auto(base.value_range):
        anew["value_range"] = value_range.AUTO  # What was found there need not be so here.
    return TrainConfig.make(base, **{**anew, **given})


def _settings_of_run(run_dir: str) -> TrainConfig:
    if not (pathlib.Path(run_dir) / run_folder.CONFIG).exists():
        raise FileNotFoundError(
            f"There is no run in {run_dir!r} to go on with. Leave --resume out to begin one."
        )
    return run_folder.settings_in(run_dir)


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
    config = _with_whole_paths(config)
    if config.data_dir is not None and not pathlib.Path(config.data_dir).is_dir():
        raise FileNotFoundError(
            f"No folder {config.data_dir!r}. --data-dir must name one with trainA and trainB in it."
        )
    run_folder.check_folder(config)
    if (figures := record.figures_if_finished(config)) is not None:
        print(
            f"{_finished(config, figures)} To train it further, give more --epochs than "
            f"{figures['epochs']}."
        )
        return figures
    goes_on = config.run_dir is not None and run_folder.has_checkpoints(config.run_dir)
    if config.run_dir is not None and not goes_on:
        record.check_nothing_is_lost(config.run_dir)
    if config.start_from is not None and not goes_on:
        warm_start.check(config.start_from)
    if of_scale := scale.warning(config.enlarge, config.image_size):
        print(f"Warning: {of_scale}", file=sys.stderr, flush=True)
    print("Loading TensorFlow …", flush=True)
    # Only now: this takes seconds, and wrong flags should be told at once.
    with without_startup_notes():
        from cyclegan_keras.data.images import write_image
        from cyclegan_keras.inference import saving
        from cyclegan_keras.metrics import diagnostics
        from cyclegan_keras.runs import provenance, session
        from cyclegan_keras.training import devices
        from cyclegan_keras.training.callbacks import tensorboard

        _backend.check_settings()
        devices.use_threads()
        devices.compute_the_same(config.deterministic)
        found = devices.devices_in_words()

    if config.tensorboard:
        tensorboard.check_installed()
    loader = _read_data(config)
    config = dataclasses.replace(
        config, value_range=value_range.with_found(config.value_range, loader.value_ranges)
    )
    judge, judged_in_training = judging.make_judge(config, loader)
    images = provenance.images(loader)
    with run_folder.opened(config, loader.dataset_name, images) as run_dir:
        print(
            f"Data    {loader.directory}: {counted(len(loader.paths('A')), 'image')} of A, "
            f"{len(loader.paths('B')):,} of B; {_size_in_words(config)}"
            f"\nDevice  {found}"
            f"\nRun     {run_dir}: {counted(config.epochs, 'epoch')} of "
            f"{counted(loader.num_batches(config.batch_size), 'step')}",
            flush=True,
        )
        gan = make_model(config)
        start = None
        if config.start_from is not None:
            start = functools.partial(
                warm_start.start_from, source=config.start_from, make_model=make_model
            )
        training = session.Session(gan, loader, config, run_dir, judged_in_training, start)
        stopped_at = training.train()
        translators = gan.translators
        record.set_aside(run_dir)  # Of an evaluation on the way.
        saved = saving.save_translators(translators, run_dir)
        print(f"Saved   {' and '.join(map(str, saved))}", flush=True)
        write_image(run_dir / record.PICTURE, picture(translators, loader))
        figures = {
            "epochs": config.epochs,
            **({} if stopped_at is None else {"stopped_at_step": stopped_at}),
            **judge.measure(translators).figures,
            "weights": record.weights_of(saved),
        }
        saving.save_figures(figures, run_dir / record.FIGURES)
        print(diagnostics.in_words(figures))
        if not config.evaluate_every:
            place = shlex.quote(str(run_dir))
            print(f"How good is it? cyclegan evaluate --run-dir {place} writes a report.")
        return figures


def _with_whole_paths(config: TrainConfig) -> TrainConfig:
    """Makes paths absolute, so that the run can be gone on with from any folder."""
    changes: dict[str, Any] = {}
    if config.data_dir is not None:
        changes["data_dir"] = os.path.abspath(data_place(config))
    if config.extractor.endswith(".keras"):
        changes["extractor"] = os.path.abspath(config.extractor)
    if config.start_from is not None:
        places = warm_start.paths_in(config.start_from)
        changes["start_from"] = os.pathsep.join(map(os.path.abspath, places))
    return dataclasses.replace(config, **changes) if changes else config


def data_place(config: TrainConfig) -> pathlib.Path:
    """Finds the folder of a run's images.

    A relative path is one from the folder that the process is in or, if there is nothing and the
    run is begun, from one that the run's folder is in: most likely it was begun there.

    Args:
        config: The settings.

    Returns:
        The folder, which need not exist.
    """
    place = pathlib.Path(config.data_dir or pathlib.Path("data") / config.dataset)
    if place.exists() or config.run_dir is None:
        return place
    folder = pathlib.Path(config.run_dir).resolve()
    if not (folder / run_folder.CONFIG).exists():
        return place
    begun = (parent / place for parent in folder.parents)
    # A run is often called as its data set.
    return next((p for p in begun if p.exists() and not (p / run_folder.CONFIG).exists()), place)


def _size_in_words(config: TrainConfig) -> str:
    height, width = config.img_res
    return f"trained at {height}×{width} pixels (height×width){', gray' * (config.channels == 1)}"


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
    if gray := [domain for domain in "AB" if loader.channels == 3 and loader.is_gray(domain)]:
        print(
            f"All images of {' and '.join(gray)} are gray, and are trained on as RGB."
            + (" --channels 1 trains in gray." if len(gray) == 2 else ""),
            flush=True,
        )
    if config.value_range == value_range.AUTO:
        print(
            "Range   "
            + ", ".join(
                f"{one.low:g} to {one.high:g} in {domain}"
                for domain, one in loader.value_ranges.items()
            ),
            flush=True,
        )
    for note in loader.notes():
        print(note, flush=True)
    return loader


def _check_data(loader: Any) -> None:
    """All that can be wrong with the data is told now, and not after hours."""
    from cyclegan_keras.metrics import paired

    for domain in "AB":
        loader.pixels(domain)
        if loader.has_test_images:
            loader.pixels(domain, is_testing=True)
    paired.check_pairs(loader)
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
    from cyclegan_keras.models import from_settings

    return from_settings.make_model(config)


def make_loader(config: TrainConfig) -> Any:
    """Makes the `DataLoader` of a run; nothing is read yet.

    Args:
        config: The settings.

    Returns:
        The loader.
    """
    from cyclegan_keras.data.loader import DataLoader

    directory = pathlib.Path(os.path.abspath(data_place(config)))
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
        paired=config.model == "pix2pix",
        cache_memory=config.cache_memory,
        skip_bad_images=config.skip_bad_images,
        value_range=config.value_range,
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
