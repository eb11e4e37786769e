import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers import ConditionalInstanceNormalization


def expected(x, scale, shift, epsilon):
    mean = x.mean(axis=(1, 2), keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=(1, 2), keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon) * scale + shift


def test_values_and_gradients(float64, random_images):
    x, y = random_images(2, 2, 3, 4, 5, dtype="float64")
    scale, shift = random_images(2, 2, 1, 1, 5, seed=1, dtype="float64")
    layer = ConditionalInstanceNormalization(1e-5)
    np.testing.assert_allclose(layer([x, scale, shift]), expected(x, scale, shift, 1e-5), 1e-12)
    inputs = [tf.constant(each) for each in (x, scale, shift)]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(layer(inputs) * y)
    for place, gradient in enumerate(tape.gradient(total, inputs)):
        step = np.zeros(inputs[place].shape)
        step[1, 0, 0, 2] = 1e-6
        ends = [
            np.sum(
                expected(
                    *[e + s * step * (i == place) for i, e in enumerate((x, scale, shift))], 1e-5
                )
                * y
            )
            for s in (1, -1)
        ]
        assert float(gradient[1, 0, 0, 2]) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_16_bits_do_not_round_what_is_measured(random_images):
    x = random_images(1, 8, 8, 2) + 1000
    ones, zeros = np.ones((1, 1, 1, 2), "float32"), np.zeros((1, 1, 1, 2), "float32")
    layer = ConditionalInstanceNormalization(dtype="mixed_float16")
    result = layer([x, ones, zeros])
    assert result.dtype == "float16"
    np.testing.assert_allclose(result, expected(x, ones, zeros, 1e-5), atol=2e-2)
    again = ConditionalInstanceNormalization.from_config(layer.get_config())
    assert again.epsilon == layer.epsilon
