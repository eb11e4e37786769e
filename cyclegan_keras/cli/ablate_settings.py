"""What `cyclegan ablate` trains: the settings of each training, and for how long."""

import argparse
import copy
import dataclasses
import math
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from cyclegan_keras._text import counted
from cyclegan_keras.cli import train
from cyclegan_keras.config.fields import Setting
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.config.models import MODELS, ModelInfo, Variant
from cyclegan_keras.config.train_config import TrainConfig

# What all have alike, so that they see the same images.
SHARED = ("image_size", "flip", "epoch_length", "batch_size")
# How long they are trained, if that is not decided by the time.
LENGTH = ("epochs", "decay_epochs")
# Whoever trains the baseline of a recipe means its networks, its losses, and its way of playing.
GROUPS_OF_A_RECIPE = ("model", "networks", "losses")
GAME: tuple[str, ...] = ("update_first", "discriminator_update", "pool_size", "source_negatives")
GAME += ("diffaugment_translation", "diffaugment_color")
DEFAULT_DIR = "runs/ablation"


@dataclasses.dataclass(frozen=True)
class Part:
    """Trainings that are compared with each other.

    Attributes:
        title: What they have alike, such as "1,000 steps each".
        base: The settings of the command line.
        configs: Those of each training by its name, each with a `run_dir` of its own.
    """

    title: str
    base: TrainConfig
    configs: dict[str, TrainConfig]


def parts(arguments: argparse.Namespace) -> list[Part]:
    """Gives all trainings: for as many steps each, for as much time, or first one and then both.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        One part; two, in folders of their own, if both `--steps` and `--minutes` are given.

    Raises:
        FileNotFoundError: If there is no such settings file.
        ValueError: If a setting is wrong.
    """
    given = vars(arguments)
    if "steps" not in given or "minutes" not in given:
        return [_part(arguments)]
    parent = pathlib.Path(train.config_from(arguments).run_dir or DEFAULT_DIR)
    found = []
    for name, other in (("steps", "minutes"), ("minutes", "steps")):
        some = copy.copy(arguments)
        delattr(some, other)
        some.run_dir = str(parent / name)
        found.append(_part(some))
    return found


def _part(arguments: argparse.Namespace) -> Part:
    base = train.config_from(arguments)
    if base.minutes is not None:
        title = "1 minute each" if base.minutes == 1 else f"{base.minutes:g} minutes each"
    elif base.steps is not None:
        title = f"{counted(base.steps, 'step')} each"
    else:
        title = "as many steps each"
    return Part(title, base, configs(arguments))


def configs(arguments: argparse.Namespace) -> dict[str, TrainConfig]:
    """Gives the settings of each training.

    The ablations have no identity loss, as in the paper's table, unless `--lambda-id` asks for it.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        Settings by name, each with a `run_dir` of its own.

    Raises:
        FileNotFoundError: If there is no such settings file.
        ValueError: If a setting is wrong.
    """
    if arguments.resume:
        raise ValueError(
            "An ablation goes on by itself where it was interrupted. Leave --resume out, and give "
            "the same flags as before."
        )
    base = train.config_from(arguments)
    if base.start_from is not None:
        raise ValueError(
            "Parts of the losses are compared from random weights on. Leave --from out, and "
            f"`start_from` in the file of --config. Received: start_from={base.start_from!r}"
        )
    ablations = base.info.ablations
    if not ablations:
        able = " or ".join(info.title for info in MODELS.values() if info.ablations)
        raise ValueError(
            f"What is ablated is a {able}; for {base.info.title} beside it, give --settings "
            f"{' '.join(base.info.baselines) or 'of it'}. Received: model={base.info.name!r}"
        )
    names = list(dict.fromkeys(arguments.settings or ablations))
    parent = pathlib.Path(base.run_dir or DEFAULT_DIR)
    # One that somebody asked for, and not that of a recipe.
    without = {
        name: value for name, value in base.info.ablated_without.items() if name not in base.chosen
    }
    found = {}
    for name in names:
        place = {"run_dir": str(parent / name)}
        if name in ablations:
            changes = {**without, **ablations[name].settings, **place}
            found[name] = base.replace(**changes)
            continue
        info = of_baseline(name)
        own = info.baselines[name].settings
        # What a model needs for itself, such as images in a step, is its own unless chosen.
        taken = {
            key: getattr(base, key)
            for key in _shared(base, info)
            if key not in own or key in base.chosen
        }
        if info.data == "paired" and base.data_dir is None and base.dataset == "fruit":
            taken["dataset"] = "fruit_pairs"
        found[name] = TrainConfig(**{"model": info.name, **own, **taken, **place})
    ablated = {name: found[name] for name in found if name in ablations}
    _check_weights_count(base, set(vars(arguments)), ablated)
    return found


