"""The images of a study: translations, and what each of them is held against."""

import dataclasses
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.arrays import translate_images
from cyclegan_keras.metrics import paired, round_trip

NUM_EXAMPLES = 6


@dataclasses.dataclass(frozen=True)
class Material:
    """Pairs of images, in random order.

    Attributes:
        scored: The image of each pair that a figure counts the choices of: the translation or, if
            two runs are compared, that of the first run. `(count, height, width, channels)`, uint8.
        other: The other image of each pair, as many and of the same shape but for the size.
        examples: Real images that a participant may see before, `(count, height, width, channels)`,
            uint8; empty if a pair has a real image anyway.
        files: For each pair, the names of the files that the two images are or come from.
        has_real: Whether `other` are real images, so that there is a right answer.
    """

    scored: np.ndarray
    other: np.ndarray
    examples: np.ndarray
    files: list[tuple[str, str]]
    has_real: bool


def num_pairs(loader: DataLoader, way: str, has_real: bool) -> int:
    """Counts the pairs that there can be, without showing an image twice.

    Args:
        loader: Loads the images.
        way: `"AB"` or `"BA"`.
        has_real: Whether translations are held against real images.

    Returns:
        The number of images of the source domain or, against real ones, of the smaller domain.

    Raises:
        FileNotFoundError: If the data set's folder does not exist.
        ValueError: If an image cannot be read, or the test images are wrongly called pairs.
    """
    paired.check_pairs(loader)
    counts = [len(loader.evaluation_pixels(domain)) for domain in (way if has_real else way[0])]
    return min(counts)


def against_real(
    generator: Any, loader: DataLoader, way: str, count: int, rng: random.Random
) -> Material:
    """Holds translations against real images of the target domain.

    Where the ground truth is known, a translation meets its own: both show the same, and only how
    real they look is left to judge. Otherwise it meets any real image.

    Args:
        generator: The generator of that way.
        loader: Loads the images.
        way: `"AB"` or `"BA"`.
        count: The number of pairs, at most `num_pairs`.
        rng: Chooses the images.

    Returns:
        The pairs; no image is in two of them.
    """
    source, target = way[0], way[1]
    pixels, real = loader.evaluation_pixels(source), loader.evaluation_pixels(target)
    chosen = rng.sample(range(len(pixels)), count)
    facing = chosen if loader.test_pairs else rng.sample(range(len(real)), count)
    return Material(
        _translated(generator, pixels[chosen]),
        real[facing],
        real[:0],
        list(zip(_names(loader, source, chosen), _names(loader, target, facing), strict=True)),
        has_real=True,
    )


def of_two_runs(
    generators: Sequence[Any],
    loaders: Sequence[DataLoader],
    way: str,
    count: int,
    rng: random.Random,
) -> Material:
    """Holds the translations of two runs against each other, of one input in each pair.

    Args:
        generators: The generators of that way of both runs.
        loaders: Load the same images as each run takes them.
        way: `"AB"` or `"BA"`.
        count: The number of pairs, at most `num_pairs`.
        rng: Chooses the images.

    Returns:
        The pairs; no input is in two of them.

    Raises:
        ValueError: If the runs have other images, or show them in another shape.
    """
    source, target = way[0], way[1]
    pixels, others = (loader.evaluation_pixels(source) for loader in loaders)
    one, other = loaders
    if len({round_trip.digest(round_trip.files(loader)) for loader in loaders}) > 1:
        raise ValueError(
            "Two runs can be compared on the same images only. Give the images for both with "
            f"--data-dir. Received: those in {str(one.directory)!r} and {str(other.directory)!r}"
        )
    if one.img_res[0] * other.img_res[1] != one.img_res[1] * other.img_res[0]:
        raise ValueError(
            "Two runs can be compared if they show images in the same shape, of any size. "
            f"Received: (height, width) {tuple(one.img_res)} and {tuple(other.img_res)}"
        )
    chosen = rng.sample(range(len(pixels)), count)
    real = one.evaluation_pixels(target)
    examples = rng.sample(range(len(real)), min(NUM_EXAMPLES, len(real)))
    names = _names(one, source, chosen)
    return Material(
        _translated(generators[0], pixels[chosen]),
        _translated(generators[1], others[chosen]),
        real[examples],
        list(zip(names, names, strict=True)),
        has_real=False,
    )


def _translated(generator: Any, pixels: np.ndarray) -> np.ndarray:
    return denormalize(translate_images(generator, normalize(pixels)))


def _names(loader: DataLoader, domain: str, places: Sequence[int]) -> list[str]:
    paths = loader.paths(domain, loader.has_test_images)
    return [paths[place].name for place in places]
