"""The settings of CycleGAN and its recipes: the book's, the paper's, and a fast one.

The book is *GANs in Action*, listings 9.3 to 9.7. The paper is [Zhu et al.,
2017](https://arxiv.org/abs/1703.10593), section 4 and appendix 7, which scales images to 286 pixels
and crops 256.
"""

import dataclasses

from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.gans import (
    AdamConfig,
    CycleGANLossConfig,
    CycleGANStepConfig,
    DiffAugmentConfig,
    GANConfig,
)
from cyclegan_keras.config.networks import PatchGANConfig, ResNetConfig
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant
from cyclegan_keras.config.run import RunConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANConfig(GANConfig):
    """The settings of CycleGAN. The defaults are the book's.

    Args:
        generator: Of both generators.
        discriminator: Of both discriminators.
        loss: The full objective.
        step: The order of updates, the image pool, and what discriminators reject.
        diffaugment: What is done to all that discriminators see.
        optimizer: The optimizers.
    """

    kind = "cyclegan"
    loss: CycleGANLossConfig = CycleGANLossConfig()
    step: CycleGANStepConfig = CycleGANStepConfig()
    diffaugment: DiffAugmentConfig = DiffAugmentConfig()


BOOK = Recipe(
    # The defaults of a `CycleGANConfig` are the book's.
    model=CycleGANConfig(loss=CycleGANLossConfig(lambda_id=9.0)),
    data=DataConfig(image_size=128),
    run=RunConfig(recipe="book", batch_size=64, epochs=100),
)
PAPER = Recipe(
    model=CycleGANConfig(
        generator=ResNetConfig(),
        discriminator=PatchGANConfig(),
        loss=CycleGANLossConfig(lambda_id=5.0),
        step=CycleGANStepConfig(
            update_first="generators", discriminator_update="joint", pool_size=50
        ),
    ),
    data=DataConfig(image_size=256, enlarge=286 / 256, epoch_length="longer"),
    run=RunConfig(recipe="paper", batch_size=1, epochs=200),
    decays=True,
)
# For a few hundred small images and a few minutes on two cores; nobody's paper. With instance norm,
# a generator hides what it needs for the way back in a glaring spot, and a discriminator is worse
# than a blind one for long; without any norm, generators can saturate for good. Wider networks
# hardly learn more in a step, and take longer for it, as the paper's outer kernels do. R1 keeps
# discriminators from winning, after which longer training made translations worse; of the texture
# of a skin, patches of 34 pixels see more than those of 16 or 70. Without amplified detail,
# discriminators do not see pores at all, and generators never draw any; with half the learning
# rate, they come too late for a short run. A blended output lets go of what is to go, to which a
# residual one would have to add its negative.
FAST = Recipe(
    model=CycleGANConfig(
        generator=ResNetConfig(
            gf=8,
            num_blocks=4,
            upsampling="resize",
            padding="reflect",
            norm="pixel",
            skips=True,
            blend=True,
            outer_kernel=3,
        ),
        discriminator=PatchGANConfig(
            df=24, receptive_field=34, norm="pixel", detail=16.0, detail_size=7
        ),
        loss=CycleGANLossConfig(lambda_cycle=1.5, lambda_id=0.0, r1=0.3, r1_every=4),
        step=CycleGANStepConfig(
            update_first="generators",
            discriminator_update="joint",
            source_negatives=0.5,
            ema=0.998,
        ),
        diffaugment=DiffAugmentConfig(translation=0.125),
        optimizer=AdamConfig(learning_rate=4e-4),
    ),
    data=DataConfig(image_size=64, enlarge=1.125),
    run=RunConfig(recipe="fast", batch_size=1, epochs=8),
)
RECIPES: dict[str | None, Recipe] = {
    "book": BOOK,
    "paper": PAPER,
    "fast": FAST,
    None: dataclasses.replace(FAST, run=dataclasses.replace(FAST.run, recipe=None)),
}
INFO = ModelInfo(
    CycleGANConfig(),
    "CycleGAN",
    "cyclegan_keras.models.cyclegan:CycleGAN",
    recipes=RECIPES,
    on_replicas=True,
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
