"""The settings of BiGAN/ALI without a latent variable, a baseline of the CycleGAN paper.

The papers are [Donahue et al., 2016](https://arxiv.org/abs/1605.09782), [Dumoulin et al.,
2016](https://arxiv.org/abs/1606.00704), and [Zhu et al., 2017](https://arxiv.org/abs/1703.10593),
section 5.1.
"""

import dataclasses

from cyclegan_keras.config.cyclegan import FAST
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdversarialLossConfig, GANConfig, StepConfig
from cyclegan_keras.config.networks import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorConfig,
    GeneratorConfig,
    PatchGANConfig,
    ResNetConfig,
)
from cyclegan_keras.config.one_way import recipes_of
from cyclegan_keras.config.registry import ModelInfo, Variant


@dataclasses.dataclass(frozen=True, kw_only=True)
class BiGANStepConfig(StepConfig):
    """How a step updates networks: the discriminator first, then both generators.

    Args:
        pool_size: Number of earlier pairs in the pool of each kind of pair; 0 for no pools.
    """

    pool_size: int = setting(
        "training",
        50,
        "number of earlier translations in the image pool of each discriminator",
        least=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class BiGANConfig(GANConfig):
    """The settings of BiGAN/ALI. The defaults are those of the CycleGAN paper.

    Args:
        generator: Of both generators.
        discriminator: The one discriminator, of pairs.
        loss: The adversarial loss.
        step: How a step updates networks.
        optimizer: The optimizers.
    """

    kind = "bigan"
    generator: GeneratorConfig = setting(
        "networks", ResNetConfig(), "the networks that translate", kinds=GENERATORS
    )
    discriminator: DiscriminatorConfig = setting(
        "networks", PatchGANConfig(), "the network that judges pairs", kinds=DISCRIMINATORS
    )
    step: BiGANStepConfig = BiGANStepConfig(discriminator_update="joint")


RECIPES = recipes_of(
    BiGANConfig(),
    BiGANConfig(
        generator=FAST.model.generator,
        discriminator=FAST.model.discriminator,
        loss=AdversarialLossConfig(r1=FAST.model.loss.r1, r1_every=FAST.model.loss.r1_every),
        step=BiGANStepConfig(discriminator_update="joint", ema=0.998),
        optimizer=FAST.model.optimizer,
    ),
)
INFO = ModelInfo(
    BiGANConfig(),
    "BiGAN/ALI",
    "cyclegan_keras.models.bigan:BiGAN",
    discriminators=("d",),
    recipes=RECIPES,
    baselines={"bigan": Variant("BiGAN/ALI, without a latent variable")},
    on_replicas=True,
)
