import pathlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data import images

RED, HALF_RED = (255, 0, 0), (255, 127, 127)


def saved(folder: pathlib.Path, image: Image.Image, name: str = "x.png", **options) -> pathlib.Path:
    path = folder / name
    image.save(path, **options)
    return path


def first_pixel(path: pathlib.Path) -> tuple[int, ...]:
    image = images.read_image(path)
    assert image.mode == "RGB"
    return image.getpixel((0, 0))


def test_colours_are_red_green_blue(tmp_path):
    assert first_pixel(saved(tmp_path, Image.new("RGB", (2, 2), RED))) == RED


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("L", 100, (100, 100, 100)),
        ("1", 1, (255, 255, 255)),
        ("LA", (0, 0), (255, 255, 255)),
        ("RGBA", (*RED, 255), RED),
        ("RGBA", (*RED, 128), HALF_RED),
        ("RGBA", (0, 0, 0, 0), (255, 255, 255)),
        ("P", 0, (0, 0, 0)),
    ],
)
def test_modes_of_png(mode, colour, expected, tmp_path):
    assert first_pixel(saved(tmp_path, Image.new(mode, (2, 2), colour))) == expected


def test_a_transparent_palette_colour_is_white(tmp_path):
    image = Image.new("P", (2, 2), 0)
    image.putpalette([*RED] * 256)
    assert first_pixel(saved(tmp_path, image, transparency=0)) == (255, 255, 255)


def test_cmyk_jpeg(tmp_path):
    path = saved(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "x.jpg", quality=100)
    assert np.abs(np.subtract(first_pixel(path), RED)).max() <= 3


def test_16_bits_are_scaled_not_cut_off(tmp_path):
    # 65535 / 257 = 255; 32768 / 257 = 127.5…, rounded to 128; 256 would be cut off to 255.
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    path = saved(tmp_path, Image.fromarray(values))
    assert np.asarray(images.read_image(path))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_float_pixels_must_be_shares(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "x.tiff")
    assert np.asarray(images.read_image(path))[0, :, 2].tolist() == [0, 128, 255]
    saved(tmp_path, Image.fromarray(np.array([[0, 255]], np.float32)), "y.tiff")
    with pytest.raises(ValueError, match=r"y\.tiff.*float pixels must be in \[0, 1\]"):
        images.read_image(tmp_path / "y.tiff")


def test_exif_orientation_turns_the_picture(tmp_path):
    image = Image.new("RGB", (2, 1))
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the top is on the right
    path = saved(tmp_path, image, exif=exif)
    turned = images.read_image(path)
    assert turned.size == (1, 2)
    assert turned.getpixel((0, 0)) == RED


