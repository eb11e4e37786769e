"""Images and their partners: side by side in one picture, or in two folders by equal names."""

import collections
import pathlib
from collections.abc import Sequence

from PIL import Image

from cyclegan_keras.config.value_range import Ranges
from cyclegan_keras.data import images


def read_pair(
    path: images.PathLike,
    ranges: Ranges | None = None,
    left_out: images.LeftOut | None = None,
) -> tuple[Image.Image, Image.Image]:
    """Reads a picture that holds a pair side by side.

    Args:
        path: Of the picture.
        ranges: Which numbers are black and white in each half.
        left_out: As for `read_image`.

    Returns:
        Its left half, the image of A, and its right half, the image of B: two RGB images of the
        same size.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read as an image, or has no middle.
    """
    # Not at a reduced size, which can have its middle within a column of pixels.
    range_A, range_B = (None, None) if ranges is None else (ranges["A"], ranges["B"])
    picture = second = images.read_image(path, None, range_A, left_out)
    if range_A != range_B:
        second = images.read_image(path, None, range_B)
    middle, odd = divmod(picture.width, 2)
    if odd:
        raise ValueError(
            f"{str(path)!r} must hold two images of the same size side by side, so its width must "
            f"be an even number of pixels. Received: width={picture.width}. Mend it or take it "
            "out; images that are no pairs belong into the folders 'trainA' and 'trainB'."
        )
    left = picture.crop((0, 0, middle, picture.height))
    return left, second.crop((middle, 0, picture.width, picture.height))


def without_partner(paths_A: Sequence[pathlib.Path], paths_B: Sequence[pathlib.Path]) -> list[str]:
    """Finds images that have no partner of the same name at their place.

    A name may end in `_A` or `_B` after its domain, as in the official `facades` and `maps`.

    Args:
        paths_A: Images of A, sorted.
        paths_B: Images of B, sorted.

    Returns:
        Names without suffix; empty if each image has its partner.
    """
    names_A = [path.stem.removesuffix("_A") for path in paths_A]
    names_B = [path.stem.removesuffix("_B") for path in paths_B]
    count_A, count_B = collections.Counter(names_A), collections.Counter(names_B)
    odd = sorted((count_A - count_B) + (count_B - count_A))
    # Suffixes can change the order: `x.bmp` comes before `x.p.png`, `x.webp` after it.
    return odd or [a for a, b in zip(names_A, names_B, strict=True) if a != b]
