import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.data import label_colors

COLORS = np.array(
    [(0, 0, 224), (0, 48, 255), (192, 255, 64), (255, 0, 0), (128, 128, 128)], "uint8"
)


def drawn(count: int, size: int = 64) -> list[np.ndarray]:
    """Label maps of rectangles; each class is smaller than the one before."""
    rng, maps = np.random.default_rng(0), []
    for _ in range(count):
        labels = np.zeros((size, size), int)
        for label in range(1, len(COLORS)):
            top, left = rng.integers(0, size // 2, 2)
            side = size // 2 - 2 * label
            labels[top : top + side, left : left + side] = label
        maps.append(COLORS[labels])
    return maps


def as_jpeg(pixels: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=75)
    return np.asarray(Image.open(file))


def test_few_colours_are_those_of_classes():
    found = label_colors.found_in(drawn(5))
    assert {*found} == {tuple(color) for color in COLORS.tolist()}
    assert found[0] == (0, 0, 224)  # That of most pixels.
    # However near to each other.
    near = [np.array([[[7, 7, 7], [8, 8, 8]]], "uint8")]
    assert {*label_colors.found_in(near)} == {(7, 7, 7), (8, 8, 8)}
    gray = [np.array([[[7], [8]]], "uint8")]
    assert {*label_colors.found_in(gray)} == {(7, 7, 7), (8, 8, 8)}


@pytest.mark.parametrize(
    "blurred", [as_jpeg, lambda p: np.asarray(Image.fromarray(p).resize((90, 90)))]
)
def test_blurred_edges_are_no_classes(blurred):
    maps = [blurred(pixels) for pixels in drawn(20)]
    assert len({tuple(color) for pixels in maps for color in pixels.reshape(-1, 3).tolist()}) > 64
    found = label_colors.found_in(maps)
    assert len(found) == len(COLORS)
    for color in COLORS:
        assert np.abs(np.array(found) - color.astype(int)).max(axis=1).min() <= 4


def test_photos_are_no_label_maps(fruit_dir):
    loader = DataLoader(fruit_dir.name, (32, 32), fruit_dir.parent)
    assert label_colors.found_in(loader.pixels("A")) is None
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    assert label_colors.found_in(noise) is None
    # All of one colour, there is nothing to tell apart.
    assert label_colors.found_in(np.zeros((2, 8, 8, 3), np.uint8)) is None


def test_gradients_are_no_label_maps():
    levels = np.arange(0, 256, dtype=np.uint8)
    shades = np.stack(np.broadcast_arrays(levels[:, None], levels[None], np.uint8(9)), axis=-1)
    assert label_colors.found_in([shades]) is None


@pytest.mark.slow
def test_real_label_maps_have_their_twelve_classes(real_images):
    from cyclegan_keras.metrics.segmentation import FACADES

    loader = DataLoader("facades_paired", (64, 64), real_images)
    found = np.array(label_colors.found_in(loader.pixels("B")))
    assert len(found) == len(FACADES)
    for color in FACADES:
        assert np.abs(found - color).max(axis=1).min() <= 4
    assert label_colors.found_in(loader.pixels("A")) is None
