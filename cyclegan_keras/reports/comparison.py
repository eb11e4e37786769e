"""Runs side by side: where their settings differ, and whose translators are better."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from cyclegan_keras.config.train_config import known_settings
from cyclegan_keras.metrics import diagnostics
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import metric_table
from cyclegan_keras.reports.measured_run import Run
from cyclegan_keras.reports.metric_table import Cell, Figure, Kind

TWO_SPACES = (
    "Figures by features of different extractors cannot be compared, so each has rows of its own."
)


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure, one way, of each run.

    Attributes:
        figure: Which.
        way: `"AB"` or `"BA"`.
        extractor: The feature space, if it depends on one.
        cells: For each run; `None` where it was not measured, or in another space.
        is_best: For each run.
    """

    figure: Figure
    way: str
    extractor: str | None
    cells: list[Cell | None]
    is_best: list[bool]

    @property
    def title(self) -> str:
        """The figure's name, with all that it cannot be understood without."""
        space = "" if self.extractor is None else f", by {self.extractor}"
        return f"{self.figure.title}, {diagnostics.arrow(self.way)}{space}"


def settings(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Finds the settings that differ.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Names and the value in each run, empty where its model has no such setting; those that
        differ between runs whose models have them, and which translators were measured if these
        are not the same.
    """
    found = []
    settings = [run.config.flat() for run in runs]
    for name in known_settings():
        values = [_in_words(each[name]) if name in each else "" for each in settings]
        if name != "run_dir" and len(set(values) - {""}) > 1:
            found.append((name, values))
    measured = [", ".join(path.name for path in run.translators.values()) for run in runs]
    return found + ([("translators measured", measured)] if len(set(measured)) > 1 else [])


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)


def trained(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    """Tells how long runs were trained.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Steps and minutes, in words and of each run; empty where it is not known.
    """
    last = [next(reversed(run.curves.seconds.items()), None) for run in runs]
    return [
        ("steps done", ["" if end is None else f"{end[0]:,}" for end in last]),
        ("minutes of training", ["" if end is None else f"{end[1] / 60:.1f}" for end in last]),
    ]


def tables(runs: Sequence[Run]) -> list[tuple[Kind, str | None, list[Row]]]:
    """Sets figures side by side.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Tables in the order of a report: what kind of figures, by which extractor, and rows, those
        of one way together. Each extractor has a table of its own.
    """
    extractors = dict.fromkeys(run.figures.get("extractor") for run in runs)
    are_comparable = why_incomparable(runs) is None
    found = []
    for kind in metric_table.KINDS:
        for space in [name for name in extractors if name] if kind.by_features else [None]:
            seen = [
                run.figures if space is None or run.figures.get("extractor") == space else {}
                for run in runs
            ]
            if rows := _rows(kind, space, seen, are_comparable):
                found.append((kind, space, rows))
    return found


def _rows(
    kind: Kind, space: str | None, seen: list[dict[str, Any]], are_comparable: bool
) -> list[Row]:
    # Distance and strength of one way stand one under the other.
    found = []
    by_run = [dict(metric_table.rows(kind, figures)) for figures in seen]
    for way in WAYS:
        for figure in kind.figures:
            cells = [known.get(figure, {}).get(way) for known in by_run]
            if any(cells):
                values = [figures.get(figure.name(way), math.nan) for figures in seen]
                is_best = _best(figure, cells, values) if are_comparable else [False] * len(seen)
                found.append(Row(figure, way, space, cells, is_best))
    return found


def _best(figure: Figure, cells: list[Cell | None], values: list[float]) -> list[bool]:
    """Marks the best, and what looks the same; nothing where all do, or where there is one."""
    shown = {
        value: cell.value
        for cell, value in zip(cells, values, strict=True)
        if cell is not None and not math.isnan(value)
    }
    if figure.best is None or len(set(shown.values())) < 2:
        return [False] * len(cells)
    best = shown[figure.best(shown)]
    return [cell is not None and cell.value == best for cell in cells]


def why_incomparable(runs: Sequence[Run]) -> str | None:
    """Says why figures cannot be held against each other, if so.

    Args:
        runs: From `measured_run.read`.

    Returns:
        A sentence; `None` if all are of the same images.
    """
    kinds = {True: "test images", False: "training images"}
    facts = {
        **_images(runs),
        "images of A": [str(run.figures["num_A"]) for run in runs],
        "images of B": [str(run.figures["num_B"]) for run in runs],
        "measured on": [kinds[bool(run.figures["on_test_images"])] for run in runs],
    }
    if not (different := _different(facts)):
        return None
    return (
        "No best is marked: the figures are of different data and cannot be held against each "
        f"other ({different})."
    )


def why_no_pictures(runs: Sequence[Run]) -> str | None:
    """Says why the runs cannot show the same images, if so.

    Args:
        runs: From `measured_run.read`.

    Returns:
        A sentence; `None` if they can.
    """
    if not (different := _different(_images(runs))):
        return None
    return f"There are no pictures, for the runs have not the same images ({different})."


def _images(runs: Sequence[Run]) -> dict[str, list[str]]:
    return {
        "data set": [run.data_set for run in runs],
        "SHA-256 of the images": [run.figures["images"] for run in runs],
        "image_size": [str(run.config.image_size) for run in runs],
        "channels": [str(run.config.channels) for run in runs],
    }


def _different(facts: Mapping[str, list[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(v)}" for name, v in facts.items() if len(set(v)) > 1)


def notes(runs: Sequence[Run]) -> list[str]:
    """Says what must be known to read the tables.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Sentences, none if there is nothing to say.
    """
    spaces = {run.figures["extractor"] for run in runs if "extractor" in run.figures}
    found = [TWO_SPACES] if len(spaces) > 1 else []
    return found + [sentence for sentence in [why_incomparable(runs)] if sentence]


def faults(runs: Sequence[Run]) -> list[str]:
    """Names what is wrong with the translators of each run: the best of several may be no good.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Sentences, each behind the name of its run.
    """
    return [
        f"{run.name}: {fault}"
        for run in runs
        for fault in diagnostics.faults(run.figures, run.config.info.settings)
    ]


def markdown(runs: Sequence[Run]) -> str:
    """Writes the comparison as text.

    Args:
        runs: From `measured_run.read`.

    Returns:
        Two tables in Markdown, the settings that differ and the figures, the best ones in bold, and
        what must be known to read them; then the faults that were seen.
    """
    names = [run.name for run in runs]
    figures = [
        [row.title, row.figure.better.partition(" is ")[0].partition(";")[0], *_marked(row)]
        for _, _, rows in tables(runs)
        for row in rows
    ]
    lines = [
        *_table(["setting", *names], [[n, *v] for n, v in settings(runs) + trained(runs)], 1),
        "",
        *_table(["figure", "better", *names], figures, 2),
        *[line for sentence in notes(runs) + faults(runs) for line in ("", sentence)],
    ]
    return "\n".join(lines) + "\n"


def _marked(row: Row) -> list[str]:
    values = ["" if cell is None else cell.value for cell in row.cells]
    return [f"**{v}**" if best else v for v, best in zip(values, row.is_best, strict=True)]


def _table(header: list[str], rows: list[list[str]], num_left: int) -> list[str]:
    """Sets cells in columns that stand in a terminal, too; all but the first few to the right."""
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
