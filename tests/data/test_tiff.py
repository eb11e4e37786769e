"""What the tags of a TIFF say of its numbers: honored, or refused by name."""

import numpy as np
import pytest
import tifffile

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import images

SLOPE = np.linspace(0, 1, 6).reshape(2, 3)
LEVELS = [0, 51, 102, 153, 204, 255]
COLOR = np.stack([SLOPE, 1 - SLOPE, 0 * SLOPE], axis=-1)


@pytest.fixture
def write(tmp_path):
    def write_tiff(pixels, **tags):
        tifffile.imwrite(tmp_path / "x.tif", pixels, **tags)
        return tmp_path / "x.tif"

    return write_tiff


def gray(path, value_range=None) -> list[int]:
    pixels = np.asarray(images.read_image(path, value_range=value_range))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0].ravel().tolist()


@pytest.mark.parametrize(
    ("kind", "white"), [("f2", 1), ("f4", 1), ("f8", 1), ("u1", 255), ("u2", 65535), ("u4", 65535)]
)
@pytest.mark.parametrize("order", "<>")
def test_types_that_say_what_is_white(kind, white, order, write):
    assert gray(write((SLOPE * white).astype(kind), byteorder=order)) == LEVELS


@pytest.mark.parametrize("kind", ["i1", "i2", "i4", "i8", "f4", "f8"])
def test_signed_numbers_take_a_value_range(kind, write):
    path = write((SLOPE * 100 - 50).astype(kind))
    with pytest.raises(ValueError, match=r"these are in \[-50, 50\].*--value-range LOW HIGH"):
        images.read_image(path)
    assert gray(path, ValueRange(-50, 50)) == LEVELS
    assert images.read_picture(path).pixels.dtype == np.dtype(kind)


def test_a_picture_that_reaches_little_of_the_value_range_is_named(write):
    """It would be all black among the others."""
    path = write(np.full((4, 4), 255, np.uint8))
    with pytest.raises(ValueError, match="0 to 255, and the value range is 0 to 4095"):
        images.read_image(path, value_range=ValueRange(0, 4095))
    assert gray(path, ValueRange(0, 1020)) == [64] * 16


def test_hounsfield_units(write):
    path = write(np.array([[-1024, 3071, 5000, -3000, 1023]], np.int16))
    assert gray(path, ValueRange(-1024, 3071)) == [0, 255, 255, 0, 127]


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_bits_of_a_number_say_what_is_white(bits, write):
    pixels = np.rint(SLOPE * (2**bits - 1)).astype(np.uint16)
    path = write(pixels, bitspersample=bits, photometric="minisblack")
    assert gray(path) == LEVELS
    assert images.read_picture(path).depth == bits


