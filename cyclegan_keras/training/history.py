"""The run's figures as a table: `history.csv`."""

import csv
import io
import pathlib
import time
from typing import Any

from cyclegan_keras.files import PathLike
from cyclegan_keras.training.faults import tolerated
from cyclegan_keras.training.intervals import EveryFewSteps
from cyclegan_keras.training.progress import MeanLogs


class HistoryCSV(EveryFewSteps):
    """Writes a row of mean losses every so often, and at the end of each epoch.

    On a full disk, rows wait until there is room again.

    Args:
        path: Of the file; rows of another training in it are replaced. Columns: `epoch` and `step`
            (both counted from one, steps over all epochs), `seconds` of training so far, and the
            mean of each loss since the row before.
        interval: Steps between two rows.
    """

    def __init__(self, path: PathLike, interval: int) -> None:
        super().__init__(interval)
        self._path = pathlib.Path(path)
        self._means = MeanLogs()
        self._text = ""
        self._seconds_before = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes in one step's losses."""
        self._means.add(logs)
        super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes what has come in since the last row."""
        if len(self._means):
            self.act(0)

    def act(self, batch: int) -> None:
        """Writes a row."""
        means = {name: f"{value:.6g}" for name, value in self._means.mean().items()}
        seconds = round(self._seconds(), 2)
        row = {"epoch": self.epoch + 1, "step": self.num_steps, "seconds": seconds, **means}
        lines = io.StringIO()
        writer = csv.DictWriter(lines, fieldnames=list(row), lineterminator="\n")
        if not self._text:
            writer.writeheader()
        writer.writerow(row)
        self._text += lines.getvalue()
        self._means = MeanLogs()
        with tolerated("history.csv"):
            self._write()

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
