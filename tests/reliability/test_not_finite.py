"""Losses and weights that are no numbers: found, told, and never saved."""

import os
import re
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.inference.translate import load_generator
from cyclegan_keras.runs import session
from cyclegan_keras.training.callbacks.checkpointing import restore
from cyclegan_keras.training.faults import SIGNALS
from tests.reliability import support

pytestmark = pytest.mark.integration


def nan_loss(logs):
    support.wait_for_writing()  # So that a checkpoint of this very step is what comes next.
    return {**logs, "d_loss": np.float32("nan")}


def assert_all_checkpoints_finite(run_dir):
    folders = support.checkpoints(run_dir)
    assert folders
    for folder in folders:
        for name, array in support.load(folder).variables.items():
            assert np.isfinite(array).all(), (folder, name)


def assert_saved_of_the_last_checkpoint(model, run_dir):
    """The saved translators are what the last checkpoint translates with."""
    restore(model, support.newest(run_dir))
    for name, translator in model.translators.items():
        saved = load_generator(run_dir / f"{name}.keras").get_weights()
        for array, same in zip(saved, translator.get_weights(), strict=True):
            assert np.isfinite(array).all()
            np.testing.assert_array_equal(array, same)


def error_lines(err):
    return [line for line in err.splitlines() if "error: " in line]


@pytest.fixture
def colours(noise_dir, tmp_path):
    """As many images, each of a colour of its own: a batch shows which files it was made of."""
    folder = tmp_path / "colours"
    for domain, blue in (("trainA", 0), ("trainB", 255)):
        (folder / domain).mkdir(parents=True)
        for number, path in enumerate(sorted((noise_dir / domain).iterdir())):
            image = Image.new("RGB", (40, 40), (10 * number, 0, blue))
            image.save(folder / domain / path.name)
    return folder


def test_a_loss_that_is_no_number_stops_it(
    model, train_here, colours, tmp_path, monkeypatch, capsys
):
    real, batches = type(model).train_step, []

    def train_step(batch):
        batches.append(batch)
        logs = real(model, batch)
        return nan_loss(logs) if len(batches) == 7 else logs

    monkeypatch.setattr(model, "train_step", train_step)
    assert train_here("--data-dir", str(colours)) == 2
    err = capsys.readouterr().err
    (line,) = error_lines(err)
    assert "Traceback" not in err
    assert "In epoch 2, step 2, d_loss is not finite." in line
    named = re.findall(
        r"'(\S+)'", line.partition("The images of that step")[2].partition("Stopped")[0]
    )
    wanted = [
        str(colours / f"train{domain}" / f"{round((img[0, 0, 0] + 1) * 127.5) // 10:02d}.png")
        for domain, imgs in zip("AB", batches[6], strict=True)
        for img in imgs
    ]
    assert named == wanted
    assert len(named) == 8
    run_dir = tmp_path / "run"
    assert_all_checkpoints_finite(run_dir)
    assert 5 <= support.steps_in(support.newest(run_dir)) <= 6
    assert_saved_of_the_last_checkpoint(model, run_dir)


@pytest.mark.parametrize("part", ["weights", "averages"])
def test_a_weight_that_is_no_number_stops_it(part, model, train_here, at_step, tmp_path, capsys):
    """No loss ever shows what is wrong with a moving average."""
    averages = [v for v in model.combined.optimizer.variables if "average" in v.name]
    spoilt = {"weights": model.g_AB.trainable_variables, "averages": averages}[part][0]

    def spoil(logs):
        support.wait_for_writing()
        spoilt.assign(np.full(spoilt.shape, np.nan))
        return logs

    at_step(5, act=spoil)
    assert train_here() == 2
    err = capsys.readouterr().err
    (line,) = error_lines(err)
    assert re.search(r"In epoch 1.* is not finite\.", line)
    assert "Warning" not in err
    run_dir = tmp_path / "run"
    assert_all_checkpoints_finite(run_dir)
    assert support.steps_in(support.newest(run_dir)) <= 4
    assert_saved_of_the_last_checkpoint(model, run_dir)


def poison(model, monkeypatch, step):
    """One batch, that of a step of the first try, gives a loss that is no number each time."""
    real, batches = type(model).train_step, []

    def train_step(batch):
        batches.append(batch[0].tobytes() + batch[1].tobytes())
        logs = real(model, batch)
        bad = len(batches) >= step and batches[-1] == batches[step - 1]
        return nan_loss(logs) if bad else logs

    monkeypatch.setattr(model, "train_step", train_step)
    return batches


