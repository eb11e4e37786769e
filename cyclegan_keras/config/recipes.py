"""The recipes of the book and of the papers, and a fast one.

The book is *GANs in Action*, listings 9.3 to 9.7. The papers are [Zhu et al.,
2017](https://arxiv.org/abs/1703.10593), section 4 and appendix 7, and [Isola et al.,
2017](https://arxiv.org/abs/1611.07004), appendix 6; both scale images to 286 pixels and crop 256.
"""

import dataclasses

from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.gans import (
    CycleGANConfig,
    CycleGANLossConfig,
    CycleGANStepConfig,
    DiffAugmentConfig,
    Pix2PixConfig,
)
from cyclegan_keras.config.networks import PatchGANConfig, ResNetConfig
from cyclegan_keras.config.registry import Recipe
from cyclegan_keras.config.run import RunConfig

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
# hardly learn more in a step, and take longer for it. R1 keeps discriminators from winning, after
# which longer training made translations worse; patches of 16 pixels mind the texture of a skin
# more than those of 70. A blended output lets go of what is to go, to which a residual one would
# have to add its negative.
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
        ),
        discriminator=PatchGANConfig(df=24, receptive_field=16, norm="pixel"),
        loss=CycleGANLossConfig(lambda_cycle=1.5, lambda_id=0.0, r1=10.0),
        step=CycleGANStepConfig(
            update_first="generators",
            discriminator_update="joint",
            source_negatives=0.5,
            ema=0.998,
        ),
        diffaugment=DiffAugmentConfig(translation=0.125),
    ),
    data=DataConfig(image_size=64, enlarge=1.125),
    run=RunConfig(recipe="fast", batch_size=1, epochs=8),
)
CYCLEGAN: dict[str | None, Recipe] = {
    "book": BOOK,
    "paper": PAPER,
    "fast": FAST,
    None: dataclasses.replace(FAST, run=dataclasses.replace(FAST.run, recipe=None)),
}
PIX2PIX: dict[str | None, Recipe] = {
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
