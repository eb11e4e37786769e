import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers._winograd import convolve_by_tiles, transformed
from tests.layers.gradients import results_of

# Of one result, of less than a tile, of several and some left over, and of many channels.
SHAPES = [(1, 3, 3, 1, 1), (2, 4, 7, 3, 2), (3, 6, 6, 2, 5), (1, 13, 18, 4, 3), (2, 18, 18, 96, 96)]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 5e-5), ("float64", 1e-13)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_plain_form(
    shape, padding, dtype, tolerance, random_images
):
    *image, channels, filters = shape
    x = random_images(*image, channels, dtype=dtype)
    kernel = random_images(3, 3, channels, filters, seed=1, dtype=dtype)
    ours = results_of(lambda x, k: convolve_by_tiles(x, transformed(k), padding), x, kernel)
    plain = results_of(lambda x, k: tf.nn.conv2d(x, k, 1, padding.upper()), x, kernel)
    for one, other in zip(ours, plain, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        scale = float(tf.reduce_max(tf.abs(other)))
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)


def test_by_hand():
    # All ones: each result is the sum of the kernel, but for the border of zeros.
    kernel = tf.reshape(tf.range(9.0), (3, 3, 1, 1))
    y = convolve_by_tiles(tf.ones((1, 2, 2, 1)), transformed(kernel), "same")
    corners = [[4 + 5 + 7 + 8, 3 + 4 + 6 + 7], [1 + 2 + 4 + 5, 0 + 1 + 3 + 4]]
    np.testing.assert_allclose(y[0, :, :, 0], corners, atol=1e-5)


def test_any_number_of_images(random_images):
    kernel = tf.constant(random_images(3, 3, 4, 5))
    spec = tf.TensorSpec((None, 9, 10, 4))
    function = tf.function(lambda x: convolve_by_tiles(x, transformed(kernel), "valid"), [spec])
    for count in (1, 5, 2):
        x = tf.constant(random_images(count, 9, 10, 4))
        plain = tf.nn.conv2d(x, kernel, 1, "VALID")
        np.testing.assert_allclose(function(x), plain, rtol=0, atol=5e-5 * np.abs(plain).max())
