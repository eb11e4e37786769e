"""A run has one process: a second one is sent away, until the first is gone."""

import signal
import time

import pytest

from tests.reliability import support

pytestmark = pytest.mark.integration

# A training with steps that take 50 ms and nothing to prepare.
DRIVER = """
import sys, time
import tensorflow as tf
from cyclegan_keras.cli import main
from cyclegan_keras.runs import trainer
from tests import tiny

make_model = trainer.make_model

def make_quick_model(config):
    model = make_model(config)
    model.train_step = lambda batch: time.sleep(0.05) or {"d_loss": tf.constant(1.0)}
    return model

tiny.use_in_all_models()
trainer.make_model = make_quick_model
sys.exit(main.main(sys.argv[1:], verb="train"))
"""


def wait_for_steps(process, run_dir, count):
    deadline = time.monotonic() + support.PATIENCE
    while support.steps_shown(run_dir) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow  # As tests/runs/test_run_folder.py, test_one_process_at_a_time, while it trains.
def test_the_second_is_sent_away_and_the_first_goes_on(train_here, noise_dir, tmp_path, capsys):
    run_dir, driver = tmp_path / "run", tmp_path / "driver.py"
    driver.write_text(DRIVER)
    words = support.command(run_dir, noise_dir, 10_000)
    process = support.start(words, driver)
    try:
        wait_for_steps(process, run_dir, 2)
        settings = (run_dir / "config.json").read_bytes()
        for more in ([], ["--resume"]):
            assert train_here(*more) == 2
            err = capsys.readouterr().err
            assert len(err.splitlines()) == 1
            assert f"error: Another process is training in {str(run_dir)!r}." in err
        assert (run_dir / "config.json").read_bytes() == settings
        wait_for_steps(process, run_dir, support.steps_shown(run_dir) + 5)
        assert process.poll() is None
    finally:
        process.kill()
        _, err = process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert "Warning" not in err
    # Nobody has tidied up, and yet the folder is free again.
    epochs = support.newest(run_dir).state["progress"]["epoch"] + 1
    assert train_here("--epochs", str(epochs), "--resume") == 0
    assert "Resumed " in capsys.readouterr().out
    assert support.steps_in(support.newest(run_dir)) == epochs * support.STEPS
