"""The settings and the recipes of contrastive unpaired translation, CUT and FastCUT.

The paper is [Park et al., 2020](https://arxiv.org/abs/2007.15651), section 4 and appendix C. Its
networks are CycleGAN's, with nine residual blocks whatever the size.
"""

import dataclasses
from typing import Literal

from cyclegan_keras.config.cyclegan import FAST as CYCLEGAN_FAST
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import (
    AdversarialLossConfig,
    CycleGANStepConfig,
    DiffAugmentConfig,
    GANConfig,
)
from cyclegan_keras.config.networks import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorConfig,
    GeneratorConfig,
    PatchGANConfig,
    ResNetConfig,
)
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant, way_of
from cyclegan_keras.config.run import RunConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CUTLossConfig(AdversarialLossConfig):
    """The adversarial loss and the contrastive ones, equation 4 of the paper.

    Args:
        lambda_nce: Weight of the contrastive loss between an image and its translation.
        lambda_nce_id: Weight of the same between an image of the target domain and what the
            generator makes of it, which should be the image itself. CUT has 1, as the other
            weight; FastCUT has 0, and then the step does not compute it. The authors' code halves
            both if neither is 0.
        temperature: What similarities, in [-1, 1], are divided by.
        num_patches: How many places of each layer are compared; all of a layer that has fewer.
        projection_dim: Units of both layers of each projection head.
    """

    lambda_nce: float = setting(
        "losses",
        1.0,
        "weight of the contrastive loss (PatchNCE) between an image and its translation",
        least=0,
    )
    lambda_nce_id: float = setting(
        "losses",
        1.0,
        "weight of the contrastive loss between an image of the target domain and its own "
        "translation, which keeps such images as they are",
        least=0,
    )
    temperature: float = setting(
        "losses", 0.07, "temperature of the contrastive losses", above=0, name="nce_temperature"
    )
    num_patches: int = setting(
        "losses", 256, "patches of each layer that the contrastive losses compare", least=2
    )
    projection_dim: int = setting(
        "networks", 256, "units of the projection heads of the contrastive losses", least=1
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CUTStepConfig(CycleGANStepConfig):
    """How a step of CUT updates networks.

    Args:
        flip_equivariance: Whether the generator gets mirrored images half of the time, whose
            translations must mirror those of the images as they are.
    """

    flip_equivariance: bool = setting(
        "training",
        False,
        "translate mirrored images in half of the steps, and compare the mirrored features of "
        "translations with those of the images as they are",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CUTConfig(GANConfig):
    """The settings of CUT. The defaults are its paper's.

    Args:
        direction: "A-to-B" or "B-to-A".
        generator: The generator.
        discriminator: The discriminator of the target domain.
        loss: The adversarial loss and the contrastive ones.
        step: How a step updates networks.
        diffaugment: What is done to all that the discriminator sees.
        optimizer: The optimizers.
    """

    kind = "cut"
    direction: Literal["A-to-B", "B-to-A"] = setting(
        "model", "A-to-B", "the direction in which a model of one direction translates"
    )
    generator: GeneratorConfig = setting(
        "networks", ResNetConfig(num_blocks=9), "the network that translates", kinds=GENERATORS
    )
    discriminator: DiscriminatorConfig = setting(
        "networks", PatchGANConfig(), "the network that judges translations", kinds=DISCRIMINATORS
    )
    loss: CUTLossConfig = CUTLossConfig()
    step: CUTStepConfig = CUTStepConfig(discriminator_update="joint")
    diffaugment: DiffAugmentConfig = DiffAugmentConfig()


_AS_PUBLISHED = DataConfig(image_size=256, enlarge=286 / 256, epoch_length="longer")
CUT = Recipe(
    model=CUTConfig(),
    data=_AS_PUBLISHED,
    run=RunConfig(recipe="cut", batch_size=1, epochs=400),
    decays=True,
)
FASTCUT = Recipe(
    model=CUTConfig(
        loss=CUTLossConfig(lambda_nce=10.0, lambda_nce_id=0.0),
        step=CUTStepConfig(discriminator_update="joint", flip_equivariance=True),
    ),
    data=_AS_PUBLISHED,
    run=RunConfig(recipe="fastcut", batch_size=1, epochs=200),
    decays=True,
    decay_share=0.25,
)
# For a few hundred small images on two cores: the networks of CycleGAN's fast recipe, and what its
# discriminators see. Beside such narrow networks, heads of the published width take a third of a
# step.
FAST = Recipe(
    model=CUTConfig(
        generator=CYCLEGAN_FAST.model.generator,
        discriminator=CYCLEGAN_FAST.model.discriminator,
        loss=CUTLossConfig(
            r1=CYCLEGAN_FAST.model.loss.r1,
            r1_every=CYCLEGAN_FAST.model.loss.r1_every,
            projection_dim=64,
        ),
        step=CUTStepConfig(discriminator_update="joint", source_negatives=0.5, ema=0.998),
        diffaugment=CYCLEGAN_FAST.model.diffaugment,
        optimizer=CYCLEGAN_FAST.model.optimizer,
    ),
    data=CYCLEGAN_FAST.data,
    run=RunConfig(recipe="fast", batch_size=1, epochs=12),
)
RECIPES: dict[str | None, Recipe] = {
    "cut": CUT,
    "fastcut": FASTCUT,
    "fast": FAST,
    None: dataclasses.replace(FAST, run=dataclasses.replace(FAST.run, recipe=None)),
}
INFO = ModelInfo(
    CUTConfig(),
    "CUT",
    "cyclegan_keras.models.cut:CUT",
    ways=way_of,
    discriminators=("d",),
    recipes=RECIPES,
    ablations={
        "contrast_alone": Variant("contrastive losses alone", {"lambda_gan": 0.0}),
        "gan_alone": Variant("GAN alone", {"lambda_nce": 0.0, "lambda_nce_id": 0.0}),
        "without_identity": Variant("without the identity loss", {"lambda_nce_id": 0.0}),
        "all": Variant("GAN + contrastive losses"),
    },
    baselines={
        "cut_AB": Variant("CUT, A to B", {"direction": "A-to-B"}),
        "cut_BA": Variant("CUT, B to A", {"direction": "B-to-A"}),
    },
    on_replicas=True,
)
