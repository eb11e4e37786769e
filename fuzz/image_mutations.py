"""Small images of every kind that is read, and ways to damage them."""

import io
import random
import struct
import zlib
from collections.abc import Callable

import numpy as np
import tifffile
from PIL import Image, features

from cyclegan_keras.data import integrity

EXTREMES = (0, 1, 2, 3, 127, 128, 255, 256, 32767, 32768, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)

Mutation = Callable[[random.Random, bytes, bytes], bytes]


def _picture(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(0)
    slope = np.add.outer(np.arange(height), np.arange(width))[..., None] * (3, 1, 2)
    return Image.fromarray((slope + rng.integers(0, 60, slope.shape)).clip(0, 255).astype("u1"))


def _encode(image: Image.Image, kind: str, film: bool = False, **options: object) -> bytes:
    # Copies, for saving as JPEG leaves something on an image that saving as TIFF trips over.
    if film:
        options |= {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}
    with io.BytesIO() as file:
        image.copy().save(file, kind, **options)
        return file.getvalue()


def seeds() -> dict[str, list[bytes]]:
    """Makes good images, at least one of every mode and compression that Pillow writes."""
    big, small = _picture(40, 24), _picture(17, 16)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    wide = Image.fromarray(np.asarray(small.convert("L")).astype("u2") * 257)
    shares = Image.fromarray(np.asarray(small.convert("L")).astype("f4") / 255)
    glass = small.convert("RGBA")
    glass.putalpha(Image.linear_gradient("L").resize(glass.size))
    colours = small.quantize(16)
    modes = [small, small.convert("L"), small.convert("1"), colours, small.quantize(4), glass]
    found = {
        "BMP": [*(_encode(image, "BMP") for image in (big, *modes)), _rle_bmp()],
        "GIF": [
            *(_encode(image, "GIF") for image in (big.quantize(64), small.convert("L"), colours)),
            _encode(small, "GIF", film=True),
            _encode(small, "GIF", interlace=0, transparency=1, comment=b"a comment"),
        ],
        "JPEG": [
            _encode(big, "JPEG"),
            _encode(big, "JPEG", progressive=True, subsampling=0),
            _encode(small, "JPEG", restart_marker_rows=1, exif=exif, comment=b"a comment"),
            _encode(small.convert("L"), "JPEG", optimize=True),
            *(_encode(big.convert("CMYK"), "JPEG", progressive=kind) for kind in (False, True)),
            _encode(small, "MPO", film=True),
        ],
        "PNG": [
            *(_encode(image, "PNG") for image in (big, *modes, glass.convert("LA"), wide)),
            *(_interlaced(image) for image in (small, small.convert("L"))),
            _encode(small, "PNG", transparency=(0, 0, 0), exif=exif, dpi=(72, 72)),
            _encode(colours, "PNG", transparency=bytes(range(0, 160, 10)), bits=4),
            _encode(small.convert("L"), "PNG", transparency=9, icc_profile=b"no profile" * 9),
            _encode(small, "PNG", film=True),
        ],
        "TIFF": [
            *(_encode(image, "TIFF") for image in (big, *modes, wide, shares)),
            _encode(small.convert("CMYK"), "TIFF"),
            _encode(small.convert("I"), "TIFF"),
            _encode(big, "TIFF", tiffinfo={278: 5, 274: 6}),
            _encode(small, "TIFF", compression="tiff_lzw", film=True),
            *(
                _encode(image, "TIFF", compression=compression)
                for compression in "tiff_lzw tiff_adobe_deflate packbits lzma zstd".split()
                for image in (small, glass)
            ),
            *(_encode(small.convert("1"), "TIFF", compression=f"group{n}") for n in (3, 4)),
            *(_encode(image, "TIFF", compression="jpeg") for image in (big, small.convert("L"))),
            _encode(wide, "TIFF", compression="tiff_lzw"),
            _encode(shares, "TIFF", compression="tiff_adobe_deflate"),
            *_deep_tiffs(small),
        ],
        "JPEG2000": [_encode(big, "JPEG2000"), _encode(small, "JPEG2000", no_jp2=True)],
    }
    if features.check("avif"):
        found["AVIF"] = [_encode(big, "AVIF"), _encode(glass, "AVIF")]
    if features.check("webp"):
        found["WEBP"] = [
            *(_encode(image, "WEBP") for image in (big, glass)),
            *(_encode(image, "WEBP", lossless=True) for image in (big, glass, colours)),
            _encode(small, "WEBP", film=True),
            _encode(small, "WEBP", exif=exif),
        ]
    return found


def _deep_tiffs(image: Image.Image) -> list[bytes]:
    """TIFFs of numbers that Pillow does not read, or not in full."""
    pixels, made = np.asarray(image), []
    for kind, options in (
        ("f8", {}),
        ("f8", {"compression": "lzw", "rowsperstrip": 4}),
        ("u2", {"compression": "zlib", "predictor": True}),
        ("u2", {"tile": (16, 16), "planarconfig": "contig"}),
    ):
        numbers = pixels / 255 if kind == "f8" else pixels.astype(kind) * 257
        with io.BytesIO() as file:
            tifffile.imwrite(file, numbers.astype(kind), photometric="rgb", **options)
            made.append(file.getvalue())
    return made


def _rle_bmp() -> bytes:
    """A BMP of runs, 4×2, which Pillow reads and does not write."""
    palette = bytes(range(64))
    runs = bytes((3, 1, 1, 2, 0, 0, 0, 4, 3, 2, 1, 0, 0, 1))
    header = struct.pack("<IiiHHIIiiII", 40, 4, 2, 1, 8, 1, len(runs), 0, 0, 16, 0)
    offset = 14 + len(header) + len(palette)
    return struct.pack("<2sIHHI", b"BM", offset + len(runs), 0, 0, offset) + header + palette + runs


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Makes one part of a PNG, with its checksum."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def _interlaced(image: Image.Image) -> bytes:
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    passes = []
    for left, top, x, y in integrity.ADAM7:
        passes += [b"\0" + row.tobytes() for row in pixels[top::y, left::x]]
    colour = {1: 0, 3: 2}[pixels.shape[2]]
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, colour, 0, 0, 1)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(b"".join(passes))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 64, 256)))


