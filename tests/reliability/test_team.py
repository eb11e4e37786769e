"""Two workers on this machine: the same weights as one, and what happens when one of them fails."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.reliability import support

pytestmark = pytest.mark.slow

SCRIPT = pathlib.Path(__file__).with_name("tiny_train.py")
LOST, PATIENCE = 75, 240
# Seconds in which all have noticed that one is gone, stands still, or is stuck.
SOON = 40
LONG = 4000  # epochs, which nobody waits for


class Workers:
    """Some workers of one run, each a process."""

    def __init__(self, run_dir: pathlib.Path, data: pathlib.Path, *more: str, count=2, **each):
        ports = []
        with socket.socket() as one, socket.socket() as other, socket.socket() as third:
            for door in (one, other, third):
                door.bind(("", 0))
                ports.append(door.getsockname()[1])
        self.run_dir = run_dir
        workers = ",".join(f"localhost:{port}" for port in ports[:count])
        words = support.command(run_dir, data, each.get("epochs", support.EPOCHS))
        if "--minutes" in more:  # Which decides it.
            place = words.index("--epochs")
            del words[place : place + 2]
        faults = each.get("faults", {})
        self.processes = [
            subprocess.Popen(
                [
                    sys.executable,
                    str(each.get("script", SCRIPT)),
                    *words,
                    *more,
                    *each.get(f"of_{index}", []),
                ],
                env={
                    **support.environment(),
                    "CYCLEGAN_WORKERS": workers,
                    "CYCLEGAN_INDEX": str(index),
                    "FAULT": faults.get(f"of_{index}", faults.get("of_all", "")),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index in range(count)
        ]
        self.out, self.err = [""] * count, [""] * count

    def wait_for_step(self, step: int) -> None:
        path, begun = self.run_dir / "history.csv", time.time_ns()
        deadline = time.monotonic() + PATIENCE
        while (
            not path.exists()
            or path.stat().st_mtime_ns < begun
            or support.steps_shown(self.run_dir) < step
        ):
            if any(process.poll() is not None for process in self.processes):
                return  # It was quicker.
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def wait(self, seconds: float = PATIENCE) -> list[int]:
        """Waits until all have ended; their exit statuses."""
        until = time.monotonic() + seconds
        try:
            for index, process in enumerate(self.processes):
                self.out[index], self.err[index] = process.communicate(
                    timeout=max(1.0, until - time.monotonic())
                )
        finally:
            for process in self.processes:
                process.kill()
        return [process.returncode for process in self.processes]

    def errors(self, index: int) -> list[str]:
        """The errors that are told, apart from the log of TensorFlow, of lines of any kind."""
        return re.findall(r"^[\w.-]+(?: \w+)?: error: .*", self.err[index], re.MULTILINE)


def assert_whole(run_dir: pathlib.Path) -> None:
    """Each checkpoint that is there is undamaged."""
    folders = support.checkpoints(run_dir)
    assert folders
    for folder in folders:
        support.load(folder)


def farthest(one: pathlib.Path, other: pathlib.Path) -> float:
    mine, theirs = support.newest(one), support.newest(other)
    assert support.steps_in(mine) == support.steps_in(theirs)
    assert mine.variables.keys() == theirs.variables.keys()
    return max(
        float(np.abs(array.astype(float) - theirs.variables[name]).max())
        for name, array in mine.variables.items()
    )


@pytest.fixture(scope="module")
def undisturbed(noise_dir, tmp_path_factory):
    """A run of two workers to its end."""
    run_dir = tmp_path_factory.mktemp("team") / "two"
    workers = Workers(run_dir, noise_dir)
    assert workers.wait() == [0, 0], workers.err
    return run_dir


@pytest.fixture(scope="module")
def alone(noise_dir, tmp_path_factory):
    """The same run by one process."""
    run_dir = tmp_path_factory.mktemp("team") / "one"
    done = support.start(support.command(run_dir, noise_dir, support.EPOCHS), SCRIPT)
    _, err = done.communicate()
    assert done.returncode == 0, err
    return run_dir


def test_two_workers_leave_what_one_leaves(undisturbed, alone):
    assert 0 < farthest(undisturbed, alone) < 1e-4  # float32
    names = [{path.name for path in run.iterdir()} for run in (undisturbed, alone)]
    assert names[0] == names[1]


def test_three_workers_leave_what_one_leaves(alone, noise_dir, tmp_path):
    workers = Workers(tmp_path / "run", noise_dir, count=3)
    assert workers.wait() == [0, 0, 0], workers.err
    assert farthest(tmp_path / "run", alone) < 1e-4


def test_it_is_the_same_each_time_and_by_the_launcher(undisturbed, noise_dir, tmp_path):
    words = support.command(tmp_path / "run", noise_dir, support.EPOCHS)
    done = support.start([*words, "--launcher", "local", "--workers", "2"], SCRIPT)
    out, err = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0, err
    assert "2 replicas of 2 workers" in out
    support.assert_same_run(undisturbed, tmp_path / "run")


def test_killed_workers_end_all_and_the_same_command_goes_on(noise_dir, tmp_path):
    """Ten times, either of them, at any moment: the bits are those of a run that was not."""
    undisturbed, run_dir, epochs = tmp_path / "undisturbed", tmp_path / "run", 36
    workers = Workers(undisturbed, noise_dir, epochs=epochs)
    assert workers.wait() == [0, 0], workers.err
    rng = np.random.default_rng(0)
    for life in range(10):
        victim, begun = life % 2, support.steps_shown(run_dir)
        # One that was killed before they have met is waited for so long.
        workers = Workers(run_dir, noise_dir, "--wait-for-workers", "30", epochs=epochs)
        # In a start, or soon after a step: in another one, or in a write.
        if life in (3, 4):
            time.sleep(rng.uniform(0, 8))
        else:
            workers.wait_for_step(begun + int(rng.integers(1, 12)))
            time.sleep(rng.uniform(0, 0.1))
        workers.processes[victim].kill()
        killed = time.monotonic()
        statuses = workers.wait()
        seconds, shown = time.monotonic() - killed, support.steps_shown(run_dir)
        print(f"life {life}, from step {begun} to {shown}: {statuses} after {seconds:.1f} s")
        assert statuses == ([-9, LOST] if victim == 0 else [LOST, -9]), workers.err
        assert len(workers.errors(1 - victim)) == 1, workers.err
        assert "start the same command" in workers.errors(1 - victim)[0].lower()
        if support.checkpoints(run_dir):
            assert_whole(run_dir)
    workers = Workers(run_dir, noise_dir, epochs=epochs)
    assert workers.wait() == [0, 0], workers.err
    support.assert_same_run(undisturbed, run_dir)


@pytest.mark.parametrize("victim", [0, 1], ids=["chief", "other"])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_either_stops_both_after_the_same_step(victim, signum, noise_dir, tmp_path):
    run_dir = tmp_path / "run"
    workers = Workers(run_dir, noise_dir, epochs=LONG)
    workers.wait_for_step(6)
    workers.processes[victim].send_signal(signum)
    begun = time.monotonic()
    assert workers.wait() == [128 + signum] * 2, workers.err
    assert time.monotonic() - begun < SOON
    assert "To continue: " in workers.out[0]
    assert_whole(run_dir)
    assert (run_dir / "g_AB.keras").exists()


def test_a_frozen_worker_ends_the_others(noise_dir, tmp_path):
    workers = Workers(tmp_path / "run", noise_dir, epochs=LONG)
    workers.wait_for_step(4)
    frozen = workers.processes[1]
    frozen.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    assert workers.processes[0].wait(SOON) == LOST
    print(f"noticed after {time.monotonic() - begun:.1f} s")
    frozen.send_signal(signal.SIGCONT)
    assert workers.wait() == [LOST, LOST], workers.err
    assert len(workers.errors(0)) == len(workers.errors(1)) == 1
    assert_whole(tmp_path / "run")


def test_from_two_workers_to_one_and_back(noise_dir, tmp_path):
    """Each goes on from the epoch of the one before, and ends as one process alone would."""
    run_dir, alone = tmp_path / "run", tmp_path / "alone"
    for epochs in (1, 2, 3):
        one = support.start(support.command(alone, noise_dir, epochs), SCRIPT)
        _, err = one.communicate(timeout=PATIENCE)
        assert one.returncode == 0, err
        if epochs == 2:
            one = support.start(support.command(run_dir, noise_dir, epochs), SCRIPT)
            _, err = one.communicate(timeout=PATIENCE)
            assert one.returncode == 0, err
            assert "workers 2 → 1" in err
        else:
            workers = Workers(run_dir, noise_dir, epochs=epochs)
            assert workers.wait() == [0, 0], workers.err
            assert ("workers 1 → 2" in workers.err[0]) == (epochs == 3)
        assert farthest(run_dir, alone) < 1e-4


def test_a_worker_that_is_not_there_is_named(noise_dir, tmp_path):
    workers = Workers(tmp_path / "run", noise_dir, "--wait-for-workers", "30", count=3)
    workers.processes[2].kill()
    statuses = workers.wait()
    assert statuses[:2] == [LOST, LOST], workers.err
    assert re.search(r"worker 2 \(localhost:\d+\) is missing", workers.err[0])
    assert not (tmp_path / "run").exists()


def test_a_worker_with_other_settings_is_refused(noise_dir, tmp_path):
    workers = Workers(tmp_path / "run", noise_dir, of_1=["--seed", "2"])
    assert workers.wait() == [2, 2], workers.err
    for index in range(2):
        (line,) = workers.errors(index)
        assert "seed 2 there, 1 here" in line
        assert "Traceback" not in workers.err[index]


def test_a_run_that_is_finished_is_finished_for_all(undisturbed, noise_dir):
    workers = Workers(undisturbed, noise_dir)
    assert workers.wait() == [0, 0], workers.err
    assert "is finished" in workers.out[0]
    assert "is finished" in workers.out[1]


def test_a_step_that_takes_too_long_ends_all(noise_dir, tmp_path):
    """The first step is traced, which takes longer than this."""
    workers = Workers(tmp_path / "run", noise_dir, "--step-timeout", "0.5")
    assert workers.wait() == [LOST, LOST], workers.err
    assert any("--step-timeout" in line for line in workers.errors(0))


def test_a_launcher_tells_that_a_worker_was_killed(noise_dir, tmp_path):
    run_dir = tmp_path / "run"
    words = support.command(run_dir, noise_dir, LONG)
    launcher = support.start([*words, "--launcher", "local", "--workers", "2"], SCRIPT)
    deadline = time.monotonic() + PATIENCE
    while support.steps_shown(run_dir) < 4:
        assert launcher.poll() is None, launcher.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(launcher.pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    pids = [int(pid) for pid in children.stdout.split()]
    assert len(pids) == 2
    os.kill(pids[1], signal.SIGKILL)
    _, err = launcher.communicate(timeout=SOON)
    assert launcher.returncode == LOST, err
    assert "worker 1" in err
