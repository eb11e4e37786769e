"""Translations of the same few images, now and then."""

import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_keras import plotting
from cyclegan_keras._files import PathLike, free_name
from cyclegan_keras.data.images import write_image
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.training.faults import NotFinite, tolerated
from cyclegan_keras.training.intervals import EveryFewSteps

# Called with a picture (uint8, `(height, width, 3)`), the epoch and the batch, from zero.
Show = Callable[[np.ndarray, int, int], None]
NUM_SAMPLES = 4
SAMPLE_SEED = 9


class SampleGrid(EveryFewSteps):
    """Translates the same few images every so often, and hands the picture on.

    Takes test images, or training images where there are none to test with.

    Args:
        loader: Where the images come from.
        interval: Steps between two pictures.
        show: Called with the picture (uint8, `(height, width, 3)`), the epoch and the batch, both
            counted from zero.
        num_images: Of each domain.

    Raises:
        NotFinite: While it is trained, if a translation has pixels that are no numbers.
    """

    def __init__(
        self,
        loader: DataLoader,
        interval: int,
        show: Show,
        num_images: int = NUM_SAMPLES,
    ) -> None:
        super().__init__(interval)
        self._show = show
        self._samples = _samples(loader, num_images)

    def act(self, batch: int) -> None:
        """Makes the picture and shows it."""
        try:
            with np.errstate(invalid="raise"):  # Of pixels that are no numbers.
                grid = _grid(self.model, *self._samples)
        except FloatingPointError:
            raise NotFinite(["a translation"], self.epoch, batch) from None
        self._show(grid, self.epoch, batch)


def _grid(model: Any, imgs_A: np.ndarray, imgs_B: np.ndarray, are_pairs: bool) -> np.ndarray:
    """Cycles, which show whether a training goes well; of one way, the truth if it is known."""
    translators = model.translators
    return plotting.grid_of(translators, imgs_A, imgs_B, are_pairs and len(translators) == 1)


def _samples(loader: DataLoader, num_images: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """The same few images of each domain each time, and whether they are pairs.

    They are images to train on, if there are none to test with.
    """
    testing = loader.has_test_images
    count = min(num_images, *(len(loader.paths(domain, testing)) for domain in "AB"))
    # Where test images are pairs, the same places show the same scenes.
    imgs_A, imgs_B = (loader.load_data(domain, count, testing, seed=SAMPLE_SEED) for domain in "AB")
    return imgs_A, imgs_B, loader.test_pairs if testing else loader.paired


def sample_images(model: Any, loader: DataLoader, epoch: int, batch: int) -> Image.Image:
    """Keeps a picture of what a model's translators make, and shows it in a notebook.

    Args:
        model: A model with `translators`.
        loader: Where the images come from.
        epoch: Of the picture's name.
        batch: Of the picture's name.

    Returns:
        The picture, as it is in `images/<dataset>/<epoch>_<batch>.png`; no file is overwritten.

    Raises:
        OSError: If it cannot be written.
    """
    grid = _grid(model, *_samples(loader, NUM_SAMPLES))
    path = free_name(pathlib.Path("images") / loader.dataset_name / f"{epoch}_{batch}", ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, grid)
    picture = Image.fromarray(grid)
    if "ipykernel" in sys.modules:  # In the middle of a loop, where a value is not shown by itself.
        from IPython import display

        display.display(picture)
    return picture


def writes_samples_to(directory: PathLike) -> Show:
    """Makes a function that keeps the pictures of `SampleGrid` as PNG files.

    Args:
        directory: The folder, made when the first picture comes.

    Returns:
        A function that writes `<epoch>_<batch>.png`, as the book names them.
    """
    folder = pathlib.Path(directory)

    def write(grid: np.ndarray, epoch: int, batch: int) -> None:
        with tolerated(f"the sample {folder / f'{epoch}_{batch}.png'}"):
            folder.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{epoch}_{batch}.png", grid)

    return write


def shows_all(shows: list[Show]) -> Show:
    """Makes a function that hands the pictures of `SampleGrid` to several others.

    Args:
        shows: Those.

    Returns:
        A function that calls each in turn.
    """

    def show(grid: np.ndarray, epoch: int, batch: int) -> None:
        for one in shows:
            one(grid, epoch, batch)

    return show


def shows_samples() -> Show:
    """Makes a function that shows the pictures of `SampleGrid` in a notebook.

    Returns:
        A function that puts each picture in the place of the one before.
    """
    from IPython import display

    place = display.display(None, display_id=True)

    def show(grid: np.ndarray, epoch: int, batch: int) -> None:
        place.update(Image.fromarray(grid))

    return show
