"""Sample grids: translations of the same few images during a training."""

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
from cyclegan_keras.inference.saving import networks_to_save
from cyclegan_keras.metrics.round_trip import ways_of
from cyclegan_keras.training.faults import NotFinite, tolerated
from cyclegan_keras.training.intervals import EveryFewSteps

# Called with a grid (uint8, `(height, width, 3)`), the epoch and the batch, from zero.
Show = Callable[[np.ndarray, int, int], None]
NUM_SAMPLES = 4
SAMPLE_SEED = 9


class SampleGrid(EveryFewSteps):
    """Translates the same few images every `interval` steps.

    It uses test images or, if there are none, training images.

    Args:
        loader: Loads the images.
        interval: Steps between two sample grids.
        show: Called with the grid (uint8, `(height, width, 3)`), the epoch and the batch, both
            counted from zero.
        num_images: Number of images of each domain.

    Raises:
        NotFinite: During the training, if pixels of a translation are NaN.
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
        """Makes the grid and hands it to `show`."""
        try:
            with np.errstate(invalid="raise"):  # Raised for pixels that are NaN.
                grid = _grid(self.model, *self._samples)
        except FloatingPointError:
            raise NotFinite(["a translation"], self.epoch, batch) from None
        self._show(grid, self.epoch, batch)


def _grid(model: Any, imgs_A: np.ndarray, imgs_B: np.ndarray, are_pairs: bool) -> np.ndarray:
    """Shows cycles; for one direction alone, the ground truth if it is known."""
    networks = networks_to_save(model)
    is_one_way = len(ways_of(networks)) == 1
    return plotting.grid_of(networks, imgs_A, imgs_B, are_pairs and is_one_way)


def _samples(loader: DataLoader, num_images: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Loads the same few images of each domain every time, and tells whether they are pairs."""
    testing = loader.has_test_images
    count = min(num_images, *(len(loader.paths(domain, testing)) for domain in "AB"))
    # If test images are pairs, the same seed selects matching images.
    imgs_A, imgs_B = (loader.load_data(domain, count, testing, seed=SAMPLE_SEED) for domain in "AB")
    return imgs_A, imgs_B, loader.test_pairs if testing else loader.paired


def sample_images(model: Any, loader: DataLoader, epoch: int, batch: int) -> Image.Image:
    """Saves a sample grid of a model, and shows it in a notebook.

    Args:
        model: A model with `translators`.
        loader: Loads the images.
        epoch: For the file name.
        batch: For the file name.

    Returns:
        The grid, which is saved as `images/<dataset>/<epoch>_<batch>.png`; no file is overwritten.

    Raises:
        OSError: If it cannot be written.
    """
    grid = _grid(model, *_samples(loader, NUM_SAMPLES))
    path = free_name(pathlib.Path("images") / loader.dataset_name / f"{epoch}_{batch}", ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, grid)
    picture = Image.fromarray(grid)
    if _is_in_notebook():  # Inside a loop, Jupyter does not show values by itself.
        from IPython import display

        display.display(picture)
    return picture


def _is_in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this; that its package was imported is not enough."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def writes_samples_to(directory: PathLike) -> Show:
    """Makes a function that saves the grids of `SampleGrid` as PNG files.

    Args:
        directory: The folder, created with the first file.

    Returns:
        A function that writes `<epoch>_<batch>.png`, the file names of the book.
    """
    folder = pathlib.Path(directory)

    def write(grid: np.ndarray, epoch: int, batch: int) -> None:
        with tolerated(f"the sample {folder / f'{epoch}_{batch}.png'}"):
            folder.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{epoch}_{batch}.png", grid)

    return write


def shows_all(shows: list[Show]) -> Show:
    """Makes a function that hands the grids of `SampleGrid` to several functions.

    Args:
        shows: The functions.

    Returns:
        A function that calls each of them in turn.
    """

    def show(grid: np.ndarray, epoch: int, batch: int) -> None:
        for one in shows:
            one(grid, epoch, batch)

    return show


def shows_samples() -> Show:
    """Makes a function that shows the grids of `SampleGrid` in a notebook.

    Returns:
        A function that replaces the previous grid by the new one.
    """
    from IPython import display

    place = display.display(None, display_id=True)

    def show(grid: np.ndarray, epoch: int, batch: int) -> None:
        place.update(Image.fromarray(grid))

    return show
