"""From file to file, with a generator that changes nothing: what comes out must be what went in."""

import imagecodecs
import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_keras.cli import translate as verb
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import jpeg2000
from cyclegan_keras.inference import files, formats, translate

SIZE = (48, 64)


@pytest.fixture(scope="module")
def changeless():
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, keras.layers.Activation("linear")(image))


@pytest.fixture(scope="module")
def smooth():
    """A picture without noise, so that a lossy format loses little: `(48, 64, 3)` in [0, 1]."""
    y, x = np.mgrid[0:48, 0:64] / 64
    return np.stack([x, y, (x + y) / 2], axis=2)


@pytest.fixture
def translated(changeless, tmp_path):
    def of(path, output=None, **settings):
        output = tmp_path / "out" if output is None else output
        jobs = translate.plan([path], output, **settings)
        translate.translate_files(changeless, jobs)
        return jobs[0][1]

    return of


def levels(smooth, dtype, channels):
    numbers = np.rint(smooth * np.iinfo(dtype).max).astype(dtype)
    return np.ascontiguousarray(numbers[..., 0] if channels == 1 else numbers)


@pytest.mark.parametrize(
    "suffix", [".jpg", ".jfif", ".JPG", ".png", ".bmp", ".tif", ".webp", ".jp2", ".gif", ".avif"]
)
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_mode_format_and_pixels_are_those_of_the_source(suffix, mode, smooth, translated, tmp_path):
    source = tmp_path / f"a{suffix}"
    Image.fromarray(levels(smooth, np.uint8, len(mode))).save(source)
    target = translated(source)
    assert target == tmp_path / "out" / source.name
    with Image.open(source) as before, Image.open(target) as after:
        assert (after.format, after.size) == (before.format, before.size)
        if suffix != ".gif":  # Its palette is made anew.
            assert after.mode == before.mode
        error = np.abs(np.subtract(after.convert("RGB"), before.convert("RGB"), dtype=int))
        assert error.mean() < (3 if suffix == ".gif" else 1)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".gif", ".jp2"])
def test_transparency_is_carried_over(suffix, smooth, translated, tmp_path):
    pixels = np.dstack([levels(smooth, np.uint8, 3), np.zeros(SIZE, np.uint8)])
    pixels[10:20, 5:40, 3] = 255
    if suffix != ".gif":
        pixels[30, :, 3] = np.arange(64)
    Image.fromarray(pixels).save(tmp_path / f"a{suffix}", lossless=True)
    with Image.open(translated(tmp_path / f"a{suffix}")) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGBA"))[..., 3], pixels[..., 3])
    gray = Image.fromarray(pixels).convert("LA")
    gray.save(tmp_path / "b.png")
    with Image.open(translated(tmp_path / "b.png")) as image:
        assert image.mode == "LA"
        np.testing.assert_array_equal(np.asarray(image)[..., 1], pixels[..., 3])


# Of JPEG 2000 in color, Pillow reads 8 bits.
@pytest.mark.parametrize(
    ("suffix", "channels"), [(".png", 1), (".png", 3), (".tif", 1), (".tif", 3), (".jp2", 1)]
)
def test_sixteen_bits_come_out_as_they_went_in(channels, suffix, smooth, translated, tmp_path):
    pixels = levels(smooth, np.uint16, channels)
    assert len(np.unique(pixels % 257)) > 10  # More than 8 bits repeated.
    source = tmp_path / f"a{suffix}"
    if suffix == ".png":
        source.write_bytes(imagecodecs.png_encode(pixels))
    elif suffix == ".tif":
        tifffile.imwrite(source, pixels)
    else:
        Image.fromarray(pixels).save(source)
    target = translated(source)
    decoded = imagecodecs.imread(str(target))
    assert (decoded.dtype, decoded.shape) == (np.uint16, pixels.shape)
    error = np.abs(decoded.astype(int) - pixels)
    assert error.max() <= 2


def test_sixteen_bits_with_transparency(smooth, translated, tmp_path):
    alpha = np.rint(smooth[..., 2:] * 65535).astype(np.uint16)
    pixels = np.dstack([np.full((*SIZE, 3), 65535, np.uint16), alpha])
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    decoded = imagecodecs.imread(str(translated(tmp_path / "a.png")))
    np.testing.assert_array_equal(decoded, pixels)


def test_floats_stay_floats_in_tiff_and_become_16_bits_elsewhere(smooth, translated, tmp_path):
    pixels = smooth[..., 0].astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    decoded = tifffile.imread(translated(tmp_path / "a.tif"))
    assert decoded.dtype == np.float32
    np.testing.assert_allclose(decoded, pixels, atol=1e-6)
    target = translated(tmp_path / "a.tif", file_format="png")
    decoded = imagecodecs.imread(str(target))
    assert decoded.dtype == np.uint16
    np.testing.assert_allclose(decoded, pixels * 65535, atol=1)
    with Image.open(translated(tmp_path / "a.tif", file_format="jpg")) as image:
        assert (image.format, image.mode) == ("JPEG", "L")
        np.testing.assert_allclose(np.asarray(image), pixels * 255, atol=3)


