"""Test images through the generators and back, a few at a time."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.arrays import BATCH_SIZE, translate_images

MAX_IMAGES = 500  # of each domain; more would take memory and tell no more
WAYS = ("AB", "BA")


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images on their way, all of one shape, float32 in [-1, 1].

    Attributes:
        imgs: Images of the source.
        translated: Their translations.
        truth: Their true translations, where they are known.
        reconstr: The translations back in the source, where there is a generator for that.
        identity: The images through that generator, which should leave them as they are.
    """

    imgs: np.ndarray
    translated: np.ndarray
    truth: np.ndarray | None
    reconstr: np.ndarray | None
    identity: np.ndarray | None


def ways_of(translators: dict[str, Any]) -> list[str]:
    """Tells which ways generators translate: `"AB"`, `"BA"` or both."""
    return [way for way in WAYS if f"g_{way}" in translators]


def batches(
    translators: dict[str, Any], way: str, pixels: np.ndarray, truths: np.ndarray | None = None
) -> Iterator[Batch]:
    """Translates images one way, and back where that is possible.

    All at once would take more memory than training did.

    Args:
        translators: Generators by name, `g_AB`, `g_BA` or both.
        way: `"AB"` or `"BA"`.
        pixels: Images of the source, `(count, height, width, 3)`, uint8 in [0, 255].
        truths: Their true translations, if they are known.

    Yields:
        Batches of 4 or, the last, fewer.
    """
    g, g_back = translators[f"g_{way}"], translators.get(f"g_{way[::-1]}")
    for first in range(0, len(pixels), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        imgs = normalize(pixels[part])
        translated = translate_images(g, imgs)
        yield Batch(
            imgs,
            translated,
            truth=None if truths is None else normalize(truths[part]),
            reconstr=None if g_back is None else translate_images(g_back, translated),
            identity=None if g_back is None else translate_images(g_back, imgs),
        )


def files(loader: DataLoader) -> dict[str, list[pathlib.Path]]:
    """Names the images to measure on, at most 500 a domain, evenly spaced.

    Args:
        loader: Where they come from.

    Returns:
        For `"A"` and `"B"`, the files of the test images or, where there are none of one domain or
        of both, of the training images.
    """
    found = {domain: loader.paths(domain, loader.has_test_images) for domain in "AB"}
    return {d: [paths[place] for place in places(len(paths))] for d, paths in found.items()}


def digest(found: dict[str, list[pathlib.Path]]) -> str:
    """Makes a short name of images, by which the same ones are known wherever they lie.

    Args:
        found: From `files`.

    Returns:
        The first digits of the SHA-256 of their contents, in their order.

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
    """Takes some of many images, evenly spaced.

    Args:
        pixels: `(count, ...)`.
        most: How many at most.

    Returns:
        All of them, or `most`, in their order.
    """
    return pixels[places(len(pixels), most)]


def places(count: int, most: int = MAX_IMAGES) -> np.ndarray:
    """Tells which of so many images `spread` takes."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
