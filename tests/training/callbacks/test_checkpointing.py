import json
import threading

import keras
import numpy as np
import pytest

from cyclegan_keras.training import loop
from cyclegan_keras.training.callbacks import checkpointing
from cyclegan_keras.training.callbacks.checkpointing import Checkpointing
from cyclegan_keras.training.checkpoints import CheckpointStore
from cyclegan_keras.training.faults import NotFinite, NotFiniteGuard
from cyclegan_keras.training.progress import Progress


class Model:
    """One weight, which is the number of steps; three steps an epoch."""

    def __init__(self):
        self.weight = keras.Variable(0.0)
        self.variables, self.optimizers = [self.weight], []

    def train_step(self, batch):
        self.weight.assign_add(1.0)
        return {"loss": float(self.weight)}

    def num_batches(self, batch_size):
        return 3

    def load_batch(self, batch_size, seed, first_batch=0):
        return iter(range(first_batch, 3))


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path, keep=99)


def train(store, interval, model=None, epochs=2, hooks=()):
    model = model or Model()
    saves = Checkpointing(store, interval, NotFiniteGuard(9), {"about": "this"})
    loop.run(model, model, epochs, 1, [*hooks, saves])
    saves.wait()
    return model


def found(store):
    """Of each checkpoint: the weight, the epoch, the step."""
    result = []
    for path in sorted(store.directory.glob("checkpoint-*")):
        state = json.loads((path / "state.json").read_text())
        assert state["about"] == "this"
        weight = float(np.load(path / "variables.npz")["model/0000"])
        result.append((weight, state["progress"]["epoch"], state["progress"]["step"]))
    return result


def test_before_the_first_step_and_at_the_end_of_each_epoch(store):
    train(store, interval=60)
    assert found(store) == [(0, 0, 0), (3, 1, 0), (6, 2, 0)]


def test_every_so_many_minutes(store, monkeypatch):
    class Clock(keras.callbacks.Callback):
        """A step takes half a minute; writes take no time."""

        now = 0.0

        def on_train_batch_end(self, batch, logs=None):
            Clock.now += 30
            for thread in threading.enumerate():
                if thread.name == "checkpoint":
                    thread.join()

    monkeypatch.setattr(checkpointing.time, "monotonic", lambda: Clock.now)
    train(store, interval=1, hooks=[Clock()])
    steps = [(weight, step) for weight, _, step in found(store)]
    # A minute after the one before, be that one due or the epoch's last.
    assert steps == [(0, 0), (2, 2), (3, 0), (5, 2), (6, 0)]


def test_the_training_does_not_wait_for_a_write(store, monkeypatch):
    """Steps go on while one is written; what is due meanwhile comes after it."""
    model, seen = Model(), []
    save, may_go_on = store.save, threading.Event()

    def slow(variables, state):
        assert may_go_on.wait(60)
        seen.append((float(variables["model/0000"]), float(model.weight)))
        return save(variables, state)

    class Releases(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                may_go_on.set()

    monkeypatch.setattr(store, "save", slow)
    train(store, 0, model, epochs=1, hooks=[Releases()])
    assert seen[0] == (0.0, 3.0)  # Three steps were done while the first was being written.
    assert found(store)[-1] == (3, 1, 0)


def test_what_is_written_is_what_was_there_when_it_was_due(store, monkeypatch):
    model, save = Model(), store.save

    def later(variables, state):
        model.weight.assign(100.0)
        return save(variables, state)

    monkeypatch.setattr(store, "save", later)
    saves = Checkpointing(store, 60, NotFiniteGuard(9), {"about": "this"})
    saves.set_model(model)
    saves.set_params({"epochs": 1, "steps": 3, "progress": Progress()})
    saves.take()
    saves.wait()
    assert found(store) == [(0, 0, 0)]


def test_the_same_step_is_written_once_unless_it_failed(store, monkeypatch, capsys):
    """As when a signal comes right after an epoch's end."""
    model = Model()
    saves = Checkpointing(store, 60, NotFiniteGuard(9), {"about": "this"})
    loop.run(model, model, 1, 1, [saves])
    for _ in range(3):
        saves.take()
        saves.wait()
    assert found(store) == [(0, 0, 0), (3, 1, 0)]

    with monkeypatch.context() as patch:
        patch.setattr(store, "save", lambda *args: (_ for _ in ()).throw(OSError(28, "full")))
        loop.run(model, model, 1, 1, [saves])
        saves.wait()
    assert len(found(store)) == 2
    saves.take()
    saves.wait()
    assert found(store)[2:] == [(6, 1, 0)]


def test_a_full_disk_is_a_warning_and_the_next_one_is_tried(store, monkeypatch, capsys):
    save, calls = store.save, []

    def full_at_first(variables, state):
        calls.append(1)
        if len(calls) < 3:
            raise OSError(28, "No space left on device")
        return save(variables, state)

    monkeypatch.setattr(store, "save", full_at_first)
    assert float(train(store, interval=60).weight) == 6
    assert found(store) == [(6, 2, 0)]
    told = "Warning: a checkpoint could not be written (No space left on device)."
    assert capsys.readouterr().err.count(told) == 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_never_written(value, store):
    class Breaks(Model):
        def train_step(self, batch):
            super().train_step(batch)
            if float(self.weight) == 5:
                self.weight.assign(value)
            return {"loss": 0.0}  # The loss does not show it.

    with pytest.raises(NotFinite, match="model/0000 is not finite"):
        train(store, 60, Breaks())
    assert found(store) == [(0, 0, 0), (3, 1, 0)]


def test_a_step_whose_loss_is_no_number_is_never_written(store):
    """Its weights may be finite, and its losses are looked at a step later."""

    class Loses(Model):
        def train_step(self, batch):
            logs = super().train_step(batch)
            return {"loss": np.nan} if float(self.weight) == 2 else logs

    class Waits(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            for thread in threading.enumerate():
                if thread.name == "checkpoint":
                    thread.join()

    model, guard = Loses(), NotFiniteGuard(99)
    saves = Checkpointing(store, 0, guard, {"about": "this"})
    with pytest.raises(NotFinite, match="In epoch 1, step 2, loss is not finite"):
        loop.run(model, model, 2, 1, [guard, Waits(), saves])
    saves.wait()
    assert [weight for weight, _, _ in found(store)] == [0, 1]


def test_a_bug_in_the_writer_is_not_hidden(store, monkeypatch):
    monkeypatch.setattr(store, "save", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(store, interval=60)


def test_a_model_gets_its_values_back(store):
    model = train(store, interval=60)
    model.weight.assign(-1.0)
    checkpointing.restore(model, store.load_latest(pytest.fail))
    assert float(model.weight) == 6


def test_a_checkpoint_of_another_model_is_refused(store):
    train(store, interval=60)
    checkpoint = store.load_latest(pytest.fail)
    other = Model()
    other.variables = [keras.Variable(0.0), keras.Variable(np.zeros((2, 3)))]
    with pytest.raises(
        ValueError, match=r"of 2 variables, 1 have .* \(\(2, 3\) here, None there\)"
    ):
        checkpointing.restore(other, checkpoint)
    other.variables = [keras.Variable(np.zeros(2))]
    with pytest.raises(ValueError, match=r"model/0000 \(\(2,\) here, \(\) there\)"):
        checkpointing.restore(other, checkpoint)
