"""The run's losses, metrics and samples for TensorBoard."""

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
    """Raises an error that teaches if TensorBoard is not there.

    Raises:
        ValueError: If so.
    """
    # TensorFlow comes without it, and then has no `tf.summary.scalar`.
    if importlib.util.find_spec("tensorboard") is None:
        raise ValueError(
            "`tensorboard` needs the package of that name, which is not there. Install it, "
            f"{_extras.advice('tensorboard')}, or leave --tensorboard out. "
            "Received: tensorboard=True"
        )


class TensorBoardLog(keras.callbacks.Callback):
    """Writes what `HistoryCSV` and `SampleGrid` hand on to files that TensorBoard shows.

    Each training begins a file, with an event that says at which step. TensorBoard drops what
    earlier files have of that step and later ones, so that steps that a resumed run does again are
    shown once; its faster reader, which does not know that event, drops a curve's later points
    when the curve comes to their steps again. On a full disk there is a warning, and a new file is
    begun when there is room.

    Args:
        directory: Where to; made when there is something to write.
    """

    def __init__(self, directory: PathLike) -> None:
        super().__init__()
        check_installed()
        self._directory = pathlib.Path(directory)
        self._writer: Any = None
        self._begin_at: int | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Remembers the step that comes next."""
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
            num_steps: Steps done.
            losses: Means by name.
            metrics: Numbers by name, none if nothing was measured.
            extractor: The name of the feature space that some of them were measured in, if any; a
                change of it begins new curves.
        """
        measured = "figures" if extractor is None else f"figures ({extractor})"

        rate = current_rate(self.model)

        def write() -> None:
            if rate is not None:
                tf.summary.scalar("learning_rate", rate)
            for group, values in (("losses", losses), (measured, metrics)):
                for name, value in values.items():
                    tf.summary.scalar(f"{group}/{name}", value)

        self._write(num_steps, write)

    def write_sample(self, grid: np.ndarray, epoch: int, batch: int) -> None:
        """Writes a sample.

        Args:
            grid: The picture, uint8, `(height, width, 3)`.
            epoch: From zero.
            batch: From zero.
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
                # The file may be torn there, and nothing behind that would be read.
                self._writer = None
                raise OSError(error.message.splitlines()[0]) from error

    def _tell_beginning(self, step: int) -> None:
        started = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        event = tf.compat.v1.Event(wall_time=time.time(), step=step, session_log=started)
        # `tf.summary` itself has no way to write any other event than a summary.
        tf.raw_ops.ImportEvent(writer=self._writer._resource, event=event.SerializeToString())
