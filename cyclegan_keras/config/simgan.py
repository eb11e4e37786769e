"""The settings of SimGAN, as the CycleGAN paper compared with it.

The papers are [Shrivastava et al., 2016](https://arxiv.org/abs/1612.07828), section 2, and [Zhu et
al., 2017](https://arxiv.org/abs/1703.10593), section 5.1.
"""

import dataclasses

from cyclegan_keras.config.cyclegan import FAST
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdversarialLossConfig
from cyclegan_keras.config.one_way import OneWayConfig, recipes
from cyclegan_keras.config.registry import ModelInfo, Variant, way_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimGANLossConfig(AdversarialLossConfig):
    """The adversarial loss and the self-regularization.

    Args:
        lambda_self: Weight of the mean absolute difference between an image and its translation.
    """

    lambda_self: float = setting(
        "losses",
        10.0,
        "weight of the self-regularization, the mean absolute difference between an image and its "
        "translation",
        least=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimGANConfig(OneWayConfig):
    """The settings of SimGAN. The defaults are those of the CycleGAN paper.

    Args:
        direction: "A-to-B" or "B-to-A".
        generator: The generator, which SimGAN's paper calls the refiner.
        discriminator: The discriminator of the target domain.
        loss: The adversarial loss and the self-regularization.
        step: The order of updates, the image pool, and what the discriminator rejects.
        diffaugment: What is done to all that the discriminator sees.
        optimizer: The optimizers.
    """

    kind = "simgan"
    loss: SimGANLossConfig = SimGANLossConfig()


RECIPES = recipes(
    SimGANConfig(),
    SimGANLossConfig(lambda_self=1.5, r1=FAST.model.loss.r1, r1_every=FAST.model.loss.r1_every),
)
INFO = ModelInfo(
    SimGANConfig(),
    "SimGAN",
    "cyclegan_keras.models.simgan:SimGAN",
    ways=way_of,
    discriminators=("d",),
    recipes=RECIPES,
    baselines={
        "simgan_AB": Variant("SimGAN, A to B", {"direction": "A-to-B"}),
        "simgan_BA": Variant("SimGAN, B to A", {"direction": "B-to-A"}),
    },
    on_replicas=True,
)
