"""Compares Pillow with OpenCV: reading and resizing, how fast, and what each notices of a file.

    python benchmarks/decoding.py [--image FILE] [--rounds 25]

OpenCV is no dependency of the package: `pip install opencv-python-headless`. Both get one thread,
since the loader reads as many images at a time as there are cores, and its time on the processor is
taken, so that other programs disturb little. They take turns; each figure is the median of the
ratios of neighbors.
"""

import argparse
import functools
import io
import pathlib
import statistics
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from cyclegan_keras.data import images

try:
    import cv2
except ImportError:
    cv2 = None

HEIGHT, WIDTH = 1536, 2048
# An image for training is square.
TRAINED, THUMBNAIL = (256, 256), (128, 128)
SIDE = 64  # Of the images that show what is noticed, in pixels.
TOLERANCE = 3  # Levels of 255 that a color may be off: JPEG is not exact.
RED, ORIENTATION = (255, 0, 0), 274

# From a file to `(height, width, bands)` or `(height, width)`: as RGB of 8 bits if the second
# argument says so, or with all that is in it.
Read = Callable[[pathlib.Path, bool], np.ndarray]


def photo(height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    """Makes a picture that compresses about as a photograph does: soft shapes, and grain.

    Args:
        height: In pixels.
        width: Likewise.

    Returns:
        An RGB image, always the same.
    """
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 32, width // 32, 3), np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    grain = rng.normal(0, 4, soft.shape)
    return Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """Encodes an image."""
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def ratio(
    one: Callable[[], object],
    other: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = time.thread_time,
) -> float:
    """Times two functions in turn.

    Args:
        one: The first.
        other: The second.
        rounds: How often each is called, after once that is not timed.
        clock: Gives seconds.

    Returns:
        How many times as long `one` takes as `other`, the median over the rounds.
    """

    def seconds(function: Callable[[], object]) -> float:
        begun = clock()
        function()
        return clock() - begun

    one(), other()
    found = []
    for _ in range(rounds):
        first = seconds(one)
        found.append(first / seconds(other))
    return statistics.median(found)


def aliasing(resize: Callable[[np.ndarray], np.ndarray]) -> float:
    """Measures what becomes of stripes that are too fine for the smaller image.

    Args:
        resize: Shrinks an image of 64 × 64 pixels to 12 × 12.

    Returns:
        How far the result is from the gray that all of it should be, the mean in levels of 255.
        Stripes of one pixel are black and white in turn.
    """
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    return float(np.abs(resize(stripes).astype(float) - 127.5).mean())


def pillow_resize(size: tuple[int, int], kind: str, gap: float | None = None) -> Any:
    """Makes a function that resizes arrays with Pillow.

    Args:
        size: `(height, width)` in pixels.
        kind: The name of the filter.
        gap: As Pillow's `reducing_gap`: shrinks by a whole factor first.

    Returns:
        A function from an array to an array.
    """
    how = Image.Resampling[kind]
    return lambda pixels: np.asarray(
        Image.fromarray(pixels).resize(size[::-1], how, reducing_gap=gap)
    )


def cv2_resize(size: tuple[int, int], kind: str) -> Any:
    """Makes a function that resizes arrays with OpenCV, as `pillow_resize` does with Pillow."""
    how = getattr(cv2, f"INTER_{kind}")
    return lambda pixels: cv2.resize(pixels, size[::-1], interpolation=how)


def speeds(image: Image.Image, folder: pathlib.Path, rounds: int) -> dict[str, float]:
    """Times reading and resizing.

    Args:
        image: A large RGB image.
        folder: Where a file may be written.
        rounds: How often each is done.

    Returns:
        How many times as long Pillow takes as OpenCV, by what was done.
    """
    cv2.setNumThreads(1)
    jpeg, png = encoded(image, "JPEG", quality=90), encoded(image, "PNG")
    jpeg_bytes, png_bytes = (np.frombuffer(data, np.uint8) for data in (jpeg, png))
    pixels, trained = np.asarray(image), np.asarray(image.resize(TRAINED))
    to_trained, to_thumbnail = cv2_resize(TRAINED, "AREA"), cv2_resize(THUMBNAIL, "AREA")

    path = folder / "photo.jpg"
    path.write_bytes(jpeg)

    def drafted() -> Image.Image:
        opened = Image.open(io.BytesIO(jpeg))
        opened.draft("RGB", (2 * TRAINED[1], 2 * TRAINED[0]))
        return opened

    pairs: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "decoding a PNG": (
            lambda: np.asarray(Image.open(io.BytesIO(png))),
            lambda: cv2.imdecode(png_bytes, cv2.IMREAD_COLOR_RGB),
        ),
        "decoding a JPEG": (
            lambda: np.asarray(Image.open(io.BytesIO(jpeg))),
            lambda: cv2.imdecode(jpeg_bytes, cv2.IMREAD_COLOR_RGB),
        ),
        "decoding a JPEG at half its size": (
            lambda: np.asarray(drafted()),
            lambda: cv2.imdecode(jpeg_bytes, cv2.IMREAD_REDUCED_COLOR_2),
        ),
        "that, and shrinking to 256×256: bicubic; area": (
            lambda: np.asarray(images.resize(drafted(), TRAINED)),
            lambda: to_trained(cv2.imdecode(jpeg_bytes, cv2.IMREAD_REDUCED_COLOR_2)),
        ),
        "that, from a file: `read_image`, which checks it; `cv2.imread`": (
            lambda: np.asarray(images.resize(images.read_image(path, TRAINED), TRAINED)),
            lambda: to_trained(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)),
        ),
    }
    for kind, gap in (("BICUBIC", None), ("BICUBIC", 2.0), ("LANCZOS", None), ("BOX", None)):
        shrink, reducing = pillow_resize(TRAINED, kind, gap), " after reducing" if gap else ""
        pairs[f"shrinking to 256×256: {kind.lower()}{reducing}; area"] = (
            functools.partial(shrink, pixels),
            functools.partial(to_trained, pixels),
        )
    pairs["shrinking 256×256 to 128×128: bicubic; area"] = (
        lambda: pillow_resize(THUMBNAIL, "BICUBIC")(trained),
        lambda: to_thumbnail(trained),
    )
    pairs["enlarging 256×256 to 512×512: bicubic; cubic"] = (
        lambda: pillow_resize((512, 512), "BICUBIC")(trained),
        lambda: cv2_resize((512, 512), "CUBIC")(trained),
    )
    return {name: ratio(*pair, rounds) for name, pair in pairs.items()}


