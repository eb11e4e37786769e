"""What latents do: how far translations of one image differ, and whether encoders find latents."""

from typing import Any

import numpy as np

from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.inference.arrays import BATCH_SIZE, encode_images, translate_images
from cyclegan_keras.inference.latents import draw_latents, latent_size
from cyclegan_keras.metrics import distances, paired, round_trip
from cyclegan_keras.metrics.features import Extractor, Features

NUM_LATENTS = 10  # With which one image is translated.
MAX_INPUTS = 20  # Images that are translated with so many.
SEED = 1


def one_to_many(
    generator: Any, pixels: np.ndarray, real: Features, extractor: Extractor
) -> float | None:
    """Compares how far translations of one image differ with how far real images do.

    Args:
        generator: The generator.
        pixels: Images of the source domain, `(count, height, width, channels)`, uint8.
        real: Features of real images of the target domain.
        extractor: Computes those of translations.

    Returns:
        The mean distance between 10 translations of one image, averaged over at most 20 images,
        divided by the mean distance between real images; 0 for a generator without a latent. `None`
        if all real images are equal.
    """
    variety = distances.diversity(real)
    if not variety:
        return None
    if not latent_size(generator):
        return 0.0
    latents = draw_latents(generator, NUM_LATENTS, SEED)
    found = []
    for img in normalize(round_trip.spread(pixels, MAX_INPUTS)):
        imgs = np.repeat(img[np.newaxis], NUM_LATENTS, axis=0)
        translated = denormalize(translate_images(generator, imgs, latents))
        found.append(distances.diversity(Features(extractor(translated), extractor.name)))
    return float(np.mean(found)) / variety


def latent_error(networks: dict[str, Any], way: str, pixels: np.ndarray) -> float | None:
    """Measures how well the encoder finds the latent of a translation.

    Args:
        networks: Generators and encoders by name.
        way: `"AB"` or `"BA"`.
        pixels: Images of the source domain, `(count, height, width, channels)`, uint8.

    Returns:
        The mean absolute difference between numbers of latents; 0.8 is what zeros would have.
        `None` without latent and encoder.
    """
    generator, encoder = networks[f"g_{way}"], networks.get(f"e_{way[1]}")
    if encoder is None or not latent_size(generator):
        return None
    latents = draw_latents(generator, len(pixels), SEED)
    errors = []
    for first in range(0, len(pixels), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        imgs = normalize(pixels[part])
        translated = translate_images(generator, imgs, latents[part])
        found = encode_images(encoder, *round_trip.ordered(way, imgs, translated))
        errors.append(np.abs(found - latents[part]).mean(axis=1))
    return float(np.mean(np.concatenate(errors)))


def with_true_latents(
    networks: dict[str, Any], way: str, pixels: np.ndarray, truths: np.ndarray
) -> dict[str, float]:
    """Measures errors to the ground truth, with the latent that the encoder finds in the true pair.

    Args:
        networks: Generators and encoders by name.
        way: `"AB"` or `"BA"`.
        pixels: Images of the source domain, `(count, height, width, channels)`, uint8.
        truths: Their ground truth.

    Returns:
        `mse`: the mean squared error of numbers in [-1, 1]; for a generator without a latent, that
        of its one translation. `truth_encoded`, only with a latent: the mean absolute error, in
        8-bit levels.
    """
    generator, encoder = networks[f"g_{way}"], networks.get(f"e_{way[1]}")
    has_latent = bool(latent_size(generator))
    if has_latent and encoder is None:
        return {}
    squares, errors = [], []
    for first in range(0, len(pixels), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        imgs, true = normalize(pixels[part]), normalize(truths[part])
        latents = None
        if has_latent:
            latents = encode_images(encoder, *round_trip.ordered(way, imgs, true))
        translated = translate_images(generator, imgs, latents)
        squares.append(np.square(translated.astype(np.float64) - true).mean(axis=(1, 2, 3)))
        errors.append(paired.mean_absolute_error(translated, true))
    found = {"mse": float(np.mean(np.concatenate(squares)))}
    if has_latent:
        found["truth_encoded"] = float(np.mean(np.concatenate(errors)))
    return found
