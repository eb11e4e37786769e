"""Finds damage that the decoders pass over in silence, as an interrupted copy leaves it behind.

Pillow stops where a file ends too early, but not where its end is zeros or its checksums are wrong:
it would fill the picture with gray or black. What has neither an end mark nor a checksum (BMP,
WebP, AVIF and some kinds of TIFF) cannot be judged, and a wrong bit among the pixels of a JPEG is
not seen.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator
from typing import IO, Any

from PIL import ImageFile, TiffImagePlugin

BLOCK = 2**20
CUT = "its end is missing; it may have been copied in part"

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# The first column and row of each pass, and how far it is to the next ones.
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

JPEG_START = b"\xff\xd8\xff"
# A marker that says how the pixels are coded; of three in its middle, it is something else.
JPEG_FRAME = re.compile(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]")
JPEG_LOSSLESS = b"\xc3\xc7\xcb\xcf"
# A marker that ends the coded pixels: neither a coded 255, nor a filling byte, nor a restart.
JPEG_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
JPEG_END = b"\xff\xd9"

# Tags of TIFF.
STRIP_OFFSETS, STRIP_SIZES = 273, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 322, 323, 324, 325
NUM_BANDS, JPEG_TABLES = 277, 347

# A picture smaller than one tile is stored in a whole one, which a decoder holds in memory.
MAX_TILE = 2**24


def check(file: IO[bytes], image: ImageFile.ImageFile) -> None:
    """Raises an error if a file is visibly damaged.

    Args:
        file: The file. It is left at another place.
        image: What Pillow has opened of it, before its pixels are loaded.

    Raises:
        ValueError: If it is damaged; what is wrong with it, to come after its name.
    """
    if image.format in ("JPEG", "MPO"):
        file.seek(0)
        _check_jpeg(file.read())
    elif image.format == "PNG":
        _check_png(file)
    elif image.format == "GIF":
        _check_gif(file, image.tile[0].offset)
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(file, image)


def _jpeg_markers(data: bytes) -> Iterator[re.Match[bytes]]:
    """Walks from marker to marker, past thumbnails and the like."""
    place = 2
    while found := JPEG_MARKER.search(data, place):
        yield found
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2], "big")


def _check_jpeg(data: bytes) -> None:
    if not any(found[0] == JPEG_END for found in _jpeg_markers(data)):
        raise ValueError(CUT)


def why_no_jpeg(data: bytes) -> str:
    """Says why a JPEG is not read, of which Pillow says only that it is no picture.

    Args:
        data: Of the file.

    Returns:
        What is wrong, to come after its name.
    """
    for found in _jpeg_markers(data):
        if JPEG_FRAME.fullmatch(found[0]):
            bits = data[found.end() + 2 : found.end() + 3]
            kind = (
                "lossless" if found[0][1:] in JPEG_LOSSLESS else f"{bits[0] if bits else '?'}-bit"
            )
            return f"it is a {kind} JPEG, which is not read; save it as PNG or TIFF"
    return CUT


def png_part(file: IO[bytes], wanted: bytes) -> bytes | None:
    """Finds a part of a PNG before its pixels.

    Args:
        file: The file, whose parts have been checked. It is left at another place.
        wanted: The kind of the part, four letters.

    Returns:
        What is in it; `None` if there is none.
    """
    file.seek(len(PNG_START))
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        if kind == wanted:
            return file.read(size)
        if kind == b"IDAT":
            break
        file.seek(size + 4, os.SEEK_CUR)
    return None


def _check_png(file: IO[bytes]) -> None:
    """Compares all checksums, and counts the pixels: Pillow leaves black what there is none of."""
    kind, wanted, inflater = b"", 0, zlib.decompressobj()
    file.seek(len(PNG_START))
    # To the last part, even where the pixels are complete: the orientation may come after them.
    while kind != b"IEND":
        head = file.read(8)
        if len(head) < 8:
            raise ValueError(CUT)
        missing, kind = struct.unpack(">I4s", head)
        checksum = zlib.crc32(kind)
        while missing:
            block = file.read(min(missing, BLOCK))
            if not block:
                raise ValueError(CUT)
            checksum = zlib.crc32(block, checksum)
            missing -= len(block)
            if kind == b"IHDR":
                wanted = _png_bytes(*struct.unpack(">IIBBxxB", block))
            while kind == b"IDAT" and wanted > 0 and block and not inflater.eof:
                wanted -= len(inflater.decompress(block, BLOCK))
                block = inflater.unconsumed_tail
        if file.read(4) != checksum.to_bytes(4, "big"):
            raise ValueError(f"the checksum of its part {kind!r} is wrong")
    if wanted > 0:
        raise ValueError(f"{wanted} bytes of its pixels are missing")


def _png_bytes(width: int, height: int, depth: int, colour: int, interlaced: int) -> int:
    """Counts the bytes that the pixels take, with one more for each row."""
    bits = depth * PNG_CHANNELS[colour]
    count = 0
    for left, top, step_x, step_y in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((left - width) // step_x), -((top - height) // step_y)
        if columns > 0 and rows > 0:
            count += rows * (1 + -(-columns * bits // 8))
    return count


def _check_gif(file: IO[bytes], offset: int) -> None:
    """Looks whether something, or nothing at all, follows the pixels of the first frame."""
    file.seek(offset)
    while size := file.read(1)[:1].strip(b"\0"):
        file.seek(size[0], os.SEEK_CUR)
    following = file.read(BLOCK)
    # Some programs leave a zero too many, and some leave out the end mark.
    if following and following.lstrip(b"\0")[:1] not in (b";", b"!", b","):
        raise ValueError("its first frame is not complete")


def _check_tiff(file: IO[bytes], image: TiffImagePlugin.TiffImageFile) -> None:
    tags: Any = image.tag_v2
    if tags.get(TILE_WIDTH, 1) * tags.get(TILE_HEIGHT, 1) > MAX_TILE:
        raise ValueError(f"its tiles must have at most {MAX_TILE} pixels")
    if not image.use_load_libtiff:
        # Pillow leaves black what no strip or tile covers. Each band may have strips of its own.
        area = image.width * image.height
        boxes = (tile.extents for tile in image.tile)
        covered = sum((box[2] - box[0]) * (box[3] - box[1]) for box in boxes if box)
        if not area <= covered <= area * tags.get(NUM_BANDS, 1):
            raise ValueError("its strips or tiles do not make up the picture")
    elif image.info["compression"] == "jpeg":
        if JPEG_TABLES in tags:
            _check_jpeg(tags[JPEG_TABLES])
        for places, sizes in ((STRIP_OFFSETS, STRIP_SIZES), (TILE_OFFSETS, TILE_SIZES)):
            parts = list(zip(tags.get(places, ()), tags.get(sizes, ()), strict=False))
            if sum(size for _, size in parts) > os.fstat(file.fileno()).st_size:
                raise ValueError("its strips or tiles are longer than the file")
            for place, size in parts:
                file.seek(place)
                _check_jpeg(file.read(size))
