"""The training loop: batches through any model that has a `train_step`, callbacks around it."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import keras
import numpy as np

Logs = dict[str, Any]


class Batches(Protocol):
    """Where the loop gets its data from: a `DataLoader`, or anything of the same shape."""

    def num_batches(self, batch_size: int) -> int:
        """Counts the batches in one epoch."""

    def load_batch(self, batch_size: int, seed: Any) -> Iterator[Any]:
        """Deals out one epoch."""


class MeanLogs:
    """Collects the losses of many steps, and fetches them from the device only when asked."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0
        self._pending: list[Logs] = []

    def add(self, logs: Logs) -> None:
        """Takes in one step's losses, scalars of any kind."""
        self._pending.append(logs)

    def mean(self) -> dict[str, float]:
        """Returns the mean of each loss over all steps so far; empty before the first."""
        for logs in self._pending:
            for name, value in logs.items():
                self._sums[name] = self._sums.get(name, 0.0) + float(np.asarray(value))
        self._count += len(self._pending)
        self._pending.clear()
        return {name: total / self._count for name, total in self._sums.items()}


def run(
    model: Any,
    data: Batches,
    epochs: int,
    batch_size: int,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    seed: int | None = None,
) -> keras.callbacks.History:
    """Trains a model, epoch by epoch.

    The callbacks get, after each step, that step's losses as tensors on the device, and after each
    epoch the means as floats. A callback ends the training by setting `model.stop_training`.

    Args:
        model: Anything with a `train_step(batch)` that returns a dict of scalars.
        data: Where batches come from.
        epochs: Passes over the data, at least one.
        batch_size: Images of each domain in one step.
        callbacks: Keras callbacks.
        seed: Of the data's order; epoch `e` is dealt out with `(seed, e)`. `None` leaves it to
            `data`.

    Returns:
        A `History`, whose `history` has a list of means, one an epoch, for each loss.

    Raises:
        ValueError: If `epochs` is less than one, or the data cannot fill a batch.
    """
    check_epochs(epochs)
    steps = data.num_batches(batch_size)
    history = keras.callbacks.History()
    hooks = _Callbacks([*callbacks, history], model, {"epochs": epochs, "steps": steps})
    model.stop_training = False
    hooks("on_train_begin")
    logs: dict[str, float] = {}
    try:
        for epoch in range(epochs):
            hooks("on_epoch_begin", epoch)
            means = MeanLogs()
            epoch_seed = None if seed is None else (seed, epoch)
            for step, batch in enumerate(data.load_batch(batch_size, seed=epoch_seed)):
                hooks("on_train_batch_begin", step)
                step_logs = model.train_step(batch)
                means.add(step_logs)
                hooks("on_train_batch_end", step, step_logs)
                if model.stop_training:
                    break
            logs = means.mean()
            hooks("on_epoch_end", epoch, logs)
            if model.stop_training:
                break
    finally:
        hooks("on_train_end", logs)
    return history


def check_epochs(epochs: int) -> None:
    """Raises an error that teaches if there is nothing to train.

    Args:
        epochs: Passes over the data.

    Raises:
        ValueError: If it is less than one.
    """
    if epochs < 1:
        raise ValueError(f"`epochs` must be at least 1. Received: epochs={epochs}")


class _Callbacks:
    """Calls each callback in turn. Keras's own list fetches every loss after every step."""

    def __init__(
        self, callbacks: list[keras.callbacks.Callback], model: Any, params: dict[str, Any]
    ) -> None:
        self._callbacks = callbacks
        for callback in callbacks:
            callback.set_params(params)
            callback.set_model(model)

    def __call__(self, event: str, *args: Any) -> None:
        for callback in self._callbacks:
            getattr(callback, event)(*args)
