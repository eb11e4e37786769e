"""Files that nobody vouches for: each is read rightly, or named in one line."""

import errno
import io
import logging
import os
import pathlib
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_keras.data import decoding, hush, images, integrity, listing
from cyclegan_keras.inference import translate

RED = (255, 0, 0)


def noise(width: int = 24, height: int = 16) -> Image.Image:
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    with io.BytesIO() as file:
        image.copy().save(file, kind, **options)
        return file.getvalue()


def png(width: int, height: int, pixels: bytes, depth: int = 8, colour: int = 2, lace: int = 0):
    """Makes a PNG whose checksums are right, whatever is in it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lace)
    parts = []
    for part in (b"IHDR" + header, b"IDAT" + zlib.compress(pixels), b"IEND"):
        parts.append(struct.pack(">I", len(part) - 4) + part + struct.pack(">I", zlib.crc32(part)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(width: int, height: int, offsets: list[int]) -> bytes:
    """Makes a gray TIFF of one strip for each row, all white, with the strips that are told."""
    pixels = b"\xff" * 64
    where = struct.pack(f"<{len(offsets)}I", *offsets)
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
        (273, 4, len(offsets), 8 + len(pixels)), (277, 3, 1, 1), (278, 4, 1, 1),
    ]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    start = struct.pack("<2sHI", b"II", 42, 8 + len(pixels) + len(where))
    return start + pixels + where + struct.pack("<H", len(tags)) + directory + bytes(4)


@pytest.fixture
def read(tmp_path):
    """Reads bytes as a file: its pixels, or `None` if it is refused in one line with its name."""

    def read_bytes(data: bytes, name: str = "x.png"):
        path = tmp_path / name
        path.write_bytes(data)
        try:
            return np.asarray(images.read_image(path))
        except ValueError as error:
            said = str(error)
        assert said.startswith(f"Cannot read the image {str(path)!r}: ")
        assert said.isprintable()
        return None

    return read_bytes


@pytest.fixture
def refused(tmp_path):
    """Says why a file is refused."""

    def reason(data: bytes, name: str = "x.png") -> str:
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ValueError, match="Cannot read the image") as error:
            images.read_image(path)
        return str(error.value)

    return reason


GOOD = {
    "jpeg": encoded(noise(), "JPEG"),
    "progressive": encoded(noise(), "JPEG", progressive=True),
    "restarts": encoded(noise(), "JPEG", restart_marker_rows=1),
    "png": encoded(noise(), "PNG"),
    "palette": encoded(noise().quantize(16), "PNG"),
    "gif": encoded(noise().quantize(16), "GIF"),
    "bmp": encoded(noise(), "BMP"),
    "webp": encoded(noise(), "WEBP"),
    "lossless": encoded(noise(), "WEBP", lossless=True),
    "tiff": encoded(noise(), "TIFF"),
    "lzw": encoded(noise(), "TIFF", compression="tiff_lzw"),
    "deflate": encoded(noise(), "TIFF", compression="tiff_adobe_deflate"),
    "tiff_jpeg": encoded(noise(), "TIFF", compression="jpeg"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_is_cut_off_is_not_taken_for_whole(name, read):
    good = GOOD[name]
    pixels = read(good)
    for kept in sorted({*range(0, len(good), 1 + len(good) // 25), len(good) - 2, len(good) - 1}):
        cut = read(good[:kept])
        assert cut is None or np.array_equal(cut, pixels)


@pytest.mark.parametrize(
    "name", "jpeg progressive restarts png palette gif lzw deflate tiff_jpeg".split()
)
def test_an_end_of_zeros_is_not_taken_for_pixels(name, read):
    """So an interrupted copy can end. Without `intact`, all but lzw and deflate fail here."""
    good = GOOD[name]
    pixels = read(good)
    for kept in sorted(
        {*range(0, len(good), 1 + len(good) // 25), *range(len(good) - 9, len(good))}
    ):
        zeroed = read(good[:kept] + bytes(len(good) - kept))
        assert zeroed is None or np.array_equal(zeroed, pixels)


def test_a_jpeg_within_a_tiff_has_an_end_too(refused):
    good = GOOD["tiff_jpeg"]
    with Image.open(io.BytesIO(good)) as image:
        end = image.tag_v2[integrity.STRIP_OFFSETS][0] + image.tag_v2[integrity.STRIP_SIZES][0]
    assert good[end - 2 : end] == b"\xff\xd9"
    assert "its end is missing" in refused(good[: end - 9] + bytes(9) + good[end:])


def test_a_thumbnails_end_is_not_the_pictures(refused, read):
    app1 = encoded(noise(8, 8), "JPEG")
    good = GOOD["jpeg"]
    thumbed = good[:2] + b"\xff\xe1" + struct.pack(">H", len(app1) + 2) + app1 + good[2:]
    np.testing.assert_array_equal(read(thumbed + b"a film, as phones append"), read(good))
    assert "its end is missing" in refused(thumbed[:-2] + bytes(2))


def test_a_wrong_checksum_is_told(refused):
    damaged = bytearray(GOOD["png"])
    damaged[damaged.index(b"IEND") - 5] ^= 1  # The last byte of the checksum before.
    assert "checksum of its part b'IDAT' is wrong" in refused(bytes(damaged))


@pytest.mark.parametrize("lace", [0, 1])
@pytest.mark.parametrize(
    ("depth", "colour", "row"),
    [(8, 2, 15), (8, 6, 20), (8, 0, 5), (1, 0, 1), (4, 0, 3), (16, 0, 10)],
)
def test_a_png_with_too_few_pixels_is_told(depth, colour, row, lace, refused, read):
    """By hand: of 5×3, the passes of Adam7 have 1×1, 1×1, 0, 1×1, 3×1, 2×2 and 5×1."""
    rows = [row] * 3
    if lace:
        bits = depth * {0: 1, 2: 3, 6: 4}[colour]
        rows = [-(-columns * bits // 8) for columns in (1, 1, 1, 3, 2, 2, 5)]
    whole = b"".join(bytes(count + 1) for count in rows)
    assert read(png(5, 3, whole, depth, colour, lace)).shape == (3, 5, 3)
    assert "1 bytes of its pixels are missing" in refused(
        png(5, 3, whole[:-1], depth, colour, lace)
    )


def test_a_tiff_without_some_rows_is_told(refused, read):
    assert (read(tiff(4, 3, [8, 12, 16])) == 255).all()
    for offsets in ([8, 12], [8, 12, 16, 20]):
        assert "strips or tiles do not make up" in refused(tiff(4, 3, offsets))


def test_the_content_says_what_format_it_is(read):
    for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        for suffix in images.SUFFIXES:
            assert read(encoded(noise(), kind), f"x{suffix}").shape == (16, 24, 3)


@pytest.mark.parametrize("kind", ["EPS", "PPM", "TGA", "ICO", "PDF"])
def test_other_formats_are_never_tried(kind, refused):
    assert "none of the formats JPEG, PNG," in refused(encoded(noise(16, 16), kind))


def test_the_first_picture_of_a_phone_is_read(read):
    """Phones put several JPEGs into one, which Pillow calls MPO."""
    several = encoded(noise(), "MPO", save_all=True, append_images=[Image.new("RGB", (24, 16))])
    with Image.open(io.BytesIO(several)) as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    assert read(several, "x.jpg").mean() == pytest.approx(np.mean(noise()), abs=3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_animations_and_pages_give_the_first(kind, read):
    frames = [Image.new("RGB", (8, 4), colour) for colour in (RED, (0, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    film = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert (read(film) == RED).all()


def test_metadata_that_is_no_such_thing_changes_no_pixel(read):
    junk = b"neither a profile nor a text" * 2000
    for kind in ("JPEG", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        with_junk = encoded(noise(), kind, icc_profile=junk, **options)
        assert len(with_junk) > len(encoded(noise(), kind, **options)) + 100
        np.testing.assert_array_equal(read(with_junk), read(encoded(noise(), kind, **options)))


def test_a_text_that_is_a_bomb_is_not_unpacked(refused):
    text = b"zTXt" + b"title\0\0" + zlib.compress(bytes(2**24))
    part = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    bomb = GOOD["png"][:33] + part + GOOD["png"][33:]
    assert len(bomb) < 20_000
    assert "Decompressed data too large" in refused(bomb)


@pytest.mark.parametrize(
    ("width", "height", "said"),
    [
        (8193, 8192, "at most 67108864 pixels.* it has 8193 × 8192"),
        (10_000, 10_000, "it has 10000 × 10000"),  # Pillow would only warn.
        (20_000, 20_000, "more than 67108864 pixels"),  # Pillow itself refuses.
        (2**20 + 1, 1, "1048576 on a side"),
    ],
)
def test_a_bomb_is_told_before_it_goes_off(width, height, said, tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(width, height, bytes(9), 1, 0))
    with pytest.raises(ValueError, match=rf"bomb\.png'.*{said}"):
        images.read_image(tmp_path / "bomb.png")


def test_the_largest_image_is_read(monkeypatch, read):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 24 * 16)
    assert read(GOOD["png"]).shape == (16, 24, 3)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 24 * 16 - 1)
    assert read(GOOD["png"]) is None


def test_a_file_of_many_bytes_is_not_read(tmp_path):
    with open(tmp_path / "x.webp", "wb") as file:
        file.truncate(images.MAX_BYTES + 1)
    with pytest.raises(ValueError, match=r"at most 536870912 bytes, it has 536870913"):
        images.read_image(tmp_path / "x.webp")


def test_what_is_no_file_is_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")  # Whoever opens it would wait for ever.
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "empty.png").touch()
    for name, reason in (("pipe", "no file"), ("device", "no file"), ("empty", "it is empty")):
        with pytest.raises(ValueError, match=rf"{name}\.png': .*{reason}"):
            images.read_image(tmp_path / f"{name}.png")
    with pytest.raises(ValueError, match="it is a folder"):
        images.read_image(tmp_path)


def test_links_that_lead_nowhere_are_listed_and_named(tmp_path):
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "dangling.png").symlink_to("gone.png")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder").mkdir()
    (tmp_path / "linked.png").symlink_to("folder")
    circle, dangling, _ = paths = listing.listed(tmp_path).paths
    assert [path.stem for path in paths] == ["circle", "dangling", "pipe"]
    with pytest.raises(ValueError, match=r"circle\.png': Too many levels of symbolic links"):
        images.read_image(circle)
    with pytest.raises(FileNotFoundError, match=r"dangling\.png'\. It is a link to 'gone\.png'"):
        images.read_image(dangling)


def test_a_link_to_nothing_is_named_before_anything_is_translated(tmp_path):
    (tmp_path / "in").mkdir()
    link = tmp_path / "in" / "x.jpg"
    link.symlink_to("gone.jpg")
    with pytest.raises(FileNotFoundError, match=r"x\.jpg'. It is a link to 'gone.jpg'"):
        translate.plan([tmp_path / "in"], tmp_path / "out")
    jobs = translate.plan([tmp_path / "in"], tmp_path / "out", check=False)
    assert jobs == [(link, tmp_path / "out" / "x.jpg")]


@pytest.mark.parametrize("name", [b"a b.png", b"'\".png", b"two\nlines.png", b"\xff\xfe.png"])
def test_any_name_will_do_and_is_told_in_one_line(name, tmp_path):
    path = pathlib.Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    path.write_bytes(GOOD["png"])
    assert listing.listed(tmp_path).paths == [path]
    assert images.read_image(path).size == (24, 16)
    path.write_bytes(b"?")
    with pytest.raises(ValueError, match="none of the formats") as error:
        images.read_image(path)
    assert str(error.value).isprintable()
    assert str(error.value).isascii()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.EACCES, ValueError),
        (errno.ENAMETOOLONG, ValueError),
        (errno.EMFILE, OSError),
        (errno.ENOMEM, OSError),
        (errno.EIO, OSError),
    ],
)
def test_the_computers_troubles_are_not_the_images(code, kind, monkeypatch):
    def fails(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(images, "_open", fails)
    with pytest.raises(kind, match=rf"{os.strerror(code)}.*") as error:
        images.read_image("x.png")
    assert type(error.value) is kind
    assert "'x.png'" in str(error.value)


def test_no_memory_is_not_the_images_fault(monkeypatch, tmp_path):
    def fails(*arguments):
        raise MemoryError

    (tmp_path / "x.png").write_bytes(GOOD["png"])
    monkeypatch.setattr(decoding, "decode", fails)
    with pytest.raises(MemoryError):
        images.read_image(tmp_path / "x.png")


def test_remarks_of_pillow_are_neither_seen_nor_errors(read, capfd, monkeypatch):
    """Broken EXIF, for one; pytest would turn the warning into an error."""
    tags = struct.pack("<2sHIH", b"II", 42, 8, 9) + bytes(4)
    broken = encoded(noise(), "JPEG", exif=b"Exif\0\0" + tags)
    with pytest.warns(UserWarning, match="Corrupt EXIF"), Image.open(io.BytesIO(broken)) as image:
        image.getexif()
    before = list(warnings.filters)
    np.testing.assert_array_equal(read(broken), read(GOOD["jpeg"]))
    assert warnings.filters == before
    # What Pillow has no mode for, tifffile reads, and logs what is missing.
    monkeypatch.setattr(logging.root, "handlers", [])  # Those of pytest.
    tifffile.imwrite(file := io.BytesIO(), np.zeros((24, 24)))
    assert read(file.getvalue()[:240]) is None
    assert capfd.readouterr() == ("", "")


def test_many_threads_hush_together():
    """The first that leaves lets nobody be heard, and the last leaves no filter behind."""
    before = list(warnings.filters)
    first_left = threading.Event()

    def remark():
        with hush.hushed():
            assert first_left.wait(30)
            warnings.warn_explicit("odd", UserWarning, "TiffTags.py", 1, "PIL.TiffTags")
            heard.append("nothing")

    heard: list[str] = []
    thread = threading.Thread(target=remark)
    with hush.hushed():
        thread.start()
        while len(hush._inside) < 2:
            pass
    first_left.set()
    thread.join(30)
    assert heard == ["nothing"]
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="odd"):
        warnings.warn_explicit("odd", UserWarning, "TiffTags.py", 1, "PIL.TiffTags")


def test_a_transparent_gray_of_16_bits_is_white(read):
    path = encoded(Image.fromarray(np.array([[0, 257, 65535]], np.uint16)), "PNG", transparency=257)
    assert read(path)[0, :, 1].tolist() == [0, 255, 255]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_the_smallest_and_thinnest_images_are_scaled(size, tmp_path):
    Image.new("RGB", size, RED).save(tmp_path / "x.png")
    image = images.resize(images.read_image(tmp_path / "x.png", (8, 4)), (8, 4))
    assert np.asarray(image).tolist() == [[[*RED]] * 4] * 8


def test_a_png_of_bytes_is_counted_by_hand():
    # 9×9 with 4 bits: 9 rows of 1 + 5 bytes. Interlaced, by the table in its specification:
    # 2×2, 1×2, 3×1, 2×3, 5×2, 4×5 and 9×4 pixels.
    assert integrity._png_bytes(9, 9, 4, 3, 0) == 54
    by_hand = 2 * 2 + 2 * 2 + 1 * 3 + 3 * 2 + 2 * 4 + 5 * 3 + 4 * 6
    assert integrity._png_bytes(9, 9, 4, 3, 1) == by_hand
