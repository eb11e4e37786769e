"""How well classifiers label images of B, and whether translations keep the labels of originals."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.inference.arrays import translate_images

BATCH_SIZE = 64
# What the classifiers are called, without the `c_` of their files, in the order of tables.
STAGES = ("source", "image", "feature", "both", "target")


def label_metrics(
    generators: Mapping[str, Any],
    classifiers: Mapping[str, Any],
    pixels: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray | None],
) -> dict[str, float]:
    """Measures classifiers on real images and on translations.

    Args:
        generators: By name, `g_AB`, `g_BA` or both.
        classifiers: By name, such as `c_source`: models from images in [-1, 1] to a score for each
            class.
        pixels: For `"A"` and `"B"`, images, `(count, height, width, channels)`, uint8 in [0, 255].
        labels: For `"A"` and `"B"`, their labels; `None` where they are not known.

    Returns:
        Shares in [0, 1]. `label_source_AB`, `label_image_AB` and so on: the images of B that
        `c_source`, `c_image` and so on label rightly. `label_source_A`: those of A. `label_most_B`:
        the images of B of the most frequent class, which is what a blind classifier reaches.
        `kept_AB`: the translations from A that `c_target` gives the label of their original, and
        `kept_BA`: the translations from B that `c_source` does. What needs labels, generators or
        classifiers that are not there is left out.
    """
    of_A, of_B = labels["A"], labels["B"]
    found: dict[str, float] = {}
    source, target = classifiers.get("c_source"), classifiers.get("c_target")
    if of_A is not None and source is not None:
        found["label_source_A"] = _share_right(source, normalize(pixels["A"]), of_A)
    if of_B is not None:
        for name, classifier in classifiers.items():
            key = f"label_{name.removeprefix('c_')}_AB"
            found[key] = _share_right(classifier, normalize(pixels["B"]), of_B)
        found["label_most_B"] = float(np.bincount(of_B).max() / len(of_B))
    if of_A is not None and target is not None and "g_AB" in generators:
        translated = translate_images(generators["g_AB"], normalize(pixels["A"]))
        found["kept_AB"] = _share_right(target, translated, of_A)
    if of_B is not None and source is not None and "g_BA" in generators:
        translated = translate_images(generators["g_BA"], normalize(pixels["B"]))
        found["kept_BA"] = _share_right(source, translated, of_B)
    return found


def _share_right(classifier: Any, imgs: np.ndarray, labels: np.ndarray) -> float:
    parts = [
        np.asarray(classifier(imgs[first : first + BATCH_SIZE], training=False))
        for first in range(0, len(imgs), BATCH_SIZE)
    ]
    return float(np.mean(np.argmax(np.concatenate(parts), axis=-1) == labels))
