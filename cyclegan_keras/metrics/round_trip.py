"""Translates test images there and back, in small batches."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.arrays import (
    BATCH_SIZE,
    encode_images,
    translate_and_invert,
    translate_images,
)
from cyclegan_keras.inference.latents import draw_latents, latent_size

SEED = 0  # Of latents.
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
            direction. By inversion, that is `inverted`, since the latent variable is known.
        identity: The images, translated by that generator, which should leave them unchanged;
            `None` if it translates by inversion.
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

    A generator with a latent gets a random one for each image, always the same, and the one that
    the encoder finds for the way back.

    Args:
        generators: By name, `g_AB`, `g_BA` or both, and encoders, `e_A` and `e_B`, if there are.
        way: `"AB"` or `"BA"`.
        pixels: Images of the source domain, `(count, height, width, 3)`, uint8 in [0, 255].
        truths: Their ground truth, if it is known.

    Yields:
        Batches of 4 images; the last may have fewer.
    """
    g_back = generators.get(f"g_{way[::-1]}")
    for first in range(0, len(pixels), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        imgs = normalize(pixels[part])
        g = generators[f"g_{way}"]
        fake, inverted = translate_and_invert(g, imgs, _latents_of(g, len(imgs), first))
        reconstr, identity = inverted if g_back is not None else None, None
        if g_back is not None and inverted is None:
            reconstr = returned(generators, way, imgs, fake)
            identity = translate_images(g_back, imgs)
        yield Batch(
            imgs,
            fake,
            truth=None if truths is None else normalize(truths[part]),
            reconstr=reconstr,
            identity=identity,
            inverted=inverted,
        )


def translated(networks: dict[str, Any], way: str, imgs: np.ndarray, first: int = 0) -> np.ndarray:
    """Translates images, each with a random latent if the generator takes one.

    Args:
        networks: Generators and encoders by name.
        way: `"AB"` or `"BA"`.
        imgs: Images of the source domain, `(count, height, width, 3)`, float32 in [-1, 1].
        first: The place of the first among all images, which decides the latents.

    Returns:
        The translations.
    """
    g = networks[f"g_{way}"]
    return translate_images(g, imgs, _latents_of(g, len(imgs), first))


def _latents_of(g: Any, count: int, first: int) -> np.ndarray | None:
    return draw_latents(g, count, (SEED, first)) if latent_size(g) else None


def returned(
    networks: dict[str, Any],
    way: str,
    imgs: np.ndarray,
    fakes: np.ndarray,
    changed: np.ndarray | None = None,
) -> np.ndarray:
    """Translates translations back, with the latents that an encoder finds if these are wanted.

    Args:
        networks: Generators of both directions and encoders, by name.
        way: `"AB"` or `"BA"`, of the translation.
        imgs: The images.
        fakes: Their translations.
        changed: What is translated back instead, the encoders see `fakes`.

    Returns:
        What comes of the images.
    """
    g_back, encoder = networks[f"g_{way[::-1]}"], networks.get(f"e_{way[0]}")
    latents = None
    if latent_size(g_back) and encoder is not None:
        latents = encode_images(encoder, *ordered(way, imgs, fakes))
    return translate_images(g_back, fakes if changed is None else changed, latents)


def ordered(way: str, imgs: np.ndarray, partners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pairs as an encoder takes them: images of A, and then those of B."""
    return (imgs, partners) if way == "AB" else (partners, imgs)


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


def spread(pixels: Any, most: int = MAX_IMAGES) -> np.ndarray:
    """Selects evenly spaced images.

    Args:
        pixels: `(count, ...)`, an array or `Rows`.
        most: The largest number of images to select.

    Returns:
        All of them, or `most`, in their order.
    """
    return pixels[places(len(pixels), most)]


def places(count: int, most: int = MAX_IMAGES) -> np.ndarray:
    """Returns the indices that `spread` selects of `count` images."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
