"""A callback that acts every few steps of a training."""

from typing import Any

import keras


class EveryFewSteps(keras.callbacks.Callback):
    """Calls `act` after every `interval` steps, counted over all epochs.

    Args:
        interval: Steps between two calls, at least 1.

    Attributes:
        epoch: The epoch, from zero.
        num_steps: The number of steps so far, over all epochs.
    """

    def __init__(self, interval: int) -> None:
        super().__init__()
        if interval < 1:
            raise ValueError(f"`interval` must be at least 1 step. Received: interval={interval}")
        self.interval = interval
        self.epoch = 0
        self.num_steps = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores the epoch, some of whose steps may be done already."""
        self.epoch = epoch
        self.num_steps = epoch * self.params["steps"] + self.params["progress"].step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Counts the step, and acts if it is due."""
        self.num_steps += 1
        if self.num_steps % self.interval == 0:
            self.act(batch)

    def act(self, batch: int) -> None:
        """Acts; subclasses override this."""
        raise NotImplementedError
