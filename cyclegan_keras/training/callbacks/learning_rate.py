"""The learning rate, step by step."""

from typing import Any

import keras

from cyclegan_keras.training.schedules import linear_decay, paced_optimizers


class LearningRateDecay(keras.callbacks.Callback):
    """Decays the learning rate of every optimizer linearly in the last epochs.

    Before each step, it sets the rates to the initial ones times a factor that depends on the step
    only. When the training ends, for whatever reason, it restores the initial rates. To continue
    with another rate, assign it to an optimizer's `learning_rate` between two trainings; during a
    training, the next step would overwrite it.

    Args:
        decay_epochs: The number of epochs at the end over which the rate decays; 0 keeps it
            constant.
        learning_rate: The initial rate of every optimizer, times its share if the model has
            `paced_optimizers`. `None` means the rate that each one has when the training begins or,
            if it is resumed, had when it first began. Optimizers with a schedule of their own
            follow it as long as `decay_epochs` is 0.

    Attributes:
        decay_epochs: As given; it may be changed during a training.

    Raises:
        ValueError: When the training begins, if `decay_epochs` is not 0 and an optimizer has a
            schedule of its own.
    """

    def __init__(self, decay_epochs: int, learning_rate: float | None = None) -> None:
        super().__init__()
        self.decay_epochs = decay_epochs
        self._learning_rate = learning_rate
        self._optimizers: list[keras.optimizers.Optimizer] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Stores the initial rates."""
        paced = paced_optimizers(self.model)
        settable = [(optimizer, share) for optimizer, share in paced if _is_settable(optimizer)]
        self._optimizers = [optimizer for optimizer, _ in settable]
        if self.decay_epochs and len(settable) < len(paced):
            raise ValueError(
                "An optimizer with a learning rate schedule of its own cannot follow another one. "
                "Compile with a number as `learning_rate`, or leave the decay out. Received: "
                f"decay_epochs={self.decay_epochs}"
            )
        if self._learning_rate is not None:
            # Replaces the rates of a checkpoint. Read back below, in the optimizer's precision.
            self._set([self._learning_rate * share for _, share in settable])
        self._rates = [
            float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            for optimizer in self._optimizers
        ]
        self._epoch = 0

    def state(self) -> dict[str, Any]:
        """Returns the initial rates, since the optimizers have the decayed ones."""
        return {"rates": list(self._rates)}

    def restore(self, state: dict[str, Any]) -> None:
        """Restores the initial rates, unless they were given."""
        if self._learning_rate is None:
            self._rates = list(state["rates"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores the epoch and, when resuming within it, sets the rates of its last step."""
        self._epoch = epoch
        # All its steps may be done, and only its row and checkpoint not written yet.
        if done := self.params["progress"].step:
            self.on_train_batch_begin(done - 1)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the rates for this step."""
        steps, num_steps = self.params["steps"], self.params["num_steps"]
        decay_from = max(0, num_steps - self.decay_epochs * steps)
        factor = linear_decay(self._epoch * steps + batch, decay_from, num_steps)
        self._set([rate * factor for rate in self._rates])

    def on_train_end(self, logs: Any = None) -> None:
        """Restores the initial rates for a later training."""
        self._set(self._rates)

    def _set(self, rates: list[float]) -> None:
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.learning_rate = rate


def _is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the rate is a variable, and not computed by a schedule."""
    return isinstance(optimizer.learning_rate, keras.Variable)
