"""The tables of a comparison of trainings: each of them by every metric there is."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import cyclegan_keras
from cyclegan_keras._files import PathLike
from cyclegan_keras.metrics.diagnostics import arrow
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import comparison, metric_table, pages
from cyclegan_keras.reports.metric_table import Metric

# KID and classification rate are read together; the others say hardly more, for many columns.
TRUTH = ("mean absolute error", "SSIM")
OF_FEATURES = ("KID (kernel distance)", "target-domain classification rate")
ALSO = ("cycle error", "inversion error")
SHORT = {
    "mean absolute error": "error",
    "KID (kernel distance)": "KID",
    "target-domain classification rate": "rate",
}
UNTRANSLATED, REAL = "(untranslated)", "(real images)"
# The first words of their labels in `Metric.references`.
REFERENCES: dict[str, tuple[str, ...]] = {
    UNTRANSLATED: ("untranslated",),
    REAL: ("halves of real", "real "),
}


@dataclasses.dataclass(frozen=True)
class Entry:
    """One training.

    Attributes:
        title: What the tables call it.
        metrics: Its `metrics.json`, and segmentation scores.
        features: The metrics by features of each extractor, by its name.
        steps: How many steps it took, if that is known.
        batch_size: The images of each domain in a step.
        seconds: How long its steps took, if that is known.
    """

    title: str
    metrics: Mapping[str, Any]
    features: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    steps: int | None = None
    batch_size: int = 1
    seconds: float | None = None


@dataclasses.dataclass(frozen=True)
class Section:
    """Trainings that are compared with each other.

    Attributes:
        title: What they have alike, such as "1,000 steps each".
        entries: The trainings.
        notes: Sentences on how to read them.
        sheets: Pictures, from `comparison_page.sheet`.
    """

    title: str
    entries: Sequence[Entry]
    notes: Sequence[str] = ()
    sheets: Sequence[Any] = ()

    @property
    def tables(self) -> list["Table"]:
        """A table for each direction."""
        return tables(self.entries)


@dataclasses.dataclass(frozen=True)
class Table:
    """The metrics of one direction.

    Attributes:
        title: The direction, in words.
        header: The titles of the columns.
        rows: As many cells each; the first is the title of a training.
        best: The columns of each row that have the best value of all trainings.
        meanings: The columns with what they mean, in words.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    best: list[set[int]]
    meanings: list[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class _Column:
    metric: Metric
    space: str | None = None

    @property
    def title(self) -> str:
        short = SHORT.get(self.metric.title, self.metric.title)
        return short if self.space is None else f"{short}, {self.space}"

    def value(self, entry: Entry, key: str) -> Any:
        known = entry.metrics if self.space is None else entry.features.get(self.space, {})
        return metric_table.with_mistaken(known).get(key)

    def written(self, value: Any) -> str:
        return "" if value is None else self.metric.format.format(value)


def tables(entries: Sequence[Entry]) -> list[Table]:
    """Sets all trainings side by side, a table for each direction.

    Args:
        entries: The trainings.

    Returns:
        A column for each metric that is known of one of them, and a row for each that translates in
        that direction. The first rows are of images that are not translated, and of real ones.
    """
    return [found for way in WAYS if (found := _table(entries, way)) is not None]


def _table(entries: Sequence[Entry], way: str) -> Table | None:
    those = [entry for entry in entries if f"change_{way}" in entry.metrics]
    if not those:
        return None
    columns = [
        column
        for column in _columns(entries)
        if any(column.value(entry, column.metric.name(way)) is not None for entry in those)
    ]
    values = [[c.value(entry, c.metric.name(way)) for c in columns] for entry in those]
    rows = [row for kind in REFERENCES if any((row := _reference(those, columns, way, kind))[1:])]
    best: list[set[int]] = [set() for _ in rows]
    for entry, of_entry in zip(those, values, strict=True):
        written = [c.written(value) for c, value in zip(columns, of_entry, strict=True)]
        rows.append([entry.title, *written, *_length(entry)])
        best.append(
            {
                place
                for place, c in enumerate(columns, 1)
                if _is_best(c, values, of_entry, place - 1)
            }
        )
    header = ["trained with", *(column.title for column in columns), *LENGTH]
    rows = [row + [""] * (len(header) - len(row)) for row in rows]
    meanings = [(c.title, f"{c.metric.meaning} {c.metric.better.capitalize()}.") for c in columns]
    return Table(arrow(way), header, rows, best, meanings)


LENGTH = ("steps", "images a step", "minutes")


def _length(entry: Entry) -> list[str]:
    steps = "" if entry.steps is None else f"{entry.steps:,}"
    minutes = "" if entry.seconds is None else f"{entry.seconds / 60:.1f}"
    return [steps, f"{entry.batch_size:,}", minutes]


def _is_best(
    column: _Column, values: Sequence[Sequence[Any]], mine: Sequence[Any], at: int
) -> bool:
    """Whether this is the best value as it is written, of several that are not all the same."""
    known = [row[at] for row in values if row[at] is not None]
    if column.metric.best is None or mine[at] is None or len(known) < 2:
        return False
    written = column.written(column.metric.best(known))
    return column.written(mine[at]) == written and len({*map(column.written, known)}) > 1


def _columns(entries: Sequence[Entry]) -> list[_Column]:
    of_kinds = [*metric_table.LABELS.metrics, *metric_table.SEGMENTATION.metrics]
    spaces = list(dict.fromkeys(space for entry in entries for space in entry.features))
    return [
        *(_Column(metric) for metric in (*_named(TRUTH), *of_kinds)),
        *(_Column(metric, space) for space in spaces for metric in _named(OF_FEATURES)),
        *map(_Column, _named(ALSO)),
    ]


def _named(titles: Sequence[str]) -> list[Metric]:
    known = {metric.title: metric for kind in metric_table.KINDS for metric in kind.metrics}
    return [known[title] for title in titles]


def _reference(
    entries: Sequence[Entry], columns: Sequence[_Column], way: str, kind: str
) -> list[str]:
    """The row of what all should be better than, or of what none can be."""
    cells = []
    for column in columns:
        keys = [
            key for words, key in column.metric.references if words.startswith(REFERENCES[kind])
        ]
        values = [
            value
            for entry in entries
            for key in keys[:1]
            if (value := column.value(entry, metric_table.filled(key, way))) is not None
        ]
        cells.append(column.written(values[0]) if values else "")
    return [kind, *cells]


def markdown(sections: Sequence[Section]) -> str:
    """Writes the tables as text.

    Args:
        sections: The trainings.

    Returns:
        Markdown, a heading for each section and direction, with the best values in bold.
    """
    lines = []
    for section in sections:
        for table in section.tables:
            rows = [
                [f"**{cell}**" if place in best else cell for place, cell in enumerate(row)]
                for row, best in zip(table.rows, table.best, strict=True)
            ]
            lines += [f"## {table.title}, {section.title}", ""]
            lines += [*comparison.aligned(table.header, rows, 1), ""]
        lines += [line for note in section.notes for line in (note, "")]
    return "\n".join(lines)


def write(path: PathLike, data_set: str, sections: Sequence[Section]) -> None:
    """Writes the tables as a page, with pictures, atomically.

    Args:
        path: The file; an existing one is replaced.
        data_set: The name of the data set.
        sections: As for `markdown`.

    Raises:
        OSError: If it cannot be written.
    """
    pages.write(
        path,
        "ablation.html.j2",
        data_set=data_set,
        date=datetime.date.today().isoformat(),
        version=cyclegan_keras.__version__,
        sections=sections,
    )
