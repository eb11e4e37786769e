"""Instance normalisation and its gradient, in few passes over the images."""

from typing import Any

import tensorflow as tf


def normalize(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Normalises each channel of each image by its own mean and variance.

    The gradient is written out: derived step by step, it would read and write the images about
    twice as often.

    Args:
        x: `(batch, height, width, channels)`, float32 or float64.
        gamma: A factor for each channel.
        beta: An offset for each channel.
        epsilon: Added to the variance.

    Returns:
        An array of the shape of `x`.
    """

    @tf.custom_gradient
    def function(x: Any, gamma: Any, beta: Any) -> Any:
        # The mean goes first: x·factor − mean·factor and mean(x²) − mean(x)² would cancel where the
        # mean is large against the contrast.
        centred = x - tf.reduce_mean(x, axis=(1, 2), keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=(1, 2), keepdims=True)
        inverse = tf.math.rsqrt(variance + epsilon)

        def gradient(dy: Any) -> tuple[Any, Any, Any]:
            num_pixels = tf.cast(tf.shape(x)[1] * tf.shape(x)[2], x.dtype)
            mean_dy = tf.reduce_mean(dy, axis=(1, 2), keepdims=True)
            slope = tf.reduce_mean(dy * centred, axis=(1, 2), keepdims=True) * tf.square(inverse)
            dx = (dy - mean_dy - centred * slope) * (inverse * gamma)
            dgamma = num_pixels * tf.reduce_sum(slope / inverse, axis=(0, 1, 2))
            return dx, dgamma, num_pixels * tf.reduce_sum(mean_dy, axis=(0, 1, 2))

        return centred * (inverse * gamma) + beta, gradient

    return function(x, gamma, beta)
