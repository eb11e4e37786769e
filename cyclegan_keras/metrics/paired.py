"""Differences of images, and metrics against the ground truth: absolute error, PSNR, SSIM."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from cyclegan_keras.data.images import denormalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.data.pairs import without_partner
from cyclegan_keras.metrics.round_trip import Batch

LEVELS = 127.5  # 8-bit levels for one unit of [-1, 1]
MAX_PSNR = 100.0  # Of equal images: infinity has no useful mean and is not valid JSON.


def mean_absolute_error(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Computes the mean absolute difference of images.

    Args:
        one: Images in [-1, 1], `(count, height, width, channels)`.
        other: As many images of the same size.

    Returns:
        For each pair, the mean absolute difference in 8-bit levels, in [0, 255].
    """
    return np.mean(np.abs(one.astype(np.float64) - other), axis=(1, 2, 3)) * LEVELS


def psnr(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Computes the peak signal-to-noise ratio of images rounded to 8 bits, with TensorFlow.

    Args:
        one: Images in [-1, 1], `(count, height, width, channels)`.
        other: As many images of the same size.

    Returns:
        For each pair, decibels, at most 100.
    """
    ratios = tf.image.psnr(denormalize(one), denormalize(other), max_val=255).numpy()
    return np.minimum(ratios, MAX_PSNR).astype(np.float64)


def ssim(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Computes the structural similarity of images rounded to 8 bits, with TensorFlow.

    Args:
        one: Images in [-1, 1], `(count, height, width, channels)`, at least 11 pixels a side.
        other: As many images of the same size.

    Returns:
        For each pair, a value of at most 1, which equal images reach: the mean over the channels
        and over all positions of a Gaussian window of 11×11 pixels.

    Reference:
        Wang et al., *Image Quality Assessment: From Error Visibility to Structural Similarity*.
    """
    ratios = tf.image.ssim(denormalize(one), denormalize(other), max_val=255)
    return ratios.numpy().astype(np.float64)


# By the first part of the metric's key.
MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "truth": mean_absolute_error,
    "psnr": psnr,
    "ssim": ssim,
}


def errors(batch: Batch) -> dict[str, np.ndarray]:
    """Computes all metrics that compare single images.

    Args:
        batch: The images.

    Returns:
        By name, a value for each image. `change`: the translation against the input. `cycle`: the
        image translated there and back, against the original. `identity`: the image after the
        generator that should leave it unchanged, against the original. `inversion`: what a
        generator that translates by inversion took the image for, against the image. If the ground
        truth is known, also `truth`, `psnr` and `ssim` of the translation, and
        `truth_untranslated` and so on of the input. All but `psnr` and `ssim` are mean absolute
        differences, in 8-bit levels.
    """
    found = {"change": mean_absolute_error(batch.translated, batch.imgs)}
    if batch.reconstr is not None:
        found["cycle"] = mean_absolute_error(batch.reconstr, batch.imgs)
    if batch.identity is not None:
        found["identity"] = mean_absolute_error(batch.identity, batch.imgs)
    if batch.inverted is not None:
        found["inversion"] = mean_absolute_error(batch.inverted, batch.imgs)
    if batch.truth is not None:
        for name, measure in MEASURES.items():
            found[name] = measure(batch.translated, batch.truth)
            found[f"{name}_untranslated"] = measure(batch.imgs, batch.truth)
    return found


def check_pairs(loader: DataLoader) -> None:
    """Checks that test images are pairs if `dataset.json` says so.

    Args:
        loader: Loads the images.

    Raises:
        ValueError: If `dataset.json` declares the test images pairs, but their names differ.
    """
    if not loader.test_pairs:
        return
    odd = without_partner(*(loader.paths(domain, is_testing=True) for domain in "AB"))
    if odd:
        raise ValueError(
            f"dataset.json in {str(loader.directory)!r} calls the test images pairs, so testA and "
            f"testB must hold images of the same names. Received, on one side only: {odd[:3]}"
        )
