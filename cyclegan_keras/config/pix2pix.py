"""The settings of pix2pix and its recipes.

The paper is [Isola et al., 2017](https://arxiv.org/abs/1611.07004), section 3 and appendix 6, which
scales images to 286 pixels and crops 256.
"""

import dataclasses
from typing import Literal

from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import (
    DISCRIMINATOR,
    GENERATOR,
    AdversarialLossConfig,
    GANConfig,
    StepConfig,
)
from cyclegan_keras.config.networks import (
    GENERATORS,
    PATCHES,
    BookDiscriminatorConfig,
    DeepUNetConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    PatchGANConfig,
    UNetConfig,
)
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant, way_of
from cyclegan_keras.config.run import RunConfig

# pix2pix normalises by the batch, which at batch size 1 is by the image, with factors and offsets.
_OF_PAIRS = (BookDiscriminatorConfig(), *(dataclasses.replace(p, affine=True) for p in PATCHES))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixLossConfig(AdversarialLossConfig):
    """The losses of pix2pix.

    Args:
        lambda_l1: Weight of the mean absolute error to the ground truth.
    """

    objective: Literal["least_squares", "log_likelihood", "hinge", "wasserstein"] = setting(
        "losses", "log_likelihood", "the adversarial loss of discriminators and generators"
    )
    lambda_l1: float = setting("losses", 100.0, "weight of the error to the ground truth", least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(GANConfig):
    """The settings of pix2pix. The defaults are its paper's.

    Args:
        direction: "A-to-B" or "B-to-A".
        generator: The generator.
        discriminator: The discriminator of pairs.
        loss: The adversarial loss and the error to the ground truth.
        step: How a step updates networks.
        optimizer: The optimizers.
    """

    kind = "pix2pix"
    direction: Literal["A-to-B", "B-to-A"] = setting(
        "model", "A-to-B", "the direction in which a model of one direction translates"
    )
    generator: GeneratorConfig = setting(
        "networks",
        DeepUNetConfig(),
        GENERATOR,
        kinds={**GENERATORS, "unet": UNetConfig(dropout=0.5)},
    )
    discriminator: DiscriminatorConfig = setting(
        "networks",
        PatchGANConfig(affine=True),
        DISCRIMINATOR,
        kinds={each.kind: each for each in _OF_PAIRS},
    )
    loss: Pix2PixLossConfig = Pix2PixLossConfig()
    step: StepConfig = StepConfig(discriminator_update="joint")


RECIPES: dict[str | None, Recipe] = {
    None: Recipe(
        # The defaults of a `Pix2PixConfig` are its paper's.
        model=Pix2PixConfig(),
        data=DataConfig(dataset="fruit_pairs", image_size=64, enlarge=286 / 256),
        run=RunConfig(batch_size=1, epochs=9),
        decays=True,
    ),
    "paper": Recipe(
        model=Pix2PixConfig(),
        data=DataConfig(dataset="fruit_pairs", image_size=256, enlarge=286 / 256),
        run=RunConfig(recipe="paper", batch_size=1, epochs=200),
        decays=True,
    ),
}
INFO = ModelInfo(
    Pix2PixConfig(),
    "pix2pix",
    "cyclegan_keras.models.pix2pix:Pix2Pix",
    data="paired",
    ways=way_of,
    discriminators=("d",),
    recipes=RECIPES,
    on_replicas=True,
    baselines={
        "pix2pix_AB": Variant("pix2pix, A to B, from true pairs", {"direction": "A-to-B"}),
        "pix2pix_BA": Variant("pix2pix, B to A, from true pairs", {"direction": "B-to-A"}),
    },
)