@pytest.mark.parametrize(("kind", "white"), [("u1", 255), ("u2", 65535)])
def test_zero_may_be_white(kind, white, write):
    path = write((SLOPE * white).astype(kind), photometric="miniswhite")
    assert gray(path) == LEVELS[::-1]
    assert gray(path, ValueRange(0, white)) == LEVELS[::-1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_what_is_no_number_is_bad_even_with_a_range(bad, kind, write):
    pixels = SLOPE.astype(kind)
    pixels[0, 1] = bad
    with pytest.raises(ValueError, match="1 of its numbers are infinite or none at all"):
        images.read_image(write(pixels), value_range=ValueRange(0, 1))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize(
    "packed",
    [{}, {"compression": "lzw"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}],
)
def test_color_of_16_bits(planar, packed, write):
    pixels = np.rint(COLOR * 65535).astype(np.uint16)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, -1, 0)
    path = write(stored, photometric="rgb", planarconfig=planar, **packed)
    np.testing.assert_array_equal(images.read_picture(path).pixels, pixels)
    np.testing.assert_array_equal(np.asarray(images.read_image(path)), np.rint(COLOR * 255))
    dark = np.asarray(images.read_image(path, value_range=ValueRange(0, 13107)))
    assert dark[0, :, 0].tolist() == [0, 255, 255]


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_two_bands_are_gray_and_transparency_only_if_that_is_said(kind, write):
    white = np.iinfo(kind).max
    pixels = np.array([[[0, white], [0, 0]]], kind)
    tags = {"photometric": "minisblack", "planarconfig": "contig"}
    path = write(pixels, extrasamples=["unassalpha"], **tags)
    assert gray(path) == [0, 255]
    picture = images.read_picture(path)
    assert picture.alpha.tolist() == [[white, 0]]
    assert picture.opaque == white
    for said in ({}, {"extrasamples": ["unspecified"]}):
        with pytest.raises(ValueError, match="it has 2 bands, of which 1 can be shown"):
            images.read_image(write(pixels, **tags, **said))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_more_bands_are_refused(kind, write):
    bands = np.zeros((4, 4, 5), kind)
    for tags, shown in (({"photometric": "minisblack"}, 1), ({"photometric": "rgb"}, 3)):
        with pytest.raises(ValueError, match=f"it has 5 bands, of which {shown} can be shown"):
            images.read_image(write(bands, planarconfig="contig", **tags))
    near_infrared = write(bands[..., :4], photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(ValueError, match="it has 4 bands, of which 3 can be shown"):
        images.read_image(near_infrared)


def test_colors_that_were_multiplied_with_transparency(write):
    pixels = np.array([[[10000, 20000, 0, 20000]]], np.uint16)
    picture = images.read_picture(write(pixels, photometric="rgb", extrasamples=["assocalpha"]))
    # 10,000 / 20,000 of white, rounded.
    assert picture.pixels.tolist() == [[[32768, 65535, 0]]]
    assert picture.alpha.tolist() == [[20000]]


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"photometric": "cfa"}, "a camera's raw pixels"),
        ({"photometric": "mask"}, "a mask"),
        ({"photometric": "icclab", "shape": (4, 4, 3)}, r"ICC L\*a\*b\*"),
        ({"dtype": np.complex64}, "sample format, 6"),
        ({"compression": "webp", "photometric": "rgb", "shape": (16, 16, 3)}, "as WebP is"),
        (
            {"photometric": "miniswhite", "dtype": np.float32},
            "signed or float, and yet 0 is .*white",
        ),
    ],
)
def test_what_is_not_understood_is_named(tags, reason, write):
    tags = dict(tags)
    pixels = np.zeros(tags.pop("shape", (4, 4)), tags.pop("dtype", np.uint8))
    with pytest.raises(ValueError, match=reason):
        images.read_image(write(pixels, **tags))


def test_a_volume_is_no_picture(write):
    path = write(np.zeros((16, 16, 16), np.float32), volumetric=True, tile=(16, 16, 16))
    with pytest.raises(ValueError, match="it is a volume"):
        images.read_image(path)


@pytest.mark.parametrize("kind", ["u1", "u2", "f8"])
def test_later_pages_are_counted(kind, write):
    left_out = images.LeftOut()
    pages = np.stack([SLOPE.astype(kind)] * 4)
    images.read_image(write(pages, photometric="minisblack"), left_out=left_out)
    assert left_out == {"TIFF page": 3}


def read_or_none(path) -> list[int] | None:
    try:
        return gray(path)
    except ValueError:
        return None


@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_damage_is_found_where_pillow_does_not_read(compression, write):
    rng = np.random.default_rng(0)
    path = write(rng.random((24, 24)), compression=compression, rowsperstrip=8)
    good, pixels = path.read_bytes(), gray(path)
    for kept in range(0, len(good), len(good) // 40):
        path.write_bytes(good[:kept])
        with pytest.raises(ValueError, match=r"Cannot read the image .*x\.tif"):
            images.read_image(path)
        if compression:
            path.write_bytes(good[:kept] + bytes(len(good) - kept))
            assert read_or_none(path) in (None, pixels)
