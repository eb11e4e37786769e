"""The stages of a training, for models that have several."""

from collections.abc import Sequence
from typing import Any

import keras


class Stages(keras.callbacks.Callback):
    """Begins each stage of a model in its time.

    A model may have `stages`, the shares of the steps that each stage takes, and then has a
    `begin_stage(number)`. A stage that has begun is not gone back from if the training is made
    longer. Models without stages are left alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stage: int | None = None
        self._epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Begins with no stage."""
        self._stage = None

    def state(self) -> dict[str, Any]:
        """Returns the present stage."""
        return {"stage": self._stage}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on in the stage in which the training was; what it did at its beginning is done."""
        self._stage = state["stage"]
        if self._stage is not None:
            self.model.stage = self._stage

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores the epoch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Begins the stage to which this step belongs, if it has not begun."""
        shares = getattr(self.model, "stages", ())
        if len(shares) < 2:
            return
        begins = first_steps(shares, self.params["num_steps"])
        place = self._epoch * self.params["steps"] + batch
        stage = max(number for number, first in enumerate(begins) if first <= place)
        if self._stage is None or stage > self._stage:
            self.model.begin_stage(stage)
            self._stage = stage


def first_steps(shares: Sequence[float], num_steps: int) -> list[int]:
    """Returns with which step each stage begins, counted from 0.

    Args:
        shares: Of all steps, for each stage; their sum is 1.
        num_steps: Number of all steps.

    Returns:
        As many numbers, in order. Stages of the same number are left out but for the last of them.
    """
    return [round(sum(shares[:stage]) * num_steps) for stage in range(len(shares))]
