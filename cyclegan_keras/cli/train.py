"""Train translators between two folders of images."""

import argparse
import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from cyclegan_keras.config import models, value_range
from cyclegan_keras.config.fields import Setting
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.launching import local, ray_train, slurm
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
    parser.add_argument(
        "--launcher",
        choices=("local", "slurm", "ray"),
        help="start or find the other workers of this run: local starts --workers processes on "
        "this machine, slurm reads which tasks srun has started, ray starts --workers on a Ray "
        "cluster",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="number of workers for --launcher local and ray"
    )
    groups: dict[str, Any] = {}
    usual = TrainConfig().flat()
    for name, setting in known_settings().items():
        if setting.flag is None:
            continue
        about = setting.about
        if about["group"] not in groups:
            groups[about["group"]] = parser.add_argument_group(about["group"])
            if about["group"] == "data":
                source = groups["data"].add_mutually_exclusive_group()
        group = source if name in ("dataset", "data_dir") else groups[about["group"]]
        having = [i.name for i in models.MODELS.values() if i.has(setting) and _is_in(name, i)]
        only = "" if len(having) == len(models.MODELS) else f" (of {', '.join(having)})"
        value = usual.get(name, setting.field.default)
        default = "" if value is None else f" (default: {value})"
        options: dict[str, Any] = {"type": setting.type, "choices": setting.choices}
        if setting.type is bool:
            options = {"action": argparse.BooleanOptionalAction}
            default = "" if value else default
        else:
            options["metavar"] = _metavar(setting)
        if about["words"]:
            options |= {"nargs": "+", "metavar": about["words"]}
        if were := about["values_were"]:
            options["type"] = functools.partial(_of_today, were)
        options |= {"dest": name, "default": argparse.SUPPRESS}
        group.add_argument(setting.flag, help=about["help_text"] + only + default, **options)
        _add_earlier_names(parser, setting, options)


def _is_in(name: str, info: models.ModelInfo) -> bool:
    """Whether a setting is one of data and run, or of this model."""
    return name in info.settings or not any(name in i.settings for i in models.MODELS.values())


def _of_today(were: Mapping[str, str], value: str) -> str:
    """Takes a choice by the name that it had once, too."""
    return were.get(value, value)


def _add_earlier_names(
    parser: argparse.ArgumentParser, setting: Setting, options: dict[str, Any]
) -> None:
    """Takes the flags and choices that a setting had once, of which `--help` is silent."""
    for old in setting.about["was"]:
        flag = f"--{old.replace('_', '-')}"
        parser.add_argument(flag, help=argparse.SUPPRESS, **options)


def _metavar(setting: Setting) -> str | None:
    if setting.choices:
        return None  # The choices themselves.
    if setting.name == "image_size":
        return "N|HxW"
    plain = {int: "N", float: "X"}.get(setting.type)
    return plain or setting.name.upper().removeprefix("DATA_")


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
    known = known_settings()
    given = {name: value for name, value in vars(arguments).items() if name in known}
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
    for name, setting in known.items():
        if base.has(name) and setting.was_found(getattr(base, name)):
            anew[name] = setting.about["found"]  # Likewise.
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
        WorkerLost: If another worker of the run is not there.
    """
    config = config_from(arguments)
    _check_launcher(arguments)
    if arguments.launcher == "local" and local.LOCAL not in os.environ:
        # A wrong flag is reported once, and not by each of them.
        return local.launch(arguments.command, arguments.workers)
    if arguments.launcher == "ray":
        ray_train.launch(config, arguments.workers)
        return 0
    if arguments.launcher == "slurm":
        cluster, place = slurm.cluster_of(os.environ)
        os.environ.update(cluster.environment())
        if place is not None:
            os.environ[local.LOCAL] = place
    trainer.train_run(config)
    return 0


def _check_launcher(arguments: argparse.Namespace) -> None:
    starts = arguments.launcher in ("local", "ray")
    if starts and (arguments.workers or 0) < 1:
        raise ValueError(
            f"--launcher {arguments.launcher} needs --workers, a number of at least 1. "
            f"Received: --workers {arguments.workers}"
        )
    if not starts and arguments.workers is not None:
        raise ValueError(
            "--workers is how many --launcher local or ray starts. "
            f"Received: --workers {arguments.workers} with --launcher {arguments.launcher}"
        )
