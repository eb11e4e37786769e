import json

import keras
import pytest
import tensorflow as tf

from cyclegan_keras.training import loop
from cyclegan_keras.training.progress import Progress


class Counting:
    """A model whose loss is the number of its step, and whose data are numbers."""

    def __init__(self, steps=3):
        self.steps, self.seen, self.seeds = steps, [], []

    def train_step(self, batch):
        self.seen.append(batch)
        return {"loss": tf.constant(float(len(self.seen)))}

    def num_batches(self, batch_size):
        return self.steps

    def load_batch(self, batch_size, seed, first_batch=0):
        self.seeds.append(seed)
        return iter(range(first_batch, self.steps))


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
    assert {name: events.params[name] for name in ("epochs", "steps")} == {"epochs": 2, "steps": 3}
    assert (events.params["progress"].epoch, events.params["progress"].step) == (2, 0)
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


class Tally(keras.callbacks.Callback):
    """A callback with a state: how many steps it has heard of."""

    def on_train_begin(self, logs=None):
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += 1

    def state(self):
        return {"count": self.count}

    def restore(self, state):
        self.count = state["count"]


class Snapshot(keras.callbacks.Callback):
    """Keeps the state after some step of the second epoch, as it would lie on the disk."""

    def on_train_batch_end(self, batch, logs=None):
        progress = self.params["progress"]
        if (progress.epoch, progress.step) == (1, 2):
            self.text = json.dumps(progress.state())


def test_a_training_goes_on_in_the_middle_of_an_epoch():
    model, tally, snapshot = Counting(), Tally(), Snapshot()
    whole = loop.run(model, model, 3, 1, [tally, snapshot], seed=7)
    assert whole.history == {"loss": [2.0, 5.0, 8.0]}

    rest, later, events = Counting(), Tally(), Events()
    rest.train_step = lambda batch, seen=rest.seen: (
        seen.append(batch) or {"loss": tf.constant(5.0 + len(seen))}
    )
    progress = Progress.from_state(json.loads(snapshot.text))
    history = loop.run(rest, rest, 3, 1, [later, events], seed=7, progress=progress)
    assert rest.seen == [2, 0, 1, 2]  # What was left of the second epoch, and the third.
    assert rest.seeds == [(7, 1), (7, 2)]
    assert history.history == whole.history
    assert history.epoch == [0, 1, 2]
    assert later.count == tally.count == 9
    assert events.events[:3] == ["begin", "epoch 1", 2]


def test_after_a_fault_the_images_come_in_another_order():
    progress = Progress()
    assert progress.seed_of_epoch(7) == (7, 0)
    progress.attempt = 2
    assert progress.seed_of_epoch(7) == (7, 0, 2)
    assert progress.seed_of_epoch(7, epoch=5) == (7, 5, 2)
    assert progress.seed_of_epoch(None) is None
    assert Progress.from_state(progress.state()).attempt == 2


def test_a_finished_training_has_nothing_left_to_do():
    model, progress = Counting(), Progress()
    loop.run(model, model, 2, 1, progress=progress)
    history = loop.run(model, model, 2, 1, progress=progress)
    assert len(model.seen) == 6
    assert history.history == {"loss": [2.0, 5.0]}


def test_a_training_sees_the_last_smaller_batch_too(loader):
    model = Counting()
    for expected in ([4, 2], [4]):
        model.seen = []
        loop.run(model, loader, 1, 4)
        assert [len(imgs) for imgs, _ in model.seen] == expected
        loader.drop_last = True


def test_a_model_that_wants_to_know_is_told_of_each_epoch_once():
    class Staged(Counting):
        def begin_epoch(self, epoch, epochs):
            self.seen.append(f"{epoch} of {epochs}")

    model = Staged(steps=2)
    loop.run(model, model, epochs=2, batch_size=1)
    assert model.seen == ["0 of 2", 0, 1, "1 of 2", 0, 1]
    # Resumed within an epoch, which has begun already.
    progress = Progress()
    progress.epoch, progress.step = 1, 1
    model = Staged(steps=2)
    loop.run(model, model, epochs=3, batch_size=1, progress=progress)
    assert model.seen == [1, "2 of 3", 0, 1]
