"""All settings of a run: those of its data, of its model, and of how it is trained."""

import copy
import dataclasses
import functools
import json
import os
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cyclegan_keras.config import models, parts, settings_file, together, value_range
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import GROUPS, Setting, own_settings, setting
from cyclegan_keras.config.gans import ModelConfig
from cyclegan_keras.config.recipes import CYCLEGAN
from cyclegan_keras.config.registry import ModelInfo, Recipe
from cyclegan_keras.config.run import RunConfig


def _models_in_words() -> str:
    kinds = {"unpaired": "two sets of images", "paired": "paired images"}
    return "; ".join(
        f"from {words}, {' or '.join(names)}"
        for data, words in kinds.items()
        if (names := [name for name, info in models.MODELS.items() if info.data == data])
    )


_MODEL_FIELD = setting(
    "model",
    None,
    f"what is trained: {_models_in_words()}",
    choices=models.names,
)


@dataclasses.dataclass(frozen=True, init=False, eq=False)
class TrainConfig:
    """Everything that decides how a run goes.

    A setting is given by its flat name, the one that its flag has (`image_size` is `--image-size`),
    wherever it belongs, and is read by it: `TrainConfig(recipe="paper", gf=32).gf`. What nobody
    gives is as in the recipe. `dataclasses.replace(config, epochs=3)` changes settings; a new
    `model` or `recipe` there decides all that recipes decide anew.

    Args:
        data: Of the images; `None` means those of the recipe.
        model: Of the model: its name, or its settings, such as a `CycleGANConfig`.
        run: Of the run; `None` means those of the recipe.
        chosen: The names of the settings that somebody chose, and no recipe did.
        **settings: By their flat names, on top of all these.

    Raises:
        TypeError: If there is no such setting.
        ValueError: If a value is of the wrong type or out of range, there is no such recipe, or a
            setting that was given has no effect beside the others.
    """

    data: DataConfig
    model: ModelConfig = dataclasses.field(metadata=_MODEL_FIELD.metadata)
    run: RunConfig
    chosen: frozenset[str] = dataclasses.field(repr=False)

    def __init__(
        self,
        *,
        data: DataConfig | None = None,
        model: ModelConfig | str | None = None,
        run: RunConfig | None = None,
        chosen: Collection[str] = (),
        **settings: Any,
    ) -> None:
        with parts.errors_name_as_given(settings, _earlier_names()):
            given = _of_today(settings)
            if isinstance(model, str):
                given["model"] = _MODEL.checked(model)
            self._decide(data, model, run, frozenset(chosen), given)

    def _decide(
        self,
        data: DataConfig | None,
        model: ModelConfig | str | None,
        run: RunConfig | None,
        chosen: frozenset[str],
        given: dict[str, Any],
    ) -> None:
        """Puts what somebody chose, and what is given now, on top of the recipe."""
        old = _flat(data, model, run)
        kind = given.get("model") or (model.kind if isinstance(model, ModelConfig) else "cyclegan")
        info = models.MODELS[kind]
        recipe = given.get("recipe", old.get("recipe"))
        if "recipe" not in given and recipe not in info.recipes:
            recipe = None  # It was of the other model.
        usual = _usual(info, recipe)
        if {"model", "recipe"} & given.keys():
            decided = _decided_by_recipes()
            kept = {name: old[name] for name in chosen & old.keys() if name not in decided}
        else:
            kinds = {name: old[name] for name in _kinds(usual.model) & old.keys()}
            usual_values = _flat(usual.data, parts.put(usual.model, kinds), usual.run)
            kept = {
                name: value
                for name, value in old.items()
                if name in (chosen | kinds.keys()) or value != usual_values.get(name)
            }
        if "dataset" in given and "data_dir" not in given:
            kept.pop("data_dir", None)  # The one takes the other's place.
        elif given.get("data_dir") is not None and "dataset" not in given:
            kept.pop("dataset", None)
        if given.keys() & {"epochs", "minutes"}:  # Each decides what the others decided.
            kept = {n: v for n, v in kept.items() if n not in ("epochs", "minutes", "steps")}
        known = known_settings()
        for name in given.keys() & known.keys():
            if given[name]:
                kept.pop(known[name].about["excludes"], None)
        values = {**kept, **given, "recipe": recipe}
        if unknown := sorted(values.keys() - known.keys()):
            raise TypeError(f"TrainConfig has no such setting. Received: {', '.join(unknown)}")
        of_kinds = parts.put(
            usual.model, {n: values[n] for n in _kinds(usual.model) & values.keys()}
        )
        together.check_choices(of_kinds, values, known)
        self._set("data", parts.put(usual.data, values))
        self._set("model", parts.put(usual.model, values))
        self._set("run", parts.put(usual.run, values))
        own = {"model", "recipe"}
        chosen_values = {
            name: value
            for name, value in values.items()
            # What another setting decides again, nobody has chosen.
            if name not in own and (value is not None or name not in _DECIDED)
        }
        self._set("chosen", frozenset(chosen_values))
        together.check(self, given, chosen_values)
        self._set("chosen", self.chosen & self.flat().keys())

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Returns a setting by its flat name; of one that the model does not have, its default."""
        if name.startswith("_") or name in ("data", "model", "run", "chosen"):
            raise AttributeError(name)
        name = _earlier_names().get(name, name)
        for part in (self.data, self.model, self.run):
            if name in (flat := part.flat()):
                value = flat[name]
                return _DECIDED[name](self) if value is None and name in _DECIDED else value
        if name in (known := known_settings()):
            return known[name].field.default
        raise AttributeError(f"TrainConfig has no setting {name!r}")

    def __eq__(self, other: object) -> bool:
        """Returns whether two runs would be the same."""
        return isinstance(other, TrainConfig) and self.nested() == other.nested()

    def __hash__(self) -> int:
        """Returns a number that is the same for equal settings."""
        return hash(repr(self.nested()))

    @property
    def info(self) -> ModelInfo:
        """What the model says of itself."""
        return models.MODELS[self.model.kind]

    @property
    def ways(self) -> tuple[str, ...]:
        """Which ways the model translates: `"AB"`, `"BA"` or both."""
        return self.info.ways_of(self)

    @property
    def discriminators(self) -> tuple[str, ...]:
        """The names of the model's discriminators."""
        return self.info.discriminators_of(self)

    @property
    def img_res(self) -> tuple[int, int]:
        """Height and width that are trained at, in pixels."""
        return self.data.img_res

    @property
    def img_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of what the networks take."""
        return self.data.img_shape

    @classmethod
    def make(cls, base: "TrainConfig | None" = None, **settings: Any) -> "TrainConfig":
        """Makes settings from other ones, or from those of a recipe, with some changed.

        Args:
            base: Settings to start from; `None` means the defaults. What another setting decided
                there (`decay_epochs`, in the papers half of `epochs`, for one) is decided anew.
            **settings: By their flat names. `recipe` or `model` among them sets all that the recipe
                decides, and pix2pix always has its paper's networks and losses; the others come on
                top.

        Returns:
            The settings.

        Raises:
            TypeError: If there is no such setting.
            ValueError: If a value is of the wrong type or out of range, is no setting of the model,
                or has no effect beside the others.
        """
        return cls(**settings) if base is None else base.replace(**settings)

    def replace(self, **settings: Any) -> "TrainConfig":
        """Returns these settings with some changed, as `dataclasses.replace` does.

        Args:
            **settings: By their flat names, or `data`, `model` and `run`.

        Returns:
            The settings.

        Raises:
            TypeError: If there is no such setting.
            ValueError: If a value is wrong, or has no effect beside the others.
        """
        return dataclasses.replace(self, **settings)

    def has(self, name: str) -> bool:
        """Returns whether a setting is one of this model, or of its data and run.

        Args:
            name: Its flat name. That of a network that the model could have instead counts.

        Returns:
            Whether it is.
        """
        if name in self.info.settings or name == "model":
            return True
        found = {**self.data.settings(), **self.run.settings()}.get(name)
        return found is not None and self.info.has(found)

    def flat(self) -> dict[str, Any]:
        """Returns all settings that it has by their flat names, as they are in effect."""
        flat = {"model": self.model.kind, **_flat(self.data, self.model, self.run)}
        return {name: getattr(self, name) if name in _DECIDED else flat[name] for name in flat}

    def model_settings(self) -> dict[str, Any]:
        """Returns the keyword arguments that the model's class is called with, but the data."""
        settings = {"img_shape": self.img_shape, "config": self.model, "seed": self.run.seed}
        return {**settings, "classes": self.data.classes} if self.info.labels else settings

    def differences(self, other: "TrainConfig") -> dict[str, tuple[Any, Any]]:
        """Compares with the settings that a run was begun with.

        Args:
            other: Those.

        Returns:
            For each setting that must not change in the middle of a run and differs, this value and
            the other one.
        """
        mine, theirs = self.flat(), other.flat()
        known = known_settings()
        may_change = {each.name for each in known.values() if each.about["may_change"]}
        return {
            name: (mine.get(name), theirs.get(name))
            for name in {**mine, **theirs}
            if name not in may_change
            and mine.get(name) != theirs.get(name)
            # `auto` is the same setting before and after something was found.
            and not (
                name == "value_range"
                and value_range.AUTO in (self.value_range, other.value_range)
                and value_range.is_auto(self.value_range)
                and value_range.is_auto(other.value_range)
            )
            and not _is_found_of(known[name], mine.get(name), theirs.get(name))
        }

    def nested(self) -> dict[str, Any]:
        """Returns all settings as `config.json` has them, in effect: data, model and run."""
        effective = {name: getattr(self, name) for name in _DECIDED}
        return {
            name: parts.put(part, effective).nested()
            for name, part in (("data", self.data), ("model", self.model), ("run", self.run))
        }

    def to_json(self) -> str:
        """Returns the settings as JSON, one a line."""
        return json.dumps({"version": settings_file.VERSION, **self.nested()}, indent=2) + "\n"

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> "TrainConfig":
        """Reads settings that `to_json` wrote, in this or an earlier version.

        Args:
            path: Of the file. The recipe that it names, or else the defaults, decides the settings
                that are not in it; in the file of a run, all are.

        Returns:
            The settings.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it is not JSON, or has settings that do not exist, are out of range, or
                have no effect beside the others.
        """
        found = settings_file.read(path)
        try:
            found = _from_nested(found) if "version" in found else found
            given = _of_today(found)
            if unknown := sorted(given.keys() - known_settings().keys()):
                raise ValueError(
                    f"it must be an object with keys among {sorted(known_settings())}. "
                    f"Received: {unknown}"
                )
            if settings_file.is_of_a_run(given):
                return cls.from_flat(settings_file.completed(given))
            return cls(**found)
        except ValueError as error:
            raise ValueError(f"In the settings file {os.fspath(path)!r}: {error}") from None

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """Takes all settings of a run, as `flat` returned them, whether or not they have an effect.

        Args:
            values: By flat names. What is missing has the default of its dataclass, whatever the
                recipe says: it was no setting yet.

        Returns:
            The settings.

        Raises:
            ValueError: If a value is of the wrong type or out of range.
        """
        info = models.MODELS[_MODEL.checked(values.get("model", "cyclegan"))]
        recipe = values.get("recipe")
        _usual(info, recipe)
        known, kinds = known_settings(), _kinds(info.config)
        model = parts.put(info.config, {name: values[name] for name in kinds & values.keys()})
        has = model.settings()
        values = {
            name: value
            for name, value in values.items()
            # Recipes left the norms of other networks, which stood for the one that there is.
            if name not in has or parts.fits(has[name], value) or not parts.fits(known[name], value)
        }
        config = cls(
            data=parts.put(DataConfig(), values),
            model=parts.put(model, values),
            run=parts.put(RunConfig(), {**values, "recipe": recipe}),
        )
        # A value that would be decided anyway is nobody's choice.
        open_values = {
            name: None
            for name in _DECIDED
            if name in config.chosen
            and name != "lambda_id"
            and getattr(config, name) == _DECIDED[name](config)
        }
        return config.replace(**open_values) if open_values else config


