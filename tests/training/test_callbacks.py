import contextlib
import io
import json

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.training import callbacks, loop
from cyclegan_keras.training.faults import NotFinite
from cyclegan_keras.training.progress import Progress
from tests.training.callbacks.test_history import Break
from tests.training.conftest import Model


def test_the_bar_shows_losses_and_the_time_left(train):
    out = io.StringIO()
    train(callbacks.ProgressBar(file=out, mininterval=0, ncols=200))
    last = out.getvalue().rstrip().split("\r")[-1]
    assert "6/6" in last
    assert "00:00" in last  # nothing left
    assert "epoch 2/2 D 5.000 acc 5.000 G 5.000 adv 5.000 cycle 5.000" in last
    assert " id " not in last  # this model has no such loss


def test_samples_are_test_images_both_ways_and_back(train, loader, tiny_gan, tmp_path):
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


def test_rubbish_is_not_shown_but_told(loader, tiny_gan, train):
    weight = tiny_gan.g_BA.trainable_variables[0]
    before, shown = weight.numpy(), []
    weight.assign(np.full_like(before, np.nan))
    try:
        with pytest.raises(NotFinite, match="In epoch 1, step 2, a translation is not finite"):
            train(callbacks.SampleGrid(loader, 2, lambda *args: shown.append(args)), gan=tiny_gan)
    finally:
        weight.assign(before)
    assert shown == []


def test_an_interval_is_at_least_one_step(loader):
    with pytest.raises(ValueError, match="at least 1 step"):
        callbacks.SampleGrid(loader, 0, print)


def test_the_learning_rate_falls_over_the_last_epochs(train):
    model = train(callbacks.LearningRateDecay(1))
    shares = [1, 1, 1, 3 / 4, 2 / 4, 1 / 4]
    np.testing.assert_allclose(model.rates, np.outer(shares, [0.5, 0.25]), rtol=1e-6)


@pytest.mark.parametrize(("epochs", "first"), [(0, 1.0), (9, 6 / 7)])
def test_decay_over_nothing_and_over_more_than_all(train, epochs, first):
    rates = np.array(train(callbacks.LearningRateDecay(epochs)).rates)[:, 0] / 0.5
    assert rates[0] == pytest.approx(first)
    assert rates[-1] == pytest.approx(1.0 if epochs == 0 else 1 / 7)


def test_the_learning_rate_falls_on_after_a_break(train):
    whole = train(callbacks.LearningRateDecay(1))
    decay, stop = callbacks.LearningRateDecay(1), Break(4)
    with pytest.raises(KeyboardInterrupt):
        train(decay, stop)
    # The optimizers' own rates have begun to fall by then.
    rest = train(
        callbacks.LearningRateDecay(1),
        progress=Progress.from_state(json.loads(stop.text)),
        rates=(0.5 * 3 / 4, 0.25 * 3 / 4),
    )
    np.testing.assert_allclose(rest.rates, whole.rates[4:], rtol=1e-6)


def test_the_learning_rate_rises_again_where_more_epochs_come(train):
    """Broken off in the middle of its fall, and gone on with to a later end."""
    stop = Break(4)
    with pytest.raises(KeyboardInterrupt):
        train(callbacks.LearningRateDecay(1), stop)
    for learning_rate, first in ((None, 0.5), (0.125, 0.125)):
        rest = train(
            callbacks.LearningRateDecay(1, learning_rate),
            epochs=4,
            progress=Progress.from_state(json.loads(stop.text)),
            rates=(0.5 * 3 / 4, 0.25 * 3 / 4),
        )
        shares = [1, 1, 1, 1, 1, 3 / 4, 2 / 4, 1 / 4]
        np.testing.assert_allclose(np.array(rest.rates)[:, 0] / first, shares, rtol=1e-6)


@pytest.mark.parametrize("broken_off", [False, True])
def test_each_training_begins_with_the_rates_that_were_set(broken_off):
    model, decay = Model(), callbacks.LearningRateDecay(2)
    stops = [Break(4)] if broken_off else []
    with pytest.raises(KeyboardInterrupt) if broken_off else contextlib.nullcontext():
        loop.run(model, model, 2, 1, [decay, *stops])
    assert [float(one.learning_rate) for one in model.optimizers] == [0.5, 0.25]
    model.optimizers[0].learning_rate = 0.75
    num_steps = len(model.rates)
    loop.run(model, model, 2, 1, [decay])
    shares = np.arange(6, 0, -1) / 7
    np.testing.assert_allclose(model.rates[num_steps:], np.outer(shares, [0.75, 0.25]), rtol=1e-6)


def test_the_learning_rate_of_mixed_precision_falls_likewise(train):
    model = Model()
    model.optimizers = [keras.optimizers.LossScaleOptimizer(one) for one in model.optimizers]
    loop.run(model, model, 2, 1, [callbacks.LearningRateDecay(1)])
    assert model.rates[-1] == pytest.approx([0.5 / 4, 0.25 / 4])
    assert float(model.optimizers[1].inner_optimizer.learning_rate) == 0.25


def test_a_schedule_of_ones_own_is_followed_or_refused():
    model = Model()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model.optimizers[0] = keras.optimizers.SGD(schedule)
    with pytest.raises(ValueError, match=r"schedule of its own .* Received: decay_epochs=1"):
        loop.run(model, model, 2, 1, [callbacks.LearningRateDecay(1)])
    assert model.rates == []
    loop.run(model, model, 2, 1, [callbacks.LearningRateDecay(0, 0.125)])
    assert model.rates == [[0.5, 0.125]] * 6
    assert model.optimizers[0]._learning_rate is schedule


def test_the_bar_begins_where_the_training_does(train):
    out, progress = io.StringIO(), Progress()
    progress.epoch = 1
    progress.end_step({"d_loss": 7.0})
    train(callbacks.ProgressBar(file=out, mininterval=0, ncols=200), progress=progress)
    bars = out.getvalue().rstrip().split("\r")
    assert "4/6" in bars[1]
    assert "6/6" in bars[-1]
    # One step of 7 before the break; then those that the fake counts 1 and 2.
    assert "D 3.333" in bars[-1]


def test_a_sample_that_cannot_be_written_does_not_end_the_training(tmp_path, capsys):
    (tmp_path / "samples").write_text("a file where the folder should be")
    write = callbacks.writes_samples_to(tmp_path / "samples")
    write(np.zeros((2, 2, 3), np.uint8), 3, 9)
    warning = capsys.readouterr().err
    assert warning.startswith("Warning: the sample ")
    assert "3_9.png could not be written" in warning
    assert len(warning.splitlines()) == 1
