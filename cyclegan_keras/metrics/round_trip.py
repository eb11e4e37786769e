"""Translates test images there and back, in small batches."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.arrays import BATCH_SIZE, translate_and_invert, translate_images

MAX_IMAGES = 500  # per domain; more would need memory and change little
WAYS = ("AB", "BA")


@dataclasses.dataclass(frozen=True)
class Batch:
    """A batch of images and what generators make of them, all of one shape, float32 in [-1, 1].

    Attributes:
        imgs: Images of the source domain.
        translated: Their translations.
        truth: Their ground truth, if it is known.
        reconstr: The translations, translated back, if there is a generator for the opposite
            direction.
        identity: The images, translated by that generator, which should leave them unchanged.
        inverted: What they were taken for, if the generator translates by inversion: what the other
            generator makes of the latent variables that were found for them.
    """

    imgs: np.ndarray
    translated: np.ndarray
    truth: np.ndarray | None
    reconstr: np.ndarray | None
    identity: np.ndarray | None
    inverted: np.ndarray | None = None


def ways_of(generators: dict[str, Any]) -> list[str]:
    """Lists the directions in which generators translate: `"AB"`, `"BA"` or both."""
    return [way for way in WAYS if f"g_{way}" in generators]


def batches(
    generators: dict[str, Any], way: str, pixels: np.ndarray, truths: np.ndarray | None = None
) -> Iterator[Batch]:
    """Translates images in one direction, and back if there is a generator for that.

    In batches, because all images at once would need more memory than training did.

    Args:
        generators: By name, `g_AB`, `g_BA` or both.
        way: `"AB"` or `"BA"`.
        pixels: Images of the source domain, `(count, height, width, 3)`, uint8 in [0, 255].
        truths: Their ground truth, if it is known.

    Yields:
        Batches of 4 images; the last may have fewer.
    """
    g, g_back = generators[f"g_{way}"], generators.get(f"g_{way[::-1]}")
    for first in range(0, len(pixels), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        imgs = normalize(pixels[part])
        translated, inverted = translate_and_invert(g, imgs)
        yield Batch(
            imgs,
            translated,
            truth=None if truths is None else normalize(truths[part]),
            reconstr=None if g_back is None else translate_images(g_back, translated),
            identity=None if g_back is None else translate_images(g_back, imgs),
            inverted=inverted,
        )


def files(loader: DataLoader) -> dict[str, list[pathlib.Path]]:
    """Lists the images to evaluate on, at most 500 per domain, evenly spaced.

    Args:
        loader: Loads the images.

    Returns:
        For `"A"` and `"B"`, the files of the test images or, unless both domains have test images,
        of the training images.
    """
    found = {domain: loader.paths(domain, loader.has_test_images) for domain in "AB"}
    return {d: [paths[place] for place in places(len(paths))] for d, paths in found.items()}


def digest(found: dict[str, list[pathlib.Path]]) -> str:
    """Computes a short digest, which identifies the images wherever they are stored.

    Args:
        found: From `files`.

    Returns:
        The first 16 digits of the SHA-256 of their contents, in their order.

    Raises:
        OSError: If one cannot be read.
    """
    whole = hashlib.sha256()
    for domain, paths in found.items():
        whole.update(domain.encode())
        for path in paths:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:16]


def spread(pixels: np.ndarray, most: int = MAX_IMAGES) -> np.ndarray:
    """Selects evenly spaced images.

    Args:
        pixels: `(count, ...)`.
        most: The largest number of images to select.

    Returns:
        All of them, or `most`, in their order.
    """
    return pixels[places(len(pixels), most)]


def places(count: int, most: int = MAX_IMAGES) -> np.ndarray:
    """Returns the indices that `spread` selects of `count` images."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
