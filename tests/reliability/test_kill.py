"""A process that is killed, wherever it is, loses next to nothing of its run."""

import pathlib
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest

from tests import forked
from tests.reliability import support

pytestmark = pytest.mark.integration

Start = Callable[[list[str]], support.Process]  # Starts a training, by the words of its command.
# Nine steps of four images an epoch.
STEPS = 9


def kill_after(process: support.Process, run_dir: pathlib.Path, step: int, delay: float):
    """Kills a training a moment after `history.csv` shows that it has done so many steps.

    On the way, the file may still show the steps of the life before: it is written anew once the
    training goes on, so that is what is waited for first.
    """
    path, begun = run_dir / "history.csv", time.time_ns()
    deadline = time.monotonic() + support.PATIENCE
    try:
        while (
            not path.exists()
            or path.stat().st_mtime_ns < begun
            or support.steps_shown(run_dir) < step
        ):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(delay)
    finally:
        process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def live_through(
    num_kills: int, epochs: int, start: Start, run_dir: pathlib.Path, data: pathlib.Path
) -> tuple[int, list[int]]:
    """Trains to the end through so many kills, spread over the run.

    Returns how many of them found a checkpoint half written, and how many steps each has cost.
    """
    rng = np.random.default_rng(num_kills)
    share = epochs * STEPS / (num_kills + 1)
    begin, resume = support.command(run_dir, data, epochs), ["--run-dir", str(run_dir), "--resume"]
    num_half, costs = 0, []
    for life in range(num_kills):
        # At first the run is begun; then either way must do to go on with it.
        resumes = life > 0 and rng.random() < 0.5
        process = start(resume if resumes else begin)
        step = max(1, round(share * (life + rng.random())))
        kill_after(process, run_dir, step, rng.uniform(0, 0.1))
        num_half += any((run_dir / "checkpoints").glob(".checkpoint-*.partial"))
        costs.append(
            support.steps_shown(run_dir) - support.steps_in(support.newest(run_dir), STEPS)
        )
    process = start(resume)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert "Resumed " in out
    assert "Warning" not in err
    assert not list((run_dir / "checkpoints").glob(".*"))
    print(f"{num_kills} kills, {num_half} in the middle of a write, steps lost: {costs}")
    return num_half, costs


def kill_many(
    num_kills: int, epochs: int, num_images: int, start: Start, folder: pathlib.Path
) -> int:
    """Holds a run that was killed again and again against one that was not."""
    data = support.write_noise(folder / "noise", num_images)
    begin = support.command(folder / "whole", data, epochs)
    with start(begin) as undisturbed:
        try:
            num_half, costs = live_through(num_kills, epochs, start, folder / "run", data)
            _, err = undisturbed.communicate()
        finally:
            undisturbed.kill()
    assert undisturbed.returncode == 0, err
    assert "Warning" not in err
    # At each epoch's end the checkpoint before is waited for, so it is at most two epochs old.
    assert max(costs) <= 2 * STEPS
    support.assert_same_run(folder / "run", folder / "whole")
    return num_half


def test_a_kill_leaves_no_trace(tmp_path):
    program = support.ROOT / "tests" / "reliability" / "tiny_train.py"
    kill_many(1, 2, 36, lambda words: forked.Program([str(program), *words]), tmp_path)


@pytest.mark.slow
def test_fifty_kills_leave_no_trace(tmp_path):
    # The last step of an epoch has two images only, and takes a tracing of its own.
    assert kill_many(50, 17, 34, support.start, tmp_path) >= 1
