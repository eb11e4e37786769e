"""A comparison of runs: the settings that differ, and their metrics."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cyclegan_keras.config.known import known_settings
from cyclegan_keras.metrics import diagnostics
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import metric_table
from cyclegan_keras.reports.measured_run import Run
from cyclegan_keras.reports.metric_table import Cell, Kind, Metric

TWO_EXTRACTORS = (
    "Feature metrics of different extractors are not comparable, and have separate rows."
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One metric in one direction, for all runs.

    Attributes:
        metric: The metric.
        way: `"AB"` or `"BA"`.
        network: The name of the network that it was measured with, if there is one.
        cells: For each run; `None` if the metric was not computed, or with another network.
        is_best: Whether each run has the best value.
        is_of_features: Whether that network is an extractor.
    """

    metric: Metric
    way: str
    network: str | None
    cells: list[Cell | None]
    is_best: list[bool]
    is_of_features: bool = False

    @property
    def title(self) -> str:
        """The metric's name, with its direction and network."""
        of = "features of " if self.is_of_features else ""
        space = "" if self.network is None else f", {of}{self.network}"
        return f"{self.metric.title}, {diagnostics.arrow(self.way)}{space}"


def settings(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Finds the settings that differ.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Names and the value in each run, empty where its model has no such setting; those that
        differ between runs whose models have them, and which generators were evaluated if that
        differs.
    """
    found = []
    settings = [run.config.flat() for run in runs]
    for name in known_settings():
        values = [_in_words(each[name]) if name in each else "" for each in settings]
        if name != "run_dir" and len(set(values) - {""}) > 1:
            found.append((name, values))
    measured = [", ".join(path.name for path in run.translators.values()) for run in runs]
    return found + ([("generators evaluated", measured)] if len(set(measured)) > 1 else [])


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)


def trained(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Lists how long the runs were trained.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Steps and minutes: a label, and the value of each run, empty if it is not known.
    """
    last = [next(reversed(run.curves.seconds.items()), None) for run in runs]
    return [
        ("steps done", ["" if end is None else f"{end[0]:,}" for end in last]),
        ("minutes of training", ["" if end is None else f"{end[1] / 60:.1f}" for end in last]),
    ]


def tables(runs: Sequence[Run]) -> list[tuple[Kind, str | None, list[Row]]]:
    """Arranges the metrics of all runs in tables.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Tables in the order of a report: the kind of metrics, the network that they were measured
        with, if there is one, and rows, grouped by direction. Each network has tables of its own.
    """
    are_comparable = why_incomparable(runs) is None
    found = []
    for kind in metric_table.KINDS:
        by = kind.measured_by
        used = [run.metrics.get(by) if by else None for run in runs]
        for space in [name for name in dict.fromkeys(used) if name] if by else [None]:
            by_run = [
                run.metrics if name == space else {} for run, name in zip(runs, used, strict=True)
            ]
            if rows := _rows(kind, space, by_run, are_comparable):
                found.append((kind, space, rows))
    return found


def _rows(
    kind: Kind, space: str | None, by_run: list[dict[str, Any]], are_comparable: bool
) -> list[Row]:
    # By direction, so that KID and classification rate of one direction stand together.
    found = []
    rows = [dict(metric_table.rows(kind, metrics)) for metrics in by_run]
    for way in WAYS:
        for metric in kind.metrics:
            cells = [known.get(metric, {}).get(way) for known in rows]
            if any(cells):
                values = [metrics.get(metric.name(way), math.nan) for metrics in by_run]
                is_best = _best(metric, cells, values) if are_comparable else [False] * len(by_run)
                found.append(Row(metric, way, space, cells, is_best, kind.by_features))
    return found


def _best(metric: Metric, cells: list[Cell | None], values: list[float]) -> list[bool]:
    """Marks the best values as shown; none if all look the same, or there is only one."""
    shown = {
        value: cell.value
        for cell, value in zip(cells, values, strict=True)
        if cell is not None and not math.isnan(value)
    }
    if metric.best is None or len(set(shown.values())) < 2:
        return [False] * len(cells)
    best = shown[metric.best(shown)]
    return [cell is not None and cell.value == best for cell in cells]


def why_incomparable(runs: Sequence[Run]) -> str | None:
    """Explains why the metrics of the runs are not comparable, if so.

    Args:
        runs: From `measured_run.read`.

    Returns:
        A sentence; `None` if all were computed on the same images.
    """
    kinds = {True: "test images", False: "training images"}
    facts = {
        **_images(runs),
        "images of A": [str(run.metrics["num_A"]) for run in runs],
        "images of B": [str(run.metrics["num_B"]) for run in runs],
        "evaluated on": [kinds[bool(run.metrics["on_test_images"])] for run in runs],
    }
    if not (different := _different(facts)):
        return None
    return (
        "The runs were evaluated on different data, so their metrics are not comparable, and none "
        f"is marked ({different})."
    )


def why_no_pictures(runs: Sequence[Run]) -> str | None:
    """Explains why there can be no pictures of the same images, if so.

    Args:
        runs: From `measured_run.read`.

    Returns:
        A sentence; `None` if there can.
    """
    if not (different := _different(_images(runs))):
        return None
    return f"No pictures are shown, because the runs have different images ({different})."


def _images(runs: Sequence[Run]) -> dict[str, list[str]]:
    return {
        "data set": [run.data_set for run in runs],
        "SHA-256 of the images": [run.metrics["images"] for run in runs],
        "image_size": [str(run.config.image_size) for run in runs],
        "channels": [str(run.config.channels) for run in runs],
    }


def _different(facts: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(v)}" for name, v in facts.items() if len(set(v)) > 1)


def notes(runs: Sequence[Run]) -> list[str]:
    """Collects notes on how to read the tables.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Sentences, if any are needed.
    """
    spaces = {run.metrics["extractor"] for run in runs if "extractor" in run.metrics}
    found = [TWO_EXTRACTORS] if len(spaces) > 1 else []
    return found + [sentence for sentence in [why_incomparable(runs)] if sentence]


def problems(runs: Sequence[Run]) -> list[str]:
    """Finds typical problems of the generators of each run, since the best run may not be good.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Sentences, each after the name of its run.
    """
    return [
        f"{run.name}: {problem}"
        for run in runs
        for problem in diagnostics.problems(run.metrics, run.config.info.settings)
    ]


def markdown(runs: Sequence[Run]) -> str:
    """Writes the comparison as text.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Two Markdown tables, the settings that differ and the metrics, with the best values in bold;
        then notes and problems.
    """
    names = [run.name for run in runs]
    metrics = [
        [row.title, row.metric.better.partition(" is ")[0].partition(";")[0], *_marked(row)]
        for _, _, rows in tables(runs)
        for row in rows
    ]
    lines = [
        *aligned(["setting", *names], [[n, *v] for n, v in settings(runs) + trained(runs)], 1),
        "",
        *aligned(["metric", "better", *names], metrics, 2),
        *[line for sentence in notes(runs) + problems(runs) for line in ("", sentence)],
    ]
    return "\n".join(lines) + "\n"


def _marked(row: Row) -> list[str]:
    values = ["" if cell is None else cell.value for cell in row.cells]
    return [f"**{v}**" if best else v for v, best in zip(values, row.is_best, strict=True)]


def aligned(header: list[str], rows: list[list[str]], num_left: int) -> list[str]:
    """Writes a Markdown table that is aligned for terminals, too.

    Args:
        header: The titles of the columns.
        rows: As many cells each.
        num_left: How many of the first columns are aligned to the left.

    Returns:
        Its lines.
    """
    cells = [[" ".join(cell.replace("|", "\\|").split()) for cell in r] for r in [header, *rows]]
    widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
    rule = ["-" * (w - (i >= num_left)) + ":" * (i >= num_left) for i, w in enumerate(widths)]
    return [
        "| "
        + " | ".join(
            cell.ljust(width) if place < num_left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        + " |"
        for line in [cells[0], rule, *cells[1:]]
    ]
