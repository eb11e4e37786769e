"""CoGAN: two generators with one latent variable, of which translations are made by inversion."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import layers, ops

from cyclegan_keras.config.cogan import CoGANConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.inversion import TranslateByInversion, translator
from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.checks import named
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.replicas import unrecorded


class CoGAN(GAN):
    """Makes pairs of images out of nothing, and translates an image by looking for its pair.

    Two generators with one latent variable z, drawn evenly from [-1, 1], share all layers but the
    last, and two discriminators all but the first. So what an image shows should come from the
    layers that are shared, and how it looks from those that are not. No image is an input of a
    generator: to translate x, `z* = argmin L(g_A(z), x)` is sought; `g_B(z*)` is the translation.

    The authors' code has a two-class cross-entropy, which "log_likelihood" is with one score in
    place of two; and discriminators with dropout.

    Args:
        img_shape: `(height, width, channels)`; what the networks can double.
        data_loader: A `DataLoader` for `train`. `None` means one for the drawn default set,
            `fruit`, which is drawn when its first image is wanted.
        config: The settings; `None` means those of the authors' code.
        seed: Of the initial weights and of z; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as
            `inversion_steps=50`.

    Attributes:
        g: Both generators, a model from z to `[imgs_A, imgs_B]`.
        d: Both discriminators, a model from pairs to their two scores, compiled.
        combined: The model from z to `valid = d(g(z))`, compiled; training it moves `g` only.
        g_AB, g_BA: What translates by inversion, from A to B and from B to A: models from images to
            images, which have the weights of `g`.
        translators: Likewise; copies if `ema` is on.

    Raises:
        ValueError: If `img_shape` cannot be halved as often as the networks do, or a setting is
            none of those that there are.

    Reference:
        [Liu & Tuzel, 2016](https://arxiv.org/abs/1606.07536), section 3.
    """

    config: CoGANConfig
    default_config = CoGANConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {"adv": ("valid_loss",)}

    def __init__(
        self,
        img_shape: tuple[int, int, int] = (128, 128, 3),
        data_loader: DataLoader | None = None,
        *,
        config: CoGANConfig | None = None,
        seed: int | None = None,
        name: str = "cogan",
        **settings: Any,
    ) -> None:
        config = (config or CoGANConfig()).with_settings(**settings)
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.d = self._network(self.build_discriminator(), "d")
        self.g = named(self.build_generator(), "g")
        latent = keras.Input((config.generator.latent_dim,), name="latent")
        valid = self.d(layers.Concatenate()(self.g(latent)))
        self.combined = Combined.of(latent, {"valid": valid}, trains=[self.g])
        self.disc_patch = self._disc_patch(self.d)
        self._compile_discriminator(self.d)
        self._compile_combined([OBJECTIVES[self.objective].generator], [config.loss.lambda_gan])
        self.latents = RandomStream(self._next_seed(), name="latents")
        sought = config.inversion
        self.g_AB, self.g_BA = (
            translator(
                TranslateByInversion(
                    self.g, source, sought.loss, sought.steps, sought.starts, name="inversion"
                ),
                name,
            )
            for source, name in enumerate(("g_AB", "g_BA"))
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
        """What translates by inversion, by name."""
        return {"g_AB": self.g_AB, "g_BA": self.g_BA}

    def _default_loader(self) -> DataLoader:
        return DataLoader("fruit", img_res=self.img_shape[:2], channels=self.img_shape[2])

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """The discriminators first, then the generators against the new ones, on the same z.

        Images of A and of B stand beside each other and need not belong together.
        """
        size = (ops.shape(imgs_A)[0], self.config.generator.latent_dim)
        latent = ops.cast(2 * self.latents.uniform(size) - 1, self.combined.variable_dtype)
        calls = Calls()
        with tf.GradientTape() as tape:
            fake = ops.concatenate(calls(self.g, latent), axis=-1)
            with unrecorded(tape):
                real = ops.concatenate([imgs_A, imgs_B], axis=-1)
                d_logs = self.update_discriminator(self.d, real, fake)
            outputs = {"valid": calls(self.d, fake)}
            targets = {"valid": ops.ones_like(outputs["valid"])}
            g_loss, losses = self.combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = self.combined.optimizer.scale_loss(g_loss)

        variables = self.combined.trainable_variables
        self.combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }
