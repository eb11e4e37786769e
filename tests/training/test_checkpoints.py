import errno
import hashlib
import json
import os
import pathlib
import stat
import subprocess

import numpy as np
import pytest

from cyclegan_keras.training import checkpoints
from cyclegan_keras.training.checkpoints import CheckpointStore

VARIABLES = {
    "model/0000": np.arange(6, dtype=np.float32).reshape(2, 3),
    "model/0001": np.array(7, np.int64),
    "optimizer_0/0000": np.array([True, False]),
}
STATE = {"progress": {"epoch": 3, "mean": 0.1 + 0.2}, "names": ["a", "ü"]}


@pytest.fixture
def store(tmp_path):
    return CheckpointStore(tmp_path / "checkpoints", keep=2)


def numbered(step: int) -> dict:
    return {"step": step}


def names(store: CheckpointStore) -> list[str]:
    return sorted(path.name for path in store.directory.iterdir())


def fail(text: str) -> None:
    raise AssertionError(text)


def test_what_is_read_is_what_was_written(store):
    path = store.save(VARIABLES, STATE)
    found = store.load_latest(fail)
    assert found.path == path == store.directory / "checkpoint-000001"
    assert found.state == STATE
    assert found.variables.keys() == VARIABLES.keys()
    for name, array in VARIABLES.items():
        np.testing.assert_array_equal(found.variables[name], array)
        assert found.variables[name].dtype == array.dtype


def test_there_is_none_at_first(store):
    assert store.load_latest(fail) is None


def test_the_newest_few_are_kept(store):
    for step in range(5):
        store.save(VARIABLES, numbered(step))
    assert names(store) == ["checkpoint-000004", "checkpoint-000005"]
    assert store.load_latest(fail).state == numbered(4)
    with pytest.raises(ValueError, match="`keep` must be at least 1"):
        CheckpointStore(store.directory, keep=0)


def test_the_checksums_are_those_of_sha256sum(store):
    path = store.save(VARIABLES, STATE)
    lines = (path / "SHA256SUMS").read_text().splitlines()
    assert lines == [
        f"{hashlib.sha256((path / name).read_bytes()).hexdigest()}  {name}"
        for name in ("variables.npz", "state.json")
    ]
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=path, check=True)