def by_pillow(path: pathlib.Path, as_rgb: bool) -> np.ndarray:
    """Reads a file with Pillow alone, upright."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        return np.asarray(upright.convert("RGB") if as_rgb else upright)


def by_opencv(path: pathlib.Path, as_rgb: bool) -> np.ndarray:
    """Reads a file with OpenCV.

    Raises:
        ValueError: If it returns no image.
    """
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB if as_rgb else cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("OpenCV returns no image")
    return pixels


def by_this_package(path: pathlib.Path, as_rgb: bool) -> np.ndarray:
    """Reads a file as this package does for training (RGB), or else for translating."""
    if as_rgb:
        return np.asarray(images.read_image(path))
    picture = images.read_picture(path)
    alpha = [] if picture.alpha is None else [picture.alpha[..., None]]
    return np.concatenate([picture.pixels, *alpha], axis=2)


def is_refused(read: Read, path: pathlib.Path) -> bool:
    """Tells whether a reader notices that a file is damaged."""
    try:
        read(path, True)
    except Exception:  # Whichever it raises.
        return True
    return False


def is_red(read: Read, path: pathlib.Path) -> bool:
    """Tells whether a reader sees the pixel in the upper left corner in full red."""
    return bool(np.abs(read(path, True)[0, 0].astype(int) - RED).max() <= TOLERANCE)


def has_all(read: Read, path: pathlib.Path, wanted: np.ndarray) -> bool:
    """Tells whether a reader gives each band of a file in its own type, in whichever order."""
    found = read(path, False)
    bands = np.moveaxis(np.atleast_3d(found), 2, 0)
    return found.dtype == wanted.dtype and all(
        any(np.array_equal(band, own) for band in bands)
        for own in np.moveaxis(np.atleast_3d(wanted), 2, 0)
    )


def damaged() -> dict[str, tuple[str, bytes]]:
    """Makes damaged files: the suffix and the content of each, by what is wrong."""
    image = photo(8 * SIDE, 8 * SIDE)
    jpeg, png = encoded(image, "JPEG"), encoded(image, "PNG")
    half = bytearray(png)
    half[len(png) // 2] ^= 1
    return {
        "a JPEG that is cut off": ("jpg", jpeg[: len(jpeg) // 2]),
        "a JPEG whose second half is zeros": ("jpg", _half_zeros(jpeg)),
        "a PNG that is cut off": ("png", png[: len(png) // 2]),
        "a PNG whose second half is zeros": ("png", _half_zeros(png)),
        "a PNG with one wrong bit": ("png", bytes(half)),
        "a PNG that lacks rows": ("png", _png_without_rows()),
    }


def _half_zeros(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes(len(data) - len(data) // 2)


def _png_without_rows() -> bytes:
    """A gray PNG that ends as it should, with the pixels of its upper half only."""

    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + bytes([200] * SIDE) for _ in range(SIDE // 2)))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


def red_files() -> dict[str, tuple[str, bytes]]:
    """Makes files that a viewer shows red in the upper left corner: suffix and content."""
    half = Image.new("RGB", (SIDE, SIDE), (0, 0, 255))
    half.paste(RED, (0, 0, SIDE, SIDE // 2))
    exif = Image.Exif()
    exif[ORIENTATION] = 3  # Turned by half a circle.
    swapped = imagecodecs.cms_profile(
        "rgb",
        whitepoint=(0.3127, 0.3290, 1.0),
        primaries=(0.3, 0.6, 1.0, 0.64, 0.33, 1.0, 0.15, 0.06, 1.0),  # Its first band is green.
        gamma=2.2,
    )
    green = Image.new("RGB", (SIDE, SIDE), (0, 255, 0))
    cmyk = Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0))
    clear = Image.new("RGB", (SIDE, SIDE), RED)
    return {
        "plain RGB": ("png", encoded(clear, "PNG")),
        "EXIF orientation": ("jpg", encoded(half.rotate(180), "JPEG", exif=exif)),
        "color profile": ("png", encoded(green, "PNG", icc_profile=swapped)),
        "CMYK JPEG": ("jpg", encoded(cmyk, "JPEG", quality=100)),
    }


def other_pixels() -> dict[str, np.ndarray]:
    """Makes what 8-bit RGB cannot hold, by its name."""
    rng = np.random.default_rng(0)
    return {
        "gray PNG of 16 bits": rng.integers(0, 65536, (SIDE, SIDE), np.uint16),
        "color PNG of 16 bits": rng.integers(0, 65536, (SIDE, SIDE, 3), np.uint16),
        "gray PNG with transparency": rng.integers(0, 256, (SIDE, SIDE, 2), np.uint8),
    }


def noticed(readers: Sequence[Read]) -> dict[str, list[bool]]:
    """Finds out what readers make of files.

    Args:
        readers: One of each library.

    Returns:
        Whether each does what is right, by what that is.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:

        def put(suffix: str, data: bytes) -> pathlib.Path:
            path = pathlib.Path(folder) / f"x.{suffix}"
            path.write_bytes(data)
            return path

        for what, file in damaged().items():
            path = put(*file)
            found[f"refuses {what}"] = [is_refused(read, path) for read in readers]
        for what, file in red_files().items():
            path = put(*file)
            found[f"right colors: {what}"] = [is_red(read, path) for read in readers]
        for what, pixels in other_pixels().items():
            path = put("png", imagecodecs.png_encode(pixels))
            found[f"keeps all of a {what}"] = [has_all(read, path, pixels) for read in readers]
    return found