def _is_found_of(setting: Setting, one: Any, other: Any) -> bool:
    """Whether one value leaves it to the images, and the other is what was found in them."""
    return setting.about["found"] in (one, other) and (
        setting.was_found(one) or setting.was_found(other)
    )


def _from_nested(found: dict[str, Any]) -> dict[str, Any]:
    """Reads data, model and run, all or some of each; settings beside them come on top."""
    found = {name: value for name, value in found.items() if name != "version"}
    values: dict[str, Any] = {}
    if isinstance(model := found.get("model"), Mapping):
        del found["model"]
        kind = model.get("kind", "cyclegan")
        config = models.MODELS[_MODEL.checked(kind)].config
        values = {"model": kind, **parts.from_nested(config, model, "model")}
    values |= parts.from_nested(DataConfig(), found.pop("data", {}), "data")
    return {**values, **parts.from_nested(RunConfig(), found.pop("run", {}), "run"), **found}


_MODEL = next(each for each in own_settings(TrainConfig) if each.name == "model")

# What settings are if they are left out and others decide.
_DECIDED: dict[str, Callable[[TrainConfig], Any]] = {
    "lambda_cycle_A": lambda config: config.lambda_cycle,
    "lambda_cycle_B": lambda config: config.lambda_cycle,
    "lambda_id": lambda config: 0.9 * config.lambda_cycle,
    "decay_epochs": lambda config: _decay_epochs(config.epochs, _usual(config.info, config.recipe)),
    "num_blocks": lambda config: 6 if max(config.img_res) < 256 else 9,
}


