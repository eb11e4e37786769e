"""What a discriminator sees beside an image: its detail."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class AddDetail(keras.layers.Layer):
    """Adds channels with the detail of an image: what differs from its surroundings, amplified.

    The detail is `gain * (x - mean of the size × size pixels around x)`, with mirrored borders.
    Colors of two domains differ by a hundred 8-bit levels, pores, grain and fabric by a few. A
    discriminator that sees the image alone learns to tell colors, and not the rest for long: a
    small change must make a large difference, and a gradient penalty holds it back from that.

    Args:
        gain: By how much detail is amplified.
        size: Height and width of the surroundings, in pixels, odd. What is much wider is no detail.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, more than `size / 2` pixels high and wide.

    Output shape:
        `(batch, height, width, 2 * channels)`: the image, then its detail.
    """

    def __init__(self, gain: float = 8.0, size: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gain, self.size = gain, size

    def call(self, inputs: Any) -> Any:
        """Returns images and their detail."""
        sides = (self.size // 2,) * 2
        around = ops.pad(inputs, [(0, 0), sides, sides, (0, 0)], mode="reflect")
        # A mean along each axis: pooling both at once takes six times as long, with its gradient.
        for shape in ((self.size, 1), (1, self.size)):
            kernel = ops.full((*shape, inputs.shape[-1], 1), 1 / self.size, inputs.dtype)
            around = ops.depthwise_conv(around, kernel, 1, "valid", data_format="channels_last")
        return ops.concatenate([inputs, self.gain * (inputs - around)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with twice the channels."""
        *places, channels = input_shape
        return (*places, channels and 2 * channels)

    def get_config(self) -> dict[str, Any]:
        """Returns the configuration, from which `from_config` makes the layer."""
        return {**super().get_config(), "gain": self.gain, "size": self.size}
