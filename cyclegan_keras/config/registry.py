"""What a model is: one entry for each, by which all other code goes.

Nothing else asks a model for its name. Another model is a class, a dataclass of its settings and an
entry; once that is registered, it is trained, resumed, evaluated, reported and compared like those
that are here:

```python
@dataclasses.dataclass(frozen=True, kw_only=True)
class MyConfig(ModelConfig):
    kind = "mine"
    generator: ResNetConfig = ResNetConfig()


register(ModelInfo(MyConfig(), "My model", MyModel))
train_run(TrainConfig(model="mine"))
```
"""

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

from cyclegan_keras.config.fields import Setting
from cyclegan_keras.config.parts import Part, all_settings

WAYS = ("AB", "BA")


@dataclasses.dataclass(frozen=True)
class Variant:
    """Settings that are trained beside others, to compare with them.

    Attributes:
        title: What a table calls it.
        settings: What is otherwise; of a baseline, all but what the command line says.
    """

    title: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Settings that go together. What is given beside them overrides them.

    Attributes:
        model: All settings of the model.
        data: Of the images.
        run: Of the run. Recipes decide settings with `by_recipe` only, and the data set.
        decays: Whether the learning rate falls over the last epochs, if nobody says over how many.
        decay_share: The share of the epochs in which it does, in (0, 1].
    """

    model: Any
    data: Any
    run: Any
    decays: bool = False
    decay_share: float = 0.5


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model says of itself.

    Attributes:
        config: Its settings with their defaults, a `ModelConfig`, whose `kind` is the value of the
            setting `model`.
        title: Its name, as people write it.
        model_class: The class, or `"module:Class"`, which is imported only when one is made. It is
            called with `img_shape`, `config` and `seed`.
        data: "unpaired" images, or "paired" ones, each with its ground truth.
        labels: Whether it learns from labels of the images of A, the folders that they are in. Its
            class is then called with `classes`, their names, too.
        ways: `"AB"`, `"BA"` or both: which ways its generators translate, `g_AB` and `g_BA`. If it
            depends on the settings, a function from these.
        discriminators: Their names, as in the columns `<name>_loss` and `<name>_acc` of the
            history, those of images only; likewise.
        companions: The names of further networks that are saved beside the generators and are
            needed with them: `e_B` finds the latent with which `g_AB` makes an image of B;
            likewise.
        classifiers: The names of networks that label images, as in the columns `<name>_loss` and
            `<name>_acc` of the history. They are saved and measured, too, once they are trained;
            likewise.
        judge: The extractor that `extractor="auto"` stands for; "auto" means what is installed. A
            model that is trained with features of one is judged by those of another.
        recipes: By name; `None` is what holds where no recipe is named.
        ablations: By name, what `cyclegan ablate` can leave out.
        ablated_without: Settings that its ablations have, unless somebody chooses them.
        baselines: By name, what ablations are compared with.
        on_replicas: Whether its step is right on several devices, each of which has a part of the
            batch; see "A step on several devices" in CONTRIBUTING.md.
    """

    config: Any
    title: str
    model_class: str | Callable[..., Any]
    data: Literal["unpaired", "paired"] = "unpaired"
    labels: bool = False
    ways: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = WAYS
    discriminators: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ("d_A", "d_B")
    companions: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    classifiers: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = ()
    judge: str = "auto"
    recipes: Mapping[str | None, Recipe] = dataclasses.field(default_factory=dict)
    ablations: Mapping[str, Variant] = dataclasses.field(default_factory=dict)
    ablated_without: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    baselines: Mapping[str, Variant] = dataclasses.field(default_factory=dict)
    on_replicas: bool = False

    @property
    def name(self) -> str:
        """The value of the setting `model`."""
        return self.config.kind

    @functools.cached_property  # Each flag of the command line asks each model for them.
    def settings(self) -> frozenset[str]:
        """The names of its settings, those of every network that it can have included."""
        return frozenset(setting.name for setting in all_settings([self.config]))

    def ways_of(self, config: Any) -> tuple[str, ...]:
        """Which ways it translates with these settings."""
        return self.ways(config) if callable(self.ways) else self.ways

    def discriminators_of(self, config: Any) -> tuple[str, ...]:
        """The names of the discriminators that it has with these settings."""
        return self.discriminators(config) if callable(self.discriminators) else self.discriminators

    def companions_of(self, config: Any) -> tuple[str, ...]:
        """Names what it saves with its generators, and needs for them, with these settings."""
        return self.companions(config) if callable(self.companions) else self.companions

    def classifiers_of(self, config: Any) -> tuple[str, ...]:
        """Names the networks that label images with these settings."""
        return self.classifiers(config) if callable(self.classifiers) else self.classifiers

    def has(self, setting: Setting) -> bool:
        """Whether a setting of the data or of the run is one of this model."""
        return setting.about["data"] in (None, self.data, "labelled" if self.labels else None)

    def load(self) -> Callable[..., Any]:
        """Returns the class, importing it if need be."""
        if not isinstance(self.model_class, str):
            return self.model_class
        module, _, name = self.model_class.partition(":")
        return getattr(importlib.import_module(module), name)


def way_of(config: Any) -> tuple[str, ...]:
    """Says which way a model of one direction translates.

    Args:
        config: Settings with a `direction`.

    Returns:
        `"AB"` or `"BA"`, alone.
    """
    return (config.direction[0] + config.direction[-1],)


MODELS: dict[str, ModelInfo] = {}


def register(info: ModelInfo) -> ModelInfo:
    """Makes a model known; its `name` can then be given as `model`.

    Args:
        info: What it says of itself.

    Returns:
        The same.

    Raises:
        ValueError: If there is a model of that name, or a recipe decides what recipes do not.
    """
    if info.name in MODELS:
        raise ValueError(
            f"There is a model of this name already; give another. Received: name={info.name!r}"
        )
    for name, recipe in info.recipes.items():
        parts: tuple[Part, ...] = (recipe.data, recipe.run)
        odd = [
            setting.name
            for part in parts
            for setting in part.settings().values()
            if not (setting.about["by_recipe"] or setting.name in ("dataset", "recipe"))
            and part.flat()[setting.name] != setting.field.default
        ]
        if odd:
            raise ValueError(
                "A recipe decides a model, and of data and run the settings with `by_recipe`. "
                f"Received: {', '.join(odd)} in the recipe {name!r} of {info.name}"
            )
    MODELS[info.name] = info
    return info


def names() -> tuple[str, ...]:
    """The names of all models."""
    return tuple(MODELS)


def recipe_names() -> tuple[str, ...]:
    """The names of all recipes that some model has."""
    found = (name for info in MODELS.values() for name in info.recipes if name is not None)
    return tuple(dict.fromkeys(found))
