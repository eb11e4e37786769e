"""Pairs of drawn label maps and what they are maps of."""

import pathlib

import numpy as np
from PIL import Image

COLORS = [(0, 0, 224), (255, 160, 0), (192, 255, 64)]
# What each class looks like, but for noise.
LOOKS = np.array([(90, 90, 100), (200, 170, 120), (30, 120, 40)])


def write_pairs(
    folder: pathlib.Path, num_train: int = 3, num_test: int = 2, size: int = 32
) -> None:
    """Writes a data set: photos, so to speak, in A, and their label maps in B.

    Args:
        folder: Of the data set.
        num_train: Number of training pairs.
        num_test: Number of test pairs.
        size: Height and width, in pixels.
    """
    rng = np.random.default_rng(0)
    for split, count in (("train", num_train), ("test", num_test)):
        for domain in "AB":
            (folder / f"{split}{domain}").mkdir(parents=True)
        for number in range(count):
            labels = np.zeros((size, size), int)
            for label in (1, 2):
                top, left = rng.integers(0, size // 2, 2)
                labels[top : top + size // 2, left : left + size // 3] = label
            photo = LOOKS[labels] + rng.integers(-20, 20, (size, size, 3))
            colors = np.array(COLORS)[labels]
            for domain, pixels in (("A", photo), ("B", colors)):
                place = folder / f"{split}{domain}" / f"{number}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(place)
