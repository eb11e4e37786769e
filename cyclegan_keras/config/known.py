"""Every setting that there is, of whichever model, and what recipes decide of them."""

import copy
import dataclasses
import functools
import types
from collections.abc import Mapping
from typing import Any

from cyclegan_keras.config import models, parts
from cyclegan_keras.config.cyclegan import RECIPES as CYCLEGAN
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import GROUPS, Setting, own_settings, setting
from cyclegan_keras.config.gans import ModelConfig
from cyclegan_keras.config.registry import ModelInfo, Recipe
from cyclegan_keras.config.run import RunConfig


def _models_in_words() -> str:
    kinds = {"unpaired": "two sets of images", "paired": "paired images"}
    return "; ".join(
        f"from {words}, {' or '.join(names)}"
        for data, words in kinds.items()
        if (names := [name for name, info in models.MODELS.items() if info.data == data])
    )


@dataclasses.dataclass(frozen=True)
class _Choice:
    model: ModelConfig = setting(
        "model",
        None,
        f"what is trained: {_models_in_words()}",
        choices=models.names,
    )


# The setting that chooses the model.
(MODEL,) = own_settings(_Choice)


def usual_of(info: ModelInfo, recipe: str | None) -> Recipe:
    """Finds what a recipe of a model decides.

    Args:
        info: The model's entry.
        recipe: The name of the recipe; `None` for what holds where none is named.

    Returns:
        All settings; those of CycleGAN's fast recipe, where the model does not say.

    Raises:
        ValueError: If the model has no such recipe.
    """
    if recipe in info.recipes:
        return info.recipes[recipe]
    if recipe is not None:
        known = " or ".join(name for name in info.recipes if name is not None)
        raise ValueError(
            f"`recipe` must be {known or 'left out'} with model={info.name}"
            f"{', or left out' if known else ''}. Received: recipe={recipe!r}"
        )
    return dataclasses.replace(CYCLEGAN[None], model=info.config)


def decided_by_recipes() -> set[str]:
    """Names the settings that recipes decide."""
    of_models = {name for info in models.MODELS.values() for name in info.settings}
    return of_models | {n for n, each in known_settings().items() if each.about["by_recipe"]}


def kinds_in(part: parts.Part) -> set[str]:
    """Names the settings that choose one of several dataclasses.

    Args:
        part: What they are settings of.

    Returns:
        Their flat names.
    """
    return {name for name, each in part.settings().items() if each.about["kinds"] is not None}


def known_settings() -> Mapping[str, Setting]:
    """Finds every setting that there is, of whichever model.

    Returns:
        By their names, in the order of `--help`. If several networks have one, it takes the choices
        of all.
    """
    return _known(tuple((name, id(info)) for name, info in models.MODELS.items()))[0]


def of_today(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Gives settings that have their earlier names those of today.

    Args:
        settings: Values by their names.

    Returns:
        The same by the names of today.
    """
    return {earlier_names().get(name, name): value for name, value in settings.items()}


def earlier_names() -> Mapping[str, str]:
    """Returns the names that settings once had, with those of today."""
    return _known(tuple((name, id(info)) for name, info in models.MODELS.items()))[1]


@functools.cache
def _known(registered: Any) -> tuple[dict[str, Setting], dict[str, str]]:
    """Finds all settings, and their earlier names; again once another model is registered."""
    of_models = [info.config for info in models.MODELS.values()]
    found: dict[str, list[Setting]] = {"model": [MODEL]}
    for each in parts.all_settings([RunConfig(), DataConfig(), *of_models]):
        found.setdefault(each.name, []).append(each)
    ordered = sorted(found.values(), key=lambda same: GROUPS.index(same[0].about["group"]))
    earlier = parts.earlier_names([RunConfig(), DataConfig(), *of_models])
    return {same[0].name: _merged(same) for same in ordered}, earlier


def _merged(same: list[Setting]) -> Setting:
    """Makes one setting of those that several dataclasses have by the same name."""
    choices = tuple(dict.fromkeys(c for each in same for c in each.choices or ()))
    if len(same) == 1 or not choices:
        return same[0]
    field = copy.copy(same[0].field)
    field.metadata = types.MappingProxyType({**field.metadata, "choices": lambda: choices})
    return dataclasses.replace(same[0], field=field)


def from_nested(found: dict[str, Any]) -> dict[str, Any]:
    """Reads data, model and run, all or some of each; settings beside them come on top.

    Args:
        found: What a settings file has.

    Returns:
        The values by their flat names.

    Raises:
        ValueError: If it has what is no setting.
    """
    found = {name: value for name, value in found.items() if name != "version"}
    values: dict[str, Any] = {}
    if isinstance(model := found.get("model"), Mapping):
        del found["model"]
        kind = model.get("kind", "cyclegan")
        config = models.MODELS[MODEL.checked(kind)].config
        values = {"model": kind, **parts.from_nested(config, model, "model")}
    values |= parts.from_nested(DataConfig(), found.pop("data", {}), "data")
    return {**values, **parts.from_nested(RunConfig(), found.pop("run", {}), "run"), **found}
