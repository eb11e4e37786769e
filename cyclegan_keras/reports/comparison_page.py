"""The comparison of runs as a page: metrics, overlaid curves, and the same images."""

import datetime
from collections.abc import Sequence
from typing import Any

import markupsafe

import cyclegan_keras
from cyclegan_keras import plotting
from cyclegan_keras._files import PathLike
from cyclegan_keras.data import images
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference.arrays import translate_images
from cyclegan_keras.metrics import round_trip
from cyclegan_keras.metrics.diagnostics import arrow
from cyclegan_keras.reports import (
    comparison,
    metric_table,
    pages,
    pictures,
)
from cyclegan_keras.reports.curves import (
    RATE,
    UNKNOWN,
    Curve,
    Curves,
)
from cyclegan_keras.reports.measured_run import Run
from cyclegan_keras.reports.metric_table import Metric
from cyclegan_keras.reports.pictures import Row, Sheet

DRAWN = ("kernel_{way}", "strength_{way}", "truth_{way}", "cycle_{source}")


def write(
    path: PathLike, runs: Sequence[Run], sheets: Sequence[Sheet], why_no_pictures: str | None
) -> None:
    """Writes the page atomically.

    Args:
        path: The file; an existing one is replaced.
        runs: From `measured_run.read`.
        sheets: From `sheets`.
        why_no_pictures: A sentence that explains why there are none, if so.

    Raises:
        OSError: If it cannot be written.
    """
    tables = comparison.tables(runs)
    pages.write(
        path,
        "comparison.html.j2",
        names=[run.name for run in runs],
        data_sets=", ".join(dict.fromkeys(run.data_set for run in runs)),
        date=datetime.date.today().isoformat(),
        version=cyclegan_keras.__version__,
        settings=comparison.settings(runs),
        trained=comparison.trained(runs),
        tables=[(kind, space, _with_meanings(rows)) for kind, space, rows in tables],
        notes=comparison.notes(runs),
        problems=comparison.problems(runs),
        are_comparable=comparison.why_incomparable(runs) is None,
        drawings=drawings(runs),
        sheets=sheets,
        why_no_pictures=why_no_pictures,
    )


def _with_meanings(rows: list[comparison.Row]) -> list[tuple[comparison.Row, str]]:
    """Shows the meaning of each metric once, and not again for the other direction."""
    told: set[Metric] = set()
    found = []
    for row in rows:
        found.append((row, "" if row.metric in told else row.metric.meaning))
        told.add(row.metric)
    return found


def drawings(runs: Sequence[Run]) -> list[tuple[str, list[markupsafe.Markup]]]:
    """Draws the metrics and learning rates during training, overlaid for all runs.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Titles, and charts by step or by minutes of training, of what is in the histories; nothing
        if the runs are not comparable. Each extractor has charts of its own, and so has each run
        whose extractor is unknown.
    """
    if comparison.why_incomparable(runs) is not None:
        return []
    histories = [run.curves for run in runs]
    found = []
    for way in round_trip.WAYS:
        panels = _panels(histories, way)
        for xlabel, clocks in (
            ("step", [None] * len(runs)),
            ("minutes of training", [run.curves.seconds for run in runs]),
        ):
            labelled = [(title, _labelled(runs, curves, clocks)) for title, curves in panels]
            drawn = [
                pages.svg(plotting.step_curves(title, curves, xlabel=xlabel))
                for title, curves in labelled
                if any(places for places, _ in curves.values())
            ]
            if drawn:
                found.append((f"{arrow(way)}, by {xlabel}", drawn))
    rates = [history.plain.get(RATE, ([], [])) for history in histories]
    if any(steps for steps, _ in rates):
        curves = _labelled(runs, rates, [None] * len(runs))
        drawn = [pages.svg(plotting.step_curves(RATE.replace("_", " "), curves))]
        found.append(("Learning rate, by step", drawn))
    return found


