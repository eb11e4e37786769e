import pathlib

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data import pairs


def paths(text: str) -> list[pathlib.Path]:
    return [pathlib.Path(name) for name in text.split()]


def test_a_pair_is_split_in_the_middle(tmp_path):
    pixels = np.arange(3 * 10 * 3, dtype=np.uint8).reshape(3, 10, 3)
    Image.fromarray(pixels).save(tmp_path / "pair.png")
    left, right = pairs.read_pair(tmp_path / "pair.png")
    np.testing.assert_array_equal(np.asarray(left), pixels[:, :5])
    np.testing.assert_array_equal(np.asarray(right), pixels[:, 5:])


@pytest.mark.parametrize("width", [1, 7])
def test_a_picture_without_a_middle_is_named(width, tmp_path):
    Image.new("RGB", (width, 4)).save(tmp_path / "odd.png")
    with pytest.raises(ValueError, match=rf"odd\.png.* even number.*Received: width={width}\. "):
        pairs.read_pair(tmp_path / "odd.png")


@pytest.mark.parametrize(
    ("names_A", "names_B", "odd"),
    [
        ("1.png 2.png", "1.jpg 2.jpg", []),
        ("1_A.jpg 2_A.jpg", "1_B.jpg 2_B.jpg", []),
        ("1_B.jpg", "1_A.jpg", ["1_A", "1_B"]),
        ("1.png 2.png 3.png", "1.png 4.png 3.png", ["2", "4"]),
        ("1.png", "1.png 2.png", ["2"]),
        ("1.jpg 1.png", "1.png 2.png", ["1", "2"]),
        ("1.jpg 1.png", "1.jpg", ["1"]),
        # All have partners, but at other places.
        ("x.bmp x.p.png", "x.p.png x.webp", ["x", "x.p"]),
    ],
)
def test_partners_have_the_same_names(names_A, names_B, odd):
    assert pairs.without_partner(paths(names_A), paths(names_B)) == odd
