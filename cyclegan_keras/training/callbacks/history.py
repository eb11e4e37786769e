"""The run's figures as a table: `history.csv`."""

import csv
import io
import pathlib
import time
from collections.abc import Callable, Iterable
from typing import Any

from cyclegan_keras._files import PathLike
from cyclegan_keras.training.faults import tolerated
from cyclegan_keras.training.intervals import EveryFewSteps
from cyclegan_keras.training.progress import MeanLogs
from cyclegan_keras.training.schedules import current_rate

# Called with the steps done, the losses and the figures of a row, and their extractor.
Sink = Callable[[int, dict[str, float], dict[str, float], str | None], None]


class HistoryCSV(EveryFewSteps):
    """Writes a row of mean losses every so often, and at the end of each epoch.

    So it does where there are figures of the translators, too. On a full disk, rows wait until
    there is room again.

    Args:
        path: Of the file; rows of another training in it are replaced. Columns: `epoch` and `step`
            (both counted from one, steps over all epochs), `seconds` of training so far, the mean
            of each loss since the row before, the `learning_rate` of the row's last step, and
            figures, which most rows leave empty, with the name of the `extractor` that some of
            them depend on.
        interval: Steps between two rows.
        sinks: Each gets the numbers of each row as well.
    """

    def __init__(self, path: PathLike, interval: int, sinks: Iterable[Sink] = ()) -> None:
        super().__init__(interval)
        self._path, self._sinks = pathlib.Path(path), list(sinks)
        self._means = MeanLogs()
        self._figures: dict[str, float] = {}
        self._extractor: str | None = None
        self._text = ""
        self._seconds_before = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes in one step's losses."""
        self._means.add(logs)
        super().on_train_batch_end(batch, logs)
        if self._figures:
            self.act(batch)

    def take_figures(
        self, num_steps: int, figures: dict[str, float], extractor: str | None = None
    ) -> None:
        """Takes in what was measured after a step that it has yet to hear the end of.

        Args:
            num_steps: The step, which gets a row.
            figures: Numbers by name.
            extractor: The name of the feature space that some of them were measured in, if any.
        """
        self._figures, self._extractor = figures, extractor

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes what has come in since the last row."""
        if len(self._means):
            self.act(0)

    def act(self, batch: int) -> None:
        """Writes a row."""
        means, figures, extractor = self._means.mean(), self._figures, self._extractor
        rate = current_rate(self.model)
        rates = {} if rate is None else {"learning_rate": rate}
        row = {
            "epoch": str(self.epoch + 1),
            "step": str(self.num_steps),
            "seconds": str(round(self._seconds(), 2)),
            **{name: f"{value:.6g}" for name, value in {**means, **rates, **figures}.items()},
            **({} if extractor is None else {"extractor": extractor}),
        }
        self._text = with_row(self._text, row)
        self._figures, self._extractor = {}, None
        self._means = MeanLogs()
        with tolerated("history.csv"):
            self._write()
        for sink in self._sinks:
            sink(self.num_steps, means, figures, extractor)

    def state(self) -> dict[str, Any]:
        """Returns all rows so far, and what the next one is made of."""
        return {
            "text": self._text,
            "means": self._means.state(),
            "seconds": self._seconds(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what `state` returned; rows that came later are taken out of the file."""
        self._text = state["text"]
        self._means = MeanLogs()
        self._means.restore(state["means"])
        self._seconds_before, self._started = state["seconds"], time.monotonic()
        with tolerated("history.csv"):
            self._write()

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _write(self) -> None:
        """Brings the file to what it should be, touching no more of it than is wrong."""
        wanted = self._text.encode("utf-8")
        with self._path.open("ab+") as file:
            file.seek(0)
            found = file.read()
            shorter = min(found, wanted, key=len)
            right = len(shorter) if found[: len(shorter)] == wanted[: len(shorter)] else 0
            file.truncate(right)
            file.write(wanted[right:])


def with_row(table: str, row: dict[str, str]) -> str:
    """Adds a row to a table, and columns that only this row has.

    Args:
        table: A table as text, empty before the first row.
        row: Cells by column; those that are missing are left empty.

    Returns:
        The table with the row.
    """
    reader = csv.DictReader(io.StringIO(table))
    columns = list(reader.fieldnames or ())
    more = [name for name in row if name not in columns]
    lines = io.StringIO()
    writer = csv.DictWriter(lines, columns + more, restval="", lineterminator="\n")
    if more:
        writer.writeheader()
        writer.writerows(reader)
    writer.writerow(row)
    return lines.getvalue() if more else table + lines.getvalue()
