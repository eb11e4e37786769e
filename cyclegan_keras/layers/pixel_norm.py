"""Normalisation of each pixel over its channels."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.layers._normalize import normalize_pixels


@keras.saving.register_keras_serializable(package=PACKAGE)
class PixelNormalization(keras.layers.RMSNormalization):
    """Keras's `RMSNormalization` over the channels, with its gradient in fewer operations.

    Each pixel's features are divided by their root mean square, and each channel is multiplied by a
    trained factor, `scale`. Outputs and gradients are those of `keras.layers.RMSNormalization`, but
    for rounding; files do not know of it.

    Args:
        epsilon: Added to the mean square. Float.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input's.

    Reference:
        [Karras et al., 2017](https://arxiv.org/abs/1710.10196), section 4.2;
        [Zhang & Sennrich, 2019](https://arxiv.org/abs/1910.07467) on the factors.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(axis=-1, epsilon=epsilon, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Returns the normalised pixels in the layer's compute dtype."""
        dtype = keras.backend.result_type(inputs.dtype, "float32")
        scale = ops.cast(tf.convert_to_tensor(self.scale), dtype)
        y = normalize_pixels(ops.cast(inputs, dtype), scale, self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {name: x for name, x in super().get_config().items() if name != "axis"}
