"""The default callbacks of `CycleGAN.train`."""

import pathlib

import keras

from cyclegan_keras._files import free_name
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.training.callbacks.progress_bar import ProgressBar
from cyclegan_keras.training.callbacks.samples import SampleGrid, writes_samples_to


def book_callbacks(loader: DataLoader, sample_interval: int) -> list[keras.callbacks.Callback]:
    """Creates a progress bar, and sample grids in `images/<dataset>/`.

    Args:
        loader: Loads the sample images.
        sample_interval: Steps between two sample grids.

    Returns:
        The callbacks.

    Reference:
        *GANs in Action*, listing 9.6.
    """
    folder = free_name(pathlib.Path("images") / loader.dataset_name)
    return [ProgressBar(), SampleGrid(loader, sample_interval, writes_samples_to(folder))]
