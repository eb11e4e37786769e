"""Writing checkpoints while a model is trained, and bringing a model back to one."""

import threading
import time
from typing import Any

import keras
import numpy as np

from cyclegan_keras.training.checkpoints import Checkpoint, CheckpointStore
from cyclegan_keras.training.faults import NotFinite, NotFiniteGuard, tolerated


def variables_of(model: Any) -> dict[str, Any]:
    """Names everything in a model that changes when it is trained.

    Args:
        model: A `CycleGAN`, a `Pix2Pix`, or another Keras model with `optimizers`.

    Returns:
        Keras variables by name: the weights of the networks, what image pools hold, the state of
        every random stream and of dropout, and for each optimizer its moments, moving averages,
        loss scale, learning rate and step.
    """
    # By place, since Keras's own names count up over all models that a process has made.
    found = {f"model/{place:04d}": v for place, v in enumerate(model.variables)}
    for number, optimizer in enumerate(model.optimizers):
        named = {
            f"optimizer_{number}/{place:04d}": v for place, v in enumerate(optimizer.variables)
        }
        found.update(named)
    return found


def restore(model: Any, checkpoint: Checkpoint) -> None:
    """Gives a model's variables the values that they had.

    Args:
        model: Made with the same settings as the one that was saved.
        checkpoint: From a `CheckpointStore`.

    Raises:
        ValueError: If it is of another model. Nothing is changed then.
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
            f"{len(variables)} variables, {len(odd)} have another shape or are not there, such as "
            f"{odd[0]} ({shapes.get(odd[0])} here, {found.get(odd[0])} there). Was it made by "
            "another version of this package?"
        )
    for name, variable in variables.items():
        variable.assign(checkpoint.variables[name])


class Checkpointing(keras.callbacks.Callback):
    """Writes a checkpoint before the first step, every so often, and at the end of each epoch.

    It is written in a thread: the training waits while its variables are copied and, at the end of
    an epoch, until the write before is done. Hang it on behind all callbacks with a state. On a
    full disk there is a warning, and the next one is tried when it is due.

    Args:
        store: Where to.
        interval: Minutes between two, at least; 0 writes one as soon as the last one is written.
        guard: Asked before each, so that none is made of a model that is broken.
        about: What else to remember, as JSON has it.
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
        # Of what was written last: epoch and step.
        self._place: tuple[int, int] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Remembers that nothing of this training is written yet."""
        self._begun = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Writes the state before the first step, unless it came from a checkpoint."""
        if self._begun:
            return
        self._begun, self._place = True, self._now()
        self._due = time.monotonic() + self._seconds
        if self._place == (0, 0) and not self.params["progress"].is_restored:
            self._place = None
            self.take()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Writes one if it is time."""
        if self._writer is not None and not self._writer.is_alive():
            self.wait()
        if self._writer is None and time.monotonic() >= self._due:
            self.take()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Writes one."""
        self.take()

    def on_train_end(self, logs: Any = None) -> None:
        """Lets the last write end. What went wrong with it is told by `wait`."""
        if self._writer is not None:
            self._writer.join()

    def take(self) -> None:
        """Copies the state of everything and begins to write it, after the last write is done.

        Does nothing if the last one was of the same step.

        Raises:
            NotFinite: If a loss or a weight is not finite. Nothing is written then, or was.
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
        """Waits until what was begun is written; a full disk is a warning.

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
    """Finds arrays with an infinite value or one that is no number.

    Args:
        arrays: By name.

    Returns:
        The names of those.
    """
    return [name for name, array in arrays.items() if not np.isfinite(array).all()]
