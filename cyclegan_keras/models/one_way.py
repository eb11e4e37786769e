"""What models share that translate in one direction and keep the content by one more loss."""

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.config.one_way import OneWayConfig
from cyclegan_keras.config.registry import way_of
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.layers import kernels_prepared_once
from cyclegan_keras.losses import OBJECTIVES
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.models.diffaugment import RandomView
from cyclegan_keras.models.image_pool import ImagePool
from cyclegan_keras.replicas import unrecorded


class OneWayGAN(GAN):
    """One generator, and one discriminator of the target domain.

    What keeps the content of an image is a loss between `content_of(image)` and
    `content_of(translation)`, the mean absolute difference, times the weight that a subclass gives.

    Args:
        img_shape: `(height, width, channels)`.
        config: The settings.
        lambda_content: Weight of the loss between contents.
        data_loader: A `DataLoader` for `train`; `None` means one for the drawn default set.
        seed: Of all randomness; `None` draws another one each time.
        name: Of the model.

    Attributes:
        g: The generator, named "g_AB" or "g_BA".
        d: The discriminator, compiled.
        combined: The model from `source` to `valid = d(g(source))` and `content`, that of the
            translation, compiled; training it moves the generator only.
    """

    config: OneWayConfig
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "adv": ("valid_loss",),
        "content": ("content_loss",),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int],
        config: OneWayConfig,
        lambda_content: float,
        data_loader: DataLoader | None = None,
        *,
        seed: int | None = None,
        name: str,
    ) -> None:
        super().__init__(img_shape, config, data_loader, seed=seed, name=name)
        self.direction = config.direction
        self.update_first = config.step.update_first
        self.source_negatives = config.step.source_negatives

        self.d = self._network(self.build_discriminator(), "d")
        (way,) = way_of(config)
        self.g = self._network(self.build_generator(), f"g_{way}")
        self.prepare()
        source = keras.Input(self.img_shape, name="source")
        fake = self.g(source)
        outputs = {"valid": self.d(fake), "content": self.content_of(fake)}
        self.combined = Combined.of(source, outputs, trains=[self.g])
        self.disc_patch = self._disc_patch(self.d)
        self._compile_discriminator(self.d)
        self._compile_combined(
            [OBJECTIVES[self.objective].generator, "mae"],
            [config.loss.lambda_gan, lambda_content],
        )
        self.pool = None
        if config.step.pool_size:
            self.pool = ImagePool(config.step.pool_size, self._next_seed(), name="pool")
            self.pool.build((None, *self.img_shape))
        self.view = None
        augment = config.diffaugment
        if augment.translation or augment.color or augment.cutout:
            self.view = RandomView(
                augment.translation,
                augment.color,
                self._next_seed(),
                cutout=augment.cutout,
                name="view",
            )
        self._finish()

    def prepare(self) -> None:
        """Makes what `content_of` needs; nothing, unless a subclass does."""

    def content_of(self, imgs: Any) -> Any:
        """What a translation should keep of an image.

        Args:
            imgs: `(batch, height, width, channels)`, in [-1, 1]; symbolic ones, too.

        Returns:
            A tensor with the same first axis.
        """
        raise NotImplementedError

    @property
    def compiled_models(self) -> list[keras.Model]:
        """`d` and `combined`."""
        return [self.d, self.combined]

    @property
    def generators(self) -> dict[str, keras.Model]:
        """The one generator, by its name."""
        return {self.g.name: self.g}

    def _default_loader(self) -> DataLoader:
        return DataLoader("fruit", img_res=self.img_shape[:2], channels=self.img_shape[2])

    def _step(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        """The generator against the discriminator and the content of its input; the latter, too.

        `update_first` says which of the two is moved first.
        """
        a_to_b = self.direction == "A-to-B"
        source, target = (imgs_A, imgs_B) if a_to_b else (imgs_B, imgs_A)
        calls, combined = Calls(), self.combined
        with tf.GradientTape() as tape, kernels_prepared_once(self.g):
            fake = calls(self.g, source)
            if self.update_first == "discriminators":
                with unrecorded(tape):
                    d_logs = self._update_discriminator(source, target, fake)
            outputs = {"valid": calls(self.d, self._seen(fake))}
            targets = {"valid": ops.ones_like(outputs["valid"])}
            if combined.wants("content"):
                with unrecorded(tape):
                    targets["content"] = self.content_of(source)
                outputs["content"] = self.content_of(fake)
            g_loss, losses = combined.full_objective(targets, outputs, calls.losses)
            scaled_loss = combined.optimizer.scale_loss(g_loss)

        variables = combined.trainable_variables
        combined.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
        if self.update_first == "generators":  # then the fakes are from before that update
            d_logs = self._update_discriminator(source, target, fake)
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }

    def _update_discriminator(self, source: Any, target: Any, fake: Any) -> dict[str, Any]:
        share = self.source_negatives
        if self.pool is not None:
            fake = self.pool(fake)
        negatives = self._seen(source) if share else None
        return self.update_discriminator(
            self.d, self._seen(target), self._seen(fake), negatives, share
        )

    def _seen(self, imgs: Any) -> Any:
        """What the discriminator sees of images."""
        return imgs if self.view is None else self.view(imgs)
