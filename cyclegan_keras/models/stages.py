"""The stages of a training: which one it is in, as part of what is saved with a model."""

from typing import Any

import keras
from keras import ops

STAGES = ("source", "image", "task", "feature")
SOURCE, IMAGE, TASK, FEATURE = STAGES


class StageState(keras.layers.Layer):
    """Where a training in stages is. All of it is weights, so it is saved and loaded with them.

    Args:
        num_adapted: How many networks the feature stage adapts.
        **kwargs: Of `keras.layers.Layer`.

    Attributes:
        moves: For each of these, in how many steps of this epoch it was moved.
        active: For each, whether it is still adapted, 1 or 0.
        labels_of_B: In how many steps there were labels of B.
    """

    def __init__(self, num_adapted: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._stage = self._whole_number("stage")
        self._reached = self._whole_number("reached")
        self._epoch = self._whole_number("epoch")
        self.moves = self._whole_number("moves", (num_adapted,))
        self.active = self._whole_number("active", (num_adapted,))
        self.labels_of_B = self._whole_number("labels_of_B")
        self.built = True

    def _whole_number(self, name: str, shape: tuple[int, ...] = ()) -> Any:
        return self.add_weight(
            shape=shape,
            dtype="int32",
            initializer="zeros",
            trainable=False,
            autocast=False,
            name=name,
        )

    @property
    def stage(self) -> str:
        """The stage that it is in, one of `STAGES`."""
        return STAGES[_read(self._stage)]

    def has_reached(self, stage: str) -> bool:
        """Whether the training is in a stage, was in it, or was in a later one."""
        return _read(self._reached) >= STAGES.index(stage)

    @property
    def has_labels_of_B(self) -> bool:
        """Whether there were labels of B in any step."""
        return _read(self.labels_of_B) > 0

    def enter(self, stage: str) -> None:
        """Notes that a stage begins."""
        number = STAGES.index(stage)
        self._stage.assign(number)
        self._reached.assign(max(number, _read(self._reached)))

    def begin_epoch(self, epoch: int) -> bool:
        """Notes that an epoch begins; returns whether it had not begun yet."""
        is_new = epoch == 0 or _read(self._epoch) != epoch
        self._epoch.assign(epoch)
        return is_new


def _read(variable: Any) -> int:
    # Not by `int(...)`, which a variable on several devices does not know.
    return int(ops.convert_to_numpy(variable))


def stage_of_epoch(epoch: int, epochs: int, source: int, task: int, feature: int) -> str:
    """Finds the stage of an epoch. The image stage has the epochs that the others leave.

    Args:
        epoch: From zero.
        epochs: Of the training.
        source: Epochs of the source stage.
        task: Epochs of the task stage.
        feature: Epochs of the feature stage.

    Returns:
        One of `STAGES`.
    """
    if epoch < source:
        return SOURCE
    if epoch < epochs - task - feature:
        return IMAGE
    return TASK if epoch < epochs - feature else FEATURE
