"""SIGTERM and Ctrl-C: the step is finished, all is saved, and the run goes on as if nothing was."""

import os
import pathlib
import shlex
import signal
import subprocess
import time

import pytest

from tests import forked
from tests.reliability import support

pytestmark = pytest.mark.integration

# A training whose steps cost nothing to prepare; the third of them lasts until a file is there.
SLOW_STEP = """
import pathlib, sys, time
import tensorflow as tf
from cyclegan_keras.cli import main
from cyclegan_keras.runs import trainer
from tests import tiny

begun, end = map(pathlib.Path, sys.argv[1:3])
make_model = trainer.make_model

def make_quick_model(config):
    model = make_model(config)
    count = [0]

    def train_step(batch):
        count[0] += 1
        if count[0] == 3:
            begun.touch()
            while not end.exists():
                time.sleep(0.05)
        return {"d_loss": tf.constant(float(count[0]))}

    model.train_step = train_step
    return model

tiny.use_in_all_models()
trainer.make_model = make_quick_model
sys.exit(main.main(sys.argv[3:], verb="train"))
"""


@pytest.mark.parametrize(
    ("signum", "step"),
    [(signal.SIGTERM, 2), (signal.SIGINT, 5), (signal.SIGTERM, 10), (signal.SIGINT, 7)],
    ids=["in an epoch", "at an epoch's end", "at the very end", "while the rates fall"],
)
def test_stopped_and_resumed_is_uninterrupted(
    signum, step, train_here, at_step, uninterrupted_here, tmp_path, capsys
):
    seen = at_step(step, act=lambda logs: os.kill(os.getpid(), signum) or logs)
    run_dir = tmp_path / "run"
    assert train_here() == 128 + signum
    # The step is finished and saved, and none is begun any more.
    assert seen == [step]
    assert support.steps_in(support.newest(run_dir)) == step
    assert {path.name for path in run_dir.glob("*.keras")} == {"g_AB.keras", "g_BA.keras"}
    assert not (run_dir / "metrics.json").exists()
    out, err = capsys.readouterr()
    assert f"Interrupted by {signum.name} after " in out
    assert f"To continue: python train.py --run-dir {shlex.quote(str(run_dir))} --resume" in out
    assert "Traceback" not in err
    assert train_here("--resume") == 0
    assert "Warning" not in err + capsys.readouterr().err
    support.assert_same_run(run_dir, uninterrupted_here)


def start_forked(words: list[str], program: pathlib.Path) -> forked.Program:
    return forked.Program([str(program), *words])


@pytest.fixture
def start_slow(noise_dir, tmp_path):
    """Starts a training whose third step does not end, and waits for that step.

    In a process that is forked off another one; `whole` starts Python for it.
    """
    driver, begun, processes = tmp_path / "driver.py", tmp_path / "begun", []
    driver.write_text(SLOW_STEP)

    def start_slow(whole: bool = False) -> support.Process:
        files = [str(begun), str(tmp_path / "end")]
        words = [*files, *support.command(tmp_path / "run", noise_dir, 2)]
        start = support.start if whole else start_forked
        process = start(words, driver)
        processes.append(process)
        deadline = time.monotonic() + support.PATIENCE
        while not (begun.exists() and support.checkpoints(tmp_path / "run")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    yield start_slow
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_process_ends_with_the_status_of_the_signal(start_slow, tmp_path):
    """As `test_stopped_and_resumed_is_uninterrupted`, in a process of its own."""
    process = start_slow(whole=True)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)  # The step goes on.
    (tmp_path / "end").touch()
    out, err = process.communicate(timeout=support.PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in err
    assert "Interrupted by SIGTERM after 0 epochs and 3 steps. To continue: python " in out
    assert support.steps_in(support.newest(tmp_path / "run")) == 3


def test_a_second_ctrl_c_ends_it_at_once(start_slow, tmp_path):
    process = start_slow()
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=support.PATIENCE / 10)
    assert process.returncode == -signal.SIGINT
    assert "Traceback" not in err
    assert "Interrupted by" not in out
    assert support.newest(tmp_path / "run") is not None
