"""What can go wrong while a training runs: signals, full disks, losses that are no numbers."""

import contextlib
import logging
import signal
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from cyclegan_keras.training.intervals import EveryFewSteps

_log = logging.getLogger(__name__)

# Windows has no terminals that hang up.
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]

NUM_NAMED = 4  # Of losses or weights; there are hundreds of these.


def warn(text: str) -> None:
    """Logs a warning.

    Args:
        text: A sentence or two.
    """
    _log.warning(text)


@contextlib.contextmanager
def tolerated(name: str) -> Iterator[None]:
    """Lets the training go on where a file that it can do without cannot be written.

    Args:
        name: Of the file, for the warning.

    Yields:
        Nothing; write inside.
    """
    try:
        yield
    except OSError as error:
        warn(f"{name} could not be written ({error.strerror or error}). The training goes on.")


class Interrupted(KeyboardInterrupt):
    """The training was asked to stop.

    Attributes:
        signum: The signal that asked.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum

    @property
    def exit_status(self) -> int:
        """What a shell says of a process that ended of this signal: 130, 143 or 129."""
        return 128 + self.signum


class StopOnSignal(keras.callbacks.Callback):
    """Ends the training with `Interrupted` after the step during which a signal came.

    That is SIGINT (Ctrl-C), SIGTERM, or SIGHUP (the terminal was closed), unless the process was
    begun to ignore it, as `nohup` does. A second signal ends the process at once. Works in the main
    thread, where Python handles signals. Hang it on behind the callbacks that should still hear of
    that step.

    As a context manager it listens between several trainings as well, and a signal that comes
    between two of them ends the second one before its first step.
    """

    def __init__(self) -> None:
        super().__init__()
        self._signum: int | None = None
        self._previous: dict[int, Any] = {}
        # Of the trainings and contexts that it listens for.
        self._depth = 0

    def __enter__(self) -> "StopOnSignal":
        """Begins to listen."""
        if self._depth == 0:
            self._signum = None
            self._previous = {
                signum: signal.signal(signum, self._remember)
                for signum in SIGNALS
                if signal.getsignal(signum) != signal.SIG_IGN
            }
        self._depth += 1
        return self

    def __exit__(self, error: type[BaseException] | None = None, *_: object) -> None:
        """Gives the signals their old meaning back, and sends one on that nobody has heard of.

        Args:
            error: What ends everything anyway, if anything does; no signal is sent on then.
        """
        self._depth -= 1
        if self._depth == 0:
            for signum, handler in self._previous.items():
                signal.signal(signum, handler)
            if self._signum is not None and error is None:
                signal.raise_signal(self._signum)

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins to listen."""
        self.__enter__()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stops if it was asked to while nothing was trained."""
        self.check()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stops if it was asked to."""
        self.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stops if it was asked to."""
        self.check()

    def check(self) -> None:
        """Stops if it was asked to.

        Raises:
            Interrupted: If a signal came.
        """
        if self._signum is not None:
            signum, self._signum = self._signum, None
            raise Interrupted(signum)

    def on_train_end(self, logs: Any = None) -> None:
        """Gives the signals their old meaning back, unless it listens for more than a training."""
        self.__exit__()

    def _remember(self, signum: int, frame: Any) -> None:
        self._signum = signum
        # From now on, what the system does by itself: the process ends, whatever it is at.
        for again in self._previous:
            signal.signal(again, signal.SIG_DFL)


class NotFinite(ArithmeticError):  # noqa: N818, the word says it
    """A loss or a weight is infinite or no number.

    Attributes:
        epoch: In which it was seen, from zero.
        step: In the epoch, from zero; `None` if a weight was seen between steps.
        names: Of what is not finite.
    """

    def __init__(self, names: list[str], epoch: int, step: int | None = None) -> None:
        self.names, self.epoch, self.step = names, epoch, step
        where = f"epoch {epoch + 1}" if step is None else f"epoch {epoch + 1}, step {step + 1}"
        more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
        super().__init__(f"In {where}, {', '.join(names[:NUM_NAMED])}{more} is not finite.")


class NotFiniteGuard(EveryFewSteps):
    """Ends the training with `NotFinite` when a loss is infinite or no number.

    Each step's losses are looked at while the next step is on its way, so that a GPU need not wait;
    but at once where something is made of the model then. Hang it on in front of what does that.

    Args:
        interval: Steps between two such moments.
    """

    def __init__(self, interval: int) -> None:
        super().__init__(interval)
        self._unchecked: tuple[int, int, dict[str, Any]] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Forgets what came before."""
        self._unchecked = None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Looks at the losses of the step before."""
        self.check()
        self._unchecked = self.epoch, batch, logs or {}
        super().on_train_batch_end(batch, logs)

    def act(self, batch: int) -> None:
        """Looks at the losses of this step."""
        self.check()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Looks at the last losses."""
        self.check()

    def check(self) -> None:
        """Looks at all losses that were not looked at yet.

        Raises:
            NotFinite: If one is infinite or no number.
        """
        if self._unchecked is None:
            return
        epoch, step, logs = self._unchecked
        self._unchecked = None
        names = [name for name, value in logs.items() if not np.isfinite(np.asarray(value))]
        if names:
            raise NotFinite(names, epoch, step)
