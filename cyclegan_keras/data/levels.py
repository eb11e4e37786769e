"""What range of numbers the images of a domain use: found out, and told if it is too small."""

import concurrent.futures
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from cyclegan_keras.config.value_range import Ranges, ValueRange
from cyclegan_keras.data import images

# Of the pixels of a domain, the share that is left out at either end: hot and dead pixels.
TAIL = 0.001
NUM_QUANTILES = 512

# Of the levels of 0 to 255: a domain that uses less of them is told.
QUARTER = 64
# So many numbers tell as much as all.
ENOUGH = 10_000_000


def find_range(
    paths: Sequence[pathlib.Path], domain: str, part: Callable[[np.ndarray], np.ndarray]
) -> ValueRange | None:
    """Finds the range of numbers in the files of a domain, as `--value-range auto` has it.

    Args:
        paths: Of the files.
        domain: Its name, for an error.
        part: Gives of `(height, width, bands)` what belongs to the domain.

    Returns:
        The range, without the `TAIL` of the numbers at either end; `None` if no file
        can be read, so that reading them tells.

    Raises:
        OSError: If the computer fails.
        ValueError: If all numbers are the same.
    """

    def summary(path: pathlib.Path) -> np.ndarray | None:
        try:
            return quantiles(part(images.read_picture(path).pixels))
        except (ValueError, FileNotFoundError):  # Whoever wants its pixels will be told.
            return None

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        summaries = [each for each in pool.map(summary, paths) if each is not None]
    return found(summaries, domain) if summaries else None


def find_ranges(
    domains: Iterable[tuple[str, Sequence[pathlib.Path]]], side_by_side: bool
) -> Ranges:
    """Finds the ranges of both domains.

    Args:
        domains: The name of each and its files.
        side_by_side: Whether A is the left half of each file and B the right one.

    Returns:
        The ranges.

    Raises:
        OSError: If the computer fails.
        ValueError: If all numbers of a domain are the same.
    """

    def half(domain: str) -> Callable[[np.ndarray], np.ndarray]:
        if not side_by_side:
            return lambda pixels: pixels
        if domain == "A":
            return lambda pixels: pixels[:, : max(1, pixels.shape[1] // 2)]
        return lambda pixels: pixels[:, pixels.shape[1] // 2 :]

    range_A, range_B = (find_range(paths, domain, half(domain)) for domain, paths in domains)
    return {"A": range_A, "B": range_B}


def used(pixels: np.ndarray) -> tuple[int, int]:
    """Finds the levels that images use.

    Args:
        pixels: uint8, of any shape.

    Returns:
        The least and the largest, without the `TAIL` of the pixels at either end.
    """
    flat = pixels.reshape(-1)
    counts = np.bincount(flat[:: 1 + flat.size // ENOUGH], minlength=256)
    shares = np.cumsum(counts) / counts.sum()
    low, high = np.searchsorted(shares, (TAIL, 1 - TAIL))
    return int(low), int(high)


def in_words(pixels: np.ndarray, domain: str, has_range: bool) -> str | None:
    """Says so if images use little of the levels that there are.

    Args:
        pixels: Of the training images of a domain, uint8.
        domain: Its name.
        has_range: Whether a value range was given.

    Returns:
        A sentence; `None` if they use at least a quarter.
    """
    low, high = used(pixels)
    if high - low >= QUARTER:
        return None
    remedy = (
        "Is the value range the right one?"
        if has_range
        else "For data of fewer bits than its files have, give the numbers of black and of white: "
        "`value_range` (--value-range LOW HIGH, or auto)."
    )
    return (
        f"The training images of {domain} are in levels {low} to {high} of 0 to 255, less than a "
        f"quarter of what their files can hold: a generator sees next to no contrast. {remedy}"
    )


def quantiles(pixels: np.ndarray) -> np.ndarray:
    """Sums one picture up, to find the range of many.

    Args:
        pixels: Its numbers, of any shape and real type.

    Returns:
        `NUM_QUANTILES` numbers, float64, sorted, each for as many pixels.
    """
    where = (np.arange(NUM_QUANTILES) + 0.5) / NUM_QUANTILES
    return np.quantile(pixels.astype(np.float64).ravel(), where, method="nearest")


def found(summaries: Sequence[np.ndarray], domain: str) -> ValueRange:
    """Finds the range of a domain, without the `TAIL` at either end.

    Args:
        summaries: Of its pictures, from `quantiles`, in any order.
        domain: Its name, for an error.

    Returns:
        The range.

    Raises:
        ValueError: If all pictures are of one number.
    """
    everything = np.concatenate(summaries)
    low = np.quantile(everything, TAIL, method="lower")
    high = np.quantile(everything, 1 - TAIL, method="higher")
    if low == high:
        low, high = everything.min(), everything.max()
    if low == high:
        raise ValueError(
            f"The pictures of {domain} are all of the number {low:g}, so no value range can be "
            "found. Give the two numbers."
        )
    return ValueRange(float(low), float(high))
