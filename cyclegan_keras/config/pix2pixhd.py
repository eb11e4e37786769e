"""The settings of pix2pixHD and its recipes.

The paper is [Wang et al., 2018](https://arxiv.org/abs/1711.11585). Where it is silent, they are as
the authors' code has them.
"""

import dataclasses
from typing import Any, Literal

from cyclegan_keras.config import labels as label_texts
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdversarialLossConfig, GANConfig, StepConfig
from cyclegan_keras.config.networks import PATCHES, PatchGANConfig, ResNetConfig
from cyclegan_keras.config.parts import Part
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant, way_of
from cyclegan_keras.config.run import RunConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoarseToFineConfig(ResNetConfig):
    """A global generator for images of half the size, and an enhancer around it.

    Args:
        labels: What the input is; see `config.labels`.
        gf: Filters of the enhancer's first layer. The global generator's has twice as many.
        halvings: How often the global generator halves its images, and doubles the filters.
        num_blocks: Its residual blocks.
        enhancer_blocks: The enhancer's.
    """

    kind = "coarse_to_fine"
    builder = "cyclegan_keras.networks.coarse_to_fine:coarse_to_fine"
    labels: Any = setting(
        "data",
        label_texts.AUTO,
        "what the input is: image; or label maps, given by the colours of the classes "
        '("#0000e0,#ff0000", or a JSON file); auto takes the colours that dataset.json names, or '
        "else looks whether the training images have a few flat colours",
        was=["palette"],
        parse=label_texts.parse,
        found=label_texts.AUTO,
    )
    gf: int = setting("networks", 32, "filters of the generators' first layer", least=1)
    halvings: int = setting(
        "networks", 4, "how often the global generator of pix2pixhd halves images", least=1, most=8
    )
    num_blocks: int | None = setting(
        "networks",
        9,
        "number of residual blocks of a resnet; the paper has 6 below 256 pixels and 9 from there "
        "on",
        least=0,
    )
    enhancer_blocks: int = setting(
        "networks", 3, "number of residual blocks of the enhancer of pix2pixhd", least=0
    )

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        return 2 ** (self.halvings + 1), f"{self.halvings + 1} times"

    @property
    def colors(self) -> list[label_texts.Color] | None:
        """The colours of the classes; `None` if the input is images."""
        return label_texts.colors_of(self.labels)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PyramidPatchConfig(PatchGANConfig):
    """Discriminators of one architecture, each for images of half the size of the one before.

    Args:
        levels: How many there are.
    """

    levels: int = setting(
        "networks",
        2,
        "number of discriminators of pix2pixhd, each of which sees images of half the size",
        name="num_discriminators",
        least=1,
        most=6,
    )

    @property
    def least(self) -> int:  # type: ignore[override]
        """The shorter side of the smallest images, in pixels."""
        # The global generator alone makes images of half the size, which are halved for each
        # further discriminator.
        return super().least * 2**self.levels


