"""The training loop: batches through any model that has a `train_step`, callbacks around it."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import keras

from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.training.progress import Progress


class Batches(Protocol):
    """Where the loop gets its data from: a `DataLoader`, or anything of the same shape."""

    def num_batches(self, batch_size: int) -> int:
        """Counts the batches in one epoch."""

    def load_batch(self, batch_size: int, *, seed: Any, first_batch: int = 0) -> Iterator[Any]:
        """Deals out one epoch; `first_batch` is given only where an epoch goes on."""


def run(
    model: Any,
    data: Batches,
    epochs: int,
    batch_size: int,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    seed: int | None = None,
    progress: Progress | None = None,
) -> keras.callbacks.History:
    """Trains a model, epoch by epoch.

    The callbacks get, after each step, that step's losses as tensors on the device, and after each
    epoch the means as floats; `params["progress"]` is how far the training is, the step included.
    A callback ends the training by setting `model.stop_training`, when it is restored or in a step,
    whose epoch then counts as done; or by raising an exception, which then comes out of here, after
    `on_train_end`.

    Args:
        model: Anything with a `train_step(batch)` that returns a dict of scalars.
        data: Where batches come from.
        epochs: Passes over the data, at least one.
        batch_size: Images of each domain in one step.
        callbacks: Keras callbacks. Those with `state()` and `restore(state)` are restored, after
            `on_train_begin`, from what `progress` remembers of them.
        seed: Of the data's order; epoch `e` is dealt out with `(seed, e)`. `None` leaves it to
            `data`.
        progress: Where to go on; kept up to date. `None` begins anew.

    Returns:
        A `History`, whose `history` has a list of means, one an epoch, for each loss.

    Raises:
        ValueError: If `epochs` is less than one, or the data cannot fill a batch.
    """
    check_epochs(epochs)
    steps = data.num_batches(batch_size)
    progress = Progress() if progress is None else progress
    # A `DataLoader` gives the book's readers full batches only; a training sees all that there is.
    whole = {"drop_remainder": False} if isinstance(data, DataLoader) else {}
    history = keras.callbacks.History()
    params = {"epochs": epochs, "steps": steps, "progress": progress}
    hooks = _Callbacks([*callbacks, history], model, params)
    model.stop_training = False
    hooks("on_train_begin")
    logs: dict[str, float] = {}
    try:
        progress.restore(hooks.callbacks)
        history.history = {name: list(means) for name, means in progress.history.items()}
        history.epoch = list(range(progress.epoch))
        for epoch in range(progress.epoch, epochs):
            if model.stop_training:
                break
            hooks("on_epoch_begin", epoch)
            skipped = {"first_batch": progress.step} if progress.step else {}
            batches = data.load_batch(
                batch_size, seed=progress.seed_of_epoch(seed), **skipped, **whole
            )
            for step, batch in enumerate(batches, start=progress.step):
                hooks("on_train_batch_begin", step)
                step_logs = model.train_step(batch)
                progress.end_step(step_logs)
                hooks("on_train_batch_end", step, step_logs)
                if model.stop_training:
                    break
            logs = progress.end_epoch()
            hooks("on_epoch_end", epoch, logs)
    finally:
        hooks("on_train_end", logs)
    return history


def check_epochs(epochs: int) -> None:
    """Raises an error that teaches if there is nothing to train.

    Args:
        epochs: Passes over the data.

    Raises:
        ValueError: If it is less than one, or no whole number.
    """
    if isinstance(epochs, bool) or not hasattr(epochs, "__index__") or epochs < 1:
        raise ValueError(
            f"`epochs` must be at least 1, a whole number. Received: epochs={epochs!r}"
        )


class _Callbacks:
    """Calls each callback in turn. Keras's own list fetches every loss after every step."""

    def __init__(
        self, callbacks: list[keras.callbacks.Callback], model: Any, params: dict[str, Any]
    ) -> None:
        self.callbacks = callbacks
        for callback in callbacks:
            callback.set_params(params)
            callback.set_model(model)

    def __call__(self, event: str, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(*args)
