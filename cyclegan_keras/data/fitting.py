"""How a picture is brought to the training size if it has other proportions."""

import typing
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from cyclegan_keras.data import images

Fit = Literal["stretch", "crop", "pad"]
FITS: tuple[Fit, ...] = typing.get_args(Fit)
Size = tuple[int, int]

# Stretched by more than this, a picture is told: it is the proportion of a 5:4 photo to a square.
FAR = 1.25


class Box(NamedTuple):
    """A part of a picture.

    Attributes:
        top: Its first row, in pixels; a fraction of a pixel is possible.
        left: Its first column.
        height: Its number of rows.
        width: Its number of columns.
    """

    top: float
    left: float
    height: float
    width: float


def checked(fit: str) -> Fit:
    """Returns a fit, or raises an error that teaches.

    Args:
        fit: Should be one of `FITS`.

    Returns:
        The same.

    Raises:
        ValueError: If it is none.
    """
    for known in FITS:
        if fit == known:
            return known
    raise ValueError(f"`fit` must be one of {', '.join(FITS)}. Received: fit={fit!r}")


def stretch_of(size: Size, img_res: Size) -> float:
    """Computes how much stretching changes the proportions of a picture.

    Args:
        size: Its `(height, width)` in pixels.
        img_res: `(height, width)` that it is stretched to.

    Returns:
        At least 1: how many times as much one side is stretched as the other one.
    """
    ratio = (size[0] * img_res[1]) / (size[1] * img_res[0])
    return max(ratio, 1 / ratio)


def cropped_box(size: Size, img_res: Size) -> Box:
    """Finds the largest part of a picture, in its middle, that has given proportions.

    Args:
        size: `(height, width)` of the picture, in pixels.
        img_res: `(height, width)` of those proportions.

    Returns:
        The part: its whole width or its whole height.
    """
    height, width = size
    part_height = min(height, width * img_res[0] / img_res[1])
    part_width = min(width, height * img_res[1] / img_res[0])
    return Box((height - part_height) / 2, (width - part_width) / 2, part_height, part_width)


def padded_box(size: Size, img_res: Size) -> Box:
    """Finds where a picture lies in its padded form.

    Args:
        size: `(height, width)` of the picture, in pixels.
        img_res: `(height, width)` of the padded form.

    Returns:
        The part of `img_res` that the picture fills, in whole pixels: the whole width or the whole
        height. Where the margins cannot be equal, those above and on the left are smaller.
    """
    scale = min(img_res[0] / size[0], img_res[1] / size[1])
    height, width = (
        min(most, max(1, round(own * scale))) for own, most in zip(size, img_res, strict=True)
    )
    return Box((img_res[0] - height) // 2, (img_res[1] - width) // 2, height, width)


def fitted(image: Image.Image, img_res: Size, fit: Fit = "stretch") -> Image.Image:
    """Brings a picture to a given size.

    Args:
        image: An 8-bit image in gray or RGB.
        img_res: `(height, width)` in pixels.
        fit: `"stretch"` scales height and width independently. `"crop"` scales the largest part in
            the middle that has the proportions of `img_res`. `"pad"` scales the whole picture by
            one number, so that it just fits in, and mirrors it at its edges to fill the rest.
            Mirrored margins have the colors and textures of pictures; bars of one color would
            change the statistics of every normalization, and discriminators would see them.

    Returns:
        The image in that size, bicubic with antialiasing. Where the proportions are equal already,
        all three are the same.
    """
    size = (image.height, image.width)
    if fit == "crop":
        box = cropped_box(size, img_res)
        if (box.height, box.width) != size:
            corners = (box.left, box.top, box.left + box.width, box.top + box.height)
            return image.resize(img_res[::-1], Image.Resampling.BICUBIC, box=corners)
    elif fit == "pad":
        box = padded_box(size, img_res)
        if (box.height, box.width) != img_res:
            inner = images.resize(image, (int(box.height), int(box.width)))
            return Image.fromarray(_mirrored(np.asarray(inner), box, img_res))
    return images.resize(image, img_res)


def _mirrored(pixels: np.ndarray, box: Box, img_res: Size) -> np.ndarray:
    margins = [
        (int(first), int(whole - first - part))
        for first, part, whole in zip(box[:2], box[2:], img_res, strict=True)
    ]
    margins += [(0, 0)] * (pixels.ndim - 2)
    return np.pad(pixels, margins, mode="reflect")
