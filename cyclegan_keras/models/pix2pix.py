"""pix2pix: what can be learned when each image has its true translation beside it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_regrouped_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.checks import check_choice
from cyclegan_keras.models.combined import Combined

DIRECTIONS = ("A-to-B", "B-to-A")


class Pix2Pix(GAN):
    """Learns to translate images one way, from pairs: the upper bound for CycleGAN.

    The discriminator sees source and target, one behind the other in the channels, and judges
    whether they belong together.

    Args:
        img_shape: `(height, width, channels)`, each size divisible by a power of two, as the
            generator halves it.
        gf: Filters of the generator's first layer.
        df: Filters of the discriminator's first layer.
        direction: "A-to-B" or "B-to-A".
        data_loader: A `DataLoader` with `paired=True` for `train`. `None` means one for the drawn
            set `fruit_pairs`, which is drawn when its first image is wanted.
        lambda_gan: Weight of the adversarial loss.
        lambda_l1: Weight of the mean absolute error to the true translation.
        generator: "deep_unet" (that of pix2pix), "unet" (the book's) or "resnet".
        num_blocks: Residual blocks of a "resnet"; `None` means 6 below 256 pixels, else 9.
        upsampling: How a "resnet" doubles: "transposed" or "resize".
        dropout: Share of the features that a U-Net drops while it is trained, in [0, 1).
        padding: Of a "resnet": "paper", or "reflect" for mirrored pixels at every border.
        norm: Of a generator: "instance"; of a "resnet" also "pixel" or "none"; of a "unet" also
            "contrib", what the book's listing imports.
        skips: Whether a "resnet" has the skip connections of a U-Net.
        residual: Whether a generator's output is a change of its input.
        exact_residual: Whether black and white pass through such an output unchanged.
        discriminator: "book", or by its receptive field, "patch1", "patch16", "patch70" or
            "patch286".
        d_norm: Of a discriminator: "instance"; of the book's also "contrib"; of the others also
            "pixel" or "none".
        objective: "least_squares", "log_likelihood", "hinge" or "wasserstein".
        lambda_penalty: Weight of the gradient penalty of "wasserstein".
        discriminator_update: "joint" or "separate".
        ema: Share that the moving average of the generator's weights keeps at each step, in [0, 1);
            0 takes no average. `translators` has the average.
        learning_rate: Of both Adam optimizers.
        beta_1: Of both Adam optimizers.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Attributes:
        g: The generator, named "g_AB" or "g_BA".
        d: The discriminator of pairs, compiled.
        combined: The model from `source` to `valid` and `fake`, compiled; training it moves the
            generator only.
        translators: The generator to translate with, by name; a copy if `ema` is on.

    Raises:
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Reference:
        [Isola et al., 2017](https://arxiv.org/abs/1611.07004).
    """

    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_loss",),
        "L1": ("fake_loss",),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        gf: int = 64,
        df: int = 64,
        direction: str = "A-to-B",
        data_loader: DataLoader | None = None,
        *,
        lambda_gan: float = 1.0,
        lambda_l1: float = 100.0,
        generator: str = "deep_unet",
        num_blocks: int | None = None,
        upsampling: str = "transposed",
        dropout: float = 0.5,
        padding: str = "paper",
        norm: str = "instance",
        skips: bool = False,
        residual: bool = False,
        exact_residual: bool = True,
        discriminator: str = "patch70",
        d_norm: str = "instance",
        objective: str = "log_likelihood",
        lambda_penalty: float = 10.0,
        discriminator_update: str = "joint",
        ema: float = 0.0,
        learning_rate: float = 2e-4,
        beta_1: float = 0.5,
        seed: int | None = None,
        name: str = "pix2pix",
    ) -> None:
        super().__init__(
            img_shape,
            {
                "gf": gf,
                "kind": generator,
                "num_blocks": num_blocks,
                "upsampling": upsampling,
                "dropout": dropout,
                "padding": padding,
                "norm": norm,
                "skips": skips,
                "residual": residual,
                "exact_residual": exact_residual,
            },
            {"df": df, "kind": discriminator, "affine": True, "norm": d_norm},
            data_loader,
            objective=objective,
            lambda_penalty=lambda_penalty,
            discriminator_update=discriminator_update,
            learning_rate=learning_rate,
            beta_1=beta_1,
            ema=ema,
            seed=seed,
            name=name,
        )
        check_choice("direction", direction, DIRECTIONS)
        self.gf = gf
        self.df = df
        self.direction = direction

        self.d = self._network(self.build_discriminator(), "d")
        self.g = self._network(self.build_generator(), "g_AB" if direction == "A-to-B" else "g_BA")
        self.combined = Combined.connect_pair(self.img_shape, self.g, self.d)
        self.disc_patch = self._disc_patch(self.d)
        self._compile_discriminator(self.d)
        self._compile_combined(
            [OBJECTIVES[objective].generator, "mae"],
            [lambda_gan, lambda_l1],
        )
        self._finish()

    @property
    def _judged_shape(self) -> tuple[int, int, int]:
        height, width, channels = self.img_shape
        return height, width, 2 * channels

    @property
    def compiled_models(self) -> list[keras.Model]:
        """`d` and `combined`."""
        return [self.d, self.combined]

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The one generator, by its name."""
        return {self.g.name: self.g}

    def _default_loader(self) -> DataLoader:
        return DataLoader(
            "fruit_pairs", self.img_shape[:2], paired=True, channels=self.img_shape[2]
        )

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """Section 3.3: the discriminator first, on half its loss; then the generator meets it."""
        a_to_b = self.direction == "A-to-B"
        source, target = (imgs_A, imgs_B) if a_to_b else (imgs_B, imgs_A)
        calls = Calls()
        with tf.GradientTape() as tape, kernels_regrouped_once(self.g):
            fake = calls(self.g, source)
            pair = ops.concatenate([source, fake], axis=-1)
            with tape.stop_recording():
                real_pair = ops.concatenate([source, target], axis=-1)
                d_logs = self.update_discriminator(self.d, real_pair, pair)

            # Equation 4: the discriminator should take the pair for real, which it should become.
            outputs = {"valid": calls(self.d, pair), "fake": fake}
            targets = {"valid": ops.ones_like(outputs["valid"]), "fake": target}
            g_loss, losses = self.combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = self.combined.optimizer.scale_loss(g_loss)

        variables = self.combined.trainable_variables
        self.combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }
