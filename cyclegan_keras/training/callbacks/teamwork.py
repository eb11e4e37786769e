"""How the processes of a team take the same steps: the chief leads, the others follow."""

from collections.abc import Callable
from typing import Any

import keras

from cyclegan_keras.cluster import Alone, Team

GO, HALT = "go", "halt"


class Watch(keras.callbacks.Callback):
    """Notes when a step begins and ends, so that one that is stuck is noticed.

    Place it in front of all other callbacks, whose time does not count.

    Args:
        team: The team.
    """

    def __init__(self, team: Alone) -> None:
        super().__init__()
        self._team = team

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Notes that a step begins."""
        self._team.begin_step()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes that it has ended."""
        self._team.end_step()


class Lead(keras.callbacks.Callback):
    """Lets the others go on, once all that the chief does between two steps is done.

    Place it behind all other callbacks. If one of these raises an exception, the others must be
    told to halt.

    Args:
        team: The team.
    """

    def __init__(self, team: Alone) -> None:
        super().__init__()
        self._team = team

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Lets the others begin the epoch."""
        self._go()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Lets the others take the next step, unless the training stops early."""
        self._go()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Lets the others end the epoch."""
        self._go()

    def _go(self) -> None:
        self._team.tell({"kind": GO, "stops": bool(self.model.stop_training)})


class Halted(Exception):  # noqa: N818, the word says it
    """The chief takes no further step for now."""


class Follow(keras.callbacks.Callback):
    """Waits, after each step, until the chief is done with all that it does there.

    Args:
        team: The team.
        meanwhile: Called twice a second while waiting.

    Raises:
        Halted: During the training, if the chief has left it.
    """

    def __init__(self, team: Team, meanwhile: Callable[[], None]) -> None:
        super().__init__()
        self._team, self._meanwhile = team, meanwhile

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Waits for the chief."""
        self._wait()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Waits for the chief, and stops early if the chief does."""
        self._wait()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Waits for the chief."""
        self._wait()

    def _wait(self) -> None:
        message, payload = self._team.wait(self._meanwhile)
        if message["kind"] == GO:
            self.model.stop_training = message["stops"]
            return
        if message["kind"] != HALT:
            self._team.put_back(message, payload)
        raise Halted
