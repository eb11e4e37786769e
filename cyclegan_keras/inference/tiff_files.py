"""Writes a TIFF with numbers of any type and what its source said beside them."""

import pathlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from cyclegan_keras.data.metadata import (
    DESCRIPTION,
    EXIF,
    GPS,
    INTEROP,
    IPTC,
    RESOLUTION_UNIT,
    X_RESOLUTION,
    XMP,
    Y_RESOLUTION,
    loaded,
)
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.inference.attached import Attached

SOFTWARE, DATE_TIME = 305, 306
BYTE, ASCII, SHORT, LONG, DOUBLE = 1, 2, 3, 4, 12
# Without loss, by Pillow's names of what the source has; others, such as JPEG, become deflate.
COMPRESSIONS = {"raw": None, "tiff_lzw": "lzw", "packbits": "packbits"}


def write(
    path: pathlib.Path,
    picture: Picture,
    attached: Attached,
    compression: str | None = None,
    bits: int | None = None,
) -> None:
    """Writes a TIFF.

    Args:
        path: The file, which is replaced.
        picture: With pixels of any type.
        attached: What is written beside them.
        compression: Of the source, by Pillow's name; `None` means none.
        bits: Of each number, if they are fewer than those of its type.

    Raises:
        OSError: If it cannot be written.
    """
    bands = [picture.pixels]
    if picture.alpha is not None:
        bands.append(picture.alpha[..., None])
    pixels = np.concatenate(bands, axis=2)
    exif = Image.Exif() if attached.exif is None else loaded(attached.exif)
    options: dict[str, Any] = {}
    if attached.dpi is not None:
        options |= {"resolution": attached.dpi, "resolutionunit": "INCH"}
    if compression is not None and bits is None:
        options["compression"] = COMPRESSIONS.get(compression, "zlib")
    tifffile.imwrite(
        path,
        np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels),
        photometric="minisblack" if picture.is_gray else "rgb",
        extrasamples=["unassalpha"] if picture.alpha is not None else [],
        bitspersample=bits,
        metadata=None,
        software=_text(exif.get(SOFTWARE)) or False,
        description=_text(exif.get(DESCRIPTION)) or None,
        datetime=None,
        iccprofile=attached.profile,
        extratags=_tags(exif, attached),
        **options,
    )
    _add_directories(path, exif)


def _text(value: Any) -> bytes:
    """Gives the bytes of a text, which Pillow has read as Latin-1, whatever they are."""
    return value.encode("latin-1", "replace") if isinstance(value, str) else b""


def _tags(exif: Image.Exif, attached: Attached) -> list[tuple[int, int, int, Any, bool]]:
    """Tags as `tifffile` takes them: number, type, count, value, and that it is written once."""
    own = (DESCRIPTION, SOFTWARE, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)
    tags: dict[int, Any] = {tag: value for tag, value in exif.items() if tag not in own}
    tags |= {XMP: attached.xmp, IPTC: attached.iptc}
    made: list[tuple[int, int, int, Any, bool]] = []
    for tag, value in sorted(tags.items()):
        if tag in (EXIF, GPS):
            made.append((tag - 1, LONG, 1, 0, True))  # Where it lies is known later.
        elif isinstance(value, str):
            data = _text(value) + b"\0"
            made.append((tag, ASCII, len(data), data, True))
        elif isinstance(value, bytes):
            made.append((tag, BYTE, len(value), value, True))
        elif value is not None:
            made += _of_numbers(tag, value if isinstance(value, tuple) else (value,))
    return made


def _of_numbers(tag: int, values: tuple[Any, ...]) -> list[tuple[int, int, int, Any, bool]]:
    if all(isinstance(value, int) and 0 <= value < 2**32 for value in values):
        kind = SHORT if max(values, default=0) < 2**16 else LONG
        return [(tag, kind, len(values), values, True)]
    try:
        return [(tag, DOUBLE, len(values), tuple(float(value) for value in values), True)]
    except (TypeError, ValueError):
        return []


def _add_directories(path: pathlib.Path, exif: Image.Exif) -> None:
    """Writes the directories of EXIF and GPS behind the pixels."""
    for tag in (EXIF, GPS):
        if tag not in exif:
            continue
        values = dict(exif.get_ifd(tag))
        if isinstance(values.get(INTEROP), int):
            values[INTEROP] = dict(exif.get_ifd(INTEROP))
        with tifffile.TiffFile(path, mode="r+") as tiff:
            order = b"II*\0" if tiff.byteorder == "<" else b"MM\0*"
            directory = TiffImagePlugin.ImageFileDirectory_v2(order + bytes(4), group=tag)
            for key, value in values.items():
                directory[key] = value
            place = tiff.filehandle.size + tiff.filehandle.size % 2
            tiff.filehandle.seek(place)
            tiff.filehandle.write(directory.tobytes(place))
            page: Any = tiff.pages[0]
            # `tifffile` writes no such tags itself, so each was given the number before.
            stand_in = page.tags[tag - 1]
            stand_in.overwrite(place)
            tiff.filehandle.seek(stand_in.offset)
            tiff.filehandle.write(tag.to_bytes(2, "little" if tiff.byteorder == "<" else "big"))
