"""What a file says beside its pixels is in its translation, by a generator that changes nothing."""

import io
import warnings
import zlib

import imagecodecs
import keras
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from cyclegan_keras.cli.main import main
from cyclegan_keras.data import color, images, jpeg2000
from cyclegan_keras.inference import formats, translate

SIZE = (48, 64)
P3 = color.profile_of_codes(12, 13)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GRAY = imagecodecs.cms_profile("gray", whitepoint=(0.3127, 0.3290, 1.0), gamma=1.8)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/'
    b'22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
    b'tiff:Orientation="1" tiff:Make="Maker"/></rdf:RDF></x:xmpmeta>'
)
LOSSLESS = {".webp": {"lossless": True}, ".jpg": {"quality": 98, "subsampling": 0}}
LOSSLESS[".avif"] = {"quality": 100, "subsampling": "4:4:4"}
WITH_PROFILE = [".jpg", ".png", ".tif", ".webp", ".avif", ".jp2"]
WITH_EXIF = WITH_PROFILE


@pytest.fixture(scope="module")
def changeless():
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, keras.layers.Activation("linear")(image))


@pytest.fixture
def translated(changeless, tmp_path):
    def of(path, **settings):
        strip = settings.pop("strip_metadata", False)
        jobs = translate.plan([path], tmp_path / "out", **settings)
        outcome = translate.translate_files(changeless, jobs, strip_metadata=strip)
        of.left_out = dict(outcome.left_out)
        return jobs[0][1]

    return of


def smooth(dtype=np.uint8) -> np.ndarray:
    """Colors that lie in sRGB, in P3's numbers, with no noise that a lossy format would lose."""
    y, x = np.mgrid[0:48, 0:64] / 64
    shares = 0.35 + 0.3 * np.stack([x, y, (x + y) / 2], axis=2)
    return np.rint(shares * np.iinfo(dtype).max).astype(dtype)


def exif_of_a_phone(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[274], exif[306] = "Maker", orientation, "2026:01:02 03:04:05"
    exif[315] = "Grün".encode()
    part = exif.get_ifd(ExifTags.IFD.Exif)
    # The size as the sensor has it; of a turned picture, it is the other way round.
    part[0xA002], part[0xA003] = (64, 48) if orientation < 5 else (48, 64)
    part[0xA001], part[0x829A] = 65535, 0.004
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 30.0)})
    return exif


