import functools

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers._fast_convolution import (
    convolve_by_patches,
    convolve_by_rows,
    double_and_convolve,
    regroup,
)
from cyclegan_keras.layers._winograd import convolve_by_tiles, transformed
from tests.layers.gradients import results_of


def assert_equal(ours, plain, tolerance):
    for one, other in zip(ours, plain, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        scale = max(1.0, float(tf.reduce_max(tf.abs(other))))
        np.testing.assert_allclose(
            np.asarray(one, "float64"), np.asarray(other, "float64"), rtol=0, atol=tolerance * scale
        )


def doubled(x, kernel):
    return tf.nn.conv2d(tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2), kernel, 1, "SAME")


SHAPES = [(2, 4, 4, 3), (1, 5, 7, 2), (3, 1, 2, 4), (1, 21, 23, 2)]
PRECISIONS = [("float32", 5e-6), ("float64", 1e-14)]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("filters", [3, 9])  # Each takes another way forward.
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("shape", SHAPES)
def test_doubling_kernel(shape, size, filters, dtype, tolerance, random_images):
    x = random_images(*shape, dtype=dtype)
    kernel = random_images(size, size, shape[-1], filters, seed=1, dtype=dtype)
    ours = results_of(lambda x, k: double_and_convolve(x, regroup(k, filters == 9)), x, kernel)
    assert_equal(ours, results_of(doubled, x, kernel), tolerance)
    assert bool(regroup(tf.constant(kernel), filters == 9).phases) == (filters == 9)


def cut(y):
    return y[:, 2:-2, 2:-2]


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("filters", [3, 9])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7])
def test_doubling_kernel_of_what_has_a_border(size, filters, dtype, tolerance, random_images):
    for shape in ((2, 5, 7, 3), (1, 3, 4, 2)):
        x = random_images(*shape, dtype=dtype)
        kernel = random_images(size, size, shape[-1], filters, seed=1, dtype=dtype)
        ours = results_of(
            lambda x, k: double_and_convolve(x, regroup(k, filters == 9), 1), x, kernel
        )
        assert_equal(ours, results_of(lambda x, k: cut(doubled(x, k)), x, kernel), tolerance)


def test_doubling_kernel_by_hand():
    # One pixel of value 1: "same" padding is one before and two after, so row 0 of the result meets
    # kernel rows 1 and 2, row 1 meets rows 0 and 1; columns alike.
    kernel = np.arange(16, dtype="float32").reshape(4, 4, 1, 1)
    y = double_and_convolve(tf.ones((1, 1, 1, 1)), regroup(tf.constant(kernel), with_phases=False))
    expected = [[5 + 6 + 9 + 10, 4 + 5 + 8 + 9], [1 + 2 + 5 + 6, 0 + 1 + 4 + 5]]
    np.testing.assert_array_equal(y[0, :, :, 0], expected)


def test_doubling_kernel_takes_any_number_of_images(random_images):
    kernel = tf.constant(random_images(4, 4, 3, 9))
    spec = tf.TensorSpec((None, None, None, 3))
    function = tf.function(
        lambda x: double_and_convolve(x, regroup(kernel, with_phases=True)), [spec]
    )
    for shape in ((1, 4, 6, 3), (5, 3, 2, 3)):
        x = tf.constant(random_images(*shape))
        np.testing.assert_allclose(function(x), doubled(x, kernel), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize(("size", "strides"), [(4, 2), (4, 1), (2, 2), (3, 1), (6, 3), (1, 1)])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_by_patches(shape, size, strides, dtype, tolerance, random_images, monkeypatch):
    x = random_images(*shape, dtype=dtype)
    kernel = random_images(size, size, shape[-1], 5, seed=1, dtype=dtype)
    plain = results_of(lambda x, k: tf.nn.conv2d(x, k, strides, "SAME"), x, kernel)
    for of_images in (False, True):
        by_patches = functools.partial(convolve_by_patches, strides=strides, of_images=of_images)
        ours = results_of(by_patches, x, kernel)
        assert_equal(ours, plain, tolerance)
        np.testing.assert_array_equal(ours[0], plain[0])


@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_rows(size, padding, dtype, tolerance, random_images):
    for shape in ((2, 7, 9, 4), (1, 8, 7, 1)):
        x = random_images(*shape, dtype=dtype)
        kernel = random_images(size, size, shape[-1], 3, seed=1, dtype=dtype)
        ours = results_of(functools.partial(convolve_by_rows, padding=padding), x, kernel)
        plain = lambda x, k: tf.nn.conv2d(x, k, 1, padding.upper())  # noqa: E731
        assert_equal(ours, results_of(plain, x, kernel), tolerance)


WAYS = {
    "rows": (
        lambda x, k: convolve_by_rows(x, k, "same"),
        lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"),
    ),
    "patches": (
        lambda x, k: convolve_by_patches(x, k, 2, of_images=True),
        lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"),
    ),
    "adjoint": (lambda x, k: double_and_convolve(x, regroup(k, with_phases=False)), doubled),
    "regrouped": (lambda x, k: double_and_convolve(x, regroup(k, with_phases=True)), doubled),
    "adjoint of what has a border": (
        lambda x, k: double_and_convolve(x, regroup(k, with_phases=False), 1),
        lambda x, k: cut(doubled(x, k)),
    ),
    "regrouped with a border": (
        lambda x, k: double_and_convolve(x, regroup(k, with_phases=True), 1),
        lambda x, k: cut(doubled(x, k)),
    ),
    "winograd": (
        lambda x, k: convolve_by_tiles(x, transformed(k[:3, :3]), "same"),
        lambda x, k: tf.nn.conv2d(x, k[:3, :3], 1, "SAME"),
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_second_derivatives(name, random_images):
    # A gradient penalty differentiates a gradient.
    x = tf.constant(random_images(1, 4, 4, 2, dtype="float64"))
    kernel = tf.constant(random_images(4, 4, 2, 5, seed=1, dtype="float64"))

    def penalty_gradient(function):
        with tf.GradientTape() as outer:
            outer.watch([x, kernel])
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.reduce_sum(tf.tanh(function(x, kernel)))
            penalty = tf.reduce_sum(inner.gradient(y, x) ** 2)
        return outer.gradient(penalty, [x, kernel])

    ours, plain = map(penalty_gradient, WAYS[name])
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
