"""Handles what can go wrong during a training: signals, full disks, losses that are not finite."""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from cyclegan_keras.training.intervals import EveryFewSteps

_log = logging.getLogger(__name__)

# Windows has no SIGHUP.
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

NUM_NAMED = 4  # Of possibly hundreds of losses or weights.


def warn(text: str) -> None:
    """Logs a warning.

    Args:
        text: A sentence or two.
    """
    _log.warning(text)


@contextlib.contextmanager
def tolerated(name: str) -> Iterator[None]:
    """Turns an error while writing a dispensable file into a warning, and lets the training go on.

    Args:
        name: The name of the file, for the warning.

    Yields:
        Nothing; write inside.
    """
    try:
        yield
    except OSError as error:
        warn(f"{name} could not be written ({error.strerror or error}). The training goes on.")


class Interrupted(KeyboardInterrupt):
    """A signal interrupted the training.

    Attributes:
        signum: The signal.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_status(self) -> int:
        """The exit status that shells report for this signal: 130, 143 or 129."""
        return 128 + self.signum


class StopOnSignal(keras.callbacks.Callback):
    """Ends the training with `Interrupted` after the step during which a signal arrived.

    The signals are SIGINT (Ctrl-C), SIGTERM, and SIGHUP (the terminal was closed), unless the
    process ignores them, for example under `nohup`. A second signal ends the process at once. It
    listens in the main thread only, where Python handles signals. Place it behind the callbacks
    that should still process that step.

    As a context manager, it also listens between trainings: a signal between two of them ends the
    second one before its first step.

    Args:
        asked: Gives the signal that another process of the run got and sent here; or `None`.
    """

    def __init__(self, asked: Callable[[], int | None] = lambda: None) -> None:
        super().__init__()
        self._asked = asked
        self._signum: int | None = None
        self._previous: dict[int, Any] = {}
        # The number of trainings and contexts that it listens for.
        self._depth = 0

    def __enter__(self) -> "StopOnSignal":
        """Starts listening."""
        if self._depth == 0:
            self._signum = None
            self._previous = {
                signum: signal.signal(signum, self._remember)
                for signum in SIGNALS
                if signal.getsignal(signum) != signal.SIG_IGN
                and threading.current_thread() is threading.main_thread()
            }
        self._depth += 1
        return self

    def __exit__(self, error: type[BaseException] | None = None, *_: object) -> None:
        """Restores the previous handlers, and raises a signal again that was not processed yet.

        Args:
            error: The exception that ends the context, if any; no signal is raised again then.
        """
        self._depth -= 1
        if self._depth == 0:
            for signum, handler in self._previous.items():
                signal.signal(signum, handler)
            if self._signum is not None and error is None:
                signal.raise_signal(self._signum)

    @property
    def signum(self) -> int | None:
        """The signal that arrived and was not processed yet."""
        return self._signum

    def forget(self) -> None:
        """Takes the signal that arrived as processed."""
        self._signum = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Starts listening."""
        self.__enter__()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stops if a signal arrived between trainings."""
        self.check()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops if a signal arrived."""
        self.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops if a signal arrived."""
        self.check()

    def check(self) -> None:
        """Stops if a signal arrived.

        Raises:
            Interrupted: If a signal arrived.
        """
        signum = self._asked() if self._signum is None else self._signum
        if signum is not None:
            self._signum = None
            raise Interrupted(signum)

    def on_train_end(self, logs: Any = None) -> None:
        """Restores the previous handlers, unless a context is still open."""
        self.__exit__()

    def _remember(self, signum: int, frame: Any) -> None:
        self._signum = signum
        # The next signal has its default effect: it ends the process at once.
        for again in self._previous:
            signal.signal(again, signal.SIG_DFL)


class NotFinite(ArithmeticError):  # noqa: N818, the word says it
    """A loss or a weight is infinite or NaN.

    Attributes:
        epoch: The epoch in which it was noticed, from zero.
        step: The step in that epoch, from zero; `None` if it was noticed between steps.
        names: The names of the losses or weights.
    """

    def __init__(self, names: list[str], epoch: int, step: int | None = None) -> None:
        self.names, self.epoch, self.step = names, epoch, step
        where = f"epoch {epoch + 1}" if step is None else f"epoch {epoch + 1}, step {step + 1}"
        more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
        super().__init__(f"In {where}, {', '.join(names[:NUM_NAMED])}{more} is not finite.")


class NotFiniteGuard(EveryFewSteps):
    """Ends the training with `NotFinite` when a loss is infinite or NaN.

    The losses of a step are checked during the next step, so that a GPU need not wait; but every
    `interval` steps, at once, since other callbacks then use the model. Place it in front of these.

    Args:
        interval: Steps between two immediate checks.
    """

    def __init__(self, interval: int) -> None:
        super().__init__(interval)
        self._unchecked: tuple[int, int, dict[str, Any]] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets losses of an earlier training."""
        self._unchecked = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Checks the losses of the previous step."""
        self.check()
        self._unchecked = self.epoch, batch, logs or {}
        super().on_train_batch_end(batch, logs)

    def act(self, batch: int) -> None:
        """Checks the losses of this step."""
        self.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Checks the last losses."""
        self.check()

    def check(self) -> None:
        """Checks all losses that were not checked yet.

        Raises:
            NotFinite: If one is infinite or NaN.
        """
        if self._unchecked is None:
            return
        epoch, step, logs = self._unchecked
        self._unchecked = None
        names = [name for name, value in logs.items() if not np.isfinite(np.asarray(value))]
        if names:
            raise NotFinite(names, epoch, step)