def _check_weights_count(
    base: TrainConfig, given: set[str], ablated: dict[str, TrainConfig]
) -> None:
    """Raises an error for a flag whose weight each of the settings takes away."""
    for name, setting in base.model.settings().items():
        value = getattr(base, name)
        if setting.about["group"] != "losses" or name not in given or not ablated:
            continue
        if all(getattr(config, name) != value for config in ablated.values()):
            raise ValueError(
                f"`{name}` does nothing here: it is no part of "
                f"{', '.join(repr(title(each)) for each in ablated)}. Leave it out, or train "
                f"other --settings. Received: {name}={value}, --settings {' '.join(ablated)}"
            )


def variants(info: ModelInfo) -> dict[str, Variant]:
    """Everything that a model gives `ablate` to train, by name."""
    return {**info.ablations, **info.baselines}


def of_baseline(name: str) -> ModelInfo:
    """Finds the model that a baseline is of.

    Args:
        name: One of `--settings`.

    Returns:
        What the model says of itself.

    Raises:
        ValueError: If it is no baseline, but an ablation of another model.
    """
    found = [info for info in MODELS.values() if name in info.baselines]
    if not found:
        able = [info.title for info in MODELS.values() if name in info.ablations]
        raise ValueError(f"{name} is a part of {' or '.join(able)} left out. Leave it out.")
    return found[0]


def title(name: str) -> str:
    """What tables call a training."""
    return next(variants(i)[name].title for i in MODELS.values() if name in variants(i))


def titles(part: Part) -> dict[str, str]:
    """Names the trainings in tables, with the model of ablations if there are other models, too.

    Args:
        part: The trainings.

    Returns:
        The titles by name.
    """
    known = {name: each.title for name, each in part.base.info.ablations.items()}
    if not part.configs.keys() <= known.keys():
        known = {name: f"{part.base.info.title}, {words}" for name, words in known.items()}
    return {name: known.get(name) or title(name) for name in part.configs}


def _shared(base: TrainConfig, info: ModelInfo) -> list[str]:
    """Names the settings that a baseline has from the command line."""
    of_both = {*info.config.settings(), *base.data.settings(), *base.run.settings()}
    alike: tuple[str, ...] = SHARED + LENGTH
    if base.minutes is not None:
        # The time decides the epochs. Rates fall in all of them or in none.
        alike = SHARED if base.decay_epochs else (*SHARED, "decay_epochs")
    return [
        name
        for name, setting in known_settings().items()
        if name in of_both
        and info.has(setting)
        and (name in alike or (name in base.chosen and not _is_of_recipe(setting)))
    ]


def _is_of_recipe(setting: Setting) -> bool:
    return setting.about["group"] in GROUPS_OF_A_RECIPE or setting.name in (*GAME, "ema")


def dropped(base: TrainConfig, names: Collection[str]) -> str | None:
    """Says which flags are not those of a baseline.

    Args:
        base: What the command line says.
        names: The settings that are trained.

    Returns:
        A sentence; `None` if there is nothing to say.
    """
    flags = [
        setting.flag or name
        for name, setting in known_settings().items()
        if name in base.chosen and _is_of_recipe(setting) and setting.about["group"] != "model"
    ]
    baselines = [title(name) for name in names if name not in base.info.ablations]
    if not (flags and baselines):
        return None
    return (
        f"Networks and losses of a baseline are its recipe's: {', '.join(flags)} "
        f"{'does' if len(flags) == 1 else 'do'} not change {'; '.join(baselines)}."
    )


def with_length(part: Part, own: Any, loaders: Mapping[str, Any]) -> Part:
    """Gives each training as many steps, also if a step of it takes more images than of others.

    Args:
        part: The trainings.
        own: The `DataLoader` of the command line's settings.
        loaders: That of each training, by name.

    Returns:
        The trainings, with `epochs` and `steps`; unchanged if the time decides them.

    Raises:
        ValueError: If a batch takes more images than there are.
    """
    base = part.base
    in_epoch = {
        name: loaders[name].num_batches(config.batch_size) for name, config in part.configs.items()
    }
    if base.minutes is not None:
        return part
    num_steps = base.epochs * own.num_batches(base.batch_size)
    if base.steps is not None:
        is_bound = "epochs" in base.chosen
        num_steps = min(num_steps, base.steps) if is_bound else base.steps
    found = {}
    for name, config in part.configs.items():
        epochs = math.ceil(num_steps / in_epoch[name])
        steps = None if epochs * in_epoch[name] == num_steps else num_steps
        if (epochs, steps) != (config.epochs, config.steps):
            decaying = math.ceil((config.decay_epochs or 0) * epochs / config.epochs)
            config = config.replace(epochs=epochs, steps=steps, decay_epochs=decaying)
        found[name] = config
    return dataclasses.replace(part, title=f"{counted(num_steps, 'step')} each", configs=found)
