import types

import pytest

from cyclegan_keras.training import loop
from cyclegan_keras.training.callbacks import Stages
from cyclegan_keras.training.callbacks.stages import first_steps
from cyclegan_keras.training.progress import Progress


class Data:
    """Three batches an epoch."""

    def num_batches(self, batch_size):
        return 3

    def load_batch(self, batch_size, *, seed, first_batch=0):
        return iter(range(first_batch, 3))


class Model:
    """Notes in which stage each step is, and which stages were begun."""

    stages = (0.5, 0.1, 0.4)

    def __init__(self, stages=None):
        self.stages = stages or self.stages
        self.stage, self.begun, self.steps = 2, [], []
        self.stop_after = None

    def begin_stage(self, stage):
        self.stage = stage
        self.begun.append(stage)

    def train_step(self, batch):
        self.steps.append(self.stage)
        if len(self.steps) == self.stop_after:
            raise KeyboardInterrupt
        return {"loss": 0.0}


def train(model, epochs, progress=None):
    loop.run(model, Data(), epochs, 1, [Stages()], progress=progress)
    return model


@pytest.mark.parametrize(
    ("shares", "num_steps", "first"),
    [
        ((1.0,), 7, [0]),
        ((0.5, 0.1, 0.4), 10, [0, 5, 6]),
        ((0.0, 0.0, 1.0), 10, [0, 0, 0]),
        ((0.5, 0.0, 0.5), 3, [0, 2, 2]),
    ],
)
def test_stages_begin_at_their_shares(shares, num_steps, first):
    assert first_steps(shares, num_steps) == first


def test_each_stage_begins_once_and_in_its_time():
    model = train(Model(), epochs=4)
    assert model.begun == [0, 1, 2]
    assert model.steps == [0] * 6 + [1] + [2] * 5


def test_stages_without_steps_are_left_out():
    model = train(Model((0.0, 0.0, 1.0)), epochs=1)
    assert (model.begun, model.steps) == ([2], [2, 2, 2])


def test_models_of_one_stage_are_left_alone():
    for stages in ((1.0,), ()):
        model = Model()
        model.stages = stages
        assert train(model, epochs=1).begun == []


def resumed(after: int, epochs: int, epochs_then: int) -> tuple[Model, Model]:
    """A training that is broken off in a step and goes on, as a session does it."""
    first, progress = Model(), Progress()
    first.stop_after = after + 1
    with pytest.raises(KeyboardInterrupt):
        loop.run(first, Data(), epochs, 1, [Stages()], progress=progress)
    second = train(Model(), epochs_then, Progress.from_state(progress.state()))
    return first, second


@pytest.mark.parametrize("after", [0, 5, 6, 7, 8, 11])
def test_a_resumed_training_has_the_same_stages(after):
    first, second = resumed(after, 4, 4)
    assert first.steps[:after] + second.steps == [0] * 6 + [1] + [2] * 5
    # A stage that the state knows has begun already, and is not begun again.
    known = first.begun[-1]
    assert second.begun == [stage for stage in (0, 1, 2) if stage > known]


def test_a_longer_training_does_not_go_back():
    first, second = resumed(8, 4, 40)
    assert first.steps[7] == 2
    assert {*second.steps} == {2}


def test_the_state_of_models_without_stages_is_kept():
    model = types.SimpleNamespace(train_step=lambda batch: {"loss": 0.0}, stop_training=False)
    progress = Progress()
    loop.run(model, Data(), 1, 1, [Stages()], progress=progress)
    assert progress.state()["callbacks"]["Stages"] == {"stage": None}
