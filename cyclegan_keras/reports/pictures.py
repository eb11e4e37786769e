"""The pictures of a report: test images at random, the best and the worst, nearest neighbours."""

import dataclasses
from typing import Any

import numpy as np

from cyclegan_keras.data import augment, images
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics import evaluator, paired, round_trip
from cyclegan_keras.metrics.diagnostics import arrow
from cyclegan_keras.reports import pages

NUM_RANDOM = 6
NUM_EXTREME = 4  # of the best, and of the worst
NUM_NEIGHBOURS = 3
SEED = 0
# Larger images are shrunk for the report, which would otherwise weigh a hundred megabytes.
MAX_SIDE = 256


@dataclasses.dataclass(frozen=True)
class Seen:
    """Translators, and all that was found out about them.

    Attributes:
        translators: Generators by name, `g_AB`, `g_BA` or both.
        loader: Where the images come from.
        judge: What measured them.
        measured: What it found.
    """

    translators: dict[str, Any]
    loader: DataLoader
    judge: evaluator.Judge
    measured: evaluator.Measured


@dataclasses.dataclass(frozen=True)
class Row:
    """Pictures side by side, as `data:` URIs, with what is to be said of them."""

    note: str
    pictures: list[str]


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Rows of pictures under common titles."""

    title: str
    columns: list[str]
    rows: list[Row]


def at_random(seen: Seen, way: str) -> Sheet:
    """Shows some images, always the same ones, their translations, and back.

    Args:
        seen: What there is to see.
        way: `"AB"` or `"BA"`.

    Returns:
        The images in a random order, beside the truth where it is known.
    """
    chosen = chosen_at_random(len(seen.judge.pixels[way[0]]))
    return _sheet(seen, way, arrow(way), [(place, "") for place in chosen])


def chosen_at_random(count: int) -> list[int]:
    """Tells which of so many images `at_random` shows."""
    return [int(place) for place in np.random.default_rng(SEED).permutation(count)[:NUM_RANDOM]]


def extremes(seen: Seen, way: str) -> list[Sheet]:
    """Shows the images that a way suits best, and those that it suits worst.

    Args:
        seen: What there is to see.
        way: `"AB"` or `"BA"`.

    Returns:
        The best and the worst by cycle error or, of one generator alone, by the error to the
        truth; each image in one of them only. Nothing if there is neither error, or one image.
    """
    name, errors = _errors(seen, way)
    count = min(NUM_EXTREME, len(errors) // 2)
    if not count:
        return []
    order = [int(place) for place in np.argsort(errors, kind="stable")]
    return [
        _sheet(
            seen,
            way,
            f"{arrow(way)}, {title}",
            [(place, f"{name} {errors[place]:.2f}") for place in places],
        )
        for title, places in (("the best", order[:count]), ("the worst", order[: -count - 1 : -1]))
    ]


def _errors(seen: Seen, way: str) -> tuple[str, np.ndarray]:
    source, target = way[0], way[1]
    if source in seen.measured.cycle_errors:
        return "cycle error", seen.measured.cycle_errors[source]
    if not seen.loader.test_pairs:
        return "", np.empty(0)
    pixels, truths = seen.judge.pixels[source], seen.judge.pixels[target]
    found = [
        paired.errors(batch)["truth"]
        for batch in round_trip.batches(seen.translators, way, pixels, truths)
    ]
    return "error to the truth", np.concatenate(found)


def _sheet(seen: Seen, way: str, title: str, wanted: list[tuple[int, str]]) -> Sheet:
    """Translates some images and shows them, each with its file's name and a note."""
    source, target = way[0], way[1]
    places = [place for place, _ in wanted]
    truths = seen.judge.pixels[target][places] if seen.loader.test_pairs else None
    pixels = seen.judge.pixels[source][places]
    batches = list(round_trip.batches(seen.translators, way, pixels, truths))
    kinds: dict[str, list[Any]] = {
        source: [batch.imgs for batch in batches],
        arrow(way): [batch.translated for batch in batches],
        f"the true {target}": [batch.truth for batch in batches],
        f"back to {source}": [batch.reconstr for batch in batches],
    }
    columns = {
        name: images.denormalize(np.concatenate(parts))
        for name, parts in kinds.items()
        if parts[0] is not None
    }
    rows = []
    for row, (place, note) in enumerate(wanted):
        words = [seen.judge.paths[source][place].name, *([note] if note else [])]
        rows.append(Row(", ".join(words), [packed(column[row]) for column in columns.values()]))
    return Sheet(title, list(columns), rows)


def neighbours(seen: Seen, way: str) -> Sheet:
    """Shows translations beside the training images of their target that are most like them.

    Args:
        seen: What there is to see; its judge must have an extractor.
        way: `"AB"` or `"BA"`.

    Returns:
        The same images as `at_random`, each with its nearest neighbours by Euclidean distance of
        features, the nearest first.
    """
    source, target = way[0], way[1]
    outputs = seen.measured.features[way].values
    chosen = chosen_at_random(len(outputs))
    distances, nearest = _nearest(outputs[chosen], seen.judge.real.train[target].values)
    shown = _sheet(seen, way, arrow(way), [(place, "") for place in chosen])
    # Of many training images, the judge has looked at some.
    paths = seen.loader.paths(target)
    pixels = augment.centre(seen.loader.pixels(target), seen.loader.img_res)
    nearest = round_trip.places(len(pixels), evaluator.MAX_TRAIN_IMAGES)[nearest]
    rows = []
    for row, near, far in zip(shown.rows, nearest, distances, strict=True):
        named = [f"{paths[place].name} ({d:.2f})" for place, d in zip(near, far, strict=True)]
        pictures = row.pictures[:2] + [packed(pixels[place]) for place in near]
        rows.append(Row(f"{row.note}; nearest: {', '.join(named)}", pictures))
    ordinals = ["nearest", "second", "third"][: nearest.shape[1]]
    return Sheet(arrow(way), [source, arrow(way), *ordinals], rows)


def usual_distance(seen: Seen, way: str) -> float | None:
    """Measures how far real images that were not trained on are from their nearest neighbour.

    Args:
        seen: What there is to see; its judge must have an extractor.
        way: `"AB"` or `"BA"`.

    Returns:
        The median over the test images of the target; `None` where there are none.
    """
    if not seen.loader.has_test_images:
        return None
    real = seen.judge.real
    distances, _ = _nearest(real.test[way[1]].values, real.train[way[1]].values)
    return float(np.median(distances[:, 0]))


def _nearest(values: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest vectors and their places, `(count, 3)` or fewer."""
    # Not at the top: without an extractor it need not be installed.
    from sklearn.neighbors import NearestNeighbors

    count = min(NUM_NEIGHBOURS, len(among))
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(among.astype(np.float64))
    distances, places = search.kneighbors(values.astype(np.float64))
    return distances, places


def shrunk_to(loader: DataLoader) -> int | None:
    """Tells how many pixels pictures are shrunk to, if they are."""
    return MAX_SIDE if max(loader.img_res) > MAX_SIDE else None


def packed(pixels: np.ndarray) -> str:
    """Packs a picture into an address, as `pages.data_uri` does, shrunk if it is large."""
    height, width = pixels.shape[:2]
    if max(height, width) > MAX_SIDE:
        share = MAX_SIDE / max(height, width)
        size = (round(height * share), round(width * share))
        pixels = np.asarray(images.resize(images.as_image(pixels), size))
    return pages.data_uri(pixels)
