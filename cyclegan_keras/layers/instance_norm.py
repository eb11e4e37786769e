"""Instance normalisation."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.layers._normalize import normalize


@keras.saving.register_keras_serializable(package=PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalises each channel of each image by its own mean and variance.

    Equal to `tfa.layers.InstanceNormalization` of tensorflow-addons 0.23 with its defaults, and to
    `keras.layers.GroupNormalization(groups=-1)`. The book's listings import another one, from
    keras_contrib; see `contrib_norm.ContribNormalization`. Statistics are taken in float32 at
    least, so that `mixed_float16` neither overflows nor rounds them away.

    Args:
        epsilon: Added to the variance. Float, 1e-3 by default, as in tensorflow-addons; the paper's
            networks use 1e-5.
        center: Whether to add a trained offset per channel, `beta`.
        scale: Whether to multiply by a trained factor per channel, `gamma`.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input's.

    Reference:
        [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022); *GANs in Action*, chapter 9, the
        footnote on instance normalisation.
    """

    def __init__(
        self, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.supports_masking = True
        # Keras must not round a float32 input to half precision before it is measured.
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `gamma` and `beta`, one value per channel."""
        channels = input_shape[-1]
        if len(input_shape) != 4 or channels is None:
            raise ValueError(
                "`InstanceNormalization` wants images of shape (batch, height, width, channels) "
                f"with a known number of channels. Received: input_shape={input_shape}"
            )
        self.gamma = self._add_weight(channels, "ones", "gamma") if self.scale else None
        self.beta = self._add_weight(channels, "zeros", "beta") if self.center else None

    def _add_weight(self, channels: int, initializer: str, name: str) -> Any:
        return self.add_weight(
            shape=(channels,), initializer=initializer, name=name, autocast=False
        )

    def call(self, inputs: Any) -> Any:
        """Returns the normalised images in the layer's compute dtype."""
        x = ops.cast(inputs, keras.backend.result_type(self.variable_dtype, "float32"))
        gamma, beta = (
            None if each is None else tf.convert_to_tensor(each) for each in (self.gamma, self.beta)
        )
        return ops.cast(normalize(x, gamma, beta, self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        config = {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **config}
