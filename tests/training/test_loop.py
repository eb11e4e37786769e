import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.training import loop


class Counting:
    """A model whose loss is the number of its step, and whose data are numbers."""

    def __init__(self, steps=3):
        self.steps, self.seen, self.seeds = steps, [], []

    def train_step(self, batch):
        self.seen.append(batch)
        return {"loss": tf.constant(float(len(self.seen)))}

    def num_batches(self, batch_size):
        return self.steps

    def load_batch(self, batch_size, seed):
        self.seeds.append(seed)
        return iter(range(self.steps))


class Events(keras.callbacks.Callback):
    def __init__(self, stop_after=None):
        super().__init__()
        self.events, self.stop_after = [], stop_after

    def on_train_begin(self, logs=None):
        self.events.append("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.events.append(f"epoch {epoch}")

    def on_train_batch_end(self, batch, logs=None):
        self.events.append(batch)
        if len([e for e in self.events if isinstance(e, int)]) == self.stop_after:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(logs)

    def on_train_end(self, logs=None):
        self.events.append("end")


def test_callbacks_hear_of_everything_in_order():
    model, events = Counting(), Events()
    history = loop.run(model, model, epochs=2, batch_size=1, callbacks=[events], seed=7)
    first, second = {"loss": 2.0}, {"loss": 5.0}
    assert events.events == ["begin", "epoch 0", 0, 1, 2, first, "epoch 1", 0, 1, 2, second, "end"]
    assert history.history == {"loss": [2.0, 5.0]}
    assert events.params == {"epochs": 2, "steps": 3}
    assert model.seeds == [(7, 0), (7, 1)]


def test_a_callback_can_stop_the_training_after_any_step():
    model, events = Counting(), Events(stop_after=2)
    history = loop.run(model, model, epochs=5, batch_size=1, callbacks=[events])
    assert model.seen == [0, 1]
    assert history.history == {"loss": [1.5]}
    assert events.events[-1] == "end"
    assert model.seeds == [None]


def test_the_end_is_announced_even_after_an_error():
    model, events = Counting(), Events()
    model.train_step = lambda batch: 1 / 0
    with pytest.raises(ZeroDivisionError):
        loop.run(model, model, epochs=1, batch_size=1, callbacks=[events])
    assert events.events == ["begin", "epoch 0", "end"]


def test_no_epochs_is_an_error():
    with pytest.raises(ValueError, match="at least 1"):
        loop.run(Counting(), Counting(), epochs=0, batch_size=1)


def test_losses_are_fetched_only_when_asked_for():
    class Scalar:
        fetched = 0

        def __array__(self, dtype=None, copy=None):
            Scalar.fetched += 1
            return np.array(4.0)

    means = loop.MeanLogs()
    assert means.mean() == {}
    for _ in range(3):
        means.add({"loss": Scalar()})
    assert Scalar.fetched == 0
    assert means.mean() == means.mean() == {"loss": 4.0}
    assert Scalar.fetched == 3
