"""How far translations are from what they should be."""

from collections import defaultdict
from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.translation import BATCH_SIZE, translate_images

MAX_IMAGES = 500  # of each domain; more would take memory and tell no more
LEVELS = 127.5  # 8-bit levels for one unit of [-1, 1]


def mean_absolute_error(one: np.ndarray, other: np.ndarray) -> float:
    """Measures how far two batches of images are apart.

    Args:
        one: Images in [-1, 1].
        other: As many images of the same size.

    Returns:
        The mean absolute difference in 8-bit levels, in [0, 255].
    """
    return float(np.mean(np.abs(one.astype(np.float64) - other))) * LEVELS


def evaluate(g_AB: Any, g_BA: Any, loader: DataLoader) -> dict[str, float]:
    """Measures both generators on the test images, or on training images where there are none.

    Of more than 500 images a domain, 500 are taken, evenly spaced.

    Args:
        g_AB: Generator from A to B.
        g_BA: Generator from B to A.
        loader: Where the images come from.

    Returns:
        Mean absolute errors in 8-bit levels, in [0, 255]: `cycle_A` and `cycle_B` (there and back
        against the original), `identity_A` and `identity_B` (an image of the target domain against
        its translation); and where the truth is known, `truth_AB` and `truth_BA` (translation
        against truth), with `untranslated` (original against truth; the same both ways) to hold
        them against. `num_A` and `num_B` are the numbers of images, `on_test_images` says which.

    Raises:
        ValueError: If the test images are said to be pairs and are not.
    """
    testing = loader.has_test_images
    pixels_A, pixels_B = (_spread(loader.pixels(domain, testing)) for domain in "AB")
    if loader.test_pairs:
        check_pairs(loader)
    truths = (pixels_B, pixels_A) if loader.test_pairs else (None, None)
    errors_A = _errors(g_AB, g_BA, pixels_A, truths[0])
    errors_B = _errors(g_BA, g_AB, pixels_B, truths[1])
    figures: dict[str, float] = {
        "num_A": len(pixels_A),
        "num_B": len(pixels_B),
        "on_test_images": testing,
        "cycle_A": errors_A["cycle"],
        "cycle_B": errors_B["cycle"],
        "identity_A": errors_A["identity"],
        "identity_B": errors_B["identity"],
    }
    if loader.test_pairs:
        figures["truth_AB"] = errors_A["truth"]
        figures["truth_BA"] = errors_B["truth"]
        figures["untranslated"] = errors_A["untranslated"]
    return figures


def _errors(g: Any, g_back: Any, pixels: np.ndarray, truths: np.ndarray | None) -> dict[str, float]:
    """Measures one direction, a few images at a time: all at once would take more than training."""
    sums: dict[str, float] = defaultdict(float)
    for first in range(0, len(pixels), BATCH_SIZE):
        imgs = normalize(pixels[first : first + BATCH_SIZE])
        translated = translate_images(g, imgs)
        pairs = {
            "cycle": (translate_images(g_back, translated), imgs),
            "identity": (translate_images(g_back, imgs), imgs),
        }
        if truths is not None:
            truth = normalize(truths[first : first + BATCH_SIZE])
            pairs |= {"truth": (translated, truth), "untranslated": (imgs, truth)}
        for name, (one, other) in pairs.items():
            sums[name] += len(imgs) * mean_absolute_error(one, other)
    return {name: total / len(pixels) for name, total in sums.items()}


def _spread(pixels: np.ndarray) -> np.ndarray:
    return pixels[np.linspace(0, len(pixels) - 1, min(len(pixels), MAX_IMAGES)).astype(int)]


def check_pairs(loader: DataLoader) -> None:
    """Raises an error that teaches if test images that are said to be pairs are not.

    Args:
        loader: Where the images come from.

    Raises:
        ValueError: If `dataset.json` calls the test images pairs and their names differ.
    """
    if not loader.test_pairs:
        return
    names = [[path.stem for path in loader.paths(domain, is_testing=True)] for domain in "AB"]
    if names[0] != names[1]:
        odd = sorted(set(names[0]) ^ set(names[1]))[:3]
        raise ValueError(
            f"dataset.json in {str(loader.directory)!r} calls the test images pairs, so testA and "
            f"testB must hold images of the same names. Received, on one side only: {odd}"
        )


def in_words(figures: dict[str, float]) -> str:
    """Says what `evaluate` found.

    Args:
        figures: From `evaluate`.

    Returns:
        A few lines of text.
    """
    kind = "test" if figures["on_test_images"] else "training"
    lines = [f"Mean absolute errors on {kind} images, in levels of 0 to 255:"]
    if "untranslated" in figures:
        plain = figures["untranslated"]
        for name, arrow in (("truth_AB", "A → B"), ("truth_BA", "B → A")):
            lines.append(
                f"  {arrow} to the truth  {figures[name]:6.2f}   untranslated {plain:6.2f}   "
                f"({figures[name] / plain:.0%})"
            )
    for name in ("cycle", "identity"):
        lines.append(
            f"  {name:<20} {figures[f'{name}_A']:6.2f} (A)   {figures[f'{name}_B']:6.2f} (B)"
        )
    return "\n".join(lines)
