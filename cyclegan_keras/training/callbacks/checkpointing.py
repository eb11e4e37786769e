"""Writes checkpoints during a training, and restores a model from one."""

import threading
import time
from typing import Any

import keras
import numpy as np

from cyclegan_keras.training.checkpoints import Checkpoint, CheckpointStore
from cyclegan_keras.training.faults import NotFinite, NotFiniteGuard, tolerated


def variables_of(model: Any) -> dict[str, Any]:
    """Collects all variables of a model that change during training.

    Args:
        model: A `CycleGAN`, a `Pix2Pix`, or another Keras model with `optimizers`.

    Returns:
        Keras variables by name: the weights of the networks, the contents of image pools, the
        states of random streams and dropout, and for each optimizer its moments, moving averages,
        loss scale, learning rate and step.
    """
    # Named by position, since Keras numbers its own names through the whole process.
    found = {f"model/{place:04d}": v for place, v in enumerate(model.variables)}
    for number, optimizer in enumerate(model.optimizers):
        named = {
            f"optimizer_{number}/{place:04d}": v for place, v in enumerate(optimizer.variables)
        }
        found.update(named)
    return found


def restore(model: Any, checkpoint: Checkpoint) -> None:
    """Restores the variables of a model.

    Args:
        model: Created with the same settings as the saved one.
        checkpoint: From a `CheckpointStore`.

    Raises:
        ValueError: If the checkpoint is of another model. Nothing is changed then.
    """
    variables = variables_of(model)
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    found = {name: array.shape for name, array in checkpoint.variables.items()}
    if shapes != found:
        odd = sorted(
            name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name)
        )
        raise ValueError(
            f"The checkpoint {str(checkpoint.path)!r} is of another model: of "
            f"{len(variables)} variables, {len(odd)} have another shape or are missing, such as "
            f"{odd[0]} ({shapes.get(odd[0])} here, {found.get(odd[0])} there). If another version "
            "of this package wrote it, resume with that version."
        )
    for name, variable in variables.items():
        variable.assign(checkpoint.variables[name])


class Checkpointing(keras.callbacks.Callback):
    """Writes a checkpoint before the first step, at intervals, and at the end of each epoch.

    A thread writes it: the training waits only while the variables are copied and, at the end of an
    epoch, for the previous write. Place it behind all callbacks with a state. If the disk is full,
    there is a warning, and the next checkpoint is tried when it is due.

    Args:
        store: Stores the checkpoints.
        interval: Minimum number of minutes between two; 0 writes one as soon as the previous one is
            written.
        guard: Asked before each checkpoint, so that no broken model is saved.
        about: Further information to save, as JSON can hold it.
    """

    def __init__(
        self,
        store: CheckpointStore,
        interval: float,
        guard: NotFiniteGuard,
        about: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._store, self._seconds, self._guard = store, 60 * interval, guard
        self._about = about or {}
        self._writer: threading.Thread | None = None
        self._error: BaseException | None = None
        self._begun = False
        # Epoch and step of the last checkpoint.
        self._place: tuple[int, int] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Notes that no checkpoint of this training is written yet."""
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Writes the state before the first step, unless it was restored."""
        if self._begun:
            return
        self._begun, self._place = True, self._now()
        self._due = time.monotonic() + self._seconds
        if self._place == (0, 0) and not self.params["progress"].is_restored:
            self._place = None
            self.take()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes a checkpoint if it is due."""
        if self._writer is not None and not self._writer.is_alive():
            self.wait()
        if self._writer is None and time.monotonic() >= self._due:
            self.take()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes a checkpoint."""
        self.take()

    def on_train_end(self, logs: Any = None) -> None:
        """Waits for the last write. Its errors are raised by `wait`."""
        if self._writer is not None:
            self._writer.join()

    def take(self) -> None:
        """Copies the state and starts writing it, after the previous write is done.

        Does nothing if the previous checkpoint was of the same step.

        Raises:
            NotFinite: If a loss, or a weight of the previous write, is not finite. Nothing is
                written then.
        """
        self.wait()
        self._guard.check()
        if self._place == self._now():
            return
        self._place, self._due = self._now(), time.monotonic() + self._seconds
        variables = {
            name: keras.ops.convert_to_numpy(v) for name, v in variables_of(self.model).items()
        }
        state = {**self._about, "progress": self.params["progress"].state()}
        self._writer = threading.Thread(
            target=self._write, args=(variables, state), name="checkpoint", daemon=True
        )
        self._writer.start()

    def wait(self) -> None:
        """Waits for the current write; a full disk leads to a warning.

        Raises:
            NotFinite: If a weight was not finite, so that nothing was written.
        """
        if self._writer is not None:
            self._writer.join()
        error, self._error, self._writer = self._error, None, None
        if error is not None:
            self._place = None  # It may be tried again.
            with tolerated("a checkpoint"):
                raise error

    def _now(self) -> tuple[int, int]:
        progress = self.params["progress"]
        return progress.epoch, progress.step

    def _write(self, variables: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        try:
            if broken := not_finite(variables):
                raise NotFinite(broken, state["progress"]["epoch"])
            self._store.save(variables, state)
        except BaseException as error:
            self._error = error


def not_finite(arrays: dict[str, np.ndarray]) -> list[str]:
    """Finds arrays that contain infinity or NaN.

    Args:
        arrays: By name.

    Returns:
        Their names.
    """
    return [name for name, array in arrays.items() if not np.isfinite(array).all()]
