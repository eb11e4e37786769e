"""The training history as a table: `history.csv`."""

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

# Called with the number of steps, the losses and the metrics of a row, and their extractor.
Sink = Callable[[int, dict[str, float], dict[str, float], str | None], None]


class HistoryCSV(EveryFewSteps):
    """Writes a row of mean losses every `interval` steps and at the end of each epoch.

    A step after which generators were evaluated gets a row, too. If the disk is full, rows are kept
    in memory until there is space.

    Args:
        path: The file; rows of another training in it are replaced. Columns: `epoch` and `step`
            (both counted from one, steps over all epochs), `seconds` of training so far, the mean
            of each loss since the previous row, the `learning_rate` of the row's last step, and
            metrics, which most rows leave empty, with the name of the `extractor` that some of
            them depend on.
        interval: Steps between two rows.
        sinks: Each is called with the numbers of each row.
    """

    def __init__(self, path: PathLike, interval: int, sinks: Iterable[Sink] = ()) -> None:
        super().__init__(interval)
        self._path, self._sinks = pathlib.Path(path), list(sinks)
        self._means = MeanLogs()
        self._metrics: dict[str, float] = {}
        self._extractor: str | None = None
        self._text = ""
        self._seconds_before = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Collects the losses of one step."""
        self._means.add(logs)
        super().on_train_batch_end(batch, logs)
        if self._metrics:
            self.act(batch)

    def add_metrics(
        self, num_steps: int, metrics: dict[str, float], extractor: str | None = None
    ) -> None:
        """Adds metrics to the row of the step that is about to end.

        Args:
            num_steps: The number of that step.
            metrics: Values by name.
            extractor: The name of the extractor that some of them depend on, if any.
        """
        self._metrics, self._extractor = metrics, extractor

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes the losses since the last row."""
        if len(self._means):
            self.act(0)

    def act(self, batch: int) -> None:
        """Writes a row."""
        means, metrics, extractor = self._means.mean(), self._metrics, self._extractor
        rate = current_rate(self.model)
        rates = {} if rate is None else {"learning_rate": rate}
        row = {
            "epoch": str(self.epoch + 1),
            "step": str(self.num_steps),
            "seconds": str(round(self._seconds(), 2)),
            **{name: f"{value:.6g}" for name, value in {**means, **rates, **metrics}.items()},
            **({} if extractor is None else {"extractor": extractor}),
        }
        self._text = with_row(self._text, row)
        self._metrics, self._extractor = {}, None
        self._means = MeanLogs()
        with tolerated("history.csv"):
            self._write()
        for sink in self._sinks:
            sink(self.num_steps, means, metrics, extractor)

    def state(self) -> dict[str, Any]:
        """Returns all rows so far, and the losses collected for the next one."""
        return {
            "text": self._text,
            "means": self._means.state(),
            "seconds": self._seconds(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restores a state; later rows are removed from the file."""
        self._text = state["text"]
        self._means = MeanLogs()
        self._means.restore(state["means"])
        self._seconds_before, self._started = state["seconds"], time.monotonic()
        with tolerated("history.csv"):
            self._write()

    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _write(self) -> None:
        """Updates the file, rewriting only the part that differs."""
        wanted = self._text.encode("utf-8")
        with self._path.open("ab+") as file:
            file.seek(0)
            found = file.read()
            shorter = min(found, wanted, key=len)
            right = len(shorter) if found[: len(shorter)] == wanted[: len(shorter)] else 0
            file.truncate(right)
            file.write(wanted[right:])


def with_row(table: str, row: dict[str, str]) -> str:
    """Adds a row to a table, and new columns if the row has any.

    Args:
        table: The table as CSV text, empty before the first row.
        row: Cells by column; missing ones are left empty.

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
