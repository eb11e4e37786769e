"""Large pictures that hold all images of a study, so that no image has a file of its own."""

import base64
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_keras.data.images import as_image, resize

SIDE = 384  # The longer side of an image in pixels, as in the pix2pix and CycleGAN studies.
COLUMNS = 10
PER_SHEET = COLUMNS * COLUMNS  # All browsers decode 3,840 × 3,840 pixels.
QUALITY = 95
BLOCK = 8  # JPEG encodes blocks of that side; images that shared some would show in each other.


def shown_size(height: int, width: int) -> tuple[int, int]:
    """Returns `(height, width)` in which images of a size are shown, in pixels."""
    scale = SIDE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def pitch(size: tuple[int, int]) -> tuple[int, int]:
    """Returns the distance of neighbors in a sheet, `(vertical, horizontal)` in pixels."""
    height, width = (-(-side // BLOCK) * BLOCK for side in size)
    return height, width


def shown(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scales an image, real or translated, in the same way.

    Args:
        pixels: `(height, width, 3)` or `(height, width, 1)`, uint8.
        size: `(height, width)` of the result, in pixels.

    Returns:
        `(height, width, 3)`, uint8.
    """
    return np.asarray(resize(as_image(np.ascontiguousarray(pixels)).convert("RGB"), size))


def sheets(images: Sequence[np.ndarray], size: tuple[int, int]) -> Iterator[str]:
    """Lays images out in rows of 10 and encodes them together.

    What a file of its own would tell of an image, such as its length, cannot be seen: there is one
    JPEG stream for up to 100 images, without EXIF data or comments.

    Args:
        images: In the order of their places, each as for `shown`.
        size: `(height, width)` in which they are shown, in pixels.

    Yields:
        `data:` URIs.
    """
    down, across = pitch(size)
    for first in range(0, len(images), PER_SHEET):
        part = images[first : first + PER_SHEET]
        rows = -(-len(part) // COLUMNS)
        sheet = np.full((rows * down, min(len(part), COLUMNS) * across, 3), 128, np.uint8)
        margins = ((0, down - size[0]), (0, across - size[1]), (0, 0))
        for place, pixels in enumerate(part):
            row, column = divmod(place, COLUMNS)
            y, x = row * down, column * across
            tile = np.pad(shown(pixels, size), margins, mode="edge")
            sheet[y : y + down, x : x + across] = tile
        yield data_uri(sheet)


def data_uri(pixels: np.ndarray) -> str:
    """Encodes a picture as JPEG, with colors in full resolution.

    Args:
        pixels: `(height, width, 3)`, uint8.

    Returns:
        A `data:` URI.
    """
    file = io.BytesIO()
    options: dict[str, Any] = {"quality": QUALITY, "subsampling": 0}
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
