import errno
import json
import os
import subprocess
import sys

import filelock
import pytest

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import record, run_folder


def config(folder, **settings) -> TrainConfig:
    return TrainConfig(run_dir=str(folder), **settings)


def test_every_run_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for epochs in (1, 2, 3):
        with run_folder.opened(TrainConfig(epochs=epochs), "fruit") as folder:
            run_folder.write_settings(folder, TrainConfig(epochs=epochs))
            names.append(str(folder))
    assert names == ["runs/fruit", "runs/fruit-2", "runs/fruit-3"]


def test_what_stands_in_the_way_is_passed_by(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "fruit").symlink_to("a disk that is not there")
    (runs / "fruit-2").write_text("a file")
    (runs / "fruit-3").mkdir()
    (runs / "fruit-3" / "notes.txt").write_text("mine")
    # Of a process that was killed, or told what was wrong, before it wrote anything.
    (runs / "fruit-4").mkdir()
    (runs / "fruit-4" / ".lock").touch()
    before = sorted(runs.iterdir())
    with run_folder.opened(TrainConfig(), "fruit") as first:
        assert str(first) == "runs/fruit-4"
        # It has nothing in it yet, but another process is at it.
        with run_folder.opened(TrainConfig(), "fruit") as second:
            assert str(second) == "runs/fruit-5"
    assert sorted(runs.iterdir()) == [*before, runs / "fruit-5"]
    assert (runs / "fruit-3" / "notes.txt").read_text() == "mine"


