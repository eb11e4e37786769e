import errno
import os
import pathlib

import pytest

from cyclegan_keras import _files


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    _files.write_text(path, "first")

    def half_way():
        with _files.written_whole(path) as partial:
            partial.write_text("half")
            assert partial.suffix == ".txt"
            assert path.read_text() == "first"
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        half_way()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "first"
    with _files.written_whole(path) as partial:
        partial.write_text("second")
    assert path.read_text() == "second"


def test_only_what_was_half_written_is_removed(tmp_path):
    for name in (".a.123.txt", ".hidden.txt", "b.1.txt", ".c.99"):
        (tmp_path / name).touch()
    (tmp_path / ".d.7.txt").mkdir()
    _files.remove_partial(tmp_path)
    _files.remove_partial(tmp_path / "nowhere")
    left = sorted(p.name for p in tmp_path.iterdir())
    assert left == [".c.99", ".d.7.txt", ".hidden.txt", "b.1.txt"]


UNABLE = ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EBADF", "EACCES", "EPERM", "ENOSYS"]
BROKEN = ["EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE", "ENOENT"]


@pytest.fixture(params=["file", "folder"])
def place(request, tmp_path):
    path = tmp_path / "place"
    path.touch() if request.param == "file" else path.mkdir()
    return path


def failing(name):
    def fail(*args, **kwargs):
        raise OSError(getattr(errno, name), name)

    return fail


def test_what_is_flushed_is_the_file_or_folder_itself(place, monkeypatch):
    fsync, flushed = os.fsync, []

    def watched(descriptor):
        fsync(descriptor)
        flushed.append(os.path.samestat(os.fstat(descriptor), place.stat()))

    monkeypatch.setattr(os, "fsync", watched)
    _files.flush(place)
    assert flushed == [True]


@pytest.mark.parametrize("call", ["fsync", "open"])
@pytest.mark.parametrize("name", UNABLE)
def test_where_a_disk_cannot_flush_nothing_is_flushed(call, name, place, monkeypatch):
    monkeypatch.setattr(os, call, failing(name))
    before = num_open()
    _files.flush(place)
    assert num_open() == before


@pytest.mark.parametrize("call", ["fsync", "open", "close"])
@pytest.mark.parametrize("name", BROKEN)
def test_a_disk_that_is_full_or_broken_is_told(call, name, place, monkeypatch):
    monkeypatch.setattr(os, call, failing(name))
    with pytest.raises(OSError, match=name):
        _files.flush(place)


def test_a_file_that_opens_for_reading_alone_is_flushed(tmp_path, monkeypatch):
    (path := tmp_path / "a").touch()
    fsync, real_open, flushed = os.fsync, os.open, []

    def read_only(path, mode, *args, **kwargs):
        if mode & os.O_RDWR:
            raise PermissionError(errno.EPERM, "Operation not permitted")
        return real_open(path, mode, *args, **kwargs)

    monkeypatch.setattr(os, "open", read_only)
    monkeypatch.setattr(os, "fsync", lambda number: flushed.append(fsync(number)))
    _files.flush(path)
    assert flushed == [None]


def num_open() -> int | None:
    """Descriptors of this process, where the system lists them."""
    folder = pathlib.Path("/proc/self/fd")
    return len(os.listdir(folder)) if folder.is_dir() else None


@pytest.mark.parametrize(
    "name",
    ["x" * 250 + ".png", "x" * 255, "ü" * 125 + ".txt", "🍎" * 62 + ".jpg", "a." + "b" * 253],
)
def test_a_name_may_be_as_long_as_any_file_has(name, tmp_path):
    others = []
    with _files.written_whole(tmp_path / name) as partial:
        partial.write_text("whole")
        others = [entry.name for entry in tmp_path.iterdir()]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    assert len(others) == 1
    assert others[0].startswith(".")
    (tmp_path / others[0]).touch()  # As if killed before the end.
    _files.remove_partial(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_long_names_that_begin_alike_are_written_side_by_side(tmp_path):
    names = [f"{'x' * 249}{end}.png" for end in "ab"]
    with _files.written_whole(tmp_path / names[0]) as one:
        one.write_text("a")
        with _files.written_whole(tmp_path / names[1]) as other:
            assert other.suffix == ".png"
            other.write_text("b")
    assert [(tmp_path / name).read_text() for name in names] == ["a", "b"]
    assert len(os.listdir(tmp_path)) == 2


def test_a_folder_that_another_process_is_making_is_no_file(tmp_path, monkeypatch):
    """As when all shards of a job are started at once into a folder that is missing."""
    folder, stat = tmp_path / "out", os.stat

    def just_too_early(path, *args, **kwargs):
        try:
            return stat(path, *args, **kwargs)
        except FileNotFoundError:
            folder.mkdir(exist_ok=True)
            raise

    monkeypatch.setattr(os, "stat", just_too_early)
    _files.check_can_be_folder(folder)
    monkeypatch.undo()
    assert folder.is_dir()


@pytest.mark.parametrize("inside", ["", "inside", "inside/deeper"])
def test_a_file_is_no_folder_and_nothing_can_be_in_it(inside, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match=r"'.*file' is a file"):
        _files.check_can_be_folder(tmp_path / "file" / inside)
    _files.check_can_be_folder(tmp_path / "none" / inside)
