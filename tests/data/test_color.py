"""Colors come out in sRGB, whatever a file says that they are."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from cyclegan_keras.data import color, images, metadata

COLOR = (200, 60, 30)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
GAMMA = 2.19921875
WIDE = imagecodecs.cms_profile(
    "rgb",
    whitepoint=(0.3127, 0.3290, 1.0),
    primaries=[0.64, 0.33, 1, 0.21, 0.71, 1, 0.15, 0.06, 1],
    gamma=GAMMA,
)
LINEAR_GRAY = imagecodecs.cms_profile("gray", whitepoint=(0.3127, 0.3290, 1.0), gamma=1.0)


def matrix(primaries) -> np.ndarray:
    """From RGB of these primaries and D65 to XYZ, by hand."""
    x, y = np.reshape(primaries, (3, 2)).T
    columns = np.array([x / y, np.ones(3), (1 - x - y) / y])
    white = np.array([0.3127, 0.3290, 1 - 0.3127 - 0.3290]) / 0.3290
    return columns * np.linalg.solve(columns, white)


def encoded(light) -> np.ndarray:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def expected() -> np.ndarray:
    to_srgb = np.linalg.inv(matrix(color.PRIMARIES)) @ matrix(ADOBE)
    return 255 * encoded(to_srgb @ (np.array(COLOR) / 255) ** GAMMA)


def read(path, **options) -> list[int]:
    return np.asarray(images.read_image(path, **options))[0, 0].tolist()


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("png", {}),
        ("tif", {}),
        ("tif", {"compression": "tiff_lzw"}),
        ("webp", {"lossless": True}),
        ("jpg", {"quality": 100, "subsampling": 0}),
    ],
)
def test_a_wide_gamut_becomes_srgb(suffix, options, tmp_path):
    path = tmp_path / f"x.{suffix}"
    Image.new("RGB", (8, 8), COLOR).save(path, icc_profile=WIDE, **options)
    assert np.abs(read(path) - expected()).max() <= 1.6
    assert expected()[0] > COLOR[0] + 25
    Image.new("RGB", (8, 8), COLOR).save(path, icc_profile=SRGB, **options)
    assert np.abs(np.subtract(read(path), COLOR)).max() <= (suffix == "jpg")


@pytest.mark.parametrize("mode", ["P", "RGBA", "I;16"])
def test_other_modes_are_turned_too(mode, tmp_path):
    path, image = tmp_path / "x.png", Image.new("RGB", (8, 8), COLOR)
    if mode == "I;16":
        Image.fromarray(np.full((8, 8), 60 * 257, np.uint16)).save(path, icc_profile=LINEAR_GRAY)
        level = float(encoded(60 / 255))
        assert images.read_picture(path).pixels[0, 0, 0] == pytest.approx(65535 * level, abs=99)
        assert read(path)[0] == pytest.approx(255 * level, abs=1)
        return
    image = image.quantize(4) if mode == "P" else image.convert("RGBA")
    image.save(path, icc_profile=WIDE)
    assert np.abs(read(path) - expected()).max() <= 1.1


def test_color_of_16_bits_keeps_them(tmp_path):
    data = imagecodecs.png_encode(np.full((4, 4, 3), COLOR, np.uint16) * 257)
    (tmp_path / "x.png").write_bytes(with_parts(data, (b"cHRM", chroma(ADOBE)), GAMMA_PART))
    picture = images.read_picture(tmp_path / "x.png")
    assert (picture.pixels.dtype, picture.depth) == (np.uint16, 16)
    assert np.abs(picture.pixels[0, 0] / 257 - expected()).max() < 1.2


def test_transparency_stays_as_it_is(tmp_path):
    Image.new("RGBA", (8, 8), (*COLOR, 128)).save(tmp_path / "x.png", icc_profile=WIDE)
    picture = images.read_picture(tmp_path / "x.png")
    assert (picture.alpha == 128).all()
    assert np.abs(picture.pixels[0, 0] - expected()).max() <= 1.1


@pytest.mark.parametrize(
    ("profile", "level"),
    [(LINEAR_GRAY, 255 * float(encoded(60 / 255))), (SRGB, 60), (WIDE, None)],
)
def test_gray_pictures_with_a_profile(profile, level, tmp_path):
    level = 255 * float(encoded((60 / 255) ** GAMMA)) if level is None else level
    Image.new("L", (8, 8), 60).save(tmp_path / "x.png", icc_profile=profile)
    picture = images.read_picture(tmp_path / "x.png")
    assert picture.is_gray
    assert picture.pixels[0, 0, 0] == pytest.approx(level, abs=1)


@pytest.mark.parametrize("profile", [b"no profile" * 20, SRGB[:300], LINEAR_GRAY])
def test_a_profile_that_cannot_be_used_is_counted(profile, tmp_path):
    left_out = images.LeftOut()
    Image.new("RGB", (8, 8), COLOR).save(tmp_path / "x.png", icc_profile=profile)
    assert read(tmp_path / "x.png", left_out=left_out) == list(COLOR)
    assert left_out == {"color profile": 1}


def chroma(primaries) -> bytes:
    return struct.pack(">8I", *(round(100000 * x) for x in (*color.WHITE_POINT, *primaries)))


GAMMA_PART = (b"gAMA", struct.pack(">I", round(100000 / GAMMA)))


def with_parts(data: bytes, *parts: tuple[bytes, bytes]) -> bytes:
    place = data.index(b"IDAT") - 4
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return data[:place] + made + data[place:]


LINEAR = (b"gAMA", struct.pack(">I", 100000))
IS_SRGB = (b"sRGB", b"\0")


@pytest.mark.parametrize(
    ("parts", "result"),
    [
        ([LINEAR], 255 * encoded(np.array(COLOR) / 255)),
        ([LINEAR, IS_SRGB], COLOR),
        ([(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", chroma(color.PRIMARIES))], COLOR),
        ([GAMMA_PART, (b"cHRM", chroma(ADOBE))], None),
        ([(b"gAMA", struct.pack(">I", 0))], COLOR),
    ],
)
def test_what_a_png_says_of_gamma_and_primaries(parts, result, tmp_path):
    path = tmp_path / "x.png"
    Image.new("RGB", (8, 8), COLOR).save(path)
    path.write_bytes(with_parts(path.read_bytes(), *parts))
    wanted = expected() if result is None else np.array(result)
    assert np.abs(read(path) - wanted).max() <= 1.1


def test_cielab(tmp_path):
    lab = ImageCms.applyTransform(
        Image.new("RGB", (8, 8), COLOR),
        ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        ),
    )
    lab.save(tmp_path / "x.tif")
    assert np.abs(np.subtract(read(tmp_path / "x.tif"), COLOR)).max() <= 3


def of_a_camera(color_space: int = 65535, index: str = "R03") -> Image.Exif:
    """EXIF as cameras write it that are set to Adobe RGB; no profile comes with it."""
    exif = Image.Exif()
    exif[271] = "Maker"
    exif.get_ifd(0x8769).update({0xA001: color_space, 0xA005: {1: index}})
    return exif


@pytest.mark.parametrize("index", ["R03", "R98"])
def test_cameras_name_adobe_rgb_in_exif_alone(index, tmp_path):
    options = {"quality": 100, "subsampling": 0}
    Image.new("RGB", (8, 8), COLOR).save(
        tmp_path / "x.jpg", exif=of_a_camera(index=index), **options
    )
    wanted = expected() if index == "R03" else COLOR
    np.testing.assert_allclose(read(tmp_path / "x.jpg"), wanted, atol=2)
    # Written in sRGB, it no longer says so.
    picture = images.read_picture(tmp_path / "x.jpg")
    exif = metadata.exif_for(picture.metadata.exif, picture.size, in_srgb=True)
    Image.fromarray(picture.pixels).save(tmp_path / "y.jpg", exif=exif, **options)
    np.testing.assert_allclose(read(tmp_path / "y.jpg"), wanted, atol=3)
    with Image.open(tmp_path / "y.jpg") as image:
        assert image.getexif()[271] == "Maker"


P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)


def from_p3() -> np.ndarray:
    light = np.array(COLOR) / 255
    light = np.where(light <= 0.04045, light / 12.92, ((light + 0.055) / 1.055) ** 2.4)
    return 255 * encoded(np.linalg.inv(matrix(color.PRIMARIES)) @ matrix(P3) @ light)


@pytest.mark.parametrize("depth", ["u1", "u2"])
def test_colors_that_a_png_names_by_number(depth, tmp_path):
    white = np.iinfo(depth).max
    data = imagecodecs.png_encode((np.full((8, 8, 3), COLOR) * (white // 255)).astype(depth))
    for codes, wanted in (
        (b"\x0c\x0d\0\1", from_p3()),
        (b"\1\x0d\0\1", COLOR),
        (b"\2\2\0\1", COLOR),
    ):
        # They override a gamma, which older programs are left to.
        parts = [(b"gAMA", struct.pack(">I", 100000)), (b"cICP", codes)]
        (tmp_path / "x.png").write_bytes(with_parts(data, *parts))
        np.testing.assert_allclose(read(tmp_path / "x.png"), wanted, atol=1)
    (tmp_path / "x.png").write_bytes(with_parts(data, (b"cICP", b"\x09\x10\0\1")))
    with pytest.raises(ValueError, match=r"high dynamic range \(PQ\)"):
        read(tmp_path / "x.png")
    (tmp_path / "x.png").write_bytes(with_parts(data, (b"cICP", b"\x63\x0d\0\1")))
    left_out = images.LeftOut()
    assert read(tmp_path / "x.png", left_out=left_out) == list(COLOR)
    assert left_out == {"color profile": 1}


def test_colors_that_an_avif_names_by_number(tmp_path):
    pixels = np.full((8, 8, 3), COLOR, np.uint8)
    data = imagecodecs.avif_encode(pixels, level=100, primaries=12, transfer=13, matrix=0)
    (tmp_path / "x.avif").write_bytes(data)
    np.testing.assert_allclose(read(tmp_path / "x.avif"), from_p3(), atol=2)


def test_a_profile_of_numbers_that_are_no_colors_is_counted(tmp_path):
    pixels = np.full((8, 8, 3), 0.5, np.float32)
    for profile, count in ((WIDE, 1), (SRGB, 0)):
        tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", iccprofile=profile)
        left_out = images.LeftOut()
        assert read(tmp_path / "x.tif", left_out=left_out) == [128] * 3
        assert left_out["color profile"] == count
