"""Pictures of data, networks and training: figures out, no files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cyclegan_keras.data.images import denormalize

INK, PAPER = (32, 32, 32), (255, 255, 255)
CYCLE_TITLES = ("A", "A → B", "A → B → A", "B", "B → A", "B → A → B")


def to_numpy(generator: Any, imgs: Any) -> np.ndarray:
    """Translates a batch of images as it is, without training.

    Args:
        generator: A generator model.
        imgs: `(batch, height, width, channels)`, float32 in [-1, 1].

    Returns:
        The translations, float32 in [-1, 1].
    """
    return np.asarray(generator(imgs, training=False), np.float32)


def image_grid(
    columns: Sequence[np.ndarray], titles: Sequence[str], gap_before: int | None = None
) -> np.ndarray:
    """Sets images side by side under titles.

    Args:
        columns: One batch of images for each column, top to bottom, `(rows, height, width, 3)`,
            float in [-1, 1].
        titles: One for each column.
        gap_before: Index of a column that stands apart from those before it.

    Returns:
        A picture, uint8, `(height, width, 3)`. Images smaller than 128 pixels are enlarged.
    """
    rows, height, width, _ = columns[0].shape
    zoom = max(1, 128 // max(height, width))
    cell_height, cell_width, margin = height * zoom, width * zoom, 4
    header = 22
    lefts = [
        margin + index * (cell_width + margin) + (3 * margin if _apart(index, gap_before) else 0)
        for index in range(len(columns))
    ]
    size = (lefts[-1] + cell_width + margin, header + rows * (cell_height + margin))
    page = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    for left, title, column in zip(lefts, titles, columns, strict=True):
        draw.text((left, 2), title, fill=INK, font=font)
        for row, pixels in enumerate(denormalize(column)):
            tile = Image.fromarray(pixels).resize((cell_width, cell_height), Image.Resampling.BOX)
            page.paste(tile, (left, header + row * (cell_height + margin)))
    return np.asarray(page)


def _apart(index: int, gap_before: int | None) -> bool:
    return gap_before is not None and index >= gap_before


def cycle_grid(g_AB: Any, g_BA: Any, imgs_A: np.ndarray, imgs_B: np.ndarray) -> np.ndarray:
    """Shows what both generators make of some images: A → B → A beside B → A → B.

    Args:
        g_AB: Generator from A to B.
        g_BA: Generator from B to A.
        imgs_A: Images of A, `(rows, height, width, 3)`, float32 in [-1, 1].
        imgs_B: As many images of B.

    Returns:
        A picture, uint8, `(height, width, 3)`.

    Reference:
        *GANs in Action*, `sample_images` in section 9.6.
    """
    fake_B, fake_A = to_numpy(g_AB, imgs_A), to_numpy(g_BA, imgs_B)
    columns = [imgs_A, fake_B, to_numpy(g_BA, fake_B), imgs_B, fake_A, to_numpy(g_AB, fake_A)]
    return image_grid(columns, CYCLE_TITLES, gap_before=3)
