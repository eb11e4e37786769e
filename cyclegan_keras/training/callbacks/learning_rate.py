"""The learning rate, step by step."""

from typing import Any

import keras

from cyclegan_keras.training.schedules import linear_decay


class LearningRateDecay(keras.callbacks.Callback):
    """Lets the learning rate of every optimizer fall in a straight line towards the end.

    It sets the rates before each step, to a share of the first ones that depends on nothing but the
    step, and gives the optimizers their first rates back when the training ends, however it ends.
    To train on with another rate, assign it to an optimizer's `learning_rate` between two
    trainings; what is assigned while the model is trained is overwritten at the next step.

    Args:
        decay_epochs: How many epochs at the end it falls over; 0 keeps it constant.
        learning_rate: The first rate of every optimizer. `None` means the rate that each one has
            when the training begins or, where it goes on from a checkpoint, had when it began.
            Optimizers with a schedule of their own follow that, as long as `decay_epochs` is 0.

    Raises:
        ValueError: When the training begins, if there is something to decay and an optimizer has a
            schedule of its own.
    """

    def __init__(self, decay_epochs: int, learning_rate: float | None = None) -> None:
        super().__init__()
        self._decay_epochs = decay_epochs
        self._learning_rate = learning_rate
        self._optimizers: list[keras.optimizers.Optimizer] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Remembers the first rates."""
        optimizers = self.model.optimizers
        self._optimizers = [one for one in optimizers if _is_settable(one)]
        if self._decay_epochs and len(self._optimizers) < len(optimizers):
            raise ValueError(
                "An optimizer with a learning rate schedule of its own cannot follow another one. "
                "Compile with a number as `learning_rate`, or leave the decay out. Received: "
                f"decay_epochs={self._decay_epochs}"
            )
        if self._learning_rate is not None:
            # Whatever a checkpoint left there. Read back below, in the precision that it has then.
            self._set([self._learning_rate] * len(self._optimizers))
        self._rates = [float(optimizer.learning_rate) for optimizer in self._optimizers]
        self._num_steps = self.params["epochs"] * self.params["steps"]
        self._epoch = 0

    def state(self) -> dict[str, Any]:
        """Returns the first rates, which those in the optimizers no longer show."""
        return {"rates": list(self._rates)}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what `state` returned."""
        if self._learning_rate is None:
            self._rates = list(state["rates"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remembers the epoch and, where it goes on, sets the rates of the last step done."""
        self._epoch = epoch
        # All steps may be done, and the row and the checkpoint of the epoch yet to be written.
        if done := self.params["progress"].step:
            self.on_train_batch_begin(done - 1)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the rates for this step."""
        steps = self.params["steps"]
        decay_from = max(0, self._num_steps - self._decay_epochs * steps)
        factor = linear_decay(self._epoch * steps + batch, decay_from, self._num_steps)
        self._set([rate * factor for rate in self._rates])

    def on_train_end(self, logs: Any = None) -> None:
        """Sets the first rates again, for whatever is trained next."""
        self._set(self._rates)

    def _set(self, rates: list[float]) -> None:
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.learning_rate = rate


def _is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the rate is a number that is kept, and not what a schedule says."""
    return isinstance(optimizer.learning_rate, keras.Variable)
