"""The images of a report: a random selection, the best and the worst, nearest neighbors."""

import dataclasses
from typing import Any

import numpy as np

from cyclegan_keras.data import augment, images
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics import paired, round_trip
from cyclegan_keras.metrics.diagnostics import arrow
from cyclegan_keras.metrics.evaluator import MAX_TRAIN_IMAGES, Evaluator, Results
from cyclegan_keras.reports import pages

NUM_RANDOM = 6
NUM_EXTREME = 4  # each of the best and of the worst
NUM_NEIGHBORS = 3
SEED = 0
# Larger images are reduced; otherwise, a report could have a hundred megabytes.
MAX_SIDE = 256


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """Generators and the results of their evaluation.

    Attributes:
        generators: By name, `g_AB`, `g_BA` or both.
        loader: Loads the images.
        evaluator: Evaluated the generators.
        results: The results.
    """

    generators: dict[str, Any]
    loader: DataLoader
    evaluator: Evaluator
    results: Results


@dataclasses.dataclass(frozen=True)
class Row:
    """Pictures side by side, as `data:` URIs, with a caption."""

    note: str
    pictures: list[str]


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Rows of pictures under common column titles."""

    title: str
    columns: list[str]
    rows: list[Row]


def at_random(evaluated: Evaluated, way: str) -> Sheet:
    """Shows a random selection of images, always the same, with translations and reconstructions.

    Args:
        evaluated: The generators and their results.
        way: `"AB"` or `"BA"`.

    Returns:
        The images in random order, beside the ground truth if it is known.
    """
    chosen = chosen_at_random(len(evaluated.evaluator.pixels[way[0]]))
    return _sheet(evaluated, way, arrow(way), [(place, "") for place in chosen])


def chosen_at_random(count: int) -> list[int]:
    """Returns the indices that `at_random` shows of `count` images."""
    return [int(place) for place in np.random.default_rng(SEED).permutation(count)[:NUM_RANDOM]]


def extremes(evaluated: Evaluated, way: str) -> list[Sheet]:
    """Shows the images with the smallest and with the largest errors.

    Args:
        evaluated: The generators and their results.
        way: `"AB"` or `"BA"`.

    Returns:
        The best and the worst images by cycle error or, if there is one generator only, by error to
        the ground truth. No image is in both. Nothing if neither error is known, or there is only
        one image.
    """
    name, errors = _errors(evaluated, way)
    count = min(NUM_EXTREME, len(errors) // 2)
    if not count:
        return []
    order = [int(place) for place in np.argsort(errors, kind="stable")]
    return [
        _sheet(
            evaluated,
            way,
            f"{arrow(way)}, {title}",
            [(place, f"{name} {errors[place]:.2f}") for place in places],
        )
        for title, places in (("the best", order[:count]), ("the worst", order[: -count - 1 : -1]))
    ]


def _errors(evaluated: Evaluated, way: str) -> tuple[str, np.ndarray]:
    source, target = way[0], way[1]
    if source in evaluated.results.cycle_errors:
        return "cycle error", evaluated.results.cycle_errors[source]
    if not evaluated.loader.test_pairs:
        return "", np.empty(0)
    pixels, truths = evaluated.evaluator.pixels[source], evaluated.evaluator.pixels[target]
    found = [
        paired.errors(batch)["truth"]
        for batch in round_trip.batches(evaluated.generators, way, pixels, truths)
    ]
    return "error to the ground truth", np.concatenate(found)


def _sheet(evaluated: Evaluated, way: str, title: str, wanted: list[tuple[int, str]]) -> Sheet:
    """Translates images and shows them, each with the name of its file and a note."""
    source, target = way[0], way[1]
    places = [place for place, _ in wanted]
    truths = evaluated.evaluator.pixels[target][places] if evaluated.loader.test_pairs else None
    pixels = evaluated.evaluator.pixels[source][places]
    batches = list(round_trip.batches(evaluated.generators, way, pixels, truths))
    kinds: dict[str, list[Any]] = {
        source: [batch.imgs for batch in batches],
        arrow(way): [batch.translated for batch in batches],
        f"ground truth {target}": [batch.truth for batch in batches],
        f"back to {source}": [batch.reconstr for batch in batches],
    }
    columns = {
        name: images.denormalize(np.concatenate(parts))
        for name, parts in kinds.items()
        if parts[0] is not None
    }
    rows = []
    for row, (place, note) in enumerate(wanted):
        words = [evaluated.evaluator.paths[source][place].name, *([note] if note else [])]
        rows.append(Row(", ".join(words), [packed(column[row]) for column in columns.values()]))
    return Sheet(title, list(columns), rows)


def neighbors(evaluated: Evaluated, way: str) -> Sheet:
    """Shows translations beside the most similar training images of the target domain.

    Args:
        evaluated: The generators and their results, with features.
        way: `"AB"` or `"BA"`.

    Returns:
        The same images as `at_random`, each with its nearest neighbors by the Euclidean distance of
        features, the nearest first.
    """
    source, target = way[0], way[1]
    outputs = evaluated.results.features[way].values
    chosen = chosen_at_random(len(outputs))
    distances, nearest = _nearest(outputs[chosen], evaluated.evaluator.real.train[target].values)
    shown = _sheet(evaluated, way, arrow(way), [(place, "") for place in chosen])
    # The evaluator uses a part of the training images if there are many.
    paths = evaluated.loader.paths(target)
    pixels = augment.centre(evaluated.loader.pixels(target), evaluated.loader.img_res)
    nearest = round_trip.places(len(pixels), MAX_TRAIN_IMAGES)[nearest]
    rows = []
    for row, near, far in zip(shown.rows, nearest, distances, strict=True):
        named = [f"{paths[place].name} ({d:.2f})" for place, d in zip(near, far, strict=True)]
        pictures = row.pictures[:2] + [packed(pixels[place]) for place in near]
        rows.append(Row(f"{row.note}; nearest: {', '.join(named)}", pictures))
    ordinals = ["nearest", "second", "third"][: nearest.shape[1]]
    return Sheet(arrow(way), [source, arrow(way), *ordinals], rows)


def usual_distance(evaluated: Evaluated, way: str) -> float | None:
    """Computes the typical distance of real images from their nearest training image.

    Args:
        evaluated: The generators and their results, with features.
        way: `"AB"` or `"BA"`.

    Returns:
        The median over the test images of the target domain; `None` if there are none.
    """
    if not evaluated.loader.has_test_images:
        return None
    real = evaluated.evaluator.real
    distances, _ = _nearest(real.test[way[1]].values, real.train[way[1]].values)
    return float(np.median(distances[:, 0]))


def _nearest(values: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest vectors, and their indices, `(count, 3)` or fewer."""
    # Imported here, because it need not be installed if there is no extractor.
    from sklearn.neighbors import NearestNeighbors

    count = min(NUM_NEIGHBORS, len(among))
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(among.astype(np.float64))
    distances, places = search.kneighbors(values.astype(np.float64))
    return distances, places


def shrunk_to(loader: DataLoader) -> int | None:
    """Returns the size to which pictures are reduced, in pixels, if they are."""
    return MAX_SIDE if max(loader.img_res) > MAX_SIDE else None


def packed(pixels: np.ndarray) -> str:
    """Encodes a picture as `pages.data_uri` does, after reducing it if it is large."""
    height, width = pixels.shape[:2]
    if max(height, width) > MAX_SIDE:
        share = MAX_SIDE / max(height, width)
        size = (round(height * share), round(width * share))
        pixels = np.asarray(images.resize(images.as_image(pixels), size))
    return pages.data_uri(pixels)
