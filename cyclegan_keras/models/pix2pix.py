"""pix2pix: what can be learned when each image has its true translation beside it."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.config.pix2pix import Pix2PixConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_prepared_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.replicas import unrecorded


class Pix2Pix(GAN):
    """Learns to translate images one way, from pairs: the upper bound for CycleGAN.

    The discriminator sees source and target, one behind the other in the channels, and judges
    whether they belong together.

    Args:
        img_shape: `(height, width, channels)`, each size divisible by a power of two, as the
            generator halves it.
        gf: Filters of the generator's first layer; `None` means those of `config`, the paper's 64.
        df: Filters of the discriminator's first layer; likewise.
        direction: "A-to-B" or "B-to-A"; `None` means that of `config`, "A-to-B".
        data_loader: A `DataLoader` with `paired=True` for `train`. `None` means one for the drawn
            set `fruit_pairs`, which is drawn when its first image is wanted.
        config: All other settings: networks, losses, optimizers.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as `lambda_l1=10`.

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

    default_config = Pix2PixConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_loss",),
        "L1": ("fake_loss",),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        gf: int | None = None,
        df: int | None = None,
        direction: str | None = None,
        data_loader: DataLoader | None = None,
        *,
        config: Pix2PixConfig | None = None,
        seed: int | None = None,
        name: str = "pix2pix",
        **settings: Any,
    ) -> None:
        first = {"gf": gf, "df": df, "direction": direction}
        settings |= {key: value for key, value in first.items() if value is not None}
        config = (config or Pix2PixConfig()).with_settings(**settings)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.gf = config.generator.gf
        self.df = config.discriminator.df
        self.direction = config.direction

        self.d = self._network(self.build_discriminator(), "d")
        self.g = self._network(
            self.build_generator(), "g_AB" if self.direction == "A-to-B" else "g_BA"
        )
        self.combined = Combined.connect_pair(self.img_shape, self.g, self.d)
        self.disc_patch = self._disc_patch(self.d)
        self._compile_discriminator(self.d)
        self._compile_combined(
            [OBJECTIVES[self.objective].generator, "mae"],
            [config.loss.lambda_gan, config.loss.lambda_l1],
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
        with tf.GradientTape() as tape, kernels_prepared_once(self.g):
            fake = calls(self.g, source)
            pair = ops.concatenate([source, fake], axis=-1)
            with unrecorded(tape):
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
