"""BiGAN/ALI: one discriminator, of pairs of an image and its translation in either direction."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers, ops

from cyclegan_keras.config.bigan import BiGANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_prepared_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.discriminator_updates import FAKE, REAL
from cyclegan_keras.models.image_pool import ImagePool
from cyclegan_keras.replicas import unrecorded


class BiGAN(GAN):
    """Translates both ways, so that nobody can tell from a pair which of its images was translated.

    The discriminator sees an image of A and an image of B, one behind the other in the channels. It
    learns to score 1 for `(x, g_AB(x))` and 0 for `(g_BA(y), y)`; `g_AB` wants 0 for the former,
    and `g_BA` wants 1 for the latter. There is no latent variable and no reconstruction: this is
    the baseline of the CycleGAN paper, with its networks and losses.

    The authors' code has an Adam for each of the three networks and updates the discriminator,
    `g_AB` and `g_BA` in this order. Here `combined` moves both generators at once, which is the
    same: neither's loss depends on the other, and Adam treats each weight by itself.

    Args:
        img_shape: `(height, width, channels)`; what the networks can halve.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn default set,
            `fruit`, which is drawn when its first image is wanted.
        config: The settings; `None` means those of the CycleGAN paper.
        seed: Of the initial weights and the pools; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as `pool_size=0`.

    Attributes:
        g_AB, g_BA: The generators; the papers call them G and E.
        d: The discriminator of pairs, compiled.
        combined: The model from `[img_A, img_B]` to `valid_AB = d([img_A, g_AB(img_A)])` and
            `valid_BA = d([g_BA(img_B), img_B])`, compiled; training it moves the generators only.
        pool_AB, pool_BA: Earlier pairs of either kind; `None` if there are none.
        translators: The generators to translate with, by name; copies if `ema` is on.

    Raises:
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Reference:
        [Donahue et al., 2016](https://arxiv.org/abs/1605.09782), equation 2; [Dumoulin et al.,
        2016](https://arxiv.org/abs/1606.00704), section 2; [Zhu et al.,
        2017](https://arxiv.org/abs/1703.10593), section 5.1.
    """

    default_config = BiGANConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_AB_loss", "valid_BA_loss")
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (256, 256, 3),
        data_loader: DataLoader | None = None,
        *,
        config: BiGANConfig | None = None,
        seed: int | None = None,
        name: str = "bigan",
        **settings: Any,
    ) -> None:
        config = (config or BiGANConfig()).with_settings(**settings)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.d = self._network(self.build_discriminator(), "d")
        self.g_AB = self._network(self.build_generator(), "g_AB")
        self.g_BA = self._network(self.build_generator(), "g_BA")
        img_A, img_B = (keras.Input(self.img_shape, name=f"img_{domain}") for domain in "AB")
        outputs = {
            "valid_AB": self.d(layers.Concatenate()([img_A, self.g_AB(img_A)])),
            "valid_BA": self.d(layers.Concatenate()([self.g_BA(img_B), img_B])),
        }
        self.combined = Combined.of([img_A, img_B], outputs, trains=[self.g_AB, self.g_BA])
        self.disc_patch = self._disc_patch(self.d)
        self._compile_discriminator(self.d)
        adversarial, weight = OBJECTIVES[self.objective].generator, config.loss.lambda_gan
        self._compile_combined([adversarial, adversarial], [weight, weight])
        size = config.step.pool_size
        self.pool_AB, self.pool_BA = (
            ImagePool(size, self._next_seed(), name=f"pool_{way}") if size else None
            for way in ("AB", "BA")
        )
        for pool in (self.pool_AB, self.pool_BA):
            if pool is not None:
                pool.build((None, *self._judged_shape))
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
        """The generators that are trained, by name."""
        return {"g_AB": self.g_AB, "g_BA": self.g_BA}

    def _default_loader(self) -> DataLoader:
        return DataLoader("fruit", img_res=self.img_shape[:2], channels=self.img_shape[2])

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """The discriminator first, on pairs from the pools; then generators meet the new one."""
        calls = Calls()
        with tf.GradientTape() as tape, kernels_prepared_once(self.g_AB, self.g_BA):
            pair_AB = ops.concatenate([imgs_A, calls(self.g_AB, imgs_A)], axis=-1)
            pair_BA = ops.concatenate([calls(self.g_BA, imgs_B), imgs_B], axis=-1)
            with unrecorded(tape):
                d_logs = self._update_discriminator(pair_AB, pair_BA)
            valid_AB, valid_BA = calls.on_each(self.d, pair_AB, pair_BA)
            targets = {
                "valid_AB": ops.full_like(valid_AB, FAKE),
                "valid_BA": ops.full_like(valid_BA, REAL),
            }
            outputs = {"valid_AB": valid_AB, "valid_BA": valid_BA}
            g_loss, losses = self.combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = self.combined.optimizer.scale_loss(g_loss)

        variables = self.combined.trainable_variables
        self.combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }

    def _update_discriminator(self, pair_AB: Any, pair_BA: Any) -> dict[str, Any]:
        if self.pool_AB is not None and self.pool_BA is not None:
            pair_AB, pair_BA = self.pool_AB(pair_AB), self.pool_BA(pair_BA)
        return self.update_discriminator(self.d, pair_AB, pair_BA)
