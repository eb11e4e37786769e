import json
import pathlib
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from cyclegan_keras.training.callbacks import tensorboard
from cyclegan_keras.training.callbacks.history import HistoryCSV
from cyclegan_keras.training.callbacks.tensorboard import TensorBoardLog
from cyclegan_keras.training.progress import Progress
from tests.training.callbacks.test_history import Break, Measures


def read(folder: pathlib.Path) -> dict[str, list[tuple[int, np.ndarray]]]:
    """What TensorBoard shows: by tag, steps and values."""
    events = EventAccumulator(
        str(folder), tensor_size_guidance={"scalars": 0, "images": 0}
    ).Reload()
    return {
        tag: [(event.step, tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def scalars(folder, tag):
    return [(step, float(value)) for step, value in read(folder)[tag]]


def log_to(folder, interval=2):
    """A log, the history that hands its rows on to it, and what is measured at steps 3 and 4."""
    log = TensorBoardLog(folder)
    history = HistoryCSV(folder / "history.csv", interval, sinks=[log.write_row])
    return log, Measures(history, {3: 0.25, 4: 0.125}), history


def test_rows_of_the_history_become_curves(train, tmp_path):
    train(*log_to(tmp_path))
    assert scalars(tmp_path, "losses/g_loss") == [(2, 1.5), (3, 3.0), (4, 4.0), (6, 5.5)]
    assert scalars(tmp_path, "learning_rate") == [(2, 0.25), (3, 0.25), (4, 0.25), (6, 0.25)]
    assert scalars(tmp_path, "figures (eye)/kernel_AB") == [(3, 0.25), (4, 0.125)]


def test_a_sample_is_shown_at_its_step(train, tmp_path):
    log = TensorBoardLog(tmp_path)
    train(log)
    grid = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    log.write_sample(grid, epoch=1, batch=2)
    ((step, (width, height, png)),) = read(tmp_path)["samples"]
    assert (step, int(width), int(height)) == (6, 7, 5)
    np.testing.assert_array_equal(tf.io.decode_png(png).numpy(), grid)


def test_steps_that_are_done_again_are_shown_once(train, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    train(*log_to(whole))
    stop = Break(2)
    with pytest.raises(KeyboardInterrupt):
        train(*log_to(broken), stop)
    first = Progress.from_state(json.loads(stop.text))
    time.sleep(1.1)  # TensorBoard reads files in the order of their names: by the second.
    train(*log_to(broken), progress=first)  # To the end, with losses that count from 1 again.
    assert scalars(broken, "losses/g_loss") == [(2, 1.5), (3, 1.0), (4, 2.0), (6, 3.5)]
    # It goes on from where it was before, with another interval.
    time.sleep(1.1)
    later = Progress.from_state(json.loads(stop.text))
    train(*log_to(broken, interval=5), progress=later)
    shown = scalars(broken, "losses/g_loss")
    assert [step for step, _ in shown] == [2, 3, 4, 5, 6]
    assert [step for step, _ in scalars(whole, "losses/g_loss")] == [2, 3, 4, 6]


def test_on_a_full_disk_it_goes_on_in_a_new_file(train, tmp_path, monkeypatch, capsys):
    calls, make = [], tf.summary.create_file_writer

    class Full:
        """The file that is written at first can take no more after its second row."""

        def __init__(self, writer):
            self._writer = writer

        def __getattr__(self, name):
            return getattr(self._writer, name)

        def flush(self):
            calls.append(1)
            if len(calls) == 2:
                message = "events; File too large\n\tCould not flush events file."
                raise tf.errors.OutOfRangeError(None, None, message)
            self._writer.flush()

    monkeypatch.setattr(tf.summary, "create_file_writer", lambda path: Full(make(path)))
    train(*log_to(tmp_path))
    assert len(list(tmp_path.glob("events*"))) == 2
    told = "could not be written (events; File too large). The training goes on."
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].endswith(told)
    steps = [step for step, _ in scalars(tmp_path, "losses/g_loss")]
    assert {2, 4, 6} <= set(steps)


def test_without_the_package_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r'pip install "tensorboard>=2.20"'):
        TensorBoardLog(tmp_path)
