"""Reading, writing and scaling single images."""

import contextlib
import dataclasses
import errno
import os
import stat
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cyclegan_keras._files import PathLike, written_whole
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import decoding, hush
from cyclegan_keras.data.decoding import LeftOut
from cyclegan_keras.data.formats import FORMATS, SUFFIXES, UNREADABLE
from cyclegan_keras.data.picture import Picture

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "PathLike",
    "Picture",
    "read_image",
    "read_picture",
]

WHITE = (255, 255, 255, 255)
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")

# As much as the largest picture takes uncompressed, with 16 bits for each of four channels.
MAX_BYTES = 8 * decoding.MAX_PIXELS

# The computer's troubles and not the image's: the next image would have them, too.
SYSTEM_ERRORS = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ENODEV, errno.ESTALE}
)


def read_image(
    path: PathLike,
    at_least: tuple[int, int] | None = None,
    value_range: ValueRange | None = None,
    left_out: LeftOut | None = None,
) -> Image.Image:
    """Reads an image as a viewer would show it.

    Turns it as its EXIF orientation says and its colors into those of sRGB, lays transparency on
    white, makes grayscale, palette, CMYK and 16-bit images 8-bit RGB, and takes the first frame of
    an animation or page of a TIFF. The content says which format it is, and not the suffix. What is
    visibly damaged is refused, even where it could be shown in part; see `integrity` for what
    cannot be seen.

    Args:
        path: Of the image.
        at_least: `(height, width)` in pixels that the image will be shrunk to. A far larger JPEG
            is then decoded at a half, a quarter or an eighth of its size, which is much faster; it
            is still at least twice as high and wide as that.
        value_range: Which numbers of the file are black and white; `None` means the least and the
            largest of its type.
        left_out: Where what of the file is left aside is counted, by a noun: frames after the
            first, and color profiles that cannot be used.

    Returns:
        An RGB `PIL.Image.Image`.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the computer fails, and not the file: too many open files, a broken disk.
        ValueError: If it is not an image, may not be read, is damaged, is absurdly large, or its
            numbers are of a kind of which nobody knows what is white.
    """
    counts = LeftOut()
    with opened(path) as file:
        # In its profile: strip by strip, turning colors takes less memory.
        wanted = decoding.Wanted(at_least, exact=value_range is not None, in_profile=True)
        decoded = decoding.decode(file, wanted, counts)
        if left_out is not None:
            left_out.update(counts)
        if isinstance(decoded, Image.Image) and value_range is None:
            return _in_rgb(decoded)
        if isinstance(decoded, Image.Image):
            decoded = decoding.picture_of(decoded)
        return decoded.in_rgb(value_range)


def read_picture(path: PathLike, *, in_profile: bool = False) -> Picture:
    """Reads an image with nothing lost: in its own depth, gray or in color, with transparency.

    It is upright, and the first frame of an animation or page of a TIFF. CMYK becomes RGB, of 8
    bits.

    Args:
        path: Of the image.
        in_profile: Whether colors stay in the profile of the file, where it has one that pictures
            can be written in, so that none is lost that lies outside of sRGB; `Picture.to_srgb`
            turns them. If not, the picture is in sRGB.

    Returns:
        The picture.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the computer fails, and not the file: too many open files, a broken disk.
        ValueError: If it is not an image, may not be read, is damaged, or is absurdly large.
    """
    counts = LeftOut()
    with opened(path) as file:
        wanted = decoding.Wanted(exact=True, whole=True, in_profile=in_profile)
        decoded = decoding.decode(file, wanted, counts)
        picture = decoded if isinstance(decoded, Picture) else decoding.picture_of(decoded)
        return dataclasses.replace(picture, left_out=dict(counts))


@contextlib.contextmanager
def opened(path: PathLike) -> Iterator[IO[bytes]]:
    """Opens the file of an image, and puts into words what goes wrong with it.

    Args:
        path: Of the image.

    Yields:
        The file.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the computer fails, and not the file: too many open files, a broken disk.
        ValueError: If anything else is raised inside, with the name and what is to be done.
    """
    name = os.fspath(path)
    try:
        with _open(name) as file, hush.hushed():
            yield file
            return
    except FileNotFoundError:
        link = f" It is a link to {os.readlink(name)!r}." if os.path.islink(name) else ""
        raise FileNotFoundError(f"No image {name!r}.{link}") from None
    except MemoryError:
        raise
    except UnidentifiedImageError:
        what = _unread_kind(name)
        reason = f"it is in none of the formats {', '.join(FORMATS)}{f' ({what})' if what else ''}"
    except Image.DecompressionBombError:
        reason = f"it has more than {decoding.MAX_PIXELS} pixels"
    except OSError as error:
        if error.errno in SYSTEM_ERRORS:
            raise OSError(error.errno, error.strerror, name) from None
        reason = error.strerror or str(error)
    except Exception as error:  # The decoders raise whatever the damage led to.
        reason = str(error) or type(error).__name__
    reason = " ".join(reason.split())[:300]
    raise ValueError(f"Cannot read the image {name!r}: {reason}. Replace it or take it out.")


