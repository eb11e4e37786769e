"""What a JPEG 2000 says of its numbers and colors, which Pillow passes over."""

import dataclasses
from collections.abc import Iterator

import imagecodecs
import numpy as np

# The start of a codestream, and the marker of what is in it.
CODESTREAM = b"\xff\x4f\xff\x51"
NUM_BANDS, FIRST_BAND = 40, 42  # Places behind that start.
ICC_METHODS = (2, 3)
# A method of naming colors by number, and two such numbers.
ENUMERATED, SRGB, GRAY = bytes([1, 0, 0]), 16, 17
# Of the parts that hold metadata.
UUIDS = {
    "exif": b"JpgTiffExif->JP2",
    "xmp": bytes.fromhex("be7acfcb97a942e89c71999491e3afac"),
}
NAMES = {uuid: name for name, uuid in UUIDS.items()}


@dataclasses.dataclass(frozen=True)
class Header:
    """What is said before the pixels.

    Attributes:
        size: `(height, width)` in pixels.
        bands: The number of bands.
        bits: Of each number.
        is_signed: Whether they can be below 0.
        is_plain: Whether there are at most 4 bands, all alike, each as large as the picture.
        profile: An ICC profile, if there is one.
        exif: EXIF, likewise.
        xmp: XMP, likewise.
    """

    size: tuple[int, int]
    bands: int
    bits: int
    is_signed: bool
    is_plain: bool
    profile: bytes | None
    exif: bytes | None = None
    xmp: bytes | None = None


def header_of(data: bytes) -> Header:
    """Reads what a file says of its numbers.

    Args:
        data: Of the file.

    Returns:
        What it says.

    Raises:
        ValueError: If it says nothing; what is wrong, to come after its name.
    """
    start = data.find(CODESTREAM)
    places = [start + place for place in (8, 12, 16, 20)]
    bands = int.from_bytes(data[start + NUM_BANDS : start + FIRST_BAND])
    parts = data[start + FIRST_BAND : start + FIRST_BAND + 3 * bands]
    if start < 0 or not bands or len(parts) < 3 * bands:
        raise ValueError("it is damaged before its pixels")
    right, bottom, left, top = (int.from_bytes(data[place : place + 4]) for place in places)
    depths = set(parts[::3])
    return Header(
        (bottom - top, right - left),
        bands,
        (parts[0] & 0x7F) + 1,
        bool(parts[0] & 0x80),
        bands <= 4 and len(depths) == 1 and set(parts[1::3]) == set(parts[2::3]) == {1},
        _profile(data),
        **_metadata(data),
    )


def _profile(data: bytes) -> bytes | None:
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"jp2h":
            for inner, first, last in _boxes(data, start, end):
                if inner == b"colr" and data[first] in ICC_METHODS:
                    return data[first + 3 : last]
    return None


def _metadata(data: bytes) -> dict[str, bytes]:
    found = {}
    for kind, start, end in _boxes(data, 0, len(data)):
        name = NAMES.get(data[start : start + 16]) if kind == b"uuid" else None
        if name is not None:
            found[name] = data[start + 16 : end]
    return found


def with_metadata(
    data: bytes, profile: bytes | None, exif: bytes | None, xmp: bytes | None
) -> bytes:
    """Adds to a file what it says beside its pixels.

    Args:
        data: Of a file in the format JP2; a codestream alone has no place for any of it.
        profile: An ICC profile, which replaces what the file says of its colors.
        exif: EXIF, without the prefix `b"Exif"`.
        xmp: XMP.

    Returns:
        The file with it, or the same bytes.
    """
    if data.startswith(CODESTREAM):
        return data
    if profile is not None:
        data = _with_colors(data, bytes([ICC_METHODS[0], 0, 0]) + profile)
    else:
        data = b"".join(_box(k, data[start:end]) for k, start, end in _boxes(data, 0, len(data)))
    for name, found in (("exif", exif), ("xmp", xmp)):
        if found is not None:
            data += _box(b"uuid", UUIDS[name] + found)
    return data


def _with_colors(data: bytes, colors: bytes) -> bytes:
    """Replaces what a file says of its colors, and gives its last part a length of its own."""
    parts = []
    for kind, start, end in _boxes(data, 0, len(data)):
        body = data[start:end]
        if kind == b"jp2h":
            inner = [(k, body[first:last]) for k, first, last in _boxes(body, 0, len(body))]
            inner = [(k, part) for k, part in inner if k != b"colr"]
            # After the header of the image; the palette and the channels come behind.
            inner.insert(1, (b"colr", colors))
            body = b"".join(_box(k, part) for k, part in inner)
        parts.append(_box(kind, body))
    return b"".join(parts)


def _box(kind: bytes, body: bytes) -> bytes:
    if len(body) + 8 < 2**32:
        return (len(body) + 8).to_bytes(4) + kind + body
    return (1).to_bytes(4) + kind + (len(body) + 16).to_bytes(8) + body


def _boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the kind of each part of a file, and where it begins and ends."""
    while place + 8 < end:
        size, kind, start = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8], 8
        if size == 1:
            size, start = int.from_bytes(data[place + 8 : place + 16]), 16
        last = end if size == 0 else place + size
        if not place + start < last <= end:
            return  # A codestream alone, or damage, which decoding tells.
        yield kind, place + start, last
        place = last


def read(data: bytes, header: Header, size: tuple[int, int]) -> np.ndarray:
    """Reads pixels as their numbers are.

    Args:
        data: Of the file.
        header: From `header_of`.
        size: `(height, width)` that was found not to be too large.

    Returns:
        `(height, width, bands)`, of any integer type.

    Raises:
        ValueError: If it is damaged; what is wrong, to come after its name.
    """
    if header.size != size:
        raise ValueError("it says two different sizes of itself; it is damaged")
    if header.profile is not None:
        # The decoder would apply it, with less precision, and others apply it after this.
        data = _with_colors(data, ENUMERATED + (SRGB if header.bands > 2 else GRAY).to_bytes(4))
    return imagecodecs.jpeg2k_decode(data).reshape(*size, -1)