def save(path, pixels, **options):
    """Writes a source, with what Pillow writes nothing of."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    options = LOSSLESS.get(path.suffix, {}) | options
    if path.suffix == ".png" and "xmp" in options:
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", options.pop("xmp").decode())
    if path.suffix == ".tif" and "exif" in options:
        given, exif = options["exif"], Image.Exif()
        exif.load(given.tobytes())  # Of others, Pillow writes no inner directories.
        exif[700], exif[315] = options.pop("xmp", b""), given[315]
        options["exif"] = exif
    image.save(path, **options)
    if path.suffix == ".jp2":
        exif = options.get("exif")
        data = jpeg2000.with_metadata(
            path.read_bytes(),
            options.get("icc_profile"),
            None if exif is None else exif.tobytes().removeprefix(b"Exif\0\0"),
            options.get("xmp"),
        )
        path.write_bytes(data)
    return path


def profile_in(path) -> bytes | None:
    if path.suffix == ".jp2":
        return jpeg2000.header_of(path.read_bytes()).profile
    with Image.open(path) as image:
        return image.info.get("icc_profile")


def numbers_in(path) -> np.ndarray:
    if path.suffix == ".jp2":  # Else the decoder would apply the profile.
        data = path.read_bytes()
        return jpeg2000.read(data, jpeg2000.header_of(data), SIZE)
    return imagecodecs.imread(str(path))


@pytest.mark.parametrize("suffix", WITH_PROFILE)
def test_a_wide_gamut_stays_in_its_profile(suffix, translated, tmp_path):
    source = save(tmp_path / f"a{suffix}", smooth(), icc_profile=P3)
    target = translated(source)
    assert profile_in(target) == P3
    with Image.open(source) as before, Image.open(target) as after:
        error = np.abs(np.subtract(after, before, dtype=int))
    # One level by each of two conversions; more where pixels are compressed with loss once more.
    assert error.max() <= (4 if suffix in (".jpg", ".avif") else 1)
    assert not translated.left_out
    # To a viewer, which knows profiles, it is as it was.
    seen = [np.asarray(images.read_image(path), int) for path in (source, target)]
    assert np.abs(seen[0] - seen[1]).max() <= (5 if suffix in (".jpg", ".avif") else 2)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jp2"])
def test_sixteen_bits_in_a_wide_gamut(suffix, translated, tmp_path):
    pixels = smooth(np.uint16)
    source = tmp_path / f"a{suffix}"
    if suffix == ".png":
        place = (data := imagecodecs.png_encode(pixels)).index(b"IDAT") - 4
        buffer = io.BytesIO()
        Image.new("RGB", (1, 1)).save(buffer, "PNG", icc_profile=P3)
        part = buffer.getvalue()[33 : buffer.getvalue().index(b"IDAT") - 4]
        source.write_bytes(data[:place] + part + data[place:])
    elif suffix == ".tif":
        tifffile.imwrite(source, pixels, photometric="rgb", iccprofile=P3)
    else:
        data = imagecodecs.jpeg2k_encode(pixels, codecformat="jp2", reversible=True)
        source.write_bytes(jpeg2000.with_metadata(data, P3, None, None))
    target = translated(source)
    assert profile_in(target) == P3
    decoded = numbers_in(target)
    assert (decoded.dtype, decoded.shape) == (np.uint16, pixels.shape)
    assert len(np.unique(decoded % 257)) > 100
    assert np.abs(decoded.astype(int) - pixels).max() <= 25  # A tenth of an 8-bit level.


def test_twelve_bits_in_a_wide_gamut(translated, tmp_path):
    pixels = smooth(np.uint16) >> 4
    data = imagecodecs.jpeg2k_encode(pixels, codecformat="jp2", reversible=True, bitspersample=12)
    (tmp_path / "a.jp2").write_bytes(jpeg2000.with_metadata(data, P3, None, None))
    target = translated(tmp_path / "a.jp2")
    header = jpeg2000.header_of(target.read_bytes())
    assert (header.bits, header.profile) == (12, P3)
    assert np.abs(numbers_in(target).astype(int) - pixels).max() <= 2
    assert not translated.left_out


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "L"])
def test_transparency_and_gray_with_a_profile(mode, suffix, translated, tmp_path):
    if suffix == ".jpg" and mode != "L":
        return
    profile = P3 if mode == "RGBA" else GRAY
    source = save(
        tmp_path / f"a{suffix}", Image.fromarray(smooth()).convert(mode), icc_profile=profile
    )
    target = translated(source)
    assert profile_in(target) == profile
    with Image.open(source) as before, Image.open(target) as after:
        assert after.mode == mode
        error = np.abs(np.subtract(after, before, dtype=int))
    assert error.max() <= (4 if suffix == ".jpg" else 2)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_a_profile_that_does_not_fit_the_translation_is_left_out(suffix, tmp_path):
    """A generator of one channel makes gray of color, and gray of a profile of RGB."""
    image = keras.Input((*SIZE, 1))
    gray = keras.Model(image, keras.layers.Activation("linear")(image))
    source = save(tmp_path / "a.png", smooth(), icc_profile=P3)
    target = tmp_path / f"b{suffix}"
    translate.translate_files(gray, [(source, target)])
    assert profile_in(target) is None
    with Image.open(target) as after:
        expected = np.asarray(images.read_image(source).convert("L"), int)
        assert np.abs(np.asarray(after.convert("L"), int) - expected).max() <= 3


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".webp"])
def test_where_a_profile_cannot_be_written_colors_are_srgb(suffix, translated, tmp_path):
    pixels = np.full((*SIZE, 3), (200, 60, 30), np.uint8)
    profile, mode = (GRAY, "L") if suffix == ".webp" else (P3, "RGB")  # WebP has no gray.
    source = save(tmp_path / "a.png", Image.fromarray(pixels).convert(mode), icc_profile=profile)
    target = translated(source, file_format=suffix[1:])
    assert profile_in(target) is None
    expected = np.asarray(images.read_image(source), int)
    assert np.abs(np.asarray(images.read_image(target), int) - expected).max() <= 2


def test_cmyk_becomes_rgb_in_srgb(translated, tmp_path):
    image = Image.fromarray(smooth()).convert("CMYK")
    source = save(tmp_path / "a.jpg", image, exif=exif_of_a_phone())
    target = translated(source)
    with Image.open(target) as after:
        assert (after.mode, after.getexif()[271]) == ("RGB", "Maker")
        expected = np.asarray(images.read_image(source), int)
        assert np.abs(np.asarray(after, int) - expected).max() <= 4


def scanner_profile() -> bytes:
    """A profile that is declared to be of an input, and has no way back."""
    return P3.replace(b"rTRC", b"xTRC")


def test_a_damaged_profile_is_counted_and_left_out(translated, tmp_path):
    target = translated(save(tmp_path / "a.png", smooth(), icc_profile=scanner_profile()))
    assert profile_in(target) is None
    assert translated.left_out == {"color profile": 1}


def test_the_profile_of_srgb_changes_no_pixel(translated, tmp_path):
    source = save(tmp_path / "a.png", smooth(), icc_profile=SRGB)
    target = translated(source)
    assert profile_in(target) == SRGB
    np.testing.assert_array_equal(Image.open(target), Image.open(source))


def test_what_lies_outside_of_srgb_can_be_read_as_it_is(tmp_path):
    """In P3, its green is beyond what sRGB can show."""
    pixels = np.full((*SIZE, 3), (40, 220, 60), np.uint8)
    source = save(tmp_path / "a.png", pixels, icc_profile=P3)
    own = images.read_picture(source, in_profile=True)
    np.testing.assert_array_equal(own.pixels, pixels)
    assert (own.in_profile, own.profile) == (True, P3)
    srgb = images.read_picture(source)
    assert (srgb.in_profile, srgb.profile) == (False, P3)
    np.testing.assert_array_equal(own.to_srgb().pixels, srgb.pixels)
    np.testing.assert_array_equal(own.shares(), srgb.shares())
    assert np.abs(own.pixels.astype(int) - srgb.pixels).max() > 30
    assert np.abs(srgb.to_profile().pixels.astype(int) - pixels).max() > 30
    assert own.to_profile() is own


@pytest.mark.parametrize("suffix", WITH_EXIF)
@pytest.mark.parametrize("orientation", [1, 6])
def test_exif_is_kept_and_true(orientation, suffix, translated, tmp_path):
    if suffix in (".jp2", ".avif") and orientation == 6:
        return  # Nobody turns the one; Pillow turns the other itself.
    pixels = np.ascontiguousarray(np.rot90(smooth())) if orientation == 6 else smooth()
    turned = XMP.replace(b'"1"', f'"{orientation}"'.encode())
    source = save(tmp_path / f"a{suffix}", pixels, exif=exif_of_a_phone(orientation), xmp=turned)
    target = translated(source)
    assert not translated.left_out
    if suffix == ".jp2":
        header = jpeg2000.header_of(target.read_bytes())
        exif, xmp = Image.Exif(), header.xmp
        exif.load(header.exif)
    else:
        with Image.open(target) as after:
            assert after.size == (64, 48)
            exif, xmp = after.getexif(), after.info.get("xmp")
            exif.get_ifd(ExifTags.IFD.GPSInfo), exif.get_ifd(ExifTags.IFD.Exif)
    assert exif.get(274, 1) == 1
    assert (exif[271], exif[306]) == ("Maker", "2026:01:02 03:04:05")
    assert exif[315].encode("latin-1").decode() == "Grün"  # As Pillow reads it.
    part, gps = exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    assert (part[0xA002], part[0xA003], part[0xA001]) == (64, 48, 65535)
    assert float(part[0x829A]) == pytest.approx(0.004)
    assert (gps[1], [float(x) for x in gps[2]]) == ("N", [48, 8, 30])
    # Pillow drops what it has applied.
    assert xmp in (XMP, XMP.replace(b'tiff:Orientation="1"', b""))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib"])
def test_exif_of_a_tiff(compression, depth, translated, tmp_path):
    """Sixteen bits in color, which Pillow does not write; and each compression."""
    source = tmp_path / "a.tif"
    exif = Image.Exif()
    exif[270], exif[271] = "grün".encode(), "Maker"
    Image.fromarray(smooth()).save(source, exif=exif, compression="tiff_lzw", dpi=(300, 200))
    with Image.open(source) as image:
        assert image.getexif()[271] == "Maker"
    if depth == 16:
        # Its tags, with the numbers of 16 bits.
        pixels = smooth(np.uint16)
        tifffile.imwrite(
            source, pixels, photometric="rgb", compression=compression, resolution=(300, 200),
            resolutionunit="INCH", extratags=[(271, 2, 6, b"Maker\0", True)],
            description="An apple",
        )  # fmt: skip
    target = translated(source)
    with tifffile.TiffFile(target) as tiff:
        page = tiff.pages[0]
        assert page.tags[271].value == "Maker"
        assert (page.tags[282].value, page.tags[283].value) == ((300, 1), (200, 1))
        assert page.dtype == f"uint{depth}"
        assert page.description == ("An apple" if depth == 16 else "grün")
        if depth == 16:
            wanted = {None: 1, "lzw": 5, "zlib": 8}[compression]
            assert page.compression == (wanted if compression else 1)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp"])
def test_resolution_is_kept(suffix, translated, tmp_path):
    target = translated(save(tmp_path / f"a{suffix}", smooth(), dpi=(300, 150)))
    with Image.open(target) as after:
        assert [float(x) for x in after.info["dpi"]] == pytest.approx([300, 150], rel=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_texts_of_a_png(dtype, translated, tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "An apple")
    info.add_itxt("Author", "Grün, 山")
    info.add_text("Long", "x" * 5000, zip=True)
    source = save(tmp_path / "a.png", smooth(), pnginfo=info, dpi=(72, 72))
    if dtype == np.uint16:
        data, own = imagecodecs.png_encode(smooth(np.uint16)), source.read_bytes()
        part = own[33 : own.index(b"IDAT") - 4]
        source.write_bytes(data[:33] + part + data[33:])
    with Image.open(translated(source)) as after:
        assert after.text == {"Title": "An apple", "Author": "Grün, 山", "Long": "x" * 5000}
        np.testing.assert_allclose(after.info["dpi"], (72, 72), rtol=1e-3)
    translated(source, file_format="jpg")
    assert translated.left_out == {"text": 3}


def test_comments_and_captions_of_a_jpeg(translated, tmp_path):
    caption = b"\x1c\x02\x78\0\x05apple"
    resource = b"8BIM\x04\x04\0\0" + len(caption).to_bytes(4) + caption
    body = b"Photoshop 3.0\0" + resource
    segment = b"\xff\xed" + (len(body) + 2).to_bytes(2) + body
    source = save(tmp_path / "a.jpg", smooth(), comment=b"drawn", extra=segment, progressive=True)
    with Image.open(translated(source)) as after:
        assert after.info["comment"] == b"drawn"
        assert after.info["photoshop"][0x0404] == caption
        assert after.info["progressive"]
    translated(source, file_format="png")
    assert translated.left_out == {"IPTC block": 1, "comment": 1}


def test_no_thumbnail_of_the_source_is_kept(translated, tmp_path):
    """A second directory of EXIF, as cameras write it, with a JPEG in it."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), "red").save(buffer, "JPEG")
    thumb = buffer.getvalue()
    first = (
        b"II*\0\x08\0\0\0"
        + b"\x01\0"
        + b"\x0f\x01\x02\0\x04\0\0\0Abc\0"
        + (26).to_bytes(4, "little")
    )
    entries = b"".join(
        tag.to_bytes(2, "little") + b"\x04\0\x01\0\0\0" + value.to_bytes(4, "little")
        for tag, value in ((513, 56), (514, len(thumb)))
    )
    tags = b"Exif\0\0" + first + b"\x02\0" + entries + bytes(4) + thumb
    source = save(tmp_path / "a.jpg", smooth(), exif=tags)
    assert thumb in source.read_bytes()
    target = translated(source)
    assert thumb not in target.read_bytes()
    with Image.open(target) as after:
        assert after.getexif()[271] == "Abc"
        assert not after.getexif().get_ifd(ExifTags.IFD.IFD1)


