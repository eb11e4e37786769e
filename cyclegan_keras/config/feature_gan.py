"""The settings of feature loss + GAN, a baseline of the CycleGAN paper.

The paper is [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 5.1: SimGAN with features
of a trained network in place of pixels.
"""

import dataclasses

from cyclegan_keras.config.cyclegan import FAST
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdversarialLossConfig
from cyclegan_keras.config.one_way import OneWayConfig, recipes
from cyclegan_keras.config.registry import ModelInfo, Variant, way_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureGANLossConfig(AdversarialLossConfig):
    """The adversarial loss and the feature loss.

    Args:
        lambda_features: Weight of the mean absolute difference between the features of an image and
            those of its translation.
        feature_stage: The stage of EfficientNet-Lite0 whose features are compared, from 1 to 7. The
            paper has relu4_2 of VGG-16, in which a feature stands for 8×8 pixels; so it is in stage
            3, of which there are 40.
    """

    lambda_features: float = setting(
        "losses",
        10.0,
        "weight of the feature loss, the mean absolute difference between the features of an image "
        "and those of its translation",
        least=0,
    )
    feature_stage: int = setting(
        "losses",
        3,
        "stage of EfficientNet-Lite0 whose features the feature loss compares, from 1 to 7",
        least=1,
        most=7,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureGANConfig(OneWayConfig):
    """The settings of feature loss + GAN. The defaults are those of the CycleGAN paper.

    Args:
        direction: "A-to-B" or "B-to-A".
        generator: The generator.
        discriminator: The discriminator of the target domain.
        loss: The adversarial loss and the feature loss.
        step: The order of updates, the image pool, and what the discriminator rejects.
        diffaugment: What is done to all that the discriminator sees.
        optimizer: The optimizers.
    """

    kind = "feature_gan"
    loss: FeatureGANLossConfig = FeatureGANLossConfig()


# With 0.5 and more, generators copied the drawn fruit and were not moved by the discriminator.
RECIPES = recipes(
    FeatureGANConfig(),
    FeatureGANLossConfig(
        lambda_features=0.05, r1=FAST.model.loss.r1, r1_every=FAST.model.loss.r1_every
    ),
)
INFO = ModelInfo(
    FeatureGANConfig(),
    "feature loss + GAN",
    "cyclegan_keras.models.feature_gan:FeatureGAN",
    ways=way_of,
    discriminators=("d",),
    # Another network than the one that it is trained with.
    judge="efficientnet-lite1",
    recipes=RECIPES,
    baselines={
        "feature_gan_AB": Variant("feature loss + GAN, A to B", {"direction": "A-to-B"}),
        "feature_gan_BA": Variant("feature loss + GAN, B to A", {"direction": "B-to-A"}),
    },
    on_replicas=True,
)
