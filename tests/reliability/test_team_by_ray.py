"""Two workers of Ray: they are started again when one is killed, and leave the same bits."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

from tests.reliability import support
from tests.reliability.test_team import LONG, assert_whole
from tests.reliability.test_team import undisturbed as undisturbed  # A fixture.

pytest.importorskip("ray", reason="needs Ray")
pytestmark = pytest.mark.slow

SCRIPT = pathlib.Path(__file__).with_name("tiny_ray_train.py")
PATIENCE = 400


def start(run_dir, data, *more, epochs=support.EPOCHS):
    words = support.command(run_dir, data, epochs, "--launcher", "ray", "--workers", "2", *more)
    return support.start(words, SCRIPT)


def finish(process):
    try:
        return process.communicate(timeout=PATIENCE)
    finally:
        process.kill()


def workers_of(process: subprocess.Popen) -> list[int]:
    """The processes of Ray's workers that were started by this one, in one way or another."""
    parents, found = {}, []
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(place.name)] = int(
                (place / "stat").read_text().rpartition(")")[2].split()[1]
            )
            if b"ray::RayTrainWorker" in (place / "cmdline").read_bytes():
                found.append(int(place.name))

    def is_of(pid):
        while pid in parents:
            if pid == process.pid:
                return True
            pid = parents[pid]
        return False

    return [pid for pid in found if is_of(pid)]


def chief_of(process: subprocess.Popen, run_dir: pathlib.Path) -> int | None:
    """The worker that has the lock of the run."""
    for pid in workers_of(process):
        with contextlib.suppress(OSError):
            for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(link) == str(run_dir / ".lock"):
                        return pid
    return None


def wait_until(is_so, process):
    deadline = time.monotonic() + PATIENCE
    while not (found := is_so()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def steps_saved(run_dir):
    with contextlib.suppress(Exception):  # It is being written or removed.
        return support.steps_in(support.newest(run_dir))
    return 0


def test_workers_that_are_killed_are_started_again_with_the_same_bits(
    undisturbed, noise_dir, tmp_path
):
    run_dir = tmp_path / "run"
    process = start(run_dir, noise_dir)
    try:
        for steps, victim in ((2, "chief"), (5, "other")):
            wait_until(lambda steps=steps: steps_saved(run_dir) >= steps, process)
            chief = wait_until(lambda: chief_of(process, run_dir), process)
            others = wait_until(lambda chief=chief: {*workers_of(process)} - {chief}, process)
            os.kill(chief if victim == "chief" else others.pop(), signal.SIGKILL)
            wait_until(lambda chief=chief: chief not in workers_of(process), process)
    finally:
        out, err = finish(process)
    assert process.returncode == 0, err
    told = [line for line in err.splitlines() if "Ray has started all of them again" in line]
    assert [line.rpartition("again ")[2] for line in told] == ["(1 of 3 times).", "(2 of 3 times)."]
    assert out.count("Resumed ") == 2
    support.assert_same_run(undisturbed, run_dir)
    assert not (run_dir / ".ray").exists()


def test_a_signal_to_the_launcher_stops_all_and_the_same_command_goes_on(
    undisturbed, noise_dir, tmp_path
):
    run_dir = tmp_path / "run"
    process = start(run_dir, noise_dir, epochs=LONG)
    wait_until(lambda: support.steps_shown(run_dir) >= 2, process)
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    out, err = finish(process)
    print(f"ended after {time.monotonic() - begun:.1f} s")
    assert process.returncode == 128 + signal.SIGTERM, err
    assert "To continue: " in out
    assert_whole(run_dir)
    assert (run_dir / "g_AB.keras").exists()


def test_what_is_wrong_is_told_in_one_line_and_not_tried_again_and_again(noise_dir, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "letter.txt").write_text("mine")
    process = start(run_dir, noise_dir)
    _, err = finish(process)
    assert process.returncode == 2, err
    assert "contains something that is not a run" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert [path.name for path in run_dir.iterdir()] == ["letter.txt"]
