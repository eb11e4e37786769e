"""From a picture to what a generator takes, and from what it gives to a picture again."""

import dataclasses
from typing import Any

import keras
import numpy as np
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import images
from cyclegan_keras.data.picture import Picture

# Of red, green and blue in a gray, as Pillow has it: ITU-R 601.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# A generator of any size halves at most so often, as far as it may be known.
FACTOR, LEAST = 16, 32


def size_for(generator: keras.Model, size: tuple[int, int]) -> tuple[int, int]:
    """Tells in which size a generator takes a picture.

    Args:
        generator: The generator.
        size: The picture's own `(height, width)`, in pixels.

    Returns:
        `(height, width)`: the generator's, or where it takes any, the picture's, to the nearest
        multiple of 16.
    """
    height, width = (
        max(LEAST, round(own / FACTOR) * FACTOR) if fixed is None else fixed
        for fixed, own in zip(generator.input_shape[1:3], size, strict=True)
    )
    return height, width


def pixels_for(
    generator: keras.Model, picture: Picture, value_range: ValueRange | None = None
) -> np.ndarray:
    """Makes of a picture what a generator takes.

    Args:
        generator: Whose size and channels are wanted.
        picture: Of any size, in gray or RGB.
        value_range: What is black and what is white in it; `None` means by the type of its numbers.

    Returns:
        `(height, width, channels)`, float32 in [-1, 1].

    Raises:
        ValueError: If nobody knows what is black and what is white.
    """
    size, channels = size_for(generator, picture.size), generator.input_shape[3]
    if picture.pixels.dtype == np.uint8 and value_range is None:
        image = images.resize(_in_8_bits(picture), size)
        return images.normalize(images.as_pixels(image, channels))
    shares = picture.shares(value_range)
    if channels == 1 and not picture.is_gray:
        shares = (shares @ LUMA)[..., None]
    shares = np.clip(_resized(shares, size), 0, 1)
    return np.repeat(shares, channels // shares.shape[2], axis=2) * 2 - 1


def picture_of(
    translation: np.ndarray,
    source: Picture,
    value_range: ValueRange | None = None,
    dtype: Any = None,
) -> Picture:
    """Makes a picture of what a generator gives, in size, depth and transparency of its source.

    Args:
        translation: `(height, width, channels)`, float in [-1, 1].
        source: What was translated. Of a gray one, the translation is gray, too, by luma.
        value_range: Which numbers black and white become; `None` means by the type of the source.
        dtype: The type of the result, whose whole range is then used if it is another one, or if
            the source has fewer bits than that; as it is where the type cannot hold `value_range`.
            `None` means type and bits of the source.

    Returns:
        The picture; gray if the source or the generator is.
    """
    is_packed = 8 < source.depth < 8 * source.pixels.itemsize
    if dtype is not None and (dtype != source.pixels.dtype or is_packed):
        source = _in_type(source, dtype)
        value_range = None
    if value_range is not None and not _holds(source.pixels.dtype, value_range):
        value_range = ValueRange(0, np.iinfo(source.pixels.dtype).max)
    if source.pixels.dtype == np.uint8 and value_range is None:
        image = images.resize(images.as_image(images.denormalize(translation)), source.size)
        channels = 1 if source.is_gray or image.mode == "L" else 3
        return dataclasses.replace(source, pixels=images.as_pixels(image, channels))
    shares = np.clip(_resized((translation + 1) / 2, source.size), 0, 1)
    if source.is_gray and shares.shape[2] == 3:
        shares = (shares @ LUMA)[..., None]
    numbers = (value_range or source.own_range).numbers(shares, source.pixels.dtype)
    return dataclasses.replace(source, pixels=numbers)


def without_pixels(picture: Picture) -> Picture:
    """Keeps of a picture what its translation still needs, which is all but the pixels."""
    pixels = picture.pixels
    return dataclasses.replace(
        picture, pixels=np.broadcast_to(np.zeros((), pixels.dtype), pixels.shape)
    )


def _in_8_bits(picture: Picture) -> Image.Image:
    """As `Picture.in_rgb`, in a fraction of the memory."""
    if picture.alpha is None:
        return images.as_image(picture.pixels).convert("RGB")
    return images.to_rgb(Image.fromarray(np.dstack([picture.pixels, picture.alpha])))


def _holds(dtype: Any, value_range: ValueRange) -> bool:
    """Tells whether black and white are among the numbers of a type, up to rounding."""
    if np.dtype(dtype).kind == "f":
        return True
    limits = np.iinfo(dtype)
    return limits.min - 0.5 <= value_range.low and value_range.high <= limits.max + 0.5


def _in_type(source: Picture, dtype: Any) -> Picture:
    """The source as far as its translation needs it, in another type: its transparency."""
    alpha, pixels = None, np.broadcast_to(np.zeros((), dtype), source.pixels.shape)
    if source.alpha is not None:
        alpha = np.rint(source.alpha / source.opaque * np.iinfo(dtype).max).astype(dtype)
    depth = 8 * np.dtype(dtype).itemsize
    return dataclasses.replace(source, pixels=pixels, alpha=alpha, depth=depth)


def _resized(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales each channel in float, as 8 bits would lose what is between the levels."""
    channels = [
        np.asarray(images.resize(Image.fromarray(np.ascontiguousarray(channel)), size))
        for channel in np.moveaxis(np.asarray(shares, np.float32), 2, 0)
    ]
    return np.stack(channels, axis=2)
