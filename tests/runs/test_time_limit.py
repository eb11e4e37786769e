"""Runs that take as long as they were given, and are the same if they are resumed."""

import csv
import errno
import json
import signal
import time

import numpy as np
import pytest

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.models.base import GAN
from cyclegan_keras.runs import run_folder, time_limit
from cyclegan_keras.runs.run_data import make_loader
from cyclegan_keras.runs.trainer import make_model, train_run
from cyclegan_keras.training import callbacks, loop
from cyclegan_keras.training.callbacks.checkpointing import variables_of
from cyclegan_keras.training.faults import Interrupted
from tests.reliability.support import assert_same_state, rows

SMALL = {"image_size": 32, "batch_size": 2, "pool_size": 2, "ema": 0.5, "sample_interval": 2}
SMALL |= {"recipe": "paper", "epoch_length": "shorter"}


def config(folder, fruit_dir, **settings):
    return TrainConfig(**SMALL, data_dir=str(fruit_dir), run_dir=str(folder), **settings)


@pytest.fixture
def five_steps(monkeypatch, tiny_networks):
    """A clock that stands still, and a rate of which five steps fit into a minute."""
    monkeypatch.setattr(time_limit, "seconds_per_step", lambda *_: 10.0)
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(time_limit, "BESIDE_STEP", 0.0)
    monkeypatch.setattr(time_limit, "SECONDS_TO_SAVE", 5.0)
    monkeypatch.setattr(time_limit, "STEPS_TO_EVALUATE", 0.0)


def assert_same_run(one, other):
    assert_same_state(one, other)
    mine, theirs = (rows((run / "history.csv").read_text()) for run in (one, other))
    assert mine == theirs
    assert (one / "translations.png").read_bytes() == (other / "translations.png").read_bytes()


def test_a_run_of_a_minute_is_one_of_as_many_steps(five_steps, fruit_dir, tmp_path, untraced):
    metrics = train_run(config(tmp_path / "minute", fruit_dir, minutes=1))
    # Six images of each domain are three steps an epoch; the last one ends after its second.
    written = json.loads((tmp_path / "minute" / "config.json").read_text())["run"]
    assert [written[name] for name in ("minutes", "epochs", "steps", "decay_epochs")] == [
        1,
        2,
        5,
        1,
    ]
    assert (metrics["epochs"], written["recipe"]) == (2, "paper")
    train_run(config(tmp_path / "steps", fruit_dir, epochs=2, steps=5))
    assert_same_run(tmp_path / "minute", tmp_path / "steps")
    with (tmp_path / "minute" / "history.csv").open() as file:
        last = [*csv.DictReader(file)][-1]
    # The rate falls over the last three steps; as in the paper's code, one more would have none.
    assert int(last["step"]) == 5
    assert float(last["learning_rate"]) == pytest.approx(2e-4 / 4)


def test_a_run_that_is_broken_off_keeps_what_was_decided(
    five_steps, fruit_dir, tmp_path, monkeypatch, untraced
):
    train_run(config(tmp_path / "whole", fruit_dir, minutes=1))
    real, taken = GAN.train_step, []

    def train_step(self, batch):
        taken.append(1)
        if len(taken) == 4:
            signal.raise_signal(signal.SIGTERM)
        return real(self, batch)

    monkeypatch.setattr(GAN, "train_step", train_step)
    with pytest.raises(Interrupted):
        train_run(config(tmp_path / "broken", fruit_dir, minutes=1))
    # Faster now, which must not count; and the same command is enough to go on.
    monkeypatch.setattr(time_limit, "seconds_per_step", lambda *_: 0.1)
    train_run(config(tmp_path / "broken", fruit_dir, minutes=1))
    assert len(taken) == 5
    assert_same_run(tmp_path / "whole", tmp_path / "broken")
    train_run(config(tmp_path / "broken", fruit_dir, minutes=1))
    assert len(taken) == 5


def test_a_run_of_a_minute_is_trained_further_by_epochs(five_steps, fruit_dir, tmp_path, untraced):
    train_run(config(tmp_path / "r", fruit_dir, minutes=1))
    with pytest.raises(ValueError, match=r"begun with minutes=1\.0.*--epochs.*minutes=2\.0"):
        train_run(config(tmp_path / "r", fruit_dir, minutes=2))
    before = run_folder.settings_in(tmp_path / "r")
    with pytest.raises(ValueError, match=r"longer than `steps`.*Received: steps=3"):
        train_run(before.replace(epochs=3, steps=3))
    more = before.replace(epochs=3)
    assert (more.minutes, more.steps) == (None, None)
    assert train_run(more)["epochs"] == 3
    with (tmp_path / "r" / "history.csv").open() as file:
        assert [int(row["step"]) for row in csv.DictReader(file)][-2:] == [8, 9]


@pytest.fixture
def train(five_steps, fruit_dir, tmp_path, monkeypatch):
    """Trains for two minutes with a clock that only steps move, by a rate that was not measured."""

    def trained(seconds_of_step, name="r", **settings):
        now, real = [0.0], GAN.train_step

        def train_step(self, batch):
            now[0] += seconds_of_step
            return real(self, batch)

        with monkeypatch.context() as patch:
            patch.setattr(GAN, "train_step", train_step)
            patch.setattr(time, "monotonic", lambda: now[0])
            train_run(config(tmp_path / name, fruit_dir, minutes=2, **settings))
        written = json.loads((tmp_path / name / "config.json").read_text())["run"]
        return now[0], [written[key] for key in ("epochs", "steps", "decay_epochs")]

    return trained


