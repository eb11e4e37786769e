"""The settings of Augmented CycleGAN. The defaults are those of its authors' code."""

import dataclasses
from typing import Any, Literal

from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import (
    AdamConfig,
    CycleLossConfig,
    DiffAugmentConfig,
    GANConfig,
    StepConfig,
)
from cyclegan_keras.config.networks import (
    DISCRIMINATORS,
    DiscriminatorConfig,
    GeneratorConfig,
    PatchGANConfig,
)
from cyclegan_keras.config.parts import Part
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant
from cyclegan_keras.config.run import RunConfig

_UNCHANGED = DiffAugmentConfig()
_NETWORKS = "cyclegan_keras.networks.latent"


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentResNetConfig(GeneratorConfig):
    """The residual generator of the paper, which takes a latent; see `networks.latent`.

    Args:
        num_blocks: Number of residual blocks.
        upsampling: `"transposed"` for the paper's transposed convolution, `"resize"` for nearest
            neighbor and a convolution, which draws no checkerboards.
        num_halvings: How often images are halved and doubled again: once in the paper. With two,
            a step takes a fraction of the time.
        skips: Whether the features from before a halving are concatenated to those of the same size
            after a doubling, as in a U-Net.

    Reference:
        [Almahairi et al., 2018](https://arxiv.org/abs/1802.10151), and its authors' code.
    """

    kind = "latent_resnet"
    builder = f"{_NETWORKS}:latent_resnet"
    gf: int = setting("networks", 32, "filters of the generators' first layer", least=1)
    num_blocks: int = setting(
        "networks",
        3,
        "number of residual blocks of a latent_resnet",
        name="latent_blocks",
        least=0,
    )
    upsampling: Literal["transposed", "resize"] = setting(
        "networks", "transposed", "how a latent_resnet doubles the size of its feature maps"
    )

    num_halvings: Literal[1, 2] = setting(
        "networks", 1, "how often a latent_resnet halves images", name="latent_halvings"
    )
    skips: bool = setting(
        "networks", False, "give a latent_resnet the skip connections of a U-Net", off=()
    )

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        return 2**self.num_halvings, "once" if self.num_halvings == 1 else "twice"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShoeDiscriminatorConfig(DiscriminatorConfig):
    """The paper's two discriminators: of patches in domain B, of the whole image in domain A.

    They were made for photos of shoes (B) and drawings of their edges (A); see `networks.latent`.

    Args:
        df: Filters of the first layer in domain B; in domain A, half as many.

    Reference:
        The code of [Almahairi et al., 2018](https://arxiv.org/abs/1802.10151).
    """

    kind = "shoes"
    builder = f"{_NETWORKS}:shoe_discriminator"
    least = 16

    def of_A(self) -> "EdgeDiscriminatorConfig":
        """Describes the discriminator of domain A."""
        return EdgeDiscriminatorConfig(df=max(1, self.df // 2))


@dataclasses.dataclass(frozen=True, kw_only=True)
class EdgeDiscriminatorConfig(DiscriminatorConfig):
    """The paper's discriminator of domain A, which scores images of 64 pixels as a whole."""

    kind = "edges"
    builder = f"{_NETWORKS}:edge_discriminator"
    least = 16


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatentsConfig(Part):
    """The latents, and the networks that only they need.

    Args:
        domains: "B", if only images of B have what images of A do not tell, as in the authors'
            code; or "both", as in the paper.
        size: Numbers in a latent.
        ef: Filters of the first layer of an encoder.
        zf: Features of each layer of a discriminator of latents.
        norm: Normalization of these networks: over the batch, as in the code, or none.
    """

    domains: Literal["B", "both"] = setting(
        "model",
        "B",
        "which images have a latent, that is, something that their translation does not tell",
        name="latents",
    )
    size: int = setting("networks", 16, "numbers in a latent", name="num_latents", least=1)
    ef: int = setting("networks", 32, "filters of the encoders' first layer", least=1)
    zf: int = setting("networks", 64, "features of discriminators of latents", least=1)
    norm: Literal["batch", "none"] = setting(
        "networks",
        "batch",
        "normalization of encoders and of discriminators of latents",
        name="latent_norm",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentedLossConfig(CycleLossConfig):
    """The objective: adversarial losses, cycles of images and cycles of latents.

    Args:
        lambda_latent_gan: Weight of each adversarial loss of encoded latents, which are to be like
            random ones.
        lambda_latent: Weight of each cycle of a latent, which is to be found in the image that it
            was used for.

    Reference:
        [Almahairi et al., 2018](https://arxiv.org/abs/1802.10151), section 4.
    """

    lambda_cycle: float = setting("losses", 1.0, "weight of each cycle-consistency loss", least=0)
    lambda_latent_gan: float = setting(
        "losses", 1.0, "weight of each adversarial loss of encoded latents", least=0
    )
    lambda_latent: float = setting(
        "losses", 0.025, "weight of each cycle from a latent to an image and back", least=0
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentedStepConfig(StepConfig):
    """How a step updates networks.

    Args:
        discriminator_rate: Learning rate of the discriminators, as a share of the generators'.
        clip: The gradient of each network is scaled down to this norm if it is larger; 0 leaves it.
        source_negatives: As in `CycleGANStepConfig`, of the discriminators of images.
    """

    discriminator_update: Literal["separate", "joint"] = setting(
        "training",
        "joint",
        "separate: one update on real images and one on translations; joint: one update on the "
        "mean of both losses",
    )
    discriminator_rate: float = setting(
        "training",
        0.2,
        "learning rate of the discriminators, as a share of --learning-rate",
        above=0,
    )
    clip: float = setting(
        "training",
        500.0,
        "largest norm of the gradient of each network; larger ones are scaled down. 0 leaves them",
        least=0,
    )
    source_negatives: float = setting(
        "training",
        0.0,
        "share of source-domain negatives: real images of the other domain in what discriminators "
        "learn to reject, such as 0.5, below 1",
        least=0,
        below=1,
    )


GENERATORS: dict[str, GeneratorConfig] = {each.kind: each for each in (LatentResNetConfig(),)}
OF_IMAGES: dict[str, DiscriminatorConfig] = {
    ShoeDiscriminatorConfig.kind: ShoeDiscriminatorConfig(),
    **DISCRIMINATORS,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class AugmentedConfig(GANConfig):
    """The settings of Augmented CycleGAN. The defaults are those of its authors' code.

    Args:
        latents: Which domains have latents, and the networks that only these need.
        generator: Of both generators.
        discriminator: Of both discriminators of images.
        loss: The objective.
        step: How a step updates networks.
        diffaugment: What is done to all that discriminators of images see.
        optimizer: The optimizers.
    """

    kind = "augmented"
    latents: LatentsConfig = LatentsConfig()
    generator: GeneratorConfig = setting(
        "networks",
        LatentResNetConfig(),
        "a ResNet whose norms depend on a latent",
        kinds=GENERATORS,
    )
    discriminator: DiscriminatorConfig = setting(
        "networks",
        ShoeDiscriminatorConfig(),
        "the two of the paper of Augmented CycleGAN, or one for both domains",
        kinds=OF_IMAGES,
    )
    loss: AugmentedLossConfig = AugmentedLossConfig()
    step: AugmentedStepConfig = AugmentedStepConfig()
    diffaugment: DiffAugmentConfig = _UNCHANGED

    @property
    def latent_domains(self) -> tuple[str, ...]:
        """The domains whose images have a latent."""
        return ("A", "B") if self.latents.domains == "both" else ("B",)

    def check_run(self, run: Any) -> None:
        """Raises an error that teaches if batches are too small to be normalized over.

        Args:
            run: All settings, a `TrainConfig`.

        Raises:
            ValueError: If so.
        """
        if self.latents.norm == "batch" and run.batch_size < 2:
            raise ValueError(
                "`batch_size` must be at least 2 with latent_norm='batch', which normalizes over "
                f"the images of a batch. Received: batch_size={run.batch_size}"
            )


PAPER = Recipe(
    model=AugmentedConfig(),
    data=DataConfig(dataset="fruit_colors", image_size=64, flip=False, epoch_length="longer"),
    run=RunConfig(recipe="paper", batch_size=32, epochs=50),
    decays=True,
)
# For a few hundred small images and some minutes on two cores; most of it is as in CycleGAN's.
FAST = Recipe(
    model=AugmentedConfig(
        latents=LatentsConfig(size=2, ef=8, zf=32, norm="none"),
        generator=LatentResNetConfig(
            gf=8, num_blocks=4, upsampling="resize", num_halvings=2, skips=True, blend=True
        ),
        # One of 16 pixels let a fruit have two colors.
        discriminator=PatchGANConfig(df=24, receptive_field=70, norm="pixel"),
        loss=AugmentedLossConfig(lambda_cycle=1.5, lambda_latent=0.25, r1=10.0, r1_every=4),
        step=AugmentedStepConfig(discriminator_rate=1.0, source_negatives=0.5, ema=0.995),
        diffaugment=DiffAugmentConfig(translation=0.125),
        optimizer=AdamConfig(learning_rate=4e-4),
    ),
    data=DataConfig(dataset="fruit_colors", image_size=64),
    run=RunConfig(recipe="fast", batch_size=4, epochs=20),
)
INFO = ModelInfo(
    AugmentedConfig(),
    "Augmented CycleGAN",
    "cyclegan_keras.models.augmented:AugmentedCycleGAN",
    companions=lambda config: tuple(f"e_{domain}" for domain in config.model.latent_domains),
    recipes={
        "paper": PAPER,
        "fast": FAST,
        None: dataclasses.replace(FAST, run=dataclasses.replace(FAST.run, recipe=None)),
    },
    ablations={
        "no_latent_cycle": Variant("without the cycle of latents", {"lambda_latent": 0.0}),
        "no_latent_gan": Variant(
            "without the discriminator of latents", {"lambda_latent_gan": 0.0}
        ),
        "all": Variant("all losses"),
    },
    on_replicas=True,
)
