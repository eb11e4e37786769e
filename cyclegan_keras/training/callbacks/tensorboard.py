"""Losses, metrics and samples of a training for TensorBoard."""

import importlib.util
import pathlib
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras import _extras
from cyclegan_keras._files import PathLike
from cyclegan_keras.training.faults import tolerated
from cyclegan_keras.training.schedules import current_rate


def check_installed() -> None:
    """Checks that TensorBoard is installed.

    Raises:
        ValueError: If it is not.
    """
    # TensorFlow may be installed without it, and then lacks `tf.summary.scalar`.
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            "`tensorboard` needs the package of that name, which is not installed. Install it, "
            f"{_extras.advice('tensorboard')}, or leave --tensorboard out. "
            "Received: tensorboard=True"
        )


class TensorBoardLog(keras.callbacks.Callback):
    """Writes the numbers of `HistoryCSV` and the grids of `SampleGrid` for TensorBoard.

    Each training starts a new file, with an event that records its first step. TensorBoard then
    drops that step and later ones from earlier files, so that steps that a resumed run repeats are
    shown once. Its faster reader ignores that event, but drops the later points of a curve when a
    step is repeated. If the disk is full, there is a warning, and a new file is started when there
    is space.

    Args:
        directory: The folder of the files, created when there is something to write.
    """

    def __init__(self, directory: PathLike) -> None:
        super().__init__()
        check_installed()
        self._directory = pathlib.Path(directory)
        self._writer: Any = None
        self._begin_at: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Stores the number of the next step."""
        progress = self.params["progress"]
        self._begin_at = progress.epoch * self.params["steps"] + progress.step + 1

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the file."""
        if self._writer is not None:
            self._writer.close()

    def write_row(
        self,
        num_steps: int,
        losses: dict[str, float],
        metrics: dict[str, float],
        extractor: str | None = None,
    ) -> None:
        """Writes the numbers of one row of the history, and the learning rate.

        Args:
            num_steps: The number of steps so far.
            losses: Means by name.
            metrics: Values by name; empty if the generators were not evaluated.
            extractor: The name of the extractor that some of the metrics depend on, if any; another
                extractor starts new curves.
        """
        # The tags of earlier versions, so that the curves of a resumed run continue.
        group_of_metrics = "figures" if extractor is None else f"figures ({extractor})"
        rate = current_rate(self.model)

        def write() -> None:
            if rate is not None:
                tf.summary.scalar("learning_rate", rate)
            for group, values in (("losses", losses), (group_of_metrics, metrics)):
                for name, value in values.items():
                    tf.summary.scalar(f"{group}/{name}", value)

        self._write(num_steps, write)

    def write_sample(self, grid: np.ndarray, epoch: int, batch: int) -> None:
        """Writes a sample grid.

        Args:
            grid: The grid, uint8, `(height, width, 3)`.
            epoch: The epoch, from zero.
            batch: The batch, from zero.
        """
        num_steps = epoch * self.params["steps"] + batch + 1
        self._write(num_steps, lambda: tf.summary.image("samples", grid[np.newaxis]))

    def _write(self, num_steps: int, write: Callable[[], None]) -> None:
        with tolerated(f"a TensorBoard file in {self._directory}"):
            try:
                if self._writer is None:
                    self._writer = tf.summary.create_file_writer(str(self._directory))
                if self._begin_at is not None:
                    self._tell_beginning(self._begin_at)
                with self._writer.as_default(num_steps):
                    write()
                self._writer.flush()
                self._begin_at = None
            except tf.errors.OpError as error:
                # The file may be damaged there, and TensorBoard would not read further.
                self._writer = None
                raise OSError(error.message.splitlines()[0]) from error

    def _tell_beginning(self, step: int) -> None:
        started = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        event = tf.compat.v1.Event(wall_time=time.time(), step=step, session_log=started)
        # `tf.summary` itself can write summaries only.
        tf.raw_ops.ImportEvent(writer=self._writer._resource, event=event.SerializeToString())