def _decay_epochs(epochs: int, recipe: Recipe) -> int:
    return int(epochs * recipe.decay_share) if recipe.decays else 0


def _flat(*found: Any) -> dict[str, Any]:
    """All values of some parts, by their flat names."""
    return {n: v for part in found if isinstance(part, parts.Part) for n, v in part.flat().items()}


def _usual(info: ModelInfo, recipe: str | None) -> Recipe:
    """What a recipe of a model decides, or the defaults."""
    if recipe in info.recipes:
        return info.recipes[recipe]
    if recipe is not None:
        known = " or ".join(name for name in info.recipes if name is not None)
        raise ValueError(
            f"`recipe` must be {known or 'left out'} with model={info.name}"
            f"{', or left out' if known else ''}. Received: recipe={recipe!r}"
        )
    return dataclasses.replace(CYCLEGAN[None], model=info.config)


def _decided_by_recipes() -> set[str]:
    """The names of the settings that recipes decide."""
    of_models = {name for info in models.MODELS.values() for name in info.settings}
    return of_models | {n for n, each in known_settings().items() if each.about["by_recipe"]}


def _kinds(part: parts.Part) -> set[str]:
    """The names of the settings that choose one of several dataclasses."""
    return {name for name, each in part.settings().items() if each.about["kinds"] is not None}


def known_settings() -> Mapping[str, Setting]:
    """Finds every setting that there is, of whichever model.

    Returns:
        By their names, in the order of `--help`. If several networks have one, it takes the choices
        of all.
    """
    return _known(tuple((name, id(info)) for name, info in models.MODELS.items()))[0]


def _of_today(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Gives settings that have their earlier names those of today."""
    return {_earlier_names().get(name, name): value for name, value in settings.items()}


def _earlier_names() -> Mapping[str, str]:
    return _known(tuple((name, id(info)) for name, info in models.MODELS.items()))[1]


@functools.cache
def _known(registered: Any) -> tuple[dict[str, Setting], dict[str, str]]:
    """Finds all settings, and their earlier names; again once another model is registered."""
    of_models = [info.config for info in models.MODELS.values()]
    found: dict[str, list[Setting]] = {"model": [_MODEL]}
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
