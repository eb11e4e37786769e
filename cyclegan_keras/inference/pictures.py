"""Converts pictures to the inputs of a generator, and its outputs to pictures."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import images
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.inference import guided
from cyclegan_keras.inference.guided import Size

# Weights of red, green and blue in gray, as in Pillow: ITU-R 601.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Ranges(NamedTuple):
    """The values of black and white; `None` means the whole range of a file's type.

    Attributes:
        source: In the images that are translated.
        target: In their translations.
    """

    source: ValueRange | None = None
    target: ValueRange | None = None


def pixels_for(
    channels: int, picture: Picture, size: Size, value_range: ValueRange | None = None
) -> np.ndarray:
    """Converts a picture to the input of a generator.

    Args:
        channels: Those of the generator, 1 or 3.
        picture: Of any size, gray or RGB.
        size: `(height, width)` of the input, in pixels.
        value_range: The values of black and white in it; `None` means the whole range of its type.

    Returns:
        `(height, width, channels)`, float32 in [-1, 1].

    Raises:
        ValueError: If the values of black and white are not known.
    """
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
    """Converts the output of a generator to a picture of its source's size, depth and alpha.

    Args:
        translation: `(height, width, channels)`, float in [-1, 1].
        source: The picture that was translated. If it is gray, the translation becomes gray by its
            luma.
        value_range: The values of black and white in the result; `None` means the range of the
            source.
        dtype: The type of the result. If it differs from that of the source, has more bits than the
            source, or cannot hold `value_range`, its whole range is used. `None` means type and
            bits of the source.

    Returns:
        The picture; gray if the source or the generator is.
    """
    source, value_range = _as_target(source, value_range, dtype)
    if source.pixels.dtype == np.uint8 and value_range is None:
        image = images.resize(images.as_image(images.denormalize(translation)), source.size)
        channels = 1 if source.is_gray or image.mode == "L" else 3
        return dataclasses.replace(source, pixels=images.as_pixels(image, channels))
    shares = np.clip(_resized((translation + 1) / 2, source.size), 0, 1)
    if source.is_gray and shares.shape[2] == 3:
        shares = (shares @ LUMA)[..., None]
    numbers = (value_range or source.own_range).numbers(shares, source.pixels.dtype)
    return dataclasses.replace(source, pixels=numbers)


def finished(
    translation: np.ndarray,
    source: Picture,
    ranges: Ranges,
    dtype: Any = None,
    *,
    small: np.ndarray | None = None,
    keep_colors: bool = False,
    side_by_side: bool = False,
) -> Picture:
    """Converts the output of a generator to a picture, with what only its source knows.

    Computes in strips, so that hardly more memory is taken than by source and result.

    Args:
        translation: As for `picture_of`.
        source: The picture that was translated, with its pixels.
        ranges: The values of black and white.
        dtype: As for `picture_of`.
        small: The input of the generator, if the translation gets the detail of the source.
        keep_colors: Whether the result has the chroma of the source.
        side_by_side: Whether the source stands on the left of the result.

    Returns:
        The picture, of twice the width with `side_by_side`; gray if the source is, or if the
        generator is and colors are not kept.
    """
    if small is None and not keep_colors and not side_by_side:
        return picture_of(translation, source, ranges.target, dtype)
    black_and_white = ranges.source or source.own_range
    target, value_range = _as_target(source, ranges.target, dtype)
    value_range = value_range or target.own_range
    translation = np.asarray(translation, np.float32)
    if source.is_gray:
        translation = _gray(translation)
    maps = whole = None
    if small is None:
        whole = np.clip(_resized((translation + 1) / 2, source.size), 0, 1)
    else:
        guide = _gray(small) if 1 in (source.pixels.shape[2], translation.shape[2]) else small
        maps = guided.fit_maps(guide, translation)
    height, width = source.size
    has_color = not source.is_gray and (translation.shape[2] == 3 or keep_colors or side_by_side)
    shape = (height, width * (1 + side_by_side), 3 if has_color else 1)
    pixels = np.empty(shape, target.pixels.dtype)
    for rows in guided.strips(source.size):
        shares = _rows_of(source, rows).shares(black_and_white)
        if maps is None:
            assert whole is not None
            changed = whole[rows]
        else:
            seen = shares if maps.shape[3] > 2 or source.is_gray else _gray(shares)
            changed = (guided.apply_maps(maps, seen * 2 - 1, rows, height) + 1) / 2
            np.clip(changed, 0, 1, out=changed)
        if keep_colors:
            changed = np.clip(shares + (_gray(changed) - _gray(shares)), 0, 1)
        pixels[rows, shape[1] - width :] = value_range.numbers(changed, pixels.dtype)
        if side_by_side:
            pixels[rows, :width] = value_range.numbers(shares, pixels.dtype)
    alpha = target.alpha
    if side_by_side and alpha is not None:
        alpha = np.concatenate([alpha, alpha], axis=1)
    return dataclasses.replace(target, pixels=pixels, alpha=alpha)


def _gray(shares: np.ndarray) -> np.ndarray:
    """Gives the luma, `(height, width, 1)`, also of numbers in [-1, 1]."""
    return shares if shares.shape[2] == 1 else (shares @ LUMA)[..., None]


def _rows_of(picture: Picture, rows: slice) -> Picture:
    alpha = None if picture.alpha is None else picture.alpha[rows]
    return dataclasses.replace(picture, pixels=picture.pixels[rows], alpha=alpha)


def _as_target(
    source: Picture, value_range: ValueRange | None, dtype: Any
) -> tuple[Picture, ValueRange | None]:
    """Finds the type and the values of black and white of a translation, as of `picture_of`."""
    is_packed = 8 < source.depth < 8 * source.pixels.itemsize
    if dtype is not None and (dtype != source.pixels.dtype or is_packed):
        source = _in_type(source, dtype)
        value_range = None
    if value_range is not None and not _holds(source.pixels.dtype, value_range):
        value_range = ValueRange(0, np.iinfo(source.pixels.dtype).max)
    return source, value_range


def without_pixels(picture: Picture) -> Picture:
    """Drops the pixels of a picture, since its translation needs only the rest."""
    pixels = picture.pixels
    return dataclasses.replace(
        picture, pixels=np.broadcast_to(np.zeros((), pixels.dtype), pixels.shape)
    )


def _in_8_bits(picture: Picture) -> Image.Image:
    """Does the same as `Picture.in_rgb`, with a fraction of the memory."""
    if picture.alpha is None:
        return images.as_image(picture.pixels).convert("RGB")
    return images.to_rgb(Image.fromarray(np.dstack([picture.pixels, picture.alpha])))


def _holds(dtype: Any, value_range: ValueRange) -> bool:
    """Whether a type can hold the values of black and white, up to rounding."""
    if np.dtype(dtype).kind == "f":
        return True
    limits = np.iinfo(dtype)
    return limits.min - 0.5 <= value_range.low and value_range.high <= limits.max + 0.5


def _in_type(source: Picture, dtype: Any) -> Picture:
    """Converts the source to another type, without its pixels, which its translation replaces."""
    alpha, pixels = None, np.broadcast_to(np.zeros((), dtype), source.pixels.shape)
    if source.alpha is not None:
        alpha = np.rint(source.alpha / source.opaque * np.iinfo(dtype).max).astype(dtype)
    depth = 8 * np.dtype(dtype).itemsize
    return dataclasses.replace(source, pixels=pixels, alpha=alpha, depth=depth)


def _resized(shares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes each channel in float, because 8 bits would lose intermediate levels."""
    channels = [
        np.asarray(images.resize(Image.fromarray(np.ascontiguousarray(channel)), size))
        for channel in np.moveaxis(np.asarray(shares, np.float32), 2, 0)
    ]
    return np.stack(channels, axis=2)
