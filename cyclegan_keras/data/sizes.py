"""Sizes of pictures, read from the starts of their files."""

import concurrent.futures
import dataclasses
import os
import pathlib
from collections.abc import Sequence

from PIL import Image, UnidentifiedImageError

from cyclegan_keras.data import fitting, images, layout
from cyclegan_keras.data.decoding import ORIENTATION
from cyclegan_keras.data.formats import FORMATS

TURNED = (5, 6, 7, 8)


def read_size(path: images.PathLike) -> fitting.Size:
    """Reads the size of a picture as a viewer would show it, without decoding it.

    Args:
        path: Of the picture.

    Returns:
        Its `(height, width)` in pixels, upright.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If the computer fails, and not the file.
        ValueError: If it is not an image or may not be read.
    """
    with images.opened(path) as file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                height, width = image.height, image.width
                if image.getexif().get(ORIENTATION) in TURNED:
                    height, width = width, height
                return height, width
        except UnidentifiedImageError:
            pass  # A TIFF of a type that Pillow has no mode for.
    return images.read_picture(path).size


@dataclasses.dataclass(frozen=True)
class FolderSizes:
    """The sizes of the pictures in one folder of a data set.

    Attributes:
        folder: Its name.
        sizes: `(height, width)` of each picture that can be read; of one half, where a picture
            holds a pair.
        num_unread: The number of the other ones.
    """

    folder: str
    sizes: list[fitting.Size]
    num_unread: int

    @property
    def num_not_square(self) -> int:
        """The number of pictures whose height and width differ."""
        return sum(height != width for height, width in self.sizes)

    def num_far(self, img_res: fitting.Size) -> int:
        """Counts the pictures that `--fit stretch` would distort visibly.

        Args:
            img_res: `(height, width)` to train at.

        Returns:
            The number of those that are stretched by more than `fitting.FAR`.
        """
        return sum(fitting.stretch_of(size, img_res) > fitting.FAR for size in self.sizes)


def of_data_set(directory: pathlib.Path) -> list[FolderSizes]:
    """Reads the sizes of the pictures of a data set.

    Args:
        directory: Its folder.

    Returns:
        One entry for each folder of training and test pictures.

    Raises:
        FileNotFoundError: If there is no data set.
        OSError: If the computer fails.
        ValueError: If a training folder has no pictures.
    """
    found = layout.find_layout(directory)
    wanted: dict[str, Sequence[pathlib.Path]] = {}
    for is_testing in (False, True) if found.has_test_images else (False,):
        for domain in "AB":
            name = found.folder(domain, is_testing)
            if name not in wanted:
                wanted[name] = found.listed(domain, is_testing).paths

    def size(path: pathlib.Path) -> fitting.Size | None:
        try:
            height, width = read_size(path)
        except (ValueError, FileNotFoundError):  # Training on it tells the reason.
            return None
        return height, max(1, width // 2) if found.side_by_side else width

    result = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, paths in wanted.items():
            sizes = [each for each in pool.map(size, paths) if each is not None]
            result.append(FolderSizes(name, sizes, len(paths) - len(sizes)))
    return result
