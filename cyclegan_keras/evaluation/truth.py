"""How far translations are from what they should be."""

from collections import defaultdict
from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.data.layout import without_partner
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


def evaluate(translators: dict[str, Any], loader: DataLoader) -> dict[str, float]:
    """Measures generators on the test images, or on training images where there are none.

    Of more than 500 images a domain, 500 are taken, evenly spaced.

    Args:
        translators: Generators by name, `g_AB`, `g_BA` or both.
        loader: Where the images come from.

    Returns:
        Mean absolute errors in 8-bit levels, in [0, 255]. Of two generators, `cycle_A` and
        `cycle_B` (there and back against the original), and `identity_A` and `identity_B` (an image
        of the target domain against its translation). Where the truth is known, `truth_AB` and
        `truth_BA` (translation against truth), with `untranslated` (original against truth; the
        same both ways) to hold them against. `num_A` and `num_B` are the numbers of images,
        `on_test_images` says which.

    Raises:
        ValueError: If the test images are said to be pairs and are not.
    """
    pixels = {domain: _spread(loader.evaluation_pixels(domain)) for domain in "AB"}
    check_pairs(loader)
    figures: dict[str, float] = {
        "num_A": len(pixels["A"]),
        "num_B": len(pixels["B"]),
        "on_test_images": loader.has_test_images,
    }
    for source, target in ("AB", "BA"):
        g, g_back = (translators.get(f"g_{way}") for way in (source + target, target + source))
        if g is None:
            continue
        truths = pixels[target] if loader.test_pairs else None
        errors = _errors(g, g_back, pixels[source], truths)
        for name in ("cycle", "identity"):
            if name in errors:
                figures[f"{name}_{source}"] = errors[name]
        if "truth" in errors:
            figures[f"truth_{source}{target}"] = errors["truth"]
            figures["untranslated"] = errors["untranslated"]
    return figures


def _errors(g: Any, g_back: Any, pixels: np.ndarray, truths: np.ndarray | None) -> dict[str, float]:
    """Measures one direction, a few images at a time: all at once would take more than training."""
    sums: dict[str, float] = defaultdict(float)
    for first in range(0, len(pixels), BATCH_SIZE):
        imgs = normalize(pixels[first : first + BATCH_SIZE])
        translated = translate_images(g, imgs)
        pairs = {}
        if g_back is not None:
            pairs["cycle"] = translate_images(g_back, translated), imgs
            pairs["identity"] = translate_images(g_back, imgs), imgs
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
    odd = without_partner(*(loader.paths(domain, is_testing=True) for domain in "AB"))
    if odd:
        raise ValueError(
            f"dataset.json in {str(loader.directory)!r} calls the test images pairs, so testA and "
            f"testB must hold images of the same names. Received, on one side only: {odd[:3]}"
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
    for name, arrow in (("truth_AB", "A → B"), ("truth_BA", "B → A")):
        if name in figures:
            plain = figures["untranslated"]
            lines.append(
                f"  {arrow} to the truth  {figures[name]:6.2f}   untranslated {plain:6.2f}   "
                f"({figures[name] / plain:.0%})"
            )
    for name in ("cycle", "identity"):
        if f"{name}_A" in figures:
            lines.append(
                f"  {name:<20} {figures[f'{name}_A']:6.2f} (A)   {figures[f'{name}_B']:6.2f} (B)"
            )
    return "\n".join(lines)
