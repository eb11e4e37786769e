"""No room on the disk, for a while: a warning, and the training goes on."""

import contextlib
import pathlib
import resource
import shutil
import subprocess
import sys

import pytest

from tests.reliability import support

pytestmark = pytest.mark.integration

ROOM = 5_000  # bytes: enough for history.csv, too little for a picture or a checkpoint


@contextlib.contextmanager
def limited(size: int):
    """No file can be longer than so many bytes: a write beyond that fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def whole(run_dir: pathlib.Path) -> int:
    """Asserts that nothing half written lies about; gives the steps of the newest checkpoint."""
    assert not list(run_dir.glob(".*.*"))
    assert not list(run_dir.glob("samples/.*"))
    folders = support.checkpoints(run_dir)
    assert folders
    for folder in folders:
        support.load(folder)
    return support.steps_in(support.newest(run_dir))


@pytest.mark.parametrize("room", [ROOM, 0], ids=["but for the history", "at all"])
def test_the_training_goes_on_without_room(
    room, train_here, at_step, uninterrupted_here, tmp_path, capsys
):
    run_dir, found = tmp_path / "run", {}
    with contextlib.ExitStack() as full:

        def fill(logs):
            full.enter_context(limited(room))
            return logs

        def make_room(logs):
            found["newest"] = whole(run_dir)
            found["shown"] = support.steps_shown(run_dir)
            full.close()
            return logs

        at_step(3, act=fill)
        at_step(7, act=make_room)
        assert train_here() == 0
    err = capsys.readouterr().err
    assert "Warning: a checkpoint could not be written (File too large)" in err
    assert err.count("Warning: the sample ") == 2
    assert err.count("Warning: history.csv") == (3 if room == 0 else 0)
    assert "Exception" not in err
    # The last checkpoint that was written whole stays, and the samples of that time are missing.
    assert found["newest"] <= 2
    assert found["shown"] == (2 if room == 0 else 6)
    samples = {path.name for path in (run_dir / "samples").iterdir()}
    assert samples == {"0_1.png", "1_2.png", "1_4.png"}
    for name in ("0_3.png", "1_0.png"):
        shutil.copy(uninterrupted_here / "samples" / name, run_dir / "samples" / name)
    assert not list((run_dir / "checkpoints").glob(".*"))
    support.assert_same_run(run_dir, uninterrupted_here)


def test_what_cannot_be_saved_at_the_end_is_not_lost(
    train_here, at_step, uninterrupted_here, tmp_path, capsys
):
    run_dir = tmp_path / "run"
    with contextlib.ExitStack() as full:
        at_step(8, act=lambda logs: full.enter_context(limited(ROOM)) or logs)
        assert train_here() == 2
        err = capsys.readouterr().err
    assert err.count("error: ") == 1
    assert "Exception" not in err
    assert 5 <= whole(run_dir) <= 7
    assert not list((run_dir / "checkpoints").glob(".*"))
    assert not list(run_dir.glob("*.keras"))
    assert train_here("--resume") == 0
    support.assert_same_run(run_dir, uninterrupted_here)


# A training with steps that cost nothing. From the third step to the seventh there is no room.
DRIVER = """
import pathlib, shutil, sys, threading
import tensorflow as tf
from cyclegan_keras.cli import main
from cyclegan_keras.runs import trainer
from tests import tiny

mount, copy = map(pathlib.Path, sys.argv[1:3])
filler, make_model = mount / "filler", trainer.make_model

def wait_for_writing():
    for thread in threading.enumerate():
        if thread.name == "checkpoint":
            thread.join()

def make_quick_model(config):
    model = make_model(config)
    count = [0]

    def train_step(batch):
        count[0] += 1
        if count[0] == 3:
            wait_for_writing()  # It would make room again once it has failed.
            with filler.open("wb", buffering=0) as file:
                try:
                    while file.write(bytes(4096)):
                        pass
                except OSError:
                    pass
        if count[0] == 7:
            wait_for_writing()
            shutil.copytree(mount / "run", copy / "full")
            filler.unlink()
        return {"d_loss": tf.constant(float(count[0]))}

    model.train_step = train_step
    return model

tiny.use_in_all_models()
trainer.make_model = make_quick_model
status = main.main(sys.argv[3:], verb="train")
shutil.copytree(mount / "run", copy / "end")
sys.exit(status)
"""


@pytest.mark.slow
def test_on_a_disk_that_is_full_for_a_while(noise_dir, tmp_path):
    """As `test_the_training_goes_on_without_room`, on a real disk."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = tmp_path / "mount"
    mount.mkdir()
    # The small disk belongs to this process alone and goes with it.
    mounts = f"mount -t tmpfs -o size=8m none {mount}"
    if (
        not shutil.which("unshare")
        or subprocess.run([*alone, "sh", "-c", mounts], capture_output=True).returncode
    ):
        pytest.skip("needs to mount a small disk, which this user may not")
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    words = [sys.executable, str(driver), str(mount), str(tmp_path)]
    words += support.command(mount / "run", noise_dir, 2)
    result = subprocess.run(
        [*alone, "sh", "-c", f'{mounts} && exec "$@"', "sh", *words],
        env=support.environment(),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "a checkpoint could not be written (No space left on device)" in result.stderr
    assert "the sample " in result.stderr
    assert "Exception" not in result.stderr
    assert whole(tmp_path / "full") <= 2
    assert whole(tmp_path / "end") == 10
    shown = support.rows((tmp_path / "end" / "history.csv").read_text())
    assert [row["step"] for row in shown] == ["2", "4", "5", "6", "8", "10"]
    # The means of the steps since the row before: (1 + 2) / 2, (3 + 4) / 2, 5, and so on.
    assert [float(row["d_loss"]) for row in shown] == [1.5, 3.5, 5, 6, 7.5, 9.5]
    assert (tmp_path / "end" / "samples" / "1_4.png").exists()
    assert not (tmp_path / "end" / "samples" / "0_3.png").exists()