def photo(width: int, height: int) -> Image.Image:
    """Coloured waves of all lengths, edges and noise: harder than a photo."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width] / height
    waves = [np.sin(2 ** (7 * x + k) * y + 9 * k * x) for k in range(3)]
    pixels = 128 + 70 * np.stack(waves, axis=-1) + rng.normal(0, 15, (height, width, 3))
    pixels[(x * 9).astype(int) % 3 == 0] *= 0.5
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("img_res", "size"),
    [
        # 1200 // (2 * 64) = 9: an eighth. 1600 // (2 * 256) = 3, 1200 // 512 = 2: a half.
        ((64, 64), (200, 150)),
        ((256, 256), (800, 600)),
        # The larger side decides for both: 1200 // (2 * 128) = 4.
        ((16, 128), (400, 300)),
        ((128, 16), (400, 300)),
    ],
)
def test_a_far_too_large_jpeg_is_decoded_smaller_and_as_well(img_res, size, tmp_path):
    path = saved(tmp_path, photo(1600, 1200), "x.jpg", quality=90)
    drafted = images.read_image(path, img_res)
    assert drafted.size == size
    small, exact = (
        np.asarray(images.resize(image, img_res)).astype(float)
        for image in (drafted, images.read_image(path))
    )
    assert exact.std() > 20
    # Seen: 0.2 to 0.6 levels. Leaving pixels out instead of averaging them would be 1.1 to 3.3.
    assert np.abs(small - exact).mean() < 1


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_what_is_not_far_too_large_is_decoded_as_ever(suffix, tmp_path):
    # 300 // (2 * 76) = 1: nothing to gain. A PNG has no reduced size at all.
    path = saved(tmp_path, photo(400, 300), f"x.{suffix}")
    at_least = (76, 76) if suffix == "jpg" else (8, 8)
    full = images.read_image(path)
    assert full.size == (400, 300)
    np.testing.assert_array_equal(np.asarray(images.read_image(path, at_least)), np.asarray(full))
    enlarged = images.read_image(path, (1000, 10))
    np.testing.assert_array_equal(np.asarray(enlarged), np.asarray(full))


def test_a_turned_jpeg_is_still_twice_as_large(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.new("RGB", (1600, 400), RED), "x.jpg", exif=exif)
    # Were 25 × 100 asked of the file as it lies there, an eighth would be 50 wide, not 200.
    assert images.read_image(path, (25, 100)).size == (200, 800)


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_a_reduced_size_keeps_the_colours(mode, tmp_path):
    colour = (0, 255, 255, 0) if mode == "CMYK" else 100
    path = saved(tmp_path, Image.new(mode, (512, 256), colour), "x.jpg", quality=100)
    image = images.read_image(path, (16, 16))
    assert image.size == (64, 32)
    expected = RED if mode == "CMYK" else (100, 100, 100)
    assert np.abs(np.subtract(image.getpixel((9, 9)), expected)).max() <= 3


def test_a_broken_jpeg_is_named_at_a_reduced_size_too(tmp_path):
    path = saved(tmp_path, Image.effect_noise((512, 512), 50), "cut.jpg")
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ValueError, match=r"cut\.jpg"):
        images.read_image(path, (16, 16))


def test_animations_give_their_first_frame(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, (0, 0, 255))]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert first_pixel(tmp_path / "x.gif") == RED


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_named(content, tmp_path):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"Cannot read the image .*bad\.png'.*Replace it"):
        images.read_image(path)


@pytest.mark.parametrize(
    ("encode", "kind"),
    [
        (lambda pixels: imagecodecs.jpeg_encode(pixels >> 4, bitspersample=12), "12-bit"),
        (imagecodecs.ljpeg_encode, "lossless"),
    ],
)
def test_a_jpeg_that_is_not_read_is_named(encode, kind, tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(encode(np.arange(400, dtype=np.uint16).reshape(20, 20)))
    with pytest.raises(ValueError, match=f"a {kind} JPEG.*PNG or TIFF"):
        images.read_image(path)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("x.heic", b"none", "HEIC: convert it"),
        # As phones and chats rename them.
        ("x.jpg", bytes(4) + b"ftypheic" + bytes(20), "HEIC: convert it"),
        ("x.DCM", b"none", "DICOM: convert it to TIFF"),
    ],
)
def test_what_to_do_about_kinds_that_are_not_read(name, content, what, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"in none of the formats .*AVIF \({what}"):
        images.read_image(tmp_path / name)


def test_a_truncated_image_is_named(tmp_path):
    path = saved(tmp_path, Image.effect_noise((64, 64), 50), "cut.jpg")
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ValueError, match=r"cut\.jpg"):
        images.read_image(path)


def test_an_absurdly_large_image_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 8)
    path = saved(tmp_path, Image.new("RGB", (5, 5)), "huge.png")
    with pytest.raises(ValueError, match=r"huge\.png"):
        images.read_image(path)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        images.read_image(tmp_path / "nowhere.png")


def test_normalize_and_back_is_exact():
    pixels = np.arange(256, dtype=np.uint8)
    scaled = images.normalize(pixels)
    assert scaled.dtype == np.float32
    assert (scaled[0], scaled[255]) == (-1.0, 1.0)
    np.testing.assert_array_equal(images.denormalize(scaled), pixels)
    np.testing.assert_array_equal(images.denormalize([-3.0, 3.0, 0.001]), [0, 255, 128])


def test_resize_is_height_by_width_and_antialiased():
    stripes = np.zeros((8, 16, 3), np.uint8)
    stripes[:, ::2] = 255  # every other column: without antialiasing, all black or all white
    small = images.resize(Image.fromarray(stripes), (4, 2))
    assert small.size == (2, 4)
    assert 100 < np.asarray(small).mean() < 155


def test_writing_is_whole_or_not_at_all(tmp_path):
    path = tmp_path / "x.png"
    images.write_image(path, np.full((2, 2, 3), 7, np.uint8))
    with pytest.raises(TypeError):
        images.write_image(path, np.zeros((2, 2, 9), np.uint8))
    assert first_pixel(path) == (7, 7, 7)
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_sixteen_bits_of_a_png_are_rounded_for_training_as_they_are_for_translating(
    bands, tmp_path
):
    numbers = np.random.default_rng(0).integers(0, 65536, (40, 30, bands), np.uint16)
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(numbers))
    shares = numbers.astype(np.float64) / 65535
    if bands != 3:
        alpha = shares[..., -1:]
        shares = shares[..., :-1] * alpha + 1 - alpha
    expected = np.broadcast_to(255 * shares, (40, 30, 3))
    read = np.asarray(images.read_image(tmp_path / "x.png"), float)
    assert np.abs(read - expected).max() <= 0.501
    translated = images.read_picture(tmp_path / "x.png").in_rgb()
    np.testing.assert_array_equal(read, translated)
