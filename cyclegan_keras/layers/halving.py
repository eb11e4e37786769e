"""Images of half the size."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class HalveImages(keras.layers.Layer):
    """Halves images by the mean over 3×3 pixels around every second one.

    At the border it is the mean of the pixels that there are. That is PyTorch's
    `AvgPool2d(3, stride=2, padding=1, count_include_pad=False)`; Keras's own "same" padding, which
    does not count padding either, stands at the other side of images of even size.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The same with half of height and width, rounded up.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), section 3.2.
    """

    def call(self, inputs: Any) -> Any:
        """Returns the smaller images."""
        return self.halve(inputs, lambda x: ops.average_pool(x, 3, 2, "valid"))

    @staticmethod
    def halve(x: Any, pool: Any) -> Any:
        """Halves images by operations of Keras alone.

        Args:
            x: Images.
            pool: Takes means over 3×3 pixels, two pixels apart, without padding.

        Returns:
            The smaller images.
        """
        # A row that is the mean of the two beside it changes nothing of the mean over these.
        rows = [ops.mean(part, axis=1, keepdims=True) for part in (x[:, :2], x[:, -2:])]
        x = ops.concatenate([rows[0], x, rows[1]], axis=1)
        columns = [ops.mean(part, axis=2, keepdims=True) for part in (x[:, :, :2], x[:, :, -2:])]
        x = ops.concatenate([columns[0], x, columns[1]], axis=2)
        return pool(x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with half of height and width."""
        batch, *sizes, channels = input_shape
        height, width = (size and -(-size // 2) for size in sizes)
        return (batch, height, width, channels)
