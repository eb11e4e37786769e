"""The training loop for any model with a `train_step`, with callbacks."""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import keras

from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.training.progress import Progress


class Batches(Protocol):
    """The data source of the loop: a `DataLoader`, or anything with the same methods."""

    def num_batches(self, batch_size: int) -> int:
        """Counts the batches in one epoch."""

    def load_batch(self, batch_size: int, *, seed: Any, first_batch: int = 0) -> Iterator[Any]:
        """Yields the batches of one epoch; `first_batch` is given only when resuming within one."""


def run(
    model: Any,
    data: Batches,
    epochs: int,
    batch_size: int,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    seed: int | None = None,
    progress: Progress | None = None,
    num_steps: int | None = None,
) -> keras.callbacks.History:
    """Trains a model, epoch by epoch.

    The callbacks receive the losses of each step as tensors on the device, and the means of each
    epoch as floats. `params["progress"]` is the progress so far, including the current step. A
    callback ends the training by setting `model.stop_training`, while it is restored or in a step,
    whose epoch then counts as completed; or by raising an exception, which is raised again after
    `on_train_end`. It makes the training longer or shorter by changing `params["num_steps"]` and
    `params["epochs"]`.

    Args:
        model: Anything with a `train_step(batch)` that returns a dict of scalars. If it has a
            `begin_epoch(epoch, epochs)`, that is called before the first step of each epoch.
        data: The source of batches.
        epochs: Passes over the data, at least 1.
        batch_size: Images of each domain in one step.
        callbacks: Keras callbacks. After `on_train_begin`, those with `state()` and
            `restore(state)` are restored from `progress`.
        seed: For the order of the data; the seed of epoch `e` is `(seed, e)`. `None` leaves the
            order to `data`.
        progress: Where to resume; it is kept up to date. `None` starts from the beginning.
        num_steps: After how many steps the training ends, if that is before the end of the epochs.
            The epoch in which it ends counts as completed.

    Returns:
        A `History`, whose `history` has, for each loss, a list of the means of all epochs.

    Raises:
        ValueError: If `epochs` is less than 1, or the data cannot fill a batch.
    """
    check_epochs(epochs)
    steps = data.num_batches(batch_size)
    progress = Progress() if progress is None else progress
    # A `DataLoader` yields only full batches by default, as in the book; a training uses all.
    whole = {"drop_remainder": False} if isinstance(data, DataLoader) else {}
    history = keras.callbacks.History()
    num_steps = min(epochs * steps, num_steps or epochs * steps)
    params: dict[str, Any]
    params = {"epochs": epochs, "steps": steps, "num_steps": num_steps, "progress": progress}
    hooks = _Callbacks([*callbacks, history], model, params)
    model.stop_training = False
    hooks("on_train_begin")
    logs: dict[str, float] = {}
    try:
        progress.restore(hooks.callbacks)
        history.history = {name: list(means) for name, means in progress.history.items()}
        history.epoch = list(range(progress.epoch))
        while (epoch := progress.epoch) < params["epochs"]:
            if model.stop_training or epoch * steps >= params["num_steps"]:
                break
            if progress.step == 0 and hasattr(model, "begin_epoch"):
                model.begin_epoch(epoch, params["epochs"])
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
                if model.stop_training or epoch * steps + step + 1 >= params["num_steps"]:
                    break
            logs = progress.end_epoch()
            hooks("on_epoch_end", epoch, logs)
    finally:
        hooks("on_train_end", logs)
    return history


def check_epochs(epochs: int) -> None:
    """Checks the number of epochs.

    Args:
        epochs: Passes over the data.

    Raises:
        ValueError: If it is less than 1 or not a whole number.
    """
    if isinstance(epochs, bool) or not hasattr(epochs, "__index__") or epochs < 1:
        raise ValueError(
            f"`epochs` must be at least 1, a whole number. Received: epochs={epochs!r}"
        )


class _Callbacks:
    """Calls each callback in turn. Keras's own list would fetch every loss after every step."""

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
