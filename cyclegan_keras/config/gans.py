"""What the settings of several models have: losses, and how a step updates networks."""

import dataclasses
from typing import Any, Literal

from cyclegan_keras.config.fields import Needs, setting
from cyclegan_keras.config.networks import (
    DISCRIMINATORS,
    GENERATORS,
    BookDiscriminatorConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    UNetConfig,
)
from cyclegan_keras.config.parts import Part

GENERATOR = "the book's U-Net, the paper's ResNet, or the deeper U-Net of pix2pix"
DISCRIMINATOR = "the book's, or a PatchGAN with this receptive field in pixels"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdamConfig(Part):
    """The Adam optimizers, of which each network that is compiled has one.

    Args:
        learning_rate: The rate that a training begins with.
        beta_1: Decay of the mean of the gradients, in [0, 1).
    """

    learning_rate: float = setting("training", 2e-4, "of the Adam optimizers", least=0)
    beta_1: float = setting("training", 0.5, "of the Adam optimizers, below 1", least=0, below=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialLossConfig(Part):
    """The adversarial loss.

    Args:
        objective: What discriminators and generators minimise; see `losses.OBJECTIVES`.
        lambda_gan: Weight of each adversarial loss.
        lambda_penalty: Weight of the gradient penalty, which only "wasserstein" has.
        r1: γ of R1: discriminators also minimise `r1 / 2` times the squared slope of their scores
            at real images. It keeps them from winning, so that longer training is not worse.
        r2: γ of R2: the same at translations.
        r1_every: R1 and R2 count in every so many-th step, and then so many times as much.

    Reference:
        [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), section 4.1, on R1 and R2;
        [Karras et al., 2019](https://arxiv.org/abs/1912.04958), section 3.1, on `r1_every`.
    """

    objective: Literal["least_squares", "log_likelihood", "hinge", "wasserstein"] = setting(
        "losses", "least_squares", "the adversarial loss of discriminators and generators"
    )
    lambda_gan: float = setting("losses", 1.0, "weight of each adversarial loss", least=0)
    lambda_penalty: float = setting(
        "losses",
        10.0,
        "weight of the gradient penalty of the wasserstein objective",
        least=0,
        needs=Needs("objective", ("wasserstein",)),
    )
    r1: float = setting(
        "losses",
        0.0,
        "γ of R1, a penalty on the slope of discriminators at real images, such as 30; it keeps "
        "them from winning",
        least=0,
    )
    r2: float = setting(
        "losses",
        0.0,
        "γ of R2, a penalty on the slope of discriminators at translations",
        least=0,
    )
    r1_every: int = setting(
        "losses",
        1,
        "R1 and R2 count in every N-th step only, and then N times as much, which saves time",
        least=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleLossConfig(AdversarialLossConfig):
    """The full objective of CycleGAN, equation 3 of its paper.

    Args:
        lambda_cycle: Weight of each cycle-consistency loss.
        lambda_cycle_A: Weight of the forward cycle alone, A to B and back; `None` means
            `lambda_cycle`.
        lambda_cycle_B: Weight of the backward cycle alone, B to A and back; likewise.
    """

    lambda_cycle: float = setting("losses", 10.0, "weight of each cycle-consistency loss", least=0)
    lambda_cycle_A: float | None = setting(
        "losses", None, "weight of the cycle from A to B and back, if different", least=0
    )
    lambda_cycle_B: float | None = setting(
        "losses", None, "weight of the cycle from B to A and back, if different", least=0
    )

    @property
    def cycle_weights(self) -> tuple[float, float]:
        """The weights of the forward and of the backward cycle."""
        forward, backward = self.lambda_cycle_A, self.lambda_cycle_B
        return (
            self.lambda_cycle if forward is None else forward,
            self.lambda_cycle if backward is None else backward,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANLossConfig(CycleLossConfig):
    """The full objective of CycleGAN, and the identity loss.

    Args:
        lambda_id: Weight of each identity loss, absolute (*not* a share of `lambda_cycle`, as other
            code has it). `None` means the book's `0.9 * lambda_cycle`; with 0 the step does not
            compute it.
    """

    lambda_id: float | None = setting(
        "losses",
        None,
        "weight of each identity loss, absolute (not a share of --lambda-cycle)",
        least=0,
    )

    @property
    def identity_weight(self) -> float:
        """The weight of each identity loss."""
        return 0.9 * self.lambda_cycle if self.lambda_id is None else self.lambda_id


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepConfig(Part):
    """How a step updates networks.

    Args:
        discriminator_update: "separate" (one update on real images, then one on translations) or
            "joint" (one on the mean of both losses).
        ema: Decay of the moving average of the generators' weights, in [0, 1); 0 takes no average.
        exact_convolutions: Whether all convolutions of a step are computed as they are written,
            rather than in the form that is the fastest; see `layers.forms`. That changes rounding.
        jit: Whether XLA compiles the step.
    """

    discriminator_update: Literal["separate", "joint"] = setting(
        "training",
        "separate",
        "separate: one update on real images and one on translations; joint: one update on the "
        "mean of both losses",
    )
    ema: float = setting(
        "training",
        0.0,
        "decay of the moving average of the generators' weights, such as 0.999; the averaged "
        "weights are saved. 0 takes no average",
        least=0,
        below=1,
    )
    exact_convolutions: bool = setting(
        "training",
        False,
        "computes convolutions just as they are written, rather than by what gives the same but "
        "for rounding and is faster",
    )
    jit: bool = setting("training", False, "compiles the step with XLA")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CycleGANStepConfig(StepConfig):
    """How a step of CycleGAN updates networks.

    Args:
        update_first: "discriminators": the generators then meet the updated ones; "generators": the
            discriminators then see the translations from before that update.
        pool_size: Number of earlier translations in the image pool of each discriminator; 0 for no
            pool.
        source_negatives: Share of what discriminators learn to reject that real images of the other
            domain make up, in [0, 1). A discriminator then knows from the first step, and never
            forgets, what is to be changed.
    """

    update_first: Literal["discriminators", "generators"] = setting(
        "training", "discriminators", "which networks are updated first in a step"
    )
    pool_size: int = setting(
        "training",
        0,
        "number of earlier translations in the image pool of each discriminator",
        least=0,
    )
    source_negatives: float = setting(
        "training",
        0.0,
        "share of source-domain negatives: real images of the other domain in what discriminators "
        "learn to reject, such as 0.5, below 1",
        was=["d_source"],
        least=0,
        below=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffAugmentConfig(Part):
    """Differentiable augmentation of all that discriminators see.

    Args:
        translation: Images are shifted by up to this share of their size, in [0, 1).
        color: How much their brightness, saturation and contrast change; 1 for as much as in the
            paper.
        cutout: Sides of a rectangle that becomes gray, in shares of the image's, in [0, 1]; 0.5 in
            the paper.

    Reference:
        [Zhao et al., 2020](https://arxiv.org/abs/2006.10738).
    """

    translation: float = setting(
        "training",
        0.0,
        "DiffAugment: shifts all that a discriminator sees at random, by up to this share of its "
        "size, such as 0.125",
        name="diffaugment_translation",
        was=["d_shift"],
        least=0,
        below=1,
    )
    color: float = setting(
        "training",
        0.0,
        "DiffAugment: changes brightness, saturation and contrast of all that a discriminator sees "
        "at random, by this strength, such as 1",
        name="diffaugment_color",
        was=["d_colour"],
        least=0,
    )
    cutout: float = setting(
        "training",
        0.0,
        "DiffAugment: cuts a rectangle with these shares of the sides out of all that a "
        "discriminator sees, at random, such as 0.5, at most 1",
        name="diffaugment_cutout",
        least=0,
        most=1,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig(Part):
    """What the settings of every model have.

    Args:
        optimizer: The optimizers, whose `learning_rate` a training lets decay.
    """

    optimizer: AdamConfig = AdamConfig()

    def check_run(self, run: Any) -> None:
        """Raises an error that teaches if the model cannot be trained in such a run.

        Args:
            run: All settings, a `TrainConfig`.

        Raises:
            ValueError: If so.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class GANConfig(ModelConfig):
    """What the settings of a `models.base.GAN` have.

    Args:
        generator: Of each generator.
        discriminator: Of each discriminator.
        loss: The losses.
        step: How a step updates networks.
    """

    generator: GeneratorConfig = setting("networks", UNetConfig(), GENERATOR, kinds=GENERATORS)
    discriminator: DiscriminatorConfig = setting(
        "networks", BookDiscriminatorConfig(), DISCRIMINATOR, kinds=DISCRIMINATORS
    )
    loss: AdversarialLossConfig = AdversarialLossConfig()
    step: StepConfig = StepConfig()
