"""All settings of a run: those of its data, of its model, and of how it is trained."""

import dataclasses
import json
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from cyclegan_keras.config import models, parts, settings_file, together, value_range
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import Setting
from cyclegan_keras.config.gans import ModelConfig
from cyclegan_keras.config.known import (
    MODEL,
    decided_by_recipes,
    earlier_names,
    from_nested,
    kinds_in,
    known_settings,
    of_today,
    usual_of,
)
from cyclegan_keras.config.registry import ModelInfo
from cyclegan_keras.config.run import RunConfig


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
    model: ModelConfig = dataclasses.field(metadata=MODEL.field.metadata)
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
        with parts.errors_name_as_given(settings, earlier_names()):
            given = of_today(settings)
            if isinstance(model, str):
                given["model"] = MODEL.checked(model)
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
        usual = usual_of(info, recipe)
        if {"model", "recipe"} & given.keys():
            decided = decided_by_recipes()
            kept = {name: old[name] for name in chosen & old.keys() if name not in decided}
        else:
            kinds = {name: old[name] for name in kinds_in(usual.model) & old.keys()}
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
            usual.model, {n: values[n] for n in kinds_in(usual.model) & values.keys()}
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
        name = earlier_names().get(name, name)
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
    def classifiers(self) -> tuple[str, ...]:
        """The names of the model's networks that label images."""
        return self.info.classifiers_of(self)

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
            found = from_nested(found) if "version" in found else found
            given = of_today(found)
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
        info = models.MODELS[MODEL.checked(values.get("model", "cyclegan"))]
        recipe = values.get("recipe")
        usual_of(info, recipe)
        known, kinds = known_settings(), kinds_in(info.config)
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


# What settings are if they are left out and others decide.
_DECIDED: dict[str, Callable[[TrainConfig], Any]] = {
    "lambda_cycle_A": lambda config: config.lambda_cycle,
    "lambda_cycle_B": lambda config: config.lambda_cycle,
    "lambda_id": lambda config: 0.9 * config.lambda_cycle,
    "decay_epochs": lambda config: _decay_epochs(config),
    "num_blocks": lambda config: 6 if max(config.img_res) < 256 else 9,
}


def _decay_epochs(config: TrainConfig) -> int:
    recipe = usual_of(config.info, config.recipe)
    return int(config.epochs * recipe.decay_share) if recipe.decays else 0


def _flat(*found: Any) -> dict[str, Any]:
    """All values of some parts, by their flat names."""
    return {n: v for part in found if isinstance(part, parts.Part) for n, v in part.flat().items()}
