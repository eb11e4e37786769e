"""Networks in the operations that TensorFlow's other runtimes have."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.export.regrouping import regrouped
from cyclegan_keras.export.walking import in_own_layers, with_any_size
from cyclegan_keras.inference.rebuilding import rebuilt
from cyclegan_keras.layers import (
    InstanceNormalization,
    PixelNormalization,
    TransposedConv2D,
    UpsampleConv2D,
)


def twin_of(model: keras.Model) -> keras.Model:
    """Rebuilds a network with operations that LiteRT has, for images of any size.

    Args:
        model: A functional or sequential model.

    Returns:
        A model of the same outputs but for rounding, for `(batch, None, None, channels)`. Its
        kernels are those of now, even if they are trained afterwards.

    Raises:
        ValueError: If a layer is made for one size.
    """
    return with_any_size(rebuilt(in_own_layers(model), _form))


def _form(op: Any) -> Any:
    if type(op) is UpsampleConv2D:
        return _Doubling.from_config(op.get_config())
    if type(op) is TransposedConv2D:
        return _Aligned.from_config(op.get_config())
    if type(op) is InstanceNormalization:
        return _WithoutGradient.from_config(op.get_config())
    if type(op) is PixelNormalization:
        return keras.layers.RMSNormalization.from_config(op.get_config())
    if type(op).__name__ == "Arctanh" and not isinstance(op, keras.layers.Layer):
        return _arctanh
    return None


def _arctanh(x: Any) -> Any:
    """LiteRT has logarithms, and not this."""
    return ops.multiply(0.5, ops.log(ops.divide(ops.add(x, 1.0), ops.subtract(1.0, x))))


class _Doubling(UpsampleConv2D):
    """As a convolution to four times the filters, which become pixels."""

    def call(self, inputs: Any) -> Any:
        with tf.init_scope():  # As numbers, so that none is computed in the file.
            kernel, before, after = regrouped(ops.convert_to_numpy(self.kernel))
        height, width, channels, *_ = kernel.shape
        kernel = kernel.reshape(height, width, channels, -1)
        mirrors = self.padding == "reflect"
        if mirrors or before != (height - 1) // 2:  # "same" would pad otherwise.
            sides = (before, after)
            mode = "REFLECT" if mirrors else "CONSTANT"
            padded = tf.pad(inputs, [(0, 0), sides, sides, (0, 0)], mode)
            y = tf.nn.conv2d(padded, kernel, 1, "VALID")
        else:
            y = tf.nn.conv2d(inputs, kernel, 1, "SAME")
        y = tf.nn.bias_add(y, tf.tile(ops.convert_to_tensor(self.bias), [4]))
        return self.activation(tf.nn.depth_to_space(y, 2))


class _Aligned(TransposedConv2D):
    """As a convolution that keeps all rows and columns, of which the first ones are cut off."""

    def call(self, inputs: Any) -> Any:
        batch, height, width, _ = tf.unstack(tf.shape(inputs))
        y = tf.nn.conv2d_transpose(
            inputs,
            ops.convert_to_tensor(self.kernel),
            (batch, 2 * height + 1, 2 * width + 1, self.filters),
            strides=2,
            padding="VALID",
        )[:, 1:, 1:]
        if self.use_bias:
            y = tf.nn.bias_add(y, ops.convert_to_tensor(self.bias))
        return self.activation(y)


class _WithoutGradient(InstanceNormalization):
    """In plain operations: a gradient that is written out cannot be saved."""

    def call(self, inputs: Any) -> Any:
        centred = inputs - _mean(inputs)
        factor = tf.math.rsqrt(_mean(centred * centred) + self.epsilon)
        if self.gamma is not None:
            factor *= ops.convert_to_tensor(self.gamma)
        y = centred * factor
        return y if self.beta is None else y + ops.convert_to_tensor(self.beta)


def _mean(x: Any) -> Any:
    """Takes the mean of rows, and then of these: in one go, large pictures lose digits."""
    return tf.reduce_mean(tf.reduce_mean(x, 2, keepdims=True), 1, keepdims=True)