def table(heading: Sequence[str], rows: dict[str, Sequence[str]]) -> str:
    """Writes a Markdown table."""
    lines = [heading, ["---"] + ["---:"] * (len(heading) - 1), *([n, *c] for n, c in rows.items())]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> int:
    """Measures and prints.

    Returns:
        The exit status: 0, also without OpenCV.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", metavar="FILE", help="a large photo (default: a drawn picture)")
    parser.add_argument("--rounds", type=int, default=25, metavar="N")
    arguments = parser.parse_args()
    if cv2 is None:
        print("Skipped, as OpenCV is not installed: pip install opencv-python-headless")
        return 0
    warnings.simplefilter("ignore")  # What Pillow remarks about damaged files.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    image = photo() if arguments.image is None else images.read_image(arguments.image)
    print(f"Pillow {Image.__version__}, OpenCV {cv2.__version__}, {image.width}×{image.height}\n")
    with tempfile.TemporaryDirectory() as folder:
        found = speeds(image, pathlib.Path(folder), arguments.rounds)
    rows = {what: [f"{share:.1f}"] for what, share in found.items()}
    print(table(["Pillow against OpenCV", "OpenCV is so many times as fast"], rows))
    small = (12, 12)
    filters = {
        "Pillow, bicubic": pillow_resize(small, "BICUBIC"),
        "Pillow, box": pillow_resize(small, "BOX"),
        "OpenCV, area": cv2_resize(small, "AREA"),
        "OpenCV, linear (its default)": cv2_resize(small, "LINEAR"),
        "OpenCV, cubic": cv2_resize(small, "CUBIC"),
    }
    rows = {name: [f"{aliasing(resize):.1f}"] for name, resize in filters.items()}
    print(table(["shrinking fine stripes", "levels from gray"], rows))
    readers = [by_pillow, by_opencv, by_this_package]
    rows = {w: ["yes" if is_so else "no" for is_so in each] for w, each in noticed(readers).items()}
    print(table(["", "Pillow", "OpenCV", "cyclegan_keras"], rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
