"""What a file says beside its pixels: how a picture was made, of what, and by whom."""

import collections
import contextlib
import dataclasses
import re
from typing import IO, Any

from PIL import Image

ORIENTATION = 274
X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
EXIF, GPS, INTEROP, INTEROP_INDEX = 0x8769, 0x8825, 0xA005, 1
COLOR_SPACE, SRGB, WIDTH, HEIGHT = 0xA001, 1, 0xA002, 0xA003
DESCRIPTION, XMP, IPTC = 270, 700, 33723
XMP_KEYS = ("xmp", "XML:com.adobe.xmp")

# In EXIF, what only says how the pixels or a thumbnail are stored, or is kept elsewhere.
OF_STORAGE = frozenset(
    int(tag)
    for tag in (
        "254 255 256 257 258 259 262 266 273 274 277 278 279 284 317 320 322 323 324 325 330 338 "
        "339 347 513 514 529 530 531 532 700 33723 34377 34675"
    ).split()
)
# Of a TIFF, whose tags are of its pixels first: descriptions, EXIF, GPS, and places on the earth.
OF_TIFF = frozenset(
    int(tag)
    for tag in (
        "269 270 271 272 285 305 306 315 316 18246 18249 33432 34665 34853 40091 40092 40093 40094 "
        "40095 33550 33922 34264 34735 34736 34737"
    ).split()
)
# Descriptions of several pages or of arrays, which the one page that is written does not have.
OF_ARRAYS = ("ImageJ=", '{"shape"', "<?xml", "<OME", "SI.")
# XMP that says where in the file a video or a gain map lies, which are not written.
OF_APPENDED = (b"MotionPhoto", b"MicroVideo", b"GContainer", b"ns.google.com/photos", b"hdrgm")
PROFILES = "Raw profile type "  # Other data, as some programs write it into PNG.

BLOCKS = EXIF_BLOCK, XMP_BLOCK = "EXIF block", "XMP block"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a file says beside its pixels.

    Attributes:
        exif: EXIF and, of a TIFF, its descriptive tags, as Pillow saves them, beginning with
            `b"Exif"`: without orientation, for the pixels are upright, and without a thumbnail.
        xmp: XMP, whose orientation is that of upright pixels.
        iptc: IPTC-NAA, with captions and rights of photographs.
        dpi: Pixels per inch, horizontally and vertically.
        texts: Of a PNG, keywords and texts.
        comment: Of a JPEG or a GIF.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    comment: bytes | None = None


def of_image(image: Image.Image, left_out: collections.Counter[str]) -> Metadata:
    """Reads what a file other than a TIFF says.

    Args:
        image: As Pillow has loaded it, turned upright or not.
        left_out: Where what cannot be read is counted.

    Returns:
        The metadata.
    """
    info = image.info
    photoshop = info.get("photoshop")
    comment = info.get("comment")
    return Metadata(
        exif=_cleaned(image.getexif, left_out),
        xmp=_xmp(next((info[key] for key in XMP_KEYS if info.get(key)), None), left_out),
        iptc=photoshop.get(0x0404) if isinstance(photoshop, dict) else None,
        dpi=_dpi(info.get("dpi")),
        texts=_texts(image),
        comment=comment if isinstance(comment, bytes) and comment else None,
    )


def of_tiff(file: IO[bytes], left_out: collections.Counter[str]) -> Metadata:
    """Reads what the first page of a TIFF says.

    Args:
        file: The file. It is left at another place.
        left_out: Where what cannot be read is counted.

    Returns:
        The metadata; of a BigTIFF, none.
    """
    file.seek(0)
    if file.read(4)[:4] in (b"II+\0", b"MM\0+"):
        return Metadata()
    file.seek(0)
    exif = Image.Exif()
    try:
        exif.load_from_fp(file)
        unit = {2: 1.0, 3: 2.54}.get(exif.get(RESOLUTION_UNIT, 2), 0.0)
        dpi = [unit * float(exif.get(tag, 0)) for tag in (X_RESOLUTION, Y_RESOLUTION)]
        xmp, iptc = exif.get(XMP), exif.get(IPTC)
    except Exception:  # Whatever the damage led to; the pixels are read by others.
        left_out[EXIF_BLOCK] += 1
        return Metadata()
    return Metadata(
        exif=_cleaned(lambda: exif, left_out, OF_TIFF),
        xmp=_xmp(xmp, left_out),
        iptc=iptc if isinstance(iptc, bytes) else None,
        dpi=_dpi(dpi),
    )


