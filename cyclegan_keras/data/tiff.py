"""What the numbers of a TIFF mean, and those numbers where Pillow would change them."""

import os
from collections.abc import Callable
from typing import IO, Any

import numpy as np
import tifffile

from cyclegan_keras.data import integrity

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Tags.
BITS, COMPRESSION, PHOTOMETRIC = 258, 259, 262
ORIENTATION, NUM_BANDS, PLANAR, INK_SET, EXTRA_BANDS, SAMPLE_FORMAT = 274, 277, 284, 332, 338, 339
SUBSAMPLING, DEPTH = 530, 32997

# Photometric interpretations, and how many bands of color each has.
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, MASK, CMYK, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
COLORS = {WHITE_IS_0: 1, BLACK_IS_0: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, LAB: 3}
NAMES = {MASK: "a mask", 9: "ICC L*a*b*", 10: "ITU L*a*b*", 32803: "a camera's raw pixels"}
ASSOCIATED, UNASSOCIATED = 1, 2

UINT, INT, FLOAT = 1, 2, 3
LZW = 5
# Those without loss, of which the decoder is told how much may come out: by number.
COMPRESSIONS = {1: "none", LZW: "LZW", 8: "deflate", 32773: "packbits", 32946: "deflate",
                34925: "LZMA", 50000: "Zstandard"}  # fmt: skip
# What is read in no build or not in all; others are left to the decoder.
UNREAD = {33003: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000", 34887: "LERC",
          34892: "a lossy DNG", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL"}  # fmt: skip

Get = Callable[[int, Any], Any]


def check(get: Get) -> None:
    """Raises an error if what a TIFF says of its numbers is not understood.

    Args:
        get: Gives the value of a tag, or what comes second.

    Raises:
        ValueError: If it is no picture in gray or color; what it is, to come after its name.
    """
    photometric, bands = get(PHOTOMETRIC, BLACK_IS_0), get(NUM_BANDS, 1)
    extra = _many(get(EXTRA_BANDS, ()))
    if photometric not in COLORS:
        raise ValueError(
            f"it is {NAMES.get(photometric, f'of the photometric interpretation {photometric}')}, "
            "which is neither gray nor a color that is known"
        )
    if (compression := get(COMPRESSION, 1)) in UNREAD:
        raise ValueError(
            f"it is compressed as {UNREAD[compression]} is, which is not read in a TIFF; save it "
            "with LZW, with deflate or uncompressed"
        )
    bits, formats = set(_many(get(BITS, 1))), set(_many(get(SAMPLE_FORMAT, UINT)))
    if len(bits) > 1 or len(formats) > 1:
        raise ValueError("its bands are of different types")
    if not formats <= {UINT, INT, FLOAT}:
        raise ValueError(f"its sample format, {formats.pop()}, is none of uint, int and float")
    if photometric == WHITE_IS_0 and formats != {UINT}:
        raise ValueError("its numbers are signed or float, and yet 0 is said to be white")
    if get(DEPTH, 1) > 1:
        raise ValueError("it is a volume; save its slices as files of their own")
    if photometric == CMYK and get(INK_SET, 1) != 1:
        raise ValueError("its inks are not those of CMYK")
    more = bands - COLORS[photometric]
    # RGB with a fourth band of which nothing is said: many programs write transparency so.
    is_alpha = more == 1 and (
        (extra[:1] in ((ASSOCIATED,), (UNASSOCIATED,), (999,)))
        or (photometric == RGB and not extra)
    )
    if more > 0 and not is_alpha:
        raise ValueError(
            f"it has {bands} bands, of which {COLORS[photometric]} can be shown, and what the "
            "others are is not said; save those that you want as gray or RGB"
        )
    if (
        photometric == YCBCR
        and get(COMPRESSION, 1) == 1
        and tuple(get(SUBSAMPLING, (2, 2))) != (1, 1)
    ):
        raise ValueError("its color is stored at a lower resolution in a way that is not read")


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)


def is_exact(get: Get) -> bool:
    """Tells whether Pillow gives the numbers of a TIFF as they are.

    Args:
        get: As for `check`.

    Returns:
        Whether it does; what it cannot open at all, it does not.
    """
    bits, sample = _many(get(BITS, 1))[0], _many(get(SAMPLE_FORMAT, UINT))[0]
    if bits <= 8 or sample == INT:
        return sample == UINT
    if get(PHOTOMETRIC, BLACK_IS_0) not in (BLACK_IS_0, WHITE_IS_0, RGB):
        return True  # As far as can be had: 16 bits of CMYK become 8.
    if get(NUM_BANDS, 1) > 1 or get(PHOTOMETRIC, BLACK_IS_0) == WHITE_IS_0:
        return False
    return bits != 32 or sample == FLOAT


def is_enough(get: Get) -> bool:
    """Tells whether Pillow's 8 bits are a fair copy of what it cannot give in full.

    Args:
        get: As for `check`.

    Returns:
        Whether it is color of 16 bits, with the bands of each pixel together.
    """
    return get(NUM_BANDS, 1) > 2 and get(PLANAR, 1) == 1


