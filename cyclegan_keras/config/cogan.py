"""The settings of CoGAN, a baseline of the CycleGAN paper.

The papers are [Liu & Tuzel, 2016](https://arxiv.org/abs/1606.07536), section 3 and appendix A, and
[Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 5.1.
"""

import dataclasses
from typing import Literal

from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdversarialLossConfig, GANConfig, StepConfig
from cyclegan_keras.config.parts import NetworkConfig, Part
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant
from cyclegan_keras.config.run import RunConfig

# Of the recipe for small images. Batch normalization needs several.
BATCH_SIZE = 16
# Each side of the features that the generators begin with, at least, in pixels.
FIRST = 4


def doublings(shorter: int) -> int:
    """Counts how often the generators double, from a few pixels on.

    Args:
        shorter: The shorter side of the images, in pixels.

    Returns:
        The number: 4 for 64 pixels, 5 for 128.
    """
    return max(1, (shorter // FIRST).bit_length() - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoupledNetworkConfig(NetworkConfig):
    """What coupled generators and coupled discriminators have.

    Args:
        weight_decay: How much of each kernel is added to its gradient.
    """

    weight_decay: float = setting(
        "networks", 5e-4, "share of each kernel that is added to its gradient", least=0
    )

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        words = f"until the shorter side has {FIRST} to {2 * FIRST - 1} pixels"
        return 2 ** doublings(shorter), words


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoupledGeneratorConfig(CoupledNetworkConfig):
    """Two generators with one latent variable, whose early layers are the same.

    Args:
        gf: Filters, of which the first features have 16 times as many.
        latent_dim: Numbers in the latent variable.
        weight_decay: How much of each kernel is added to its gradient.
    """

    builder = "cyclegan_keras.networks.coupled:coupled_generators"
    gf: int = setting("networks", 64, "filters of the generators' first layer", least=2)
    latent_dim: int = setting(
        "networks", 100, "numbers in the latent variable that images are generated from", least=1
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoupledDiscriminatorConfig(CoupledNetworkConfig):
    """Two discriminators whose layers are the same, but for the first.

    Args:
        df: Filters of the first layer; the dense one has 64 times as many units.
        weight_decay: How much of each kernel is added to its gradient.
    """

    builder = "cyclegan_keras.networks.coupled:coupled_discriminators"
    df: int = setting("networks", 32, "filters of the discriminators' first layer", least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InversionConfig(Part):
    """How an image is translated: its latent variable is sought, and given to the other generator.

    Args:
        loss: "L1" or "L2": what is minimised between the image and what the generator of its domain
            makes.
        steps: Steps of the search.
        starts: How many latent variables it starts from, of which the best is taken in the end.
    """

    loss: Literal["L1", "L2"] = setting(
        "losses",
        "L1",
        "what is minimised between an image and what the generator of its own domain makes of the "
        "latent variable that is sought",
        name="inversion_loss",
    )
    steps: int = setting(
        "training",
        100,
        "steps of the search for the latent variable of an image",
        name="inversion_steps",
        least=1,
        most=10_000,
    )
    starts: int = setting(
        "training",
        4,
        "latent variables that the search for that of an image starts from",
        name="inversion_starts",
        least=1,
        most=64,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoGANLossConfig(AdversarialLossConfig):
    """The adversarial loss, which is CoGAN's only one."""

    objective: Literal["least_squares", "log_likelihood", "hinge", "wasserstein"] = setting(
        "losses", "log_likelihood", "the adversarial loss of discriminators and generators"
    )


_GENERATORS, _DISCRIMINATORS = CoupledGeneratorConfig(), CoupledDiscriminatorConfig()


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoGANConfig(GANConfig):
    """The settings of CoGAN. The defaults are those of its authors' code for faces.

    Args:
        generator: The two generators.
        discriminator: The two discriminators.
        inversion: How an image is translated.
        loss: The adversarial loss.
        step: How a step updates networks.
        optimizer: The optimizers.
    """

    kind = "cogan"
    # Neither is a network for images of a single domain, as those of other models are.
    generator: CoupledGeneratorConfig = _GENERATORS  # type: ignore[assignment]
    discriminator: CoupledDiscriminatorConfig = _DISCRIMINATORS  # type: ignore[assignment]
    inversion: InversionConfig = InversionConfig()
    loss: CoGANLossConfig = CoGANLossConfig()
    step: StepConfig = StepConfig(discriminator_update="joint")


_USUAL = Recipe(
    # A quarter of the authors' widths.
    model=CoGANConfig(
        generator=CoupledGeneratorConfig(gf=16),
        discriminator=CoupledDiscriminatorConfig(df=8),
        inversion=InversionConfig(steps=50, starts=2),
    ),
    data=DataConfig(image_size=64, enlarge=1.125),
    run=RunConfig(batch_size=BATCH_SIZE, epochs=100),
)
RECIPES: dict[str | None, Recipe] = {
    "paper": Recipe(
        model=CoGANConfig(),
        data=DataConfig(image_size=128, enlarge=132 / 128),
        run=RunConfig(recipe="paper", batch_size=128, epochs=200),
    ),
    "fast": dataclasses.replace(_USUAL, run=dataclasses.replace(_USUAL.run, recipe="fast")),
    None: _USUAL,
}
INFO = ModelInfo(
    CoGANConfig(),
    "CoGAN",
    "cyclegan_keras.models.cogan:CoGAN",
    discriminators=("d",),
    recipes=RECIPES,
    # Its batch normalization needs several images in a step.
    baselines={"cogan": Variant("CoGAN, by inversion", {"batch_size": BATCH_SIZE})},
    on_replicas=True,
)
