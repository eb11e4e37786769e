"""Instance normalization whose factors and offsets are computed, from a latent for one."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.layers._normalize import normalize


@keras.saving.register_keras_serializable(package=PACKAGE)
class ConditionalInstanceNormalization(keras.layers.Layer):
    """Normalizes each channel of each image, and applies factors and offsets that it is given.

    `y = (x - mean) / sqrt(variance + epsilon) * scale + shift`. Statistics are taken in float32 at
    least. The authors compute `scale = relu(linear(z))` of a latent z, which starts close to zero;
    the networks of this package compute `1 + linear(z)`.

    Args:
        epsilon: Added to the variance.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        A list of three: `(batch, height, width, channels)`, and for factors and offsets
        `(batch, 1, 1, channels)`.

    Output shape:
        Same as the first input's.

    Reference:
        [Almahairi et al., 2018](https://arxiv.org/abs/1802.10151), section 4.2;
        [Dumoulin et al., 2016](https://arxiv.org/abs/1610.07629).
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        # Keras must not round a float32 input to half precision before it is measured.
        self.autocast = False

    def call(self, inputs: Any) -> Any:
        """Returns the normalized images in the layer's compute dtype."""
        dtype = keras.backend.result_type(self.variable_dtype, "float32")
        x, scale, shift = (ops.cast(each, dtype) for each in inputs)
        channels = x.shape[-1]
        ones, zeros = tf.ones(channels, x.dtype), tf.zeros(channels, x.dtype)
        return ops.cast(normalize(x, ones, zeros, self.epsilon) * scale + shift, self.compute_dtype)

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> Any:
        """Returns the shape of the images."""
        return input_shape[0]

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "epsilon": self.epsilon}