def test_what_a_format_has_no_place_for_is_counted(translated, tmp_path):
    source = save(tmp_path / "a.jpg", smooth(), exif=exif_of_a_phone(), xmp=XMP)
    translated(source, file_format="bmp")
    assert translated.left_out == {"EXIF block": 1, "XMP block": 1}


def test_transparency_that_is_laid_on_white_is_counted(translated, tmp_path):
    pixels = np.dstack([smooth(), np.full(SIZE, 255, np.uint8)])
    translated(save(tmp_path / "a.png", pixels), file_format="jpg")
    assert not translated.left_out  # Opaque all over.
    pixels[0, 0, 3] = 254
    translated(save(tmp_path / "b.png", pixels), file_format="bmp")
    assert translated.left_out == {"alpha channel": 1}


def test_too_much_for_a_jpeg_is_counted_and_the_picture_written(translated, tmp_path):
    exif = exif_of_a_phone()
    exif[270] = "x" * 70_000
    source = save(tmp_path / "a.png", smooth(), exif=exif, xmp=XMP + b" " * 70_000)
    with Image.open(translated(source, file_format="jpg")) as after:
        assert after.size == (64, 48)
    assert translated.left_out == {"EXIF block": 1, "XMP block": 1}


def test_xmp_of_what_lies_behind_the_picture_is_counted(translated, tmp_path):
    xmp = XMP.replace(b"tiff:Make", b'hdrgm:Version="1.0" tiff:Make')
    translated(save(tmp_path / "a.jpg", smooth(), xmp=xmp))
    assert translated.left_out == {"XMP block": 1}


