"""The progress of a training: all that the loop and its callbacks need to resume it."""

from collections.abc import Iterable
from typing import Any

import numpy as np

Logs = dict[str, Any]


class MeanLogs:
    """Averages losses over steps, and fetches them from the device only when needed."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        # Steps that had each loss: in a training in stages, steps have different ones.
        self._counts: dict[str, int] = {}
        self._count = 0
        self._pending: list[Logs] = []

    def __len__(self) -> int:
        return self._count + len(self._pending)

    def add(self, logs: Logs) -> None:
        """Adds the losses of one step, scalars of any kind."""
        self._pending.append(logs)

    def mean(self) -> dict[str, float]:
        """Returns the mean of each loss over the steps that had it; empty before the first step."""
        self._fetch()
        return {name: total / self._counts[name] for name, total in self._sums.items()}

    def state(self) -> dict[str, Any]:
        """Returns the sums and the count, as JSON can hold them."""
        self._fetch()
        return {"sums": dict(self._sums), "counts": dict(self._counts), "count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        """Restores what `state` returned."""
        self._sums, self._count = dict(state["sums"]), state["count"]
        # Checkpoints of earlier versions: all steps had all losses.
        self._counts = dict(state.get("counts", dict.fromkeys(self._sums, self._count)))
        self._pending.clear()

    def _fetch(self) -> None:
        for logs in self._pending:
            for name, value in logs.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(np.asarray(value))
                self._counts[name] = self._counts.get(name, 0) + 1
        self._count += len(self._pending)
        self._pending.clear()


class Progress:
    """The progress of a training.

    Its `state` and the model's variables determine the rest of the training.

    Attributes:
        epoch: The number of completed epochs.
        step: The number of completed steps in the next epoch.
        attempt: How often the training went back to an earlier state after a fault. Each time, the
            images come in another order, so that the fault does not recur.
        means: Mean losses since the beginning of the epoch.
        history: For each loss, its means in the completed epochs.
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
        """Derives the seed of an epoch, by default the next one, from the seed of the run."""
        if seed is None:
            return None
        epoch = self.epoch if epoch is None else epoch
        return (seed, epoch, self.attempt) if self.attempt else (seed, epoch)

    def end_step(self, logs: Logs) -> None:
        """Counts a step and adds its losses."""
        self.step += 1
        self.means.add(logs)

    def end_epoch(self) -> dict[str, float]:
        """Counts an epoch, and returns its mean losses."""
        means = self.means.mean()
        for name, value in means.items():
            self.history.setdefault(name, []).append(value)
        self.epoch, self.step, self.means = self.epoch + 1, 0, MeanLogs()
        return means

    def restore(self, callbacks: Iterable[Any]) -> None:
        """Restores the states of callbacks, and saves their states from now on.

        Args:
            callbacks: Keras callbacks. Those with `state()` and `restore(state)` are restored; at
                most one of each class.

        Raises:
            ValueError: If a state is incomplete.
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
                    f"The checkpoint is incomplete: {error} of {name} is missing. It was probably "
                    "written by another version of this package. Resume with that version, or "
                    "begin another run."
                ) from error

    def state(self) -> dict[str, Any]:
        """Returns everything, including the states of callbacks, as JSON can hold it."""
        return {
            "epoch": self.epoch,
            "step": self.step,
            "attempt": self.attempt,
            "means": self.means.state(),
            # A copy, since the training continues while this is written.
            "history": {name: list(means) for name, means in self.history.items()},
            "callbacks": (
                {name: callback.state() for name, callback in self._callbacks.items()}
                if self._callbacks
                else dict(self._remembered)  # The training has not begun.
            ),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "Progress":
        """Creates a progress from a state.

        Args:
            state: From `state`, or from its JSON.

        Returns:
            The progress. Callbacks are restored when the loop starts.
        """
        progress = cls()
        progress.epoch, progress.step = state["epoch"], state["step"]
        progress.attempt = state["attempt"]
        progress.means.restore(state["means"])
        progress.history = {name: list(means) for name, means in state["history"].items()}
        progress.is_restored = True
        progress._remembered = state["callbacks"]
        return progress