def flip(path: pathlib.Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "a bit": lambda path: flip(path / "variables.npz"),
    "an end": lambda path: (path / "variables.npz").write_bytes(
        (path / "variables.npz").read_bytes()[:-100]
    ),
    "arrays gone": lambda path: (path / "variables.npz").unlink(),
    "state gone": lambda path: (path / "state.json").unlink(),
    "state edited": lambda path: (path / "state.json").write_text('{"step": 9}'),
    "sums gone": lambda path: (path / "SHA256SUMS").unlink(),
    "sums empty": lambda path: (path / "SHA256SUMS").write_text(""),
    "sums of nothing": lambda path: (path / "SHA256SUMS").write_bytes(bytes(200)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_told_and_the_one_before_is_taken(damage, store):
    for step in (1, 2):
        store.save(VARIABLES, numbered(step))
    DAMAGES[damage](store.directory / "checkpoint-000002")
    warnings = []
    found = store.load_latest(warnings.append)
    assert found.state == numbered(1)
    assert len(warnings) == 1
    assert "checkpoint-000002' is damaged: " in warnings[0]
    # What is damaged is kept to look at, and does not take the next one's name.
    assert names(store) == ["checkpoint-000001", "checkpoint-000002.damaged"]
    assert store.load_latest(fail).state == numbered(1)
    store.save(VARIABLES, numbered(3))
    assert store.load_latest(fail).path.name == "checkpoint-000003"


def test_nothing_is_left_of_a_write_that_fails(store, monkeypatch):
    store.save(VARIABLES, numbered(1))

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    for name in ("np.savez", "flush", "_sha256"):
        with monkeypatch.context() as patch:
            patch.setattr(f"cyclegan_keras.training.checkpoints.{name}", full)
            with pytest.raises(OSError, match="No space left"):
                store.save(VARIABLES, numbered(2))
        assert names(store) == ["checkpoint-000001"]
    assert store.load_latest(fail).state == numbered(1)


def test_the_old_ones_go_only_after_the_new_one_is_there(store, monkeypatch):
    """Wherever a write is cut off, one whole checkpoint is there."""
    store = CheckpointStore(store.directory, keep=1)
    store.save(VARIABLES, numbered(0))
    seen = []

    def looked(function):
        def call(*args, **kwargs):
            # A fresh look, as a new process would take it; without renaming anything.
            whole = sorted(store.directory.glob("checkpoint-*"))
            seen.append(checkpoints.load(whole[-1]).state["step"])
            result = function(*args, **kwargs)
            whole = sorted(store.directory.glob("checkpoint-*"))
            seen.append(checkpoints.load(whole[-1]).state["step"])
            return result

        return call

    for name in ("np.savez", "flush", "shutil.rmtree", "pathlib.Path.rename"):
        target = f"cyclegan_keras.training.checkpoints.{name}"
        function = checkpoints
        for part in name.split("."):
            function = getattr(function, part)
        monkeypatch.setattr(target, looked(function))
    store.save(VARIABLES, numbered(1))
    assert set(seen) == {0, 1}
    assert seen == sorted(seen)
    assert names(store) == ["checkpoint-000002"]


def test_what_is_half_removed_does_not_look_damaged(store, monkeypatch):
    removed, rmtree = [], checkpoints.shutil.rmtree

    def half(path, **options):
        if path.name.endswith("1.removed"):
            removed.append(path)
            (path / "state.json").unlink()
        else:
            rmtree(path, **options)

    monkeypatch.setattr(checkpoints.shutil, "rmtree", half)
    for step in range(3):
        store.save(VARIABLES, numbered(step))
    assert removed
    assert names(store) == [".checkpoint-000001.removed", "checkpoint-000002", "checkpoint-000003"]
    monkeypatch.setattr(checkpoints.shutil, "rmtree", rmtree)
    store.remove_leftovers()
    assert names(store) == ["checkpoint-000002", "checkpoint-000003"]


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(store):
    store.save(VARIABLES, STATE)
    for name in (".checkpoint-000002.partial", ".checkpoint-000000.removed"):
        (store.directory / name).mkdir()
        (store.directory / name / "variables.npz").write_bytes(b"half")
    store.remove_leftovers()
    assert names(store) == ["checkpoint-000001"]
    assert store.load_latest(fail).state == STATE


def test_objects_are_never_unpickled(store):
    path = store.save(VARIABLES, STATE)
    np.savez(path / "variables.npz", evil=np.array([print], dtype=object))
    digest = hashlib.sha256((path / "variables.npz").read_bytes()).hexdigest()
    sums = (path / "SHA256SUMS").read_text().splitlines()
    (path / "SHA256SUMS").write_text(f"{digest}  variables.npz\n{sums[1]}\n")
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        checkpoints.load(path)


def test_the_state_is_plain_json(store):
    path = store.save(VARIABLES, STATE)
    assert json.loads((path / "state.json").read_text("utf-8")) == STATE


def test_a_disk_that_flushes_no_folders_keeps_checkpoints(store, monkeypatch):
    fsync = os.fsync

    def only_files(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    store.save(VARIABLES, numbered(1))
    assert store.load_latest(fail).state == numbered(1)


def test_one_that_cannot_be_removed_does_not_count_against_the_new_one(store, monkeypatch):
    rename = pathlib.Path.rename

    def refuse(path, target):
        if str(target).endswith(".removed"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(pathlib.Path, "rename", refuse)
        for step in range(4):
            store.save(VARIABLES, numbered(step))
    assert store.load_latest(fail).state == numbered(3)
    assert len(names(store)) == 4
    store.save(VARIABLES, numbered(4))
    assert names(store) == ["checkpoint-000004", "checkpoint-000005"]