def _flip(rng: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _set(rng: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    changed[_place(rng, data)] = rng.choice((0, 1, 2, 127, 128, 254, 255, rng.randrange(256)))
    return bytes(changed)


def _place(rng: random.Random, data: bytes) -> int:
    """Headers are short and matter most: half of the changes are there."""
    return rng.randrange(min(len(data), rng.choice((64, 256, len(data), len(data)))))


def _integer(rng: random.Random, data: bytes, other: bytes) -> bytes:
    place, size = _place(rng, data), rng.choice((2, 4))
    number = rng.choice(EXTREMES) % 256**size
    return (
        data[:place] + number.to_bytes(size, rng.choice(("big", "little"))) + data[place + size :]
    )


def _delete(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _duplicate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 1, 40)) + data[end:]


def _swap(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    later = rng.randrange(end, len(data) + 1)
    return data[:start] + data[end:later] + data[start:end] + data[later:]


def _zero(rng: random.Random, data: bytes, other: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + bytes(end - start) + data[end:]


def _zero_tail(rng: random.Random, data: bytes, other: bytes) -> bytes:
    kept = rng.randrange(len(data))
    return data[:kept] + bytes(len(data) - kept)


def _truncate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(rng: random.Random, data: bytes, other: bytes) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + other[min(place, rng.randrange(len(other))) :]


def _several(rng: random.Random, data: bytes, other: bytes) -> bytes:
    for _ in range(rng.randrange(2, 6)):
        data = rng.choice((_flip, _set, _integer, _delete, _duplicate))(rng, data, other) or data
    return data


def _fixed(mutate: Mutation) -> Mutation:
    def mutate_and_fix(rng: random.Random, data: bytes, other: bytes) -> bytes:
        return fix_png(mutate(rng, data, other))

    return mutate_and_fix


def fix_png(data: bytes) -> bytes:
    """Puts right the checksums of a PNG, so that its damage gets past them."""
    place, parts = 8, [data[:8]]
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        content = data[place + 8 : place + 8 + size]
        parts.append(png_chunk(data[place + 4 : place + 8], content))
        place += 12 + len(content)
    return b"".join(parts)


MUTATIONS: dict[str, Mutation] = {
    "flip": _flip,
    "set": _set,
    "integer": _integer,
    "delete": _delete,
    "duplicate": _duplicate,
    "swap": _swap,
    "zero": _zero,
    "zero_tail": _zero_tail,
    "truncate": _truncate,
    "splice": _splice,
    "several": _several,
}
# So that most damaged PNGs get past their checksums.
PNG_MUTATIONS = {
    f"fixed_{name}": _fixed(MUTATIONS[name])
    for name in ("flip", "set", "integer", "delete", "duplicate", "swap", "splice", "several")
}


def mutations(kind: str) -> dict[str, Mutation]:
    """Gives the ways to damage images of one format, by name."""
    return {**MUTATIONS, **PNG_MUTATIONS} if kind == "PNG" else MUTATIONS
