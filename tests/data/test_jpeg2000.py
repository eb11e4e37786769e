"""JPEG 2000: numbers as they are in the file, where Pillow changes them."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import images, jpeg2000

SLOPE = np.linspace(0, 1, 6).reshape(2, 3)
LEVELS = [0, 51, 102, 153, 204, 255]


@pytest.fixture
def write(tmp_path):
    def write_file(pixels, kind="jp2", **options):
        data = imagecodecs.jpeg2k_encode(pixels, reversible=True, codecformat=kind, **options)
        (tmp_path / f"x.{kind}").write_bytes(data)
        return tmp_path / f"x.{kind}"

    return write_file


def levels(path, value_range=None) -> list[int]:
    return np.asarray(images.read_image(path, value_range=value_range))[..., 0].ravel().tolist()


@pytest.mark.parametrize("kind", ["jp2", "j2k"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_numbers_of_more_bits_stay_as_they_are(bits, kind, write):
    white = (1 << bits) - 1
    numbers = np.rint(SLOPE * white).astype(np.uint16)
    path = write(numbers, kind, bitspersample=bits)
    picture = images.read_picture(path)
    assert picture.depth == bits
    np.testing.assert_array_equal(picture.pixels[..., 0], numbers)
    assert levels(path) == LEVELS
    assert levels(path, ValueRange(0, white)) == LEVELS
    assert levels(path, ValueRange(0, white / 5)) == [0, *[255] * 5]


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_bands_of_16_bits(bands, write):
    numbers = np.random.default_rng(0).integers(0, 65536, (20, 24, bands), np.uint16)
    picture = images.read_picture(write(numbers))
    pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
    np.testing.assert_array_equal(pixels, numbers)


def test_signed_numbers_take_a_value_range(write):
    path = write(np.rint(SLOPE * 4095 - 1024).astype(np.int16))
    with pytest.raises(ValueError, match=r"these are in \[-1024, 3071\].*--value-range"):
        images.read_image(path)
    assert levels(path, ValueRange(-1024, 3071)) == LEVELS


def test_a_color_profile_is_heeded(write):
    """Linear light of one half is the level 188 of sRGB."""
    linear = imagecodecs.cms_profile(
        "rgb",
        whitepoint=(0.3127, 0.3290, 1.0),
        primaries=[0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1],
        gamma=1.0,
    )
    path = write(np.full((8, 8, 3), 128, np.uint8))
    data = path.read_bytes()
    place = data.index(b"colr") - 4
    old = int.from_bytes(data[place : place + 4])
    colors = b"colr\x02\0\0" + linear
    colors = (len(colors) + 4).to_bytes(4) + colors
    head = data.index(b"jp2h") - 4
    size = int.from_bytes(data[head : head + 4]) + len(colors) - old
    start = data[:head] + size.to_bytes(4) + data[head + 4 : place]
    path.write_bytes(start + colors + data[place + old :])
    assert jpeg2000.header_of(path.read_bytes()).profile == linear
    assert levels(path) == [pytest.approx(188, abs=1)] * 64


def test_two_sizes_and_what_is_cut_are_told(write, tmp_path):
    path = write(np.zeros((20, 24), np.uint16))
    data = bytearray(path.read_bytes())
    place = data.index(b"ihdr") + 4
    data[place : place + 4] = (40).to_bytes(4)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="two different sizes"):
        images.read_picture(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match="Cannot read the image"):
        images.read_picture(path)


def test_eight_bits_are_pillows(tmp_path):
    image = Image.effect_noise((20, 12), 50)
    image.save(tmp_path / "x.jp2")
    assert levels(tmp_path / "x.jp2") == np.asarray(image).ravel().tolist()