def of_parts(exif: bytes | None, xmp: bytes | None, left_out: collections.Counter[str]) -> Metadata:
    """Makes metadata of what was found in a file that Pillow does not look into.

    Args:
        exif: EXIF.
        xmp: XMP.
        left_out: Where what cannot be read is counted.

    Returns:
        The metadata.
    """
    return Metadata(
        exif=_cleaned(lambda: loaded(exif), left_out) if exif else None, xmp=_xmp(xmp, left_out)
    )


def loaded(exif: bytes) -> Image.Exif:
    """Loads EXIF from bytes."""
    result = Image.Exif()
    result.load(exif)
    return result


def _cleaned(
    get: Any, left_out: collections.Counter[str], only: frozenset[int] | None = None
) -> bytes | None:
    try:
        exif = get()
        for tag in list(exif):
            if tag in OF_STORAGE or (only is not None and tag not in only):
                del exif[tag]
        if only is not None and str(exif.get(DESCRIPTION, "")).startswith(OF_ARRAYS):
            del exif[DESCRIPTION]
        if not len(exif):
            return None
        for tag in (EXIF, GPS):
            if tag in exif:
                exif.get_ifd(tag)
        return to_bytes(exif)
    except Exception:  # Broken EXIF changes no pixel.
        left_out[EXIF_BLOCK] += 1
        return None


def _xmp(found: Any, left_out: collections.Counter[str]) -> bytes | None:
    if isinstance(found, str):
        found = found.encode("utf-8", "replace")
    if not isinstance(found, bytes) or not found.strip(b"\0"):
        return None
    if not _is_text(found) or any(mark in found for mark in OF_APPENDED):
        left_out[XMP_BLOCK] += 1
        return None
    found = re.sub(rb"(tiff:Orientation\s*=\s*[\"'])\d+", rb"\g<1>1", found)
    return re.sub(rb"(<tiff:Orientation>\s*)\d+", rb"\g<1>1", found)


def _is_text(found: bytes) -> bool:
    try:
        found.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _dpi(found: Any) -> tuple[float, float] | None:
    with contextlib.suppress(Exception):
        x, y = (float(number) for number in found)
        if 0.01 < x < 1e6 and 0.01 < y < 1e6:
            return x, y
    return None


def _texts(image: Any) -> tuple[tuple[str, str], ...]:
    if image.format != "PNG":
        return ()
    found = getattr(image, "text", {})
    return tuple(
        (key, text)
        for key, text in found.items()
        if isinstance(text, str) and not key.startswith(PROFILES) and key not in XMP_KEYS
    )


def to_bytes(exif: Image.Exif) -> bytes:
    """Makes bytes of EXIF, without the thumbnail, which is in a second directory.

    Args:
        exif: The EXIF, whose inner directories are loaded if it is to lose its file.

    Returns:
        It with the prefix `b"Exif"`, for `loaded`.
    """
    # Texts are read as Latin-1, and would be written as ASCII, with question marks.
    for part in (exif, *(exif.get_ifd(tag) for tag in (EXIF, GPS) if tag in exif)):
        for tag, value in list(part.items()):
            if isinstance(value, str) and not value.isascii():
                part[tag] = value.encode("latin-1", "replace")
    return exif.tobytes()


def exif_for(exif: bytes, size: tuple[int, int], in_srgb: bool) -> bytes:
    """Makes EXIF true for a picture that is about to be written.

    Args:
        exif: From `Metadata`.
        size: `(height, width)` of the picture, in pixels.
        in_srgb: Whether its colors were those of another space and now are those of sRGB.

    Returns:
        EXIF with that size, where it gives one, and that color space.
    """
    result = loaded(exif)
    if EXIF in result:
        part = result.get_ifd(EXIF)
        for tag, side in ((HEIGHT, size[0]), (WIDTH, size[1])):
            if tag in part:
                part[tag] = side
        if in_srgb and COLOR_SPACE in part:
            part[COLOR_SPACE] = SRGB
        if in_srgb and str(result.get_ifd(INTEROP).get(INTEROP_INDEX, "")).startswith("R03"):
            part.pop(INTEROP, None)
    return to_bytes(result)
