"""Scores translators from photos of facades to their labels, as the CycleGAN paper's tables do.

    python benchmarks/facades.py --data-dir DIR MODEL [MODEL ...] [--label NAME ...]

DIR has the CMP facades, photos as A and labels as B; MODEL is a g_AB.keras. Each pixel of a
translation stands for the class whose colour is nearest.

The truth is read from the labels in their own size, which is then scaled by taking the nearest
pixel: scaling as for training mixes colours at edges, and the mixture of two may be the colour of a
third class. What that costs by itself is in the row "true labels, as scaled for training"; no
translator can be expected to do better.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image

from cyclegan_keras import DataLoader, load_generator
from cyclegan_keras.data import images, layout, pairs
from cyclegan_keras.inference.arrays import translate_images
from cyclegan_keras.metrics.segmentation import (
    FACADES,
    confusion_matrix,
    nearest_labels,
    scores,
)

OWN_SIZE = 256  # of the archive's images, for translators of any size

Scores = dict[str, float]


def true_classes(loader: DataLoader) -> np.ndarray:
    """Reads the classes of the test images, `(count, *loader.img_res)`, int32."""
    side_by_side = layout.find_layout(loader.directory).side_by_side
    labels = []
    for path in loader.paths("B", is_testing=True):
        image = pairs.read_pair(path)[1] if side_by_side else images.read_image(path)
        nearest = image.resize(loader.img_res[::-1], Image.Resampling.NEAREST)
        labels.append(nearest_labels(np.asarray(nearest), FACADES))
    return np.stack(labels)


def score(truth: np.ndarray, imgs: np.ndarray) -> Scores:
    """Scores images of labels, uint8 or in [-1, 1], against true classes."""
    found = nearest_labels(imgs, FACADES)
    return scores(confusion_matrix(truth, found, len(FACADES)))


def measure(directory: pathlib.Path, generators: dict[str, Any]) -> dict[str, Scores]:
    """Scores translators on the test images, and what needs no translator beside them.

    Args:
        directory: The folder of the data set.
        generators: From photos to labels, by name.

    Returns:
        The scores of each, of the true labels, and of one class everywhere.

    Raises:
        FileNotFoundError: If there are no such images.
        ValueError: If the generators have several sizes, or an image cannot be read.
    """
    sizes = {name: generator.input_shape[1:3] for name, generator in generators.items()}
    if len(set(sizes.values())) != 1:
        raise ValueError(
            "Translators must have one size to be compared, because small images of labels lack "
            f"the fine ones. Received: {sizes}. Score each size by itself."
        )
    height, width = next(iter(sizes.values()))
    loader = DataLoader(directory.name, (height or OWN_SIZE, width or OWN_SIZE), directory.parent)
    photos, labels = (loader.pixels(domain, is_testing=True) for domain in "AB")
    if len(photos) != len(labels):
        raise ValueError(
            f"Each photo must have its labels. Received: {len(photos)} photos and {len(labels)} "
            f"images of labels in {str(directory)!r}"
        )
    truth = true_classes(loader)
    most_frequent = np.uint8(FACADES[np.bincount(truth.ravel()).argmax()])
    imgs = images.normalize(photos)
    return {
        **{name: score(truth, translate_images(g, imgs)) for name, g in generators.items()},
        "true labels, as scaled for training": score(truth, labels),
        "always the most frequent class": score(
            truth, np.broadcast_to(most_frequent, labels.shape)
        ),
    }


def table(rows: dict[str, Scores]) -> str:
    """Writes what `measure` found as a Markdown table."""
    lines = ["| | per-pixel acc. | per-class acc. | class IoU |", "| --- | --- | --- | --- |"]
    for name, row in rows.items():
        cells = (row["pixel_accuracy"], row["class_accuracy"], row["class_iou"])
        lines.append(f"| {name} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Scores what the command line names, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, metavar="DIR", help="the CMP facades")
    parser.add_argument("models", nargs="+", metavar="MODEL", help="such as g_AB.keras")
    parser.add_argument(
        "--label", action="append", metavar="NAME", help="of a model in the table; one for each"
    )
    arguments = parser.parse_intermixed_args(argv)
    names = arguments.label or arguments.models
    try:
        if not len(arguments.models) == len(set(names)) == len(names):
            raise ValueError(f"Each model needs a --label of its own. Received: {names}")
        generators = {
            name: load_generator(path) for name, path in zip(names, arguments.models, strict=True)
        }
        print(table(measure(pathlib.Path(os.path.abspath(arguments.data_dir)), generators)))
    except (ValueError, OSError) as error:
        print(f"facades.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