def test_an_orientation_in_xmp_is_reset_however_it_is_written(translated, tmp_path):
    xmp = XMP.replace(b' tiff:Orientation="1"', b"").replace(
        b"/></rdf:RDF>", b"><tiff:Orientation>8</tiff:Orientation></rdf:Description></rdf:RDF>"
    )
    exif = exif_of_a_phone()
    with Image.open(translated(save(tmp_path / "a.jpg", smooth(), exif=exif, xmp=xmp))) as after:
        assert after.info["xmp"] == xmp.replace(b"8</tiff", b"1</tiff")


def test_broken_exif_is_counted(translated, tmp_path):
    source = save(tmp_path / "a.jpg", smooth(), exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff")
    assert translated(source).exists()
    assert translated.left_out in ({}, {"EXIF block": 1})


@pytest.mark.parametrize("suffix", WITH_EXIF)
def test_metadata_can_be_left_out(suffix, translated, tmp_path):
    source = save(
        tmp_path / f"a{suffix}", smooth(), exif=exif_of_a_phone(), xmp=XMP, icc_profile=P3
    )
    data = translated(source, strip_metadata=True).read_bytes()
    assert b"Maker" not in data
    assert b"xmpmeta" not in data
    assert profile_in(tmp_path / "out" / source.name) == P3
    assert not translated.left_out


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".jp2"])
def test_damage_is_refused_or_costs_metadata_alone(suffix, tmp_path):
    """Whatever else is raised would end a batch; a warning would break the progress bar."""
    good = save(tmp_path / f"a{suffix}", smooth(), exif=exif_of_a_phone(6), xmp=XMP, icc_profile=P3)
    rng, written = np.random.default_rng(0), 0
    for _ in range(10):
        data = np.frombuffer(good.read_bytes(), np.uint8).copy()
        data[rng.integers(min(1500, len(data)), size=3)] = rng.integers(256, size=3)
        path = tmp_path / f"b{suffix}"
        path.write_bytes(with_checksums(data.tobytes()) if suffix == ".png" else data.tobytes())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                picture = images.read_picture(path)
            except ValueError as error:
                assert "Cannot read the image" in str(error)  # noqa: PT017
                continue
            for other in (suffix, ".png", ".tif"):
                formats.write(target := tmp_path / f"c{other}", picture, formats.settings_of(path))
                assert not set(images.read_picture(target).left_out) & {"EXIF block", "XMP block"}
                written += 1
    assert written >= 9