def reads(file: IO[bytes], max_pixels: int) -> tuple[np.ndarray, Any]:
    """Reads the first page of a TIFF, as its numbers are.

    Args:
        file: The file, at its start.
        max_pixels: How many it may have.

    Returns:
        `(height, width, bands)`, of any real type, white as it is in the file turned into the
        largest number; and a function that gives its tags, as `check` takes it.

    Raises:
        ValueError: If it is too large, damaged, compressed with loss, or no gray or RGB; what is
            wrong, to come after its name.
    """
    size = os.fstat(file.fileno()).st_size
    with tifffile.TiffFile(file) as tiff:
        page: Any = tiff.pages[0]

        def get(code: int, default: Any) -> Any:
            value = page.tags.valueof(code, default)
            return int(value) if isinstance(value, int) else value

        # A tag that cannot be read is passed over, and what it says would be taken as unsaid.
        tiff.filehandle.seek(page.offset)
        count = tiff.filehandle.read(8 if tiff.is_bigtiff else 2)
        if len(page.tags) != int.from_bytes(count, "little" if tiff.byteorder == "<" else "big"):
            raise ValueError("some of its tags are damaged; it may have been copied in part")
        check(get)
        area = page.imagewidth * page.imagelength
        if not 0 < area <= max_pixels or page.imagedepth != 1:
            raise ValueError(f"it must have at most {max_pixels} pixels; it has {area}")
        if page.tilewidth * page.tilelength > integrity.MAX_TILE:
            raise ValueError(f"its tiles must have at most {integrity.MAX_TILE} pixels")
        if page.compression not in COMPRESSIONS:
            raise ValueError(
                "its numbers are of more than 8 bits and compressed in an unusual way; save it "
                f"uncompressed. Received: compression={int(page.compression)}"
            )
        if page.photometric not in (WHITE_IS_0, BLACK_IS_0, RGB) or page.dtype is None:
            raise ValueError("its numbers are of a type that can only be read of gray and RGB")
        parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
        if len(parts) < np.prod(page.chunked) or any(
            count <= 0 or offset <= 0 or offset + count > size for offset, count in parts
        ):
            raise ValueError("its strips or tiles do not make up the picture")
        _check_lengths(tiff, page, parts)
        pixels = page.asarray(maxworkers=1)
        if page.axes[:1] == "S":  # Each band lies by itself.
            pixels = np.moveaxis(pixels, 0, -1)
        pixels = pixels.reshape(page.imagelength, page.imagewidth, -1)
        if page.photometric == WHITE_IS_0:
            white = (1 << _many(get(BITS, 1))[0]) - 1
            pixels = white - pixels
        if ASSOCIATED in _many(get(EXTRA_BANDS, ())) and pixels.shape[2] in (2, 4):
            pixels = _dissociated(pixels)
        return pixels, get


def _check_lengths(tiff: Any, page: Any, parts: list[tuple[int, int]]) -> None:
    """A strip that holds less than its rows would be filled with zeros."""
    bits = page.bitspersample * (page.samplesperpixel if page.planarconfig == 1 else 1)
    width, height = page.imagewidth, page.imagelength
    rows = min(page.rowsperstrip, height) if not page.is_tiled else page.tilelength
    decompress = tifffile.TIFF.DECOMPRESSORS[page.compression]
    for place, (offset, count) in enumerate(parts):
        if page.is_tiled:
            wanted = rows * -(-page.tilewidth * bits // 8)
        else:
            left = height - rows * (place % -(-height // rows))
            wanted = min(rows, left) * -(-width * bits // 8)
        if decompress is not None:
            tiff.filehandle.seek(offset)
            data = tiff.filehandle.read(count)
            # LZW has an end mark, of which at most one byte is zero, and nobody else looks at it.
            if page.compression == LZW and data.endswith(bytes(3)):
                raise ValueError(integrity.CUT)
            count = len(decompress(data, out=wanted))
        if count < wanted:
            raise ValueError("its strips or tiles do not make up the picture")


def _dissociated(pixels: np.ndarray) -> np.ndarray:
    """Divides colors by the transparency that they were multiplied with."""
    colors, alpha = pixels[..., :-1].astype(np.float64), pixels[..., -1:]
    whole = np.issubdtype(pixels.dtype, np.integer)
    opaque = np.iinfo(pixels.dtype).max if whole else 1
    colors = np.minimum(colors * opaque / np.maximum(alpha, 1 if whole else 1e-9), opaque)
    colors = np.rint(colors) if whole else colors
    return np.concatenate([colors.astype(pixels.dtype), alpha], axis=-1)


def num_pages(file: IO[bytes]) -> int:
    """Counts the pages of a TIFF.

    Args:
        file: The file.

    Returns:
        How many there are, damaged ones not counted.
    """
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tiff:
            return len(tiff.pages)
    except Exception:  # The first page has been read, which is what matters.
        return 1
