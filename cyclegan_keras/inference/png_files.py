"""Adds to a PNG what only Pillow writes, and pixels of more than 8 bits, which it does not."""

import io
from collections.abc import Iterator
from typing import Any

from PIL import Image

START = b"\x89PNG\r\n\x1a\n"
OF_PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")


def with_options(data: bytes, options: dict[str, Any]) -> bytes:
    """Adds metadata and a profile to a PNG.

    Args:
        data: Of a PNG that has none.
        options: Arguments of `PIL.Image.Image.save`.

    Returns:
        The PNG with them, before its pixels.
    """
    if not options:
        return data
    # Pillow writes them beside one pixel; all but this pixel is copied.
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "PNG", **options)
    added = b"".join(part for kind, part in _parts(buffer.getvalue()) if kind not in OF_PIXELS)
    place = len(START) + len(next(_parts(data))[1])
    return data[:place] + added + data[place:]


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields the kind of each part, and the part with its length and checksum."""
    place = len(START)
    while place < len(data):
        end = place + 12 + int.from_bytes(data[place : place + 4])
        yield data[place + 4 : place + 8], data[place:end]
        place = end