@pytest.mark.integration
@pytest.mark.parametrize(
    ("seconds_of_step", "expected"),
    # Of 120 seconds, 5 are kept for the end; 11 steps of 10 seconds were decided.
    [(5.0, (115.0, [8, 23, 4])), (14.0, (112.0, [3, 8, 1])), (10.0, (110.0, [4, 11, 2]))],
)
def test_a_run_keeps_to_its_time_if_steps_take_another_time(train, seconds_of_step, expected):
    assert train(seconds_of_step) == expected


@pytest.mark.integration
def test_a_correction_changes_nothing_but_the_length(train, fruit_dir, tmp_path):
    train(5.0)
    same = config(tmp_path / "steps", fruit_dir, epochs=8, steps=23)
    train_run(same)
    before, after = (rows((tmp_path / name / "history.csv").read_text()) for name in ("r", "steps"))
    # The rate had not begun to decay when the number was corrected.
    assert before == after
    assert_same_state(tmp_path / "r", tmp_path / "steps")


@pytest.mark.integration
def test_a_full_disk_does_not_end_a_run_that_is_corrected(train, monkeypatch, caplog):
    real, written = run_folder.write_settings, []

    def write_settings(folder, config):
        written.append(config.steps)
        if len(written) == 2:  # The first one is of the start.
            raise OSError(errno.ENOSPC, "No space left on device")
        real(folder, config)

    monkeypatch.setattr(run_folder, "write_settings", write_settings)
    assert train(5.0)[0] == 115.0
    assert written == [11, 23, 23]
    assert "No space left on device" in caplog.text


def test_only_the_last_stage_is_corrected(monkeypatch, fruit_dir, tmp_path):
    """Others have their own rates, and a stage is not gone back from."""
    settings = config(tmp_path, fruit_dir, minutes=1)

    class Staged:
        stages, stop_training = (0.8, 0.2), False

        def begin_stage(self, stage):
            self.rate = (1.0, 2.0)[stage]

        def train_step(self, batch):
            now[0] += self.rate
            return {"loss": 0.0}

    now, told = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    loader, model = make_loader(settings), Staged()
    limit = time_limit.TimeLimit(
        settings.replace(epochs=14, steps=40, minutes=1), loader, 0.0, told.append
    )
    loop.run(model, loader, 14, 2, [callbacks.Stages(), limit], seed=0, num_steps=40)
    # 32 seconds of the first stage; half of the steps is in it, and nine tenths are not.
    assert [each.steps for each in told] == [32 + int((60 - 32 - 5) / 2) - 1]
    assert now[0] == 32 + 2 * (told[0].steps - 32)


def test_the_rate_is_the_mean_over_the_stages(monkeypatch):
    class Model:
        stages, stage = (0.75, 0.0, 0.25), 2

        def begin_stage(self, stage):
            self.stage = stage

    rates = {0: 1.0, 2: 3.0}
    monkeypatch.setattr(time_limit, "seconds_per_step", lambda model, *_: rates[model.stage])
    model = Model()
    model.begin_stage(1)
    mean = time_limit._mean_seconds(model, None, None, 10.0, lambda is_last: None)
    assert mean == pytest.approx(1.5)
    assert model.stage == 1


def test_measuring_leaves_no_trace(tiny_networks, fruit_dir, tmp_path):
    settings = config(tmp_path, fruit_dir, minutes=0.01, precision="mixed_float16")
    gan, loader = make_model(settings), make_loader(settings)
    before = {name: np.array(v.numpy()) for name, v in variables_of(gan).items()}
    decided = time_limit.decide(settings, gan, loader, time.monotonic())
    assert decided.steps >= 1
    assert decided.epochs == -(-decided.steps // 3)
    for name, variable in variables_of(gan).items():
        np.testing.assert_array_equal(variable.numpy(), before[name], err_msg=name)


def test_the_steps_in_which_it_is_traced_are_not_measured(fruit_dir, tmp_path, monkeypatch):
    now = [0.0]

    class Slow:
        steps = 0

        def train_step(self, batch):
            now[0] += 30.0 if self.steps == 0 else 0.5
            self.steps += 1
            return {"g_loss": 0.0}

    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    settings, model = config(tmp_path, fruit_dir, minutes=2), Slow()
    rate = time_limit.seconds_per_step(model, make_loader(settings), settings, seconds=20.0)
    assert (rate, model.steps) == (0.5, 42)


def test_evaluations_take_their_time(five_steps, fruit_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(time_limit, "STEPS_TO_EVALUATE", 1.0)
    settings = config(tmp_path, fruit_dir, minutes=10, evaluate_every=2, extractor="none")
    decided = time_limit.decide(settings, make_model(settings), make_loader(settings), began=0.0)
    # Four pairs of test images in steps of two: 20 seconds at the end, and 10 more for each step.
    assert decided.steps == (600 - 5 - 20) // (10 + 10)


def test_of_many_images_some_are_evaluated(five_steps, fruit_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(time_limit, "STEPS_TO_EVALUATE", 1.0)
    monkeypatch.setattr(time_limit.round_trip, "MAX_IMAGES", 2)
    settings = config(tmp_path, fruit_dir, minutes=10)
    decided = time_limit.decide(settings, make_model(settings), make_loader(settings), began=0.0)
    assert decided.steps == (600 - 5 - 10) // 10


def test_minutes_and_epochs_are_one_too_many():
    with pytest.raises(ValueError, match=r"`minutes` decides `epochs`.*minutes=3.*epochs=2"):
        TrainConfig(minutes=3, epochs=2)
    with pytest.raises(ValueError, match="`minutes` must be above 0"):
        TrainConfig(minutes=0)
