"""Normalisations and their gradients, in few passes over the images."""

from typing import Any

import tensorflow as tf


def normalize(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    """Normalises each channel of each image by its own mean and variance.

    The gradient is written out: derived step by step, it would read and write the images about
    twice as often.

    Args:
        x: `(batch, height, width, channels)`, float32 or float64.
        gamma: A factor for each channel; `None` means 1.
        beta: An offset for each channel; `None` means 0.
        epsilon: Added to the variance.

    Returns:
        An array of the shape of `x`.
    """
    given = [each for each in (gamma, beta) if each is not None]

    @tf.custom_gradient
    def function(x: Any, *given: Any) -> Any:
        # The mean goes first: x·factor − mean·factor and mean(x²) − mean(x)² would cancel where the
        # mean is large against the contrast.
        centred = x - tf.reduce_mean(x, axis=(1, 2), keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=(1, 2), keepdims=True)
        inverse = tf.math.rsqrt(variance + epsilon)
        factor = inverse if gamma is None else inverse * given[0]
        y = centred * factor

        def gradient(dy: Any) -> list[Any]:
            mean_dy = tf.reduce_mean(dy, axis=(1, 2), keepdims=True)
            slope = tf.reduce_mean(dy * centred, axis=(1, 2), keepdims=True) * tf.square(inverse)
            slopes = [(dy - mean_dy - centred * slope) * factor]
            num_pixels = x.shape[1:3].num_elements()
            if num_pixels is None:
                num_pixels = tf.shape(x)[1] * tf.shape(x)[2]
            num_pixels = tf.cast(num_pixels, x.dtype)
            if gamma is not None:
                slopes.append(num_pixels * tf.reduce_sum(slope / inverse, axis=(0, 1, 2)))
            if beta is not None:
                slopes.append(num_pixels * tf.reduce_sum(mean_dy, axis=(0, 1, 2)))
            return slopes

        return y if beta is None else y + given[-1], gradient

    return function(x, *given)


def normalize_pixels(x: Any, scale: Any, epsilon: float) -> Any:
    """Divides the channels of each pixel by their root mean square, and multiplies by factors.

    Args:
        x: `(batch, height, width, channels)`, float32 or float64.
        scale: A factor for each channel.
        epsilon: Added to the mean square.

    Returns:
        An array of the shape of `x`.
    """

    @tf.custom_gradient
    def function(x: Any, scale: Any) -> Any:
        inverse = tf.math.rsqrt(tf.reduce_mean(tf.square(x), axis=-1, keepdims=True) + epsilon)
        normalized = x * inverse

        def gradient(dy: Any) -> tuple[Any, Any]:
            by_channel = dy * normalized
            dx = dy * scale
            mean = tf.reduce_mean(dx * normalized, axis=-1, keepdims=True)
            return (dx - normalized * mean) * inverse, tf.reduce_sum(by_channel, axis=(0, 1, 2))

        return normalized * scale, gradient

    return function(x, scale)
