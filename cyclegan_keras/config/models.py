"""What a model is: one entry for each, by which all other code goes.

Nothing else asks a model for its name. Another model is a class and an entry; once that is
registered, it is trained, resumed, evaluated, reported and compared like those that are here:

```python
register(ModelInfo("mine", "My model", MyModel, settings=frozenset({"gf", "df", "seed"})))
train_run(TrainConfig(model="mine"))
```
"""

import dataclasses
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Literal

from cyclegan_keras.config import recipes

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
class ModelInfo:
    """What a model says of itself.

    Attributes:
        name: The value of the setting `model`.
        title: Its name, as people write it.
        model_class: The class, or `"module:Class"`, which is imported only when one is made. It is
            called with `img_shape` and the settings below, by keyword.
        settings: The names of the settings that it is made with, out of those of networks, losses
            and steps. Others are none of its settings.
        data: "unpaired" images, or "paired" ones, each with its true translation.
        ways: `"AB"`, `"BA"` or both: which ways its generators translate, `g_AB` and `g_BA`. If it
            depends on the settings, a function from these.
        discriminators: Their names, as in the columns `<name>_loss` and `<name>_acc` of the
            history.
        recipes: By name, values of settings; `None` is what holds where no recipe is named.
        decaying_recipes: Those in which the learning rate falls over the second half of the epochs.
        ablations: By name, what `cyclegan ablate` can leave out.
        ablated_without: Settings that its ablations have, unless somebody chooses them.
        baselines: By name, what ablations are compared with.
    """

    name: str
    title: str
    model_class: str | Callable[..., Any]
    settings: frozenset[str]
    data: Literal["unpaired", "paired"] = "unpaired"
    ways: tuple[str, ...] | Callable[[Any], tuple[str, ...]] = WAYS
    discriminators: tuple[str, ...] = ("d_A", "d_B")
    recipes: Mapping[str | None, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    decaying_recipes: frozenset[str | None] = frozenset()
    ablations: Mapping[str, Variant] = dataclasses.field(default_factory=dict)
    ablated_without: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    baselines: Mapping[str, Variant] = dataclasses.field(default_factory=dict)

    def ways_of(self, config: Any) -> tuple[str, ...]:
        """Which ways it translates with these settings."""
        return self.ways(config) if callable(self.ways) else self.ways

    def has(self, field: dataclasses.Field) -> bool:
        """Whether a field of `TrainConfig` is a setting of this model."""
        data = field.metadata["data"]
        if data is not None and data != self.data:
            return False
        return not field.metadata["of_model"] or field.name in self.settings

    def load(self) -> Callable[..., Any]:
        """Returns the class, importing it if need be."""
        if not isinstance(self.model_class, str):
            return self.model_class
        module, _, name = self.model_class.partition(":")
        return getattr(importlib.import_module(module), name)


MODELS: dict[str, ModelInfo] = {}


def register(info: ModelInfo) -> ModelInfo:
    """Makes a model known; its `name` can then be given as `model`.

    Args:
        info: What it says of itself.

    Returns:
        The same.

    Raises:
        ValueError: If there is a model of that name, or a recipe decides what is no setting that a
            recipe decides.
    """
    if info.name in MODELS:
        raise ValueError(
            f"There is a model of this name already; give another. Received: name={info.name!r}"
        )
    for recipe, values in info.recipes.items():
        if odd := sorted(values.keys() - recipes.DECIDED_BY_RECIPES):
            raise ValueError(
                f"A recipe decides {', '.join(sorted(recipes.DECIDED_BY_RECIPES))}. "
                f"Received: {', '.join(odd)} in the recipe {recipe!r} of {info.name}"
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


_OF_GANS = frozenset(
    "generator gf num_blocks upsampling dropout padding norm skips residual exact_residual "
    "discriminator d_norm df objective lambda_gan lambda_penalty discriminator_update ema "
    "learning_rate beta_1 seed".split()
)

register(
    ModelInfo(
        "cyclegan",
        "CycleGAN",
        "cyclegan_keras.models.cyclegan:CycleGAN",
        settings=_OF_GANS
        | set("lambda_cycle lambda_cycle_A lambda_cycle_B lambda_id update_first pool_size".split())
        | {"d_shift", "d_colour", "d_source"},
        recipes=recipes.CYCLEGAN,
        decaying_recipes=frozenset({"paper"}),
        # Those of the paper's table, in which there is no identity loss.
        ablations={
            "cycle_alone": Variant("cycle alone", {"lambda_gan": 0.0}),
            "gan_alone": Variant(
                "GAN alone", {"lambda_cycle": 0.0, "lambda_cycle_A": 0.0, "lambda_cycle_B": 0.0}
            ),
            "gan_forward": Variant("GAN + forward cycle", {"lambda_cycle_B": 0.0}),
            "gan_backward": Variant("GAN + backward cycle", {"lambda_cycle_A": 0.0}),
            "all": Variant("GAN + both cycles"),
        },
        ablated_without={"lambda_id": 0.0},
        baselines={
            "book": Variant("the book's recipe", {"recipe": "book"}),
            "paper": Variant("the paper's recipe", {"recipe": "paper"}),
        },
    )
)
register(
    ModelInfo(
        "pix2pix",
        "pix2pix",
        "cyclegan_keras.models.pix2pix:Pix2Pix",
        settings=_OF_GANS | {"lambda_l1", "direction"},
        data="paired",
        ways=lambda config: (config.direction[0] + config.direction[-1],),
        discriminators=("d",),
        recipes=recipes.PIX2PIX,
        decaying_recipes=frozenset({None, "paper"}),
        baselines={
            "pix2pix_AB": Variant("pix2pix, A to B, from true pairs", {"direction": "A-to-B"}),
            "pix2pix_BA": Variant("pix2pix, B to A, from true pairs", {"direction": "B-to-A"}),
        },
    )
)
