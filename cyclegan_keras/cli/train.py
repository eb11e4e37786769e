"""Train translators between two folders of images."""

import argparse
import dataclasses
import os
import pathlib
import typing
from typing import Any

from cyclegan_keras.config import models, value_range
from cyclegan_keras.config.fields import choices_of, value_type
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import run_folder, trainer

HELP = "train translators between two folders of images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Makes a flag of every setting in `TrainConfig`.

    Args:
        parser: Of this verb.
    """
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="start with the settings in this config.json; other flags override them",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="resume the run in --run-dir with its settings",
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
        having = [info.name for info in models.MODELS.values() if info.has(field)]
        only = "" if len(having) == len(models.MODELS) else f" (of {', '.join(having)})"
        default = "" if field.default is None else f" (default: {field.default})"
        if field.name == "image_size":
            kind = str  # A number, or two; `TrainConfig` tells what is wrong with it.
        options: dict[str, Any] = {"type": kind, "choices": choices_of(field)}
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
    trainer.train_run(config_from(arguments))
    return 0
