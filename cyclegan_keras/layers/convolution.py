"""Convolutions that Keras does not have in this form."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.layers._fast_convolution import convolve_by_patches, convolve_by_rows
from cyclegan_keras.layers._winograd import convolve_by_tiles, transformed
from cyclegan_keras.layers.forms import ALL_PATCHES, PLAIN, ROWS, WINOGRAD, form_of
from cyclegan_keras.replicas import per_replica


def convolve(x: Any, kernel: Any, strides: int, padding: str, prepared: Any = None) -> Any:
    """Convolves in the form that is the fastest for these sizes.

    Args:
        x: `(batch, height, width, channels)`.
        kernel: `(size, size, channels, filters)`.
        strides: In both directions.
        padding: "same" or "valid".
        prepared: The kernel for Winograd's form, if that has been prepared.

    Returns:
        The convolved images.
    """
    form = form_of(x, kernel.shape, strides, padding)
    kernel = tf.convert_to_tensor(kernel)  # Of a variable, its value.
    if form == WINOGRAD:
        return convolve_by_tiles(x, transformed(kernel) if prepared is None else prepared, padding)
    if form == ROWS:
        return convolve_by_rows(x, kernel, padding)
    if form == PLAIN:
        return tf.nn.conv2d(x, kernel, strides, padding.upper())
    return convolve_by_patches(x, kernel, strides, of_images=form == ALL_PATCHES)


@keras.saving.register_keras_serializable(package=PACKAGE)
class LeanConv2D(keras.layers.Conv2D):
    """Keras's `Conv2D`, computed in the form that is the fastest for its sizes; see `forms`.

    Outputs and gradients are those of `keras.layers.Conv2D`, but for rounding.

    Args:
        *args: Of `keras.layers.Conv2D`.
        **kwargs: Of `keras.layers.Conv2D`.
    """

    _prepared: Any = per_replica()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the weights."""
        super().build(input_shape)
        self._built_for = keras.KerasTensor(input_shape, self.compute_dtype)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Returns the convolution, without bias and activation."""
        if not self._is_plain_enough():
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, kernel, self.strides[0], self.padding, self._prepared)

    def _is_plain_enough(self) -> bool:
        settings = (self.data_format, self.dilation_rate, self.groups)
        is_square = len({*self.kernel_size}) == len({*self.strides}) == 1
        return is_square and settings == ("channels_last", (1, 1), 1)

    def prepare(self) -> None:
        """Prepares the kernel for several calls; see `kernels_prepared_once`."""
        if not self._is_plain_enough():
            return
        shape, strides = self.kernel.shape, self.strides[0]
        if form_of(self._built_for, shape, strides, self.padding) == WINOGRAD:
            self._prepared = transformed(ops.convert_to_tensor(self.kernel))

    def forget(self) -> None:
        """Undoes `prepare`."""
        self._prepared = None


@keras.saving.register_keras_serializable(package=PACKAGE)
class TransposedConv2D(keras.layers.Conv2DTranspose):
    """Doubles height and width by a transposed 3×3 convolution, aligned as the paper's authors do.

    Equal to PyTorch's `ConvTranspose2d(3, stride=2, padding=1, output_padding=1)`. Keras's own
    stands one pixel further down and to the right, and to cut that off costs time.

    Args:
        filters: Number of output channels.
        **kwargs: Of `keras.layers.Conv2DTranspose`, but for the size, the stride and the padding.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, filters)`.
    """

    # Of the convolution that this one is the transpose of: one pixel above and on the left.
    PADDING = ((0, 0), (1, 0), (1, 0), (0, 0))

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, 3, strides=2, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Returns the doubled and convolved images."""
        batch, height, width, _ = tf.unstack(tf.shape(inputs))
        _, known_height, known_width, _ = inputs.shape
        size = (2 * (known_height or height), 2 * (known_width or width))
        y = tf.nn.conv2d_transpose(
            inputs,
            ops.convert_to_tensor(self.kernel),
            (batch, *size, self.filters),
            strides=2,
            padding=self.PADDING,
        )
        if self.use_bias:
            y = tf.nn.bias_add(y, ops.convert_to_tensor(self.bias))
        return self.activation(y)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with height and width doubled and `filters` channels."""
        batch, height, width, _ = input_shape
        return (batch, height and 2 * height, width and 2 * width, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        fixed = ("kernel_size", "strides")
        return {name: value for name, value in super().get_config().items() if name not in fixed}