_PYRAMIDS = tuple(PyramidPatchConfig(receptive_field=p.receptive_field) for p in PATCHES)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixHDLossConfig(AdversarialLossConfig):
    """The losses of pix2pixHD.

    Args:
        lambda_features: Weight of feature matching: the differences between what discriminators
            make of the true image and of the translation.
        lambda_perceptual: Weight of the differences between what a classifier makes of them, an
            EfficientNet-Lite0.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), section 3.2, equations 3 to 5.
    """

    lambda_features: float = setting(
        "losses",
        10.0,
        "weight of feature matching, of what discriminators make of the true image and the "
        "translation",
        least=0,
    )
    lambda_perceptual: float = setting(
        "losses",
        10.0,
        "weight of the perceptual loss, of what EfficientNet-Lite0 makes of the true image and the "
        "translation; above 0, its weights must be installed",
        least=0,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StagesConfig(Part):
    """When which part of the generator is trained, in shares of all steps.

    Args:
        global_share: The global generator alone, on images of half the size.
        enhancer_share: After that, the enhancer alone, around the global generator as it is. All
            is trained in the rest.

    Raises:
        ValueError: If nothing is left for the rest.
    """

    global_share: float = setting(
        "training",
        0.5,
        "share of the steps in which pix2pixhd trains the global generator alone, on images of "
        "half the size, below 1",
        least=0,
        below=1,
    )
    enhancer_share: float = setting(
        "training",
        0.1,
        "share of the steps after that in which pix2pixhd trains the enhancer alone, below 1",
        least=0,
        below=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.global_share + self.enhancer_share >= 1:
            raise ValueError(
                "`global_share` and `enhancer_share` must leave steps to train all together, so "
                "their sum must be below 1. Received: "
                f"global_share={self.global_share}, enhancer_share={self.enhancer_share}"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pix2PixHDConfig(GANConfig):
    """The settings of pix2pixHD. The defaults are its paper's.

    Args:
        direction: "A-to-B" or "B-to-A".
        generator: The global generator and the enhancer.
        discriminator: The discriminators of pairs.
        loss: The adversarial loss, feature matching and the perceptual loss.
        step: How a step updates networks.
        stages: When which part of the generator is trained.
        optimizer: The optimizers.
    """

    kind = "pix2pixhd"
    direction: Literal["A-to-B", "B-to-A"] = setting(
        "model", "A-to-B", "the direction in which a model of pairs translates"
    )
    generator: CoarseToFineConfig = CoarseToFineConfig()
    discriminator: PyramidPatchConfig = setting(
        "networks",
        PyramidPatchConfig(),
        "the book's, or a PatchGAN with this receptive field in pixels",
        kinds={each.kind: each for each in _PYRAMIDS},
    )
    loss: Pix2PixHDLossConfig = Pix2PixHDLossConfig()
    step: StepConfig = StepConfig(discriminator_update="joint")
    stages: StagesConfig = StagesConfig()


# As published for 2048×1024 pixels: 200 epochs of the global generator, 10 of the enhancer, 90 of
# all, with the rate falling over the last 50.
PAPER = Recipe(
    model=Pix2PixHDConfig(
        discriminator=PyramidPatchConfig(levels=3),
        stages=StagesConfig(global_share=2 / 3, enhancer_share=1 / 30),
    ),
    data=DataConfig(dataset="fruit_pairs", image_size="1024x2048"),
    run=RunConfig(recipe="paper", batch_size=1, epochs=300, decay_epochs=50),
)
# For two cores, and for the sizes that these can do.
SMALL = Recipe(
    model=Pix2PixHDConfig(
        generator=CoarseToFineConfig(gf=8, halvings=3, num_blocks=4, enhancer_blocks=2),
        discriminator=PyramidPatchConfig(df=16),
    ),
    data=DataConfig(dataset="fruit_pairs", image_size=128),
    run=RunConfig(batch_size=1, epochs=12),
    decays=True,
)
RECIPES: dict[str | None, Recipe] = {None: SMALL, "paper": PAPER}
INFO = ModelInfo(
    Pix2PixHDConfig(),
    "pix2pixHD",
    "cyclegan_keras.models.pix2pixhd:Pix2PixHD",
    data="paired",
    ways=way_of,
    discriminators=lambda config: tuple(
        f"d_{level}" for level in range(1, config.num_discriminators + 1)
    ),
    recipes=RECIPES,
    ablations={
        "all_losses": Variant("all losses, two stages"),
        "no_features": Variant("no feature matching", {"lambda_features": 0.0}),
        "no_perceptual": Variant("no perceptual loss", {"lambda_perceptual": 0.0}),
        "one_discriminator": Variant("one discriminator", {"num_discriminators": 1}),
        "one_stage": Variant("one stage", {"global_share": 0.0, "enhancer_share": 0.0}),
    },
    baselines={
        "pix2pixhd_AB": Variant("pix2pixHD, A to B, from true pairs", {"direction": "A-to-B"}),
        "pix2pixhd_BA": Variant("pix2pixHD, B to A, from true pairs", {"direction": "B-to-A"}),
    },
    on_replicas=True,
)