def test_going_back_and_on_with_other_images(model, train_here, tmp_path, monkeypatch, capsys):
    poison(model, monkeypatch, step=8)
    assert train_here("--on-nan", "rollback") == 0
    err = capsys.readouterr().err
    assert err.count("Warning: In epoch 2, step 3, d_loss is not finite.") == 1
    assert "Going back to checkpoint-" in err
    checkpoint = support.newest(tmp_path / "run")
    assert support.steps_in(checkpoint) == 10
    assert checkpoint.state["progress"]["attempt"] == 1
    shown = support.rows((tmp_path / "run" / "history.csv").read_text())
    assert [int(row["step"]) for row in shown] == [2, 4, 5, 6, 8, 10]
    assert np.isfinite([float(value) for row in shown for value in row.values()]).all()
    assert_all_checkpoints_finite(tmp_path / "run")
    assert_saved_of_the_last_checkpoint(model, tmp_path / "run")


def test_going_back_in_vain_ends(train_here, at_step, tmp_path, capsys):
    at_step(*range(8, 100), act=nan_loss)
    # The first epoch's end is the last checkpoint, so that each try begins there.
    rare = ["--checkpoint-interval", "60"]
    assert train_here("--on-nan", "rollback", *rare) == 2
    err = capsys.readouterr().err
    last = support.newest(tmp_path / "run")
    assert support.steps_in(last) == 5
    assert err.count(f"Going back to {last.path.name}, after 1 epoch.") == 3
    (line,) = error_lines(err)
    assert "Stopped after going back 3 times." in line


def test_going_back_in_vain_ends_at_the_first_step_too(train_here, at_step, tmp_path, capsys):
    seen = at_step(*range(1, 100), act=nan_loss)
    assert train_here("--on-nan", "rollback") == 2
    err = capsys.readouterr().err
    assert err.count("Going back to checkpoint-000001, after 0 epochs.") == 3
    (line,) = error_lines(err)
    assert "Stopped after going back 3 times." in line
    assert "rollback" not in line
    assert seen[0] == 4
    assert len(support.checkpoints(tmp_path / "run")) == 1


def test_a_newer_checkpoint_is_no_progress(train_here, at_step, monkeypatch, capsys):
    """Each time one step is good, of which there is a checkpoint, and none after it is."""
    good = []

    def once(logs):
        support.wait_for_writing()  # So that there is one of this step.
        if good:
            return nan_loss(logs)
        good.append(logs)
        return logs

    def restore_and_allow_another(model, checkpoint):
        restore(model, checkpoint)
        good.clear()

    monkeypatch.setattr(session, "restore", restore_and_allow_another)
    at_step(*range(1, 100), act=once)
    assert train_here("--on-nan", "rollback") == 2
    err = capsys.readouterr().err
    places = re.findall("Going back to checkpoint-0*([0-9]+), after 0 epochs and ([0-9]) step", err)
    assert len(places) == len(set(places)) == 3
    assert "Stopped after going back 3 times." in error_lines(err)[0]


@pytest.mark.parametrize("between", [False, True])
def test_a_signal_is_not_forgotten_by_going_back(
    between, train_here, at_step, tmp_path, monkeypatch, capsys
):
    def terminate(*args):
        os.kill(os.getpid(), signal.SIGTERM)

    def spoil(logs):
        if not between:
            terminate()
        return nan_loss(logs)

    def restore_slowly(model, checkpoint):
        restore(model, checkpoint)
        terminate()

    if between:
        monkeypatch.setattr(session, "restore", restore_slowly)
    at_step(8, act=spoil)
    handlers = [signal.getsignal(signum) for signum in SIGNALS]
    assert train_here("--on-nan", "rollback") == 128 + signal.SIGTERM
    assert [signal.getsignal(signum) for signum in SIGNALS] == handlers
    output = capsys.readouterr()
    assert "Interrupted by SIGTERM after 1 epoch" in output.out
    assert 5 <= support.steps_in(support.newest(tmp_path / "run")) <= 7
    assert (tmp_path / "run" / "g_AB.keras").exists()


def test_on_after_a_stop(model, train_here, tmp_path, monkeypatch, capsys):
    batches = poison(model, monkeypatch, step=8)
    assert train_here() == 2
    assert "--resume --on-nan rollback" in capsys.readouterr().err
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    # The same images would come again, and so would the fault.
    num_batches = len(batches)
    assert train_here("--resume", run_dir=tmp_path / "copy") == 2
    assert len(batches) > num_batches
    assert "In epoch 2, step 3, d_loss is not finite." in capsys.readouterr().err
    assert train_here("--resume", "--on-nan", "rollback") == 0
    checkpoint = support.newest(tmp_path / "run")
    assert support.steps_in(checkpoint) == 10
    assert checkpoint.state["progress"]["attempt"] == 1
