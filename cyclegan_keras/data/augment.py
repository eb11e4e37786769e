"""Chance in training batches: which images, which part of each, and which way round."""

from typing import NamedTuple

import numpy as np

from cyclegan_keras.data.rows import Rows

# The images of a domain: all decoded, or each when it is wanted.
Pixels = np.ndarray | Rows
Size = tuple[int, int]


def checked_sizes(img_res: Size, load_res: Size | None) -> tuple[Size, Size | None]:
    """Returns the sizes that a loader was given, or raises an error that teaches.

    Args:
        img_res: `(height, width)` of the images that are dealt out.
        load_res: `(height, width)` of those that they are cut out of, or `None`.

    Returns:
        Both, as tuples.

    Raises:
        ValueError: If one is no size, or the second does not contain the first.
    """
    for name, res in (("img_res", img_res), ("load_res", load_res)):
        wanted = name == "img_res" or res is not None
        if wanted and (not isinstance(res, tuple | list) or len(res) != 2 or min(res) < 1):
            raise ValueError(
                f"`{name}` must be (height, width), each at least one pixel. Received: {name}={res}"
            )
    height, width = img_res
    if load_res is None:
        return (height, width), None
    if load_res[0] < height or load_res[1] < width:
        paper = tuple(round(side * 286 / 256) for side in img_res)
        raise ValueError(
            "`load_res` must be at least `img_res` in height and in width, because parts of that "
            f"size are cut out. Received: load_res={load_res}, img_res={img_res}. In the paper's "
            f"proportion, 286 to 256, it would be load_res={paper}."
        )
    return (height, width), (load_res[0], load_res[1])


def shuffled(num_images: int, length: int, rng: np.random.Generator) -> np.ndarray:
    """Shuffles a domain, again and again until there are enough.

    Args:
        num_images: In the domain.
        length: Of the epoch, in images.
        rng: Where chance comes from.

    Returns:
        `(length,)`, places in the domain. None comes twice before all came once.
    """
    rounds = -(-length // num_images)
    return np.concatenate([rng.permutation(num_images) for _ in range(rounds)])[:length]


class Chances(NamedTuple):
    """What chance decided for the images of one batch.

    Attributes:
        tops: `(count,)`, the first row of the part that is cut out of each.
        lefts: `(count,)`, the first column.
        mirrored: `(count,)`, whether each is mirrored, left to right.
    """

    tops: np.ndarray
    lefts: np.ndarray
    mirrored: np.ndarray


def throw(
    count: int, full_res: Size, img_res: Size, flip: bool, rng: np.random.Generator
) -> Chances:
    """Throws the dice for one batch, without touching an image.

    Args:
        count: Images in the batch.
        full_res: `(height, width)` of the images that parts are cut out of.
        img_res: `(height, width)` of the parts, at most that of the images.
        flip: Whether each image is mirrored with a chance of one half.
        rng: Where chance comes from.

    Returns:
        What to cut out and to mirror.
    """
    # Where there is no choice, NumPy leaves `rng` as it was.
    tops = rng.integers(0, full_res[0] - img_res[0], count, endpoint=True)
    lefts = rng.integers(0, full_res[1] - img_res[1], count, endpoint=True)
    mirrored = rng.random(count) < 0.5 if flip else np.zeros(count, bool)
    return Chances(tops, lefts, mirrored)


def cut(pixels: Pixels, chosen: np.ndarray, img_res: Size, chances: Chances) -> np.ndarray:
    """Picks images, cuts a part out of each if they are larger, and mirrors some.

    Args:
        pixels: The domain, `(count, height, width, 3)`, uint8.
        chosen: Places in it.
        img_res: `(height, width)` of the result, at most that of the images.
        chances: From `throw`, for as many images.

    Returns:
        A new array, `(len(chosen), *img_res, 3)`, uint8.
    """
    height, width = img_res
    batch = np.stack(
        [
            pixels[place, top : top + height, left : left + width]
            for place, top, left in zip(chosen, chances.tops, chances.lefts, strict=True)
        ]
    )
    for index in np.flatnonzero(chances.mirrored):
        batch[index] = batch[index, :, ::-1]
    return batch


def draw(
    pixels: Pixels,
    chosen: np.ndarray,
    img_res: Size,
    flip: bool,
    rng: np.random.Generator,
) -> np.ndarray:
    """Throws the dice and cuts accordingly.

    Args:
        pixels: The domain, `(count, height, width, 3)`, uint8.
        chosen: Places in it.
        img_res: `(height, width)` of the result, at most that of the images.
        flip: Whether each image is mirrored with a chance of one half.
        rng: Where chance comes from.

    Returns:
        A new array, `(len(chosen), *img_res, 3)`, uint8.
    """
    full_res = (pixels.shape[1], pixels.shape[2])
    return cut(pixels, chosen, img_res, throw(len(chosen), full_res, img_res, flip, rng))


def centre(pixels: Pixels, img_res: Size) -> Pixels:
    """Cuts the middle out of images.

    Args:
        pixels: `(count, height, width, 3)`.
        img_res: `(height, width)` of the result, at most that of the images.

    Returns:
        `(count, *img_res, 3)`, a view; where the margins cannot be equal, those above and on the
        left are a pixel smaller.
    """
    top, left = ((have - want) // 2 for have, want in zip(pixels.shape[1:3], img_res, strict=True))
    if isinstance(pixels, Rows):
        return pixels.part(top, left, img_res)
    return pixels[:, top : top + img_res[0], left : left + img_res[1]]
