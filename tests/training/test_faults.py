import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.training import loop
from cyclegan_keras.training.faults import (
    SIGNALS,
    Interrupted,
    NotFinite,
    NotFiniteGuard,
    StopOnSignal,
    tolerated,
)


class Sends(keras.callbacks.Callback):
    def __init__(self, signum):
        super().__init__()
        self.signum = signum

    def on_train_batch_end(self, batch, logs=None):
        os.kill(os.getpid(), self.signum)


@pytest.mark.parametrize(
    ("signum", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_signal_ends_the_training_after_the_step(signum, status, train):
    before = [signal.getsignal(s) for s in SIGNALS]
    heard = []

    class Hears(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            heard.append(batch)

    with pytest.raises(Interrupted, match=signal.Signals(signum).name) as caught:
        train(Sends(signum), Hears(), StopOnSignal())
    assert caught.value.exit_status == status
    assert heard == [0]
    assert [signal.getsignal(s) for s in SIGNALS] == before


def test_a_second_signal_is_left_to_the_system(train):
    class Looks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.found = [signal.getsignal(s) for s in SIGNALS]

    looks = Looks()
    with pytest.raises(Interrupted):
        train(Sends(signal.SIGINT), looks, StopOnSignal())
    assert looks.found == [signal.SIG_DFL] * 3


def test_a_signal_that_is_ignored_stays_so(train):
    """As `nohup` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert train(Sends(signal.SIGHUP), StopOnSignal()).step == 6
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_at_the_very_end_is_not_lost(train):
    class Late(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        train(Late(), StopOnSignal(), epochs=1)


def test_a_signal_between_two_trainings_ends_the_second_before_its_first_step(train):
    before = [signal.getsignal(s) for s in SIGNALS]
    with StopOnSignal() as stop:
        assert train(stop).step == 6
        os.kill(os.getpid(), signal.SIGTERM)
        looks = Losing(0, np.nan)
        with pytest.raises(Interrupted, match="SIGTERM"):
            loop.run(looks, looks, 1, 1, [stop])
        assert looks.step == 0
    assert [signal.getsignal(s) for s in SIGNALS] == before


def test_a_signal_that_came_too_late_is_sent_on(train):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda *args: heard.append("by the process"))

    class Late(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        train(Late(), StopOnSignal())
        assert heard == ["by the process"]
        with pytest.raises(ZeroDivisionError), StopOnSignal():
            os.kill(os.getpid(), signal.SIGTERM) or 1 / 0
        assert heard == ["by the process"]
    finally:
        signal.signal(signal.SIGTERM, before)


class Losing:
    """A model whose loss is no number at one step."""

    def __init__(self, bad, value):
        self.step, self.bad, self.value = 0, bad, value

    def train_step(self, batch):
        self.step += 1
        value = self.value if self.step == self.bad else 1.0
        return {"d_loss": tf.constant(0.5), "g_loss": tf.constant(value)}

    def num_batches(self, batch_size):
        return 3

    def load_batch(self, batch_size, seed, first_batch=0):
        return iter(range(3))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("bad", range(1, 7))
def test_a_loss_that_is_no_number_is_seen(bad, value):
    model = Losing(bad, value)
    with pytest.raises(NotFinite, match="g_loss is not finite") as caught:
        loop.run(model, model, 2, 1, [NotFiniteGuard(99)])
    assert (caught.value.epoch, caught.value.step) == divmod(bad - 1, 3)
    assert caught.value.names == ["g_loss"]
    # A step later at the latest, so that a GPU need not wait; at once at the end of an epoch.
    assert model.step == (bad if bad % 3 == 0 else bad + 1)


def test_a_loss_is_looked_at_before_something_is_made_of_the_model():
    model, seen = Losing(2, np.nan), []

    class Makes(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    with pytest.raises(NotFinite):
        loop.run(model, model, 2, 1, [NotFiniteGuard(2), Makes()])
    assert seen == [0]


def test_finite_losses_are_let_through():
    model = Losing(0, np.nan)
    loop.run(model, model, 2, 1, [NotFiniteGuard(99)])
    assert model.step == 6


def test_of_many_weights_a_few_are_named():
    error = NotFinite([f"w{number}" for number in range(99)], epoch=2)
    assert str(error) == "In epoch 3, w0, w1, w2, w3 and 95 more is not finite."


def test_only_what_the_system_refuses_is_tolerated(capsys):
    with tolerated("a file"):
        raise OSError(28, "No space left on device")
    expected = (
        "Warning: a file could not be written (No space left on device). The training goes on.\n"
    )
    assert capsys.readouterr().err == expected
    with pytest.raises(ValueError, match="wrong"), tolerated("a file"):
        raise ValueError("wrong")