def with_checksums(data: bytes) -> bytes:
    """Lets damage in a PNG come through to where it is looked into."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4])
        checked = data[place + 4 : end]
        parts.append(data[place : place + 4] + checked + zlib.crc32(checked).to_bytes(4))
        place = end + 4
    return b"".join(parts)


def odd_pictures(folder) -> dict[str, tuple[int, int]]:
    """What users have, and the size of each as it is seen: `(height, width)`."""
    rng = np.random.default_rng(0)

    def noise(height, width, bands=3, dtype=np.uint8):
        shape = (height, width, bands) if bands > 1 else (height, width)
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)

    Image.fromarray(noise(1, 1)).save(folder / "one.png")
    Image.fromarray(noise(7, 5000)).save(folder / "long.jpg")
    Image.fromarray(noise(5000, 7)).save(folder / "high.webp")
    Image.fromarray(noise(65, 67, 4)).save(folder / "alpha.png", icc_profile=P3)
    save(folder / "turned.jpg", noise(30, 20), exif=exif_of_a_phone(6))
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(noise(9, 8, 4, np.uint16)))
    (folder / "gray.png").write_bytes(imagecodecs.png_encode(noise(9, 8, 2, np.uint16)))
    frames = [Image.fromarray(noise(12, 13)) for _ in range(3)]
    frames[0].save(folder / "film.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "pages.tif", save_all=True, append_images=frames[1:])
    return {
        "one.png": (1, 1), "long.jpg": (7, 5000), "high.webp": (5000, 7), "alpha.png": (65, 67),
        "turned.jpg": (20, 30), "deep.png": (9, 8), "gray.png": (9, 8), "film.gif": (12, 13),
        "pages.tif": (12, 13),
    }  # fmt: skip


def test_odd_pictures_come_out_as_promised_and_a_cut_one_is_named(changeless, tmp_path):
    (tmp_path / "in").mkdir()
    sizes = odd_pictures(tmp_path / "in")
    data = (tmp_path / "in" / "long.jpg").read_bytes()
    (tmp_path / "in" / "cut.jpg").write_bytes(data[: len(data) // 2])
    jobs = translate.plan([tmp_path / "in"], tmp_path / "out", check=False)
    outcome = translate.translate_files(changeless, jobs, continue_on_error=True)
    assert {path.name for path in outcome.failed} == {"cut.jpg"}
    assert "its end is missing" in next(iter(outcome.failed.values()))
    assert outcome.left_out == {"animation frame": 2, "TIFF page": 2}
    for name, size in sizes.items():
        before = images.read_picture(tmp_path / "in" / name)
        after = images.read_picture(tmp_path / "out" / name)
        assert (before.size, after.size) == (size, size)
        assert (after.pixels.dtype, after.is_gray) == (before.pixels.dtype, before.is_gray)
        assert (after.profile, after.format) == (before.profile, before.format)
        if before.alpha is not None:
            np.testing.assert_array_equal(after.alpha, before.alpha)


def test_the_command_line_names_what_it_left_out_and_can_strip(changeless, tmp_path, capsys):
    changeless.save(model := tmp_path / "g_AB.keras")
    source = save(tmp_path / "a.jpg", smooth(), exif=exif_of_a_phone(), xmp=XMP)
    words = ["translate", "--model", str(model), str(source), "--format", "bmp", "--output"]
    assert main([*words, str(tmp_path / "kept")]) == 0
    assert "1 EXIF block, 1 XMP block" in capsys.readouterr().out
    assert main([*words, str(tmp_path / "stripped"), "--strip-metadata"]) == 0
    assert "EXIF" not in capsys.readouterr().out