def _unread_kind(name: str | bytes) -> str:
    """Tells what is to be done about a picture of a kind that is not read, if it is known."""
    with contextlib.suppress(OSError), open(name, "rb") as file:
        start = file.read(12)
        if start[4:8] == b"ftyp" and start[8:] in HEIC_BRANDS:  # Whatever it is called.
            return UNREADABLE[".heic"]
    return UNREADABLE.get(os.path.splitext(os.fsdecode(name))[1].lower(), "")


def _open(name: str | bytes) -> IO[bytes]:
    """Opens a file, and nothing else: a pipe would wait for ever, a device do who knows what."""
    status = os.stat(name)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"it is {'a folder' if stat.S_ISDIR(status.st_mode) else 'no file'}")
    if not 0 < status.st_size <= MAX_BYTES:
        raise ValueError(
            f"it must have at most {MAX_BYTES} bytes, it has {status.st_size}"
            if status.st_size
            else "it is empty"
        )
    return open(name, "rb")


def to_rgb(image: Image.Image) -> Image.Image:
    """Makes any image 8-bit RGB and upright, as `read_image` says.

    Args:
        image: An open image of any mode.

    Returns:
        An RGB image.

    Raises:
        ValueError: If its pixels are numbers of which nobody knows what is white.
    """
    return _in_rgb(decoding.in_srgb(ImageOps.exif_transpose(image), LeftOut()))


def _in_rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":
        return decoding.picture_of(image).in_rgb()
    if image.has_transparency_data:
        if image.mode != "RGBA":
            image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image)
    return image.convert("RGB")


def resize(image: Image.Image, img_res: tuple[int, int]) -> Image.Image:
    """Stretches or shrinks an image, with antialiasing.

    Args:
        image: The image.
        img_res: `(height, width)` in pixels.

    Returns:
        The image in that size, bicubic; the same object if it had it already.
    """
    height, width = img_res
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def as_pixels(image: Image.Image, channels: int) -> np.ndarray:
    """Makes an array of an image.

    Args:
        image: An RGB image.
        channels: 3 for RGB, or 1 for gray, by luma (ITU-R 601: 0.299 R + 0.587 G + 0.114 B); what
            is gray keeps its levels exactly.

    Returns:
        `(height, width, channels)`, uint8.
    """
    if channels == 3:
        return np.asarray(image)
    return np.asarray(image.convert("L"))[:, :, np.newaxis]


def as_image(pixels: np.ndarray) -> Image.Image:
    """Makes an image of an array.

    Args:
        pixels: uint8, `(height, width, 3)`, `(height, width, 1)` or `(height, width)`.

    Returns:
        An RGB or, of the others, a gray image.
    """
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2:] == (1,) else pixels)


def normalize(pixels: Any) -> np.ndarray:
    """Scales uint8 in [0, 255] to float32 in [-1, 1].

    Args:
        pixels: A uint8 array of any shape.

    Returns:
        A float32 array of the same shape.
    """
    scaled = np.asarray(pixels, np.uint8).astype(np.float32)
    scaled /= 127.5
    scaled -= 1
    return scaled


def denormalize(images: Any) -> np.ndarray:
    """Scales [-1, 1] back to uint8 in [0, 255], rounding; undoes `normalize` exactly.

    Args:
        images: A float array of any shape; values outside of [-1, 1] are clipped.

    Returns:
        A uint8 array of the same shape.
    """
    scaled = (np.asarray(images, np.float32) + 1) * 127.5
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def write_image(path: PathLike, pixels: np.ndarray, compress_level: int = 6) -> None:
    """Writes an image whole or not at all.

    Args:
        path: Where to. The suffix says the format; an existing file is replaced.
        pixels: uint8, `(height, width, 3)`, `(height, width, 1)` or `(height, width)`.
        compress_level: How hard to try to make a PNG small, from 0 (fast) to 9; the pixels are the
            same at any level. 6 is Pillow's own.
    """
    with written_whole(path) as partial:
        as_image(pixels).save(partial, compress_level=compress_level)