def _panels(histories: Sequence[Curves], way: str) -> list[tuple[str, list[Curve]]]:
    """Collects the charts: titles, and the curve of each run, or an empty one."""
    panels = []
    for kind in (metric_table.FEATURES, metric_table.TRUTH, metric_table.CHANGE):
        plain = [("", [history.plain for history in histories])]
        for space, known in _by_space(histories) if kind.by_features else plain:
            for metric in kind.metrics:
                curves = [of_run.get(metric.name(way), ([], [])) for of_run in known]
                if metric.key in DRAWN and any(steps for steps, _ in curves):
                    panels.append((metric_table.title_of(metric, space), curves))
    return panels


def _by_space(histories: Sequence[Curves]) -> list[tuple[str, list[dict[str, Curve]]]]:
    """Groups curves by extractor; a run whose extractor is unknown is a group of its own."""
    names = dict.fromkeys(space for history in histories for space in history.by_space)
    found = [
        (space, [history.by_space.get(space, {}) for history in histories])
        for space in names
        if space != UNKNOWN
    ]
    for place, history in enumerate(histories):
        if UNKNOWN in history.by_space:
            alone: list[dict[str, Curve]] = [{} for _ in histories]
            alone[place] = history.by_space[UNKNOWN]
            found.append((UNKNOWN, alone))
    return found


def _labelled(
    runs: Sequence[Run], curves: Sequence[Curve], clocks: Sequence[dict[int, float] | None]
) -> dict[str, tuple[list[float], list[float]]]:
    """Labels the curves with their runs, and replaces steps by minutes if there is a clock."""
    found = {}
    for run, (steps, values), clock in zip(runs, curves, clocks, strict=True):
        points = [
            (step if clock is None else clock[step] / 60, value)
            for step, value in zip(steps, values, strict=True)
            if clock is None or step in clock
        ]
        found[run.name] = ([x for x, _ in points], [y for _, y in points])
    return found


def sheets(
    runs: Sequence[Run], generators: Sequence[dict[str, Any]], loader: DataLoader
) -> list[Sheet]:
    """Shows how all runs translate the same images.

    Args:
        runs: From `measured_run.read`, all with the same data and image size.
        generators: Of each run, by name.
        loader: Loads the images.

    Returns:
        For each direction, the random images of a report, a column for each run that translates in
        that direction, and the ground truth if it is known.
    """
    ways = [way for way in round_trip.WAYS if any(f"g_{way}" in known for known in generators)]
    return [sheet([run.name for run in runs], generators, loader, way) for way in ways]


def sheet(
    names: Sequence[str], generators: Sequence[dict[str, Any]], loader: DataLoader, way: str
) -> Sheet:
    """Shows how generators translate the same images in one direction.

    Args:
        names: The titles of their columns.
        generators: Of each of them, by name; those without one of this direction are left out.
        loader: Loads the images.
        way: `"AB"` or `"BA"`.

    Returns:
        The random images of a report, a column for each, and the ground truth if it is known.
    """
    source, target = way[0], way[1]
    pixels = round_trip.spread(loader.evaluation_pixels(source))
    paths = loader.paths(source, loader.has_test_images)
    chosen = pictures.chosen_at_random(len(pixels))
    columns = [(source, pixels[chosen])]
    for name, known in zip(names, generators, strict=True):
        if f"g_{way}" in known:
            imgs = translate_images(known[f"g_{way}"], images.normalize(pixels[chosen]))
            columns.append((name, images.denormalize(imgs)))
    if loader.test_pairs:
        truths = round_trip.spread(loader.evaluation_pixels(target))
        columns.append((f"ground truth {target}", truths[chosen]))
    places = round_trip.places(len(paths))[chosen]
    rows = [
        Row(paths[place].name, [pictures.packed(column[row]) for _, column in columns])
        for row, place in enumerate(places)
    ]
    return Sheet(arrow(way), [title for title, _ in columns], rows)
