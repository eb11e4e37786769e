import keras
import numpy as np
import pytest

from cyclegan_keras.data.images import normalize
from cyclegan_keras.layers import HalveImages, LabelBoundaries, OneHotLabels
from cyclegan_keras.metrics.segmentation import FACADES, nearest_labels

COLORS = [[255, 0, 0], [0, 0, 224], [0, 48, 255]]


def components(labels: np.ndarray) -> np.ndarray:
    """Numbers the connected parts of each class, by filling them one after the other."""
    found = np.full(labels.shape, -1)
    for number, start in enumerate(np.ndindex(labels.shape)):
        waiting = [start] if found[start] < 0 else []
        while waiting:
            row, column = waiting.pop()
            is_inside = 0 <= row < labels.shape[0] and 0 <= column < labels.shape[1]
            if not is_inside or found[row, column] >= 0:
                continue
            if labels[row, column] == labels[start]:
                found[row, column] = number
                beside = ((1, 0), (-1, 0), (0, 1), (0, -1))
                waiting += [(row + down, column + right) for down, right in beside]
    return found


def test_each_pixel_has_the_class_that_the_metrics_give_it():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), np.uint8)
    pixels[0, 0, 0] = (0, 24, 240)  # As far from the third of these as from the second.
    pixels[0, 0, 1] = FACADES[5]
    found = np.asarray(OneHotLabels(FACADES)(normalize(pixels)))
    assert found.shape == (2, 9, 7, 12)
    np.testing.assert_array_equal(found.sum(axis=-1), 1)
    np.testing.assert_array_equal(found.argmax(axis=-1), nearest_labels(pixels, FACADES))
    assert found[0, 0, 1, 5] == 1


def test_equally_near_colours_give_the_first_of_them():
    gray = OneHotLabels([[10], [20], [12]])
    found = np.asarray(gray(np.array([11, 15, 16], "float32").reshape(1, 1, 3, 1) / 127.5 - 1))
    np.testing.assert_array_equal(found[0, 0].argmax(axis=-1), [0, 2, 1])


@pytest.mark.parametrize("colors", [[[0, 0, 0]], [[0, 0, 0], [1]], [[0, 0], [1, 1]]])
def test_classes_need_colours(colors):
    with pytest.raises(ValueError, match="at least two colours"):
        OneHotLabels(colors)


def test_boundaries_are_those_of_connected_parts():
    labels = np.random.default_rng(1).integers(0, 3, (8, 11))
    labels[:4, :5] = 1
    ids = components(labels)
    assert len(np.unique(ids)) > 10
    wanted = np.zeros(labels.shape)
    for row, column in np.ndindex(labels.shape):
        beside = ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1))
        inside = [p for p in beside if 0 <= p[0] < 8 and 0 <= p[1] < 11]
        wanted[row, column] = any(ids[p] != ids[row, column] for p in inside)
    found = np.asarray(LabelBoundaries()(np.eye(3, dtype="float32")[labels][None]))
    np.testing.assert_array_equal(found[0, ..., 0], wanted)
    assert 0 < wanted.mean() < 1


@pytest.mark.parametrize("size", [(4, 6), (5, 7), (1, 2)])
def test_halving_takes_the_mean_of_the_pixels_that_there_are(size):
    images = np.random.default_rng(2).normal(size=(2, *size, 3))
    found = np.asarray(HalveImages(dtype="float64")(images))
    height, width = ((side + 1) // 2 for side in size)
    assert found.shape == (2, height, width, 3)
    assert HalveImages().compute_output_shape((None, *size, 3)) == (None, height, width, 3)
    for row, column in np.ndindex(height, width):
        top, left = max(0, 2 * row - 1), max(0, 2 * column - 1)
        part = images[:, top : 2 * row + 2, left : 2 * column + 2]
        np.testing.assert_allclose(found[:, row, column], part.mean(axis=(1, 2)), rtol=1e-12)


@pytest.mark.parametrize("make", [lambda: OneHotLabels(COLORS), LabelBoundaries, HalveImages])
def test_layers_are_made_anew_from_their_settings(make, random_images):
    layer = make()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    images = random_images(1, 6, 8, 3)
    np.testing.assert_array_equal(layer(images), again(images))


def test_labels_are_the_same_in_half_precision(dtype_policy):
    pixels = np.random.default_rng(3).integers(0, 256, (1, 5, 5, 3), np.uint8)
    wanted = nearest_labels(pixels, COLORS)
    dtype_policy("mixed_float16")
    layer = OneHotLabels(COLORS, dtype=keras.config.dtype_policy().variable_dtype)
    found = np.asarray(layer(normalize(pixels)))
    np.testing.assert_array_equal(found.argmax(axis=-1), wanted)