@pytest.mark.parametrize(("quality", "subsampling"), [(40, 2), (75, 1), (98, 0)])
def test_a_jpeg_is_as_good_as_its_source(quality, subsampling, smooth, translated, tmp_path):
    image = Image.fromarray(levels(smooth, np.uint8, 3))
    image.save(tmp_path / "a.jpg", quality=quality, subsampling=subsampling)
    target = translated(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as before, Image.open(target) as after:
        assert after.quantization == before.quantization
        assert after.layer == before.layer
    image.save(tmp_path / "b.png")
    with Image.open(translated(tmp_path / "b.png", file_format="jpg")) as after:
        assert max(after.quantization[0]) <= 20  # Of 95, at the most; of 75, it would be 61.


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "raw"])
def test_a_tiff_is_compressed_as_its_source_but_without_loss(
    compression, smooth, translated, tmp_path
):
    Image.fromarray(levels(smooth, np.uint8, 3)).save(tmp_path / "a.tif", compression=compression)
    with Image.open(translated(tmp_path / "a.tif")) as after:
        lossless = "tiff_adobe_deflate" if compression == "jpeg" else compression
        assert after.info["compression"] == lossless


def test_a_lossless_webp_stays_so(translated, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.webp", lossless=True)
    with Image.open(translated(tmp_path / "a.webp")) as image:
        np.testing.assert_array_equal(image, noise)


def test_a_photo_is_upright_and_its_tag_says_so(smooth, translated, tmp_path):
    pixels = levels(smooth, np.uint8, 3)
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Maker"  # To be turned by 90 degrees, clockwise.
    lying = Image.fromarray(np.rot90(pixels))
    lying.save(tmp_path / "a.jpg", exif=exif, quality=98, subsampling=0)
    with Image.open(translated(tmp_path / "a.jpg")) as image:
        assert image.size == (64, 48)
        assert image.getexif().get(274, 1) == 1
        assert image.getexif()[271] == "Maker"
        np.testing.assert_allclose(np.asarray(image, int), pixels, atol=12)


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("bmp", "BMP")])
def test_nothing_shines_through_where_nothing_can(suffix, kind, translated, tmp_path):
    for name, white in (("a", 255), ("b", 65535)):
        pixels = np.zeros((*SIZE, 4), np.uint8 if white == 255 else np.uint16)
        (tmp_path / f"{name}.png").write_bytes(imagecodecs.png_encode(pixels))
        target = translated(tmp_path / f"{name}.png", file_format=suffix)
        with Image.open(target) as image:
            assert image.format == kind
            assert (image.mode, image.getextrema()) == ("RGB", ((255, 255),) * 3)


@pytest.mark.parametrize("bands", [1, 3])
def test_twelve_bits_stay_twelve_bits_in_tiff_and_become_16_elsewhere(
    bands, smooth, translated, tmp_path
):
    source = tmp_path / "a.tif"
    numbers = np.rint(smooth * 4095).astype(np.uint16)
    numbers = np.ascontiguousarray(numbers[..., 0] if bands == 1 else numbers)
    kind = "minisblack" if bands == 1 else "rgb"
    tifffile.imwrite(source, numbers, photometric=kind, bitspersample=12)
    with tifffile.TiffFile(translated(source)) as tiff:
        assert np.max(tiff.pages[0].bitspersample) == 12
        assert np.abs(tiff.asarray() - numbers.astype(int)).max() <= 1
    packed = translated(source, tmp_path / "jp2", file_format="jp2")
    assert jpeg2000.header_of(packed.read_bytes()).bits == 12
    assert np.abs(imagecodecs.imread(packed) - numbers.astype(int)).max() <= 1
    deep = imagecodecs.imread(translated(source, tmp_path / "png", file_format="png"))
    assert np.abs(deep / 65535 - smooth[..., :bands].squeeze()).max() < 2 / 4095


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_where_a_type_cannot_hold_the_range_of_the_target_its_own_is_taken(
    suffix, changeless, smooth, tmp_path
):
    source = tmp_path / f"a{suffix}"
    Image.fromarray(np.rint(smooth * 255).astype(np.uint8)).save(source)
    ranges = files.Ranges(ValueRange(0, 255), ValueRange(-1024, 3071))
    translate.translate_files(
        changeless, [(source, target := tmp_path / f"b{suffix}")], ranges=ranges
    )
    assert np.abs(np.asarray(Image.open(target)) / 255 - smooth).max() < 0.05


def test_who_moved_a_model_says_what_is_black_and_white(changeless, tmp_path):
    changeless.save(tmp_path / "g_AB.keras")
    source = tmp_path / "a.tif"
    numbers = np.linspace(-1024, 3071, 48 * 64).astype(np.int16).reshape(48, 64)
    tifffile.imwrite(source, numbers)
    words = ["translate", "--model", str(tmp_path / "g_AB.keras"), str(source)]
    assert main([*words, "--output", str(tmp_path / "no")]) == 2
    known = ["--value-range", "-1024", "3071"]
    assert main([*words, "--output", str(tmp_path / "same"), *known]) == 0
    assert np.abs(tifffile.imread(tmp_path / "same/a.tif") - numbers.astype(int)).max() <= 1
    other = [*known, "--output-range", "0", "819"]
    assert main([*words, "--output", str(tmp_path / "other"), *other]) == 0
    expected = (numbers + 1024.0) / 5
    assert np.abs(tifffile.imread(tmp_path / "other/a.tif") - expected).max() <= 1


def test_an_unknown_suffix_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"suffix must be one of .*\.png.*Received: '\.exr'"):
        formats.format_of(tmp_path / "x.exr")


def test_the_command_line_offers_what_there_is():
    assert tuple(formats.SUFFIXES) == verb.FORMATS
    assert {formats.format_of(f"x{suffix}") for suffix in formats.SUFFIXES.values()} == set(
        formats.FORMATS.values()
    )
