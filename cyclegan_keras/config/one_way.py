"""What the settings of models have that translate in one direction, with one discriminator."""

import dataclasses
from typing import Any, Literal

from cyclegan_keras.config.cyclegan import FAST, PAPER
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
from cyclegan_keras.config.registry import Recipe
from cyclegan_keras.config.run import RunConfig

# How CycleGAN's paper trained what it compared with: its own networks and details.
PAPER_STEP = CycleGANStepConfig(
    update_first="generators", discriminator_update="joint", pool_size=50
)
_FAST_STEP = CycleGANStepConfig(
    update_first="generators", discriminator_update="joint", source_negatives=0.5, ema=0.998
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneWayConfig(GANConfig):
    """The settings of a model that translates in one direction. The networks are CycleGAN's.

    Args:
        direction: "A-to-B" or "B-to-A".
        generator: The generator.
        discriminator: The discriminator of the target domain.
        loss: The losses.
        step: The order of updates, the image pool, and what the discriminator rejects.
        diffaugment: What is done to all that the discriminator sees.
        optimizer: The optimizers.
    """

    direction: Literal["A-to-B", "B-to-A"] = setting(
        "model", "A-to-B", "the direction in which a model of one direction translates"
    )
    generator: GeneratorConfig = setting(
        "networks", ResNetConfig(), "the network that translates", kinds=GENERATORS
    )
    discriminator: DiscriminatorConfig = setting(
        "networks", PatchGANConfig(), "the network that judges translations", kinds=DISCRIMINATORS
    )
    step: CycleGANStepConfig = PAPER_STEP
    diffaugment: DiffAugmentConfig = DiffAugmentConfig()


def recipes(config: OneWayConfig, loss: AdversarialLossConfig) -> dict[str | None, Recipe]:
    """Makes the recipes of such a model from CycleGAN's.

    Args:
        config: Its settings with their defaults, which are those of the CycleGAN paper.
        loss: Its losses in the fast recipe.

    Returns:
        "paper", with the networks and details of the CycleGAN paper; "fast", with those of
        CycleGAN's fast recipe; and what holds where no recipe is named, which is "fast".
    """
    small = dataclasses.replace(
        config,
        generator=FAST.model.generator,
        discriminator=FAST.model.discriminator,
        loss=loss,
        step=_FAST_STEP,
        diffaugment=FAST.model.diffaugment,
        optimizer=FAST.model.optimizer,
    )
    return recipes_of(config, small)


def recipes_of(paper: Any, fast: Any) -> dict[str | None, Recipe]:
    """Puts settings of a model into the images and lengths of CycleGAN's recipes.

    Args:
        paper: Its settings in the recipe "paper".
        fast: Its settings in the recipe "fast".

    Returns:
        Both recipes, and "fast" once more for where no recipe is named.
    """
    usual = Recipe(model=fast, data=FAST.data, run=RunConfig(batch_size=1, epochs=12))
    return {
        "paper": dataclasses.replace(PAPER, model=paper),
        "fast": dataclasses.replace(usual, run=dataclasses.replace(usual.run, recipe="fast")),
        None: usual,
    }
