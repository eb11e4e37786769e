"""What a JPEG 2000 says of its numbers and colors, which Pillow passes over."""

import dataclasses
from collections.abc import Iterator

import imagecodecs
import numpy as np

# The start of a codestream, and the marker of what is in it.
CODESTREAM = b"\xff\x4f\xff\x51"
NUM_BANDS, FIRST_BAND = 40, 42  # Places behind that start.
ICC_METHODS = (2, 3)


@dataclasses.dataclass(frozen=True)
class Header:
    """What is said before the pixels.

    Attributes:
        size: `(height, width)` in pixels.
        bits: Of each number.
        is_signed: Whether they can be below 0.
        is_plain: Whether there are at most 4 bands, all alike, each as large as the picture.
        profile: An ICC profile, if there is one.
    """

    size: tuple[int, int]
    bits: int
    is_signed: bool
    is_plain: bool
    profile: bytes | None


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
        (parts[0] & 0x7F) + 1,
        bool(parts[0] & 0x80),
        bands <= 4 and len(depths) == 1 and set(parts[1::3]) == set(parts[2::3]) == {1},
        _profile(data),
    )


def _profile(data: bytes) -> bytes | None:
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"jp2h":
            for inner, first, last in _boxes(data, start, end):
                if inner == b"colr" and data[first] in ICC_METHODS:
                    return data[first + 3 : last]
    return None


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
    return imagecodecs.jpeg2k_decode(data).reshape(*size, -1)
