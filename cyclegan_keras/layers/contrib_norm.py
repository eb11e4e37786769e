"""The normalisation that the book's listings import, from keras_contrib."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class ContribNormalization(keras.layers.Layer):
    """Normalises each image by the mean and the deviation of all its features together.

    Equal to `InstanceNormalization()` of keras_contrib with its defaults: statistics go over
    height, width *and* channels, there is one factor and one offset for all channels, and `epsilon`
    is added to the standard deviation, not to the variance. It is not instance normalisation as the
    paper, and the book's own footnote, describe it; see `layers.InstanceNormalization` for that.

    Statistics are taken in float32 at least, so that `mixed_float16` neither overflows nor rounds
    them away. Where all features of an image are equal, keras_contrib's gradient is no number; here
    it is that of dividing by `epsilon`.

    Args:
        epsilon: Added to the standard deviation. Float, 1e-3 by default as in keras_contrib.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input's.

    Reference:
        *GANs in Action*, listings 9.1, 9.4 and 9.5.
    """

    def __init__(self, epsilon: float = 1e-3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.supports_masking = True
        # Keras must not round a float32 input to half precision before it is measured.
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `gamma` and `beta`, one value each."""
        if len(input_shape) != 4:
            raise ValueError(
                "`ContribNormalization` wants images of shape (batch, height, width, channels). "
                f"Received: input_shape={input_shape}"
            )
        self.gamma = self.add_weight(shape=(1,), initializer="ones", name="gamma", autocast=False)
        self.beta = self.add_weight(shape=(1,), initializer="zeros", name="beta", autocast=False)

    def call(self, inputs: Any) -> Any:
        """Returns the normalised images in the layer's compute dtype."""
        x = ops.cast(inputs, keras.backend.result_type(self.variable_dtype, "float32"))
        centred = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True)
        is_constant = variance == 0
        # The root's slope at 0 is infinite, and times 0 it would be no number.
        deviation = ops.sqrt(ops.where(is_constant, 1.0, variance))
        deviation = ops.where(is_constant, 0.0, deviation) + self.epsilon
        gamma, beta = (ops.cast(weight, x.dtype) for weight in (self.gamma, self.beta))
        return ops.cast(centred / deviation * gamma + beta, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "epsilon": self.epsilon}
