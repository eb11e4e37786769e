"""How far a training is: all that the loop and its callbacks need to go on from there."""

from collections.abc import Iterable
from typing import Any

import numpy as np

Logs = dict[str, Any]


class MeanLogs:
    """Collects the losses of many steps, and fetches them from the device only when asked."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0
        self._pending: list[Logs] = []

    def __len__(self) -> int:
        return self._count + len(self._pending)

    def add(self, logs: Logs) -> None:
        """Takes in one step's losses, scalars of any kind."""
        self._pending.append(logs)

    def mean(self) -> dict[str, float]:
        """Returns the mean of each loss over all steps so far; empty before the first."""
        self._fetch()
        return {name: total / self._count for name, total in self._sums.items()}

    def state(self) -> dict[str, Any]:
        """Returns what there is, as numbers and names."""
        self._fetch()
        return {"sums": dict(self._sums), "count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what `state` returned."""
        self._sums, self._count = dict(state["sums"]), state["count"]
        self._pending.clear()

    def _fetch(self) -> None:
        for logs in self._pending:
            for name, value in logs.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(np.asarray(value))
        self._count += len(self._pending)
        self._pending.clear()


class Progress:
    """How far a training is.

    Its `state` and the model's variables decide all that is to come.

    Attributes:
        epoch: How many epochs are done.
        step: How many steps are done of the one that comes next.
        attempt: How often the training went back to an earlier state after a fault. From there on
            the images come in another order, or the same fault would come again.
        means: Of the losses since the epoch began.
        history: For each loss, its means in all epochs that are done.
        is_restored: Whether it was read from a checkpoint.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.step = 0
        self.attempt = 0
        self.means = MeanLogs()
        self.history: dict[str, list[float]] = {}
        self.is_restored = False
        self._callbacks: dict[str, Any] = {}
        self._remembered: dict[str, Any] = {}

    def seed_of_epoch(self, seed: int | None, epoch: int | None = None) -> tuple[int, ...] | None:
        """The seed of the order in an epoch, by default the coming one, from that of the run."""
        if seed is None:
            return None
        epoch = self.epoch if epoch is None else epoch
        return (seed, epoch, self.attempt) if self.attempt else (seed, epoch)

    def end_step(self, logs: Logs) -> None:
        """Counts a step and takes its losses in."""
        self.step += 1
        self.means.add(logs)

    def end_epoch(self) -> dict[str, float]:
        """Counts an epoch, and returns the means of its losses."""
        means = self.means.mean()
        for name, value in means.items():
            self.history.setdefault(name, []).append(value)
        self.epoch, self.step, self.means = self.epoch + 1, 0, MeanLogs()
        return means

    def restore(self, callbacks: Iterable[Any]) -> None:
        """Brings callbacks to where they were, and asks these for their state from now on.

        Args:
            callbacks: Keras callbacks. Those with `state()` and `restore(state)` count, one of each
                class.

        Raises:
            ValueError: If one of them misses something in its state.
        """
        self._callbacks = {
            type(callback).__name__: callback
            for callback in callbacks
            if hasattr(callback, "state")
        }
        for name, callback in self._callbacks.items():
            if name not in self._remembered:
                continue
            try:
                callback.restore(self._remembered[name])
            except KeyError as error:
                raise ValueError(
                    f"The checkpoint does not say all that is needed to go on: of {name}, {error} "
                    "is missing. Was it made by another version of this package? Go on with that "
                    "one, or begin another run."
                ) from error

    def state(self) -> dict[str, Any]:
        """Returns all of it as what JSON can hold, callbacks included."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "attempt": self.attempt,
            "means": self.means.state(),
            # A copy: the training goes on while this is being written.
            "history": {name: list(means) for name, means in self.history.items()},
            "callbacks": {name: callback.state() for name, callback in self._callbacks.items()},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Progress":
        """Makes a progress of what `state` returned.

        Args:
            state: From `state`, or from its JSON.

        Returns:
            The progress; callbacks are restored when the loop begins.
        """
        progress = cls()
        progress.epoch, progress.step = state["epoch"], state["step"]
        progress.attempt = state["attempt"]
        progress.means.restore(state["means"])
        progress.history = {name: list(means) for name, means in state["history"].items()}
        progress.is_restored = True
        progress._remembered = state["callbacks"]
        return progress
