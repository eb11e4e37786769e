import csv
import io
import os
import signal

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.training import callbacks, loop

LOSSES = "d_loss d_acc g_loss valid_A_loss valid_B_loss reconstr_A_loss reconstr_B_loss".split()


class Model:
    """Three steps an epoch; each loss is the number of the step."""

    def __init__(self, gan=None):
        self.step, self.rates = 0, []
        self.translators = gan and gan.translators
        self.optimizers = [keras.optimizers.SGD(0.5), keras.optimizers.SGD(0.25)]

    def train_step(self, batch):
        self.step += 1
        self.rates.append([float(optimizer.learning_rate) for optimizer in self.optimizers])
        return dict.fromkeys(LOSSES, float(self.step))

    def num_batches(self, batch_size):
        return 3

    def load_batch(self, batch_size, seed):
        return iter(range(3))


def train(*hooks, epochs=2, gan=None):
    model = Model(gan)
    loop.run(model, model, epochs, 1, hooks)
    return model


def test_the_bar_shows_losses_and_the_time_left():
    out = io.StringIO()
    train(callbacks.ProgressBar(file=out, mininterval=0, ncols=200))
    last = out.getvalue().rstrip().split("\r")[-1]
    assert "6/6" in last
    assert "00:00" in last  # nothing left
    assert "epoch 2/2 D 5.000 acc 5.000 G 5.000 adv 5.000 cycle 5.000" in last
    assert " id " not in last  # this model has no such loss


def test_history_has_means_since_the_row_before(tmp_path):
    path = tmp_path / "history.csv"
    train(callbacks.HistoryCSV(path, interval=2))
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"], float(row["g_loss"])) for row in rows] == [
        ("1", "2", 1.5),
        ("1", "3", 3.0),
        ("2", "4", 4.0),
        ("2", "6", 5.5),
    ]
    assert list(rows[0]) == ["epoch", "step", "seconds", *LOSSES]
    assert all(float(row["seconds"]) >= 0 for row in rows)


def test_samples_are_test_images_both_ways_and_back(loader, tiny_gan, tmp_path):
    pictures = []
    show = callbacks.writes_samples_to(tmp_path / "samples")

    def both(*args):
        pictures.append(args)
        show(*args)

    train(callbacks.SampleGrid(loader, 2, both, num_images=9), gan=tiny_gan)
    assert [(epoch, batch) for _, epoch, batch in pictures] == [(0, 1), (1, 0), (1, 2)]
    names = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert names == ["0_1.png", "1_0.png", "1_2.png"]
    grid = pictures[0][0]
    with Image.open(tmp_path / "samples" / "0_1.png") as written:
        np.testing.assert_array_equal(np.asarray(written), grid)
    # Four test images a domain, in rows of six 128-pixel tiles.
    assert 4 * 128 < grid.shape[0] < 5 * 128
    assert 6 * 128 < grid.shape[1] < 7 * 128
    test_A = {img.tobytes() for img in loader.pixels("A", is_testing=True)}
    tiles = grid[22 : 22 + 4 * 132].reshape(4, 132, -1, 3)[:, :128, 4:132]
    assert {np.ascontiguousarray(tile[::4, ::4]).tobytes() for tile in tiles} == test_A


def test_an_interval_is_at_least_one_step(loader):
    with pytest.raises(ValueError, match="at least 1 step"):
        callbacks.SampleGrid(loader, 0, print)


def test_the_learning_rate_falls_over_the_last_epochs():
    model = train(callbacks.LearningRateDecay(1))
    shares = [1, 1, 1, 3 / 4, 2 / 4, 1 / 4]
    np.testing.assert_allclose(model.rates, np.outer(shares, [0.5, 0.25]), rtol=1e-6)


@pytest.mark.parametrize(("epochs", "first"), [(0, 1.0), (9, 6 / 7)])
def test_decay_over_nothing_and_over_more_than_all(epochs, first):
    rates = np.array(train(callbacks.LearningRateDecay(epochs)).rates)[:, 0] / 0.5
    assert rates[0] == pytest.approx(first)
    assert rates[-1] == pytest.approx(1.0 if epochs == 0 else 1 / 7)


class Interrupts(keras.callbacks.Callback):
    def __init__(self, times):
        super().__init__()
        self.times = times

    def on_train_batch_end(self, batch, logs=None):
        for _ in range(self.times):
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_ends_after_the_step_and_a_second_one_at_once():
    before = signal.getsignal(signal.SIGINT)
    stop = callbacks.StopOnInterrupt()
    assert train(stop, Interrupts(1)).step == 1
    assert stop.stopped
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        train(callbacks.StopOnInterrupt(), Interrupts(2))
    assert signal.getsignal(signal.SIGINT) is before