def test_folders_of_others_are_passed_by(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("fruit", "fruit-2"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "fruit" / "config.json").write_text(TrainConfig().to_json())
    acquire = filelock.FileLock.acquire

    def refused(self, *args, **kwargs):
        if not self.lock_file.endswith(os.path.join("fruit-3", ".lock")):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.lock_file)
        return acquire(self, *args, **kwargs)

    monkeypatch.setattr(filelock.FileLock, "acquire", refused)
    with run_folder.opened(TrainConfig(), "fruit", images={}) as folder:
        assert str(folder) == "runs/fruit-3"


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({}, "fruit"),
        ({"keep": 5, "tensorboard": True, "sample_interval": 3, "data_dir": "moved"}, "fruit"),
        # It would come to another end.
        ({"patience": 3}, "fruit-2"),
        ({"epochs": 9}, "fruit-2"),
        ({"seed": 1}, "fruit-2"),
    ],
)
def test_what_comes_to_the_same_end_is_the_same_command(changed, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = {"epochs": 8, "evaluate_every": 5, "patience": 2}
    with run_folder.opened(TrainConfig(**settings), "fruit") as folder:
        run_folder.write_settings(folder, TrainConfig(**settings))
    with run_folder.opened(TrainConfig(**{**settings, **changed}), "fruit", images={}) as folder:
        assert folder.name == name


def test_what_is_there_is_never_overwritten(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "holiday.jpg").write_bytes(b"dear")
    with pytest.raises(FileExistsError, match="is not a run, and nothing is overwritten"):
        run_folder.opened(config(folder), "fruit").__enter__()
    with pytest.raises(FileExistsError):
        run_folder.check_folder(config(__file__))
    assert [path.name for path in folder.iterdir()] == ["holiday.jpg"]


def test_a_run_can_be_opened_again_and_changed_in_part(tmp_path):
    with run_folder.opened(config(tmp_path / "r"), "fruit") as folder:
        run_folder.write_settings(folder, config(tmp_path / "r"))
    changes = {"epochs": 20, "sample_interval": 7, "keep": 3, "checkpoint_interval": 1.0}
    with run_folder.opened(config(tmp_path / "r", **changes), "fruit") as folder:
        assert TrainConfig.from_json(folder / "config.json") == config(tmp_path / "r")
        run_folder.write_settings(folder, config(tmp_path / "r", **changes))
    assert TrainConfig.from_json(folder / "config.json").epochs == 20
    with pytest.raises(ValueError, match="Received: gf=16 where it was 8, seed=1 where it was 0"):
        run_folder.check_folder(config(tmp_path / "r", gf=16, seed=1))
    with pytest.raises(ValueError, match="begun with other settings"):
        run_folder.opened(config(tmp_path / "r", learning_rate=1e-3), "fruit").__enter__()
    begun = config(tmp_path / "r").learning_rate
    assert begun != 1e-3
    assert TrainConfig.from_json(tmp_path / "r" / "config.json").learning_rate == begun


def test_one_process_at_a_time(tmp_path):
    folder = tmp_path / "r"
    script = (
        "from cyclegan_keras.config.train_config import TrainConfig\n"
        "from cyclegan_keras.runs import run_folder\n"
        f"with run_folder.opened(TrainConfig(run_dir={str(folder)!r}), 'fruit'):\n"
        "    print('in', flush=True); input()\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "in\n"
    with pytest.raises(FileExistsError, match="Another process is training in"):
        run_folder.opened(config(folder), "fruit").__enter__()
    other.kill()
    other.communicate()
    with run_folder.opened(config(folder), "fruit"):  # A lock does not outlive its process.
        pass


@pytest.mark.parametrize("name", ["ENOLCK", "EOPNOTSUPP", "EINVAL", "ENOSYS"])
@pytest.mark.filterwarnings("ignore:flock not supported")  # Of filelock, which copes with ENOSYS.
def test_on_a_disk_without_locks_it_is_told_and_trained(name, tmp_path, monkeypatch, capsys):
    fcntl = pytest.importorskip("fcntl")
    number = getattr(errno, name)

    def flock(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):
        with run_folder.opened(config(tmp_path / "r"), "fruit") as folder:
            run_folder.write_settings(folder, config(folder))
    warnings = capsys.readouterr().err.splitlines()
    if name != "ENOSYS":
        assert len(warnings) == 2
        assert "does not support locks" in warnings[0]
        assert os.strerror(number) in warnings[0]
    number = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        run_folder.opened(config(tmp_path / "r"), "fruit").__enter__()


def test_what_a_killed_process_had_begun_to_write_is_removed(tmp_path):
    (tmp_path / "r" / "samples").mkdir(parents=True)
    (tmp_path / "r" / "config.json").write_text(config(tmp_path / "r").to_json())
    for name in (".config.123.json", ".g_AB.4.keras", "samples/.0_9.77.png"):
        (tmp_path / "r" / name).write_bytes(b"half")
    (tmp_path / "r" / ".mine").write_text("not ours")
    (tmp_path / "r" / "samples" / "0_9.png").write_bytes(b"whole")
    with run_folder.opened(config(tmp_path / "r"), "fruit"):
        pass
    left = {str(p.relative_to(tmp_path / "r")) for p in (tmp_path / "r").rglob("*") if p.is_file()}
    assert left == {"config.json", ".mine", ".lock", "samples/0_9.png"}


def test_a_run_is_finished_when_it_has_the_metrics_of_all_its_epochs(tmp_path):
    assert record.metrics_if_finished(TrainConfig()) is None
    assert record.metrics_if_finished(config(tmp_path)) is None
    (tmp_path / "metrics.json").write_text(json.dumps({"epochs": 5, "truth_AB": 3.0}))
    assert record.metrics_if_finished(config(tmp_path, epochs=5))["truth_AB"] == 3.0
    assert record.metrics_if_finished(config(tmp_path, epochs=4)) is not None
    assert record.metrics_if_finished(config(tmp_path, epochs=6)) is None
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        record.metrics_if_finished(config(tmp_path))
    (tmp_path / "metrics.json").write_text("[1, 2]")
    with pytest.raises(ValueError, match="must contain metrics by name"):
        record.metrics_if_finished(config(tmp_path))
    for name, odd in (("epochs", "8"), ("epochs", None), ("stopped_at_step", "x")):
        (tmp_path / "metrics.json").write_text(json.dumps({"epochs": 8, name: odd}))
        with pytest.raises(ValueError, match=rf"is damaged. Remove it. Received: {name}='{odd}'"):
            record.metrics_if_finished(config(tmp_path))
