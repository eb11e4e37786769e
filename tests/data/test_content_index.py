import hashlib
import os
import pathlib
import sqlite3

import pytest

from cyclegan_keras.data import content_index


@pytest.fixture
def files(tmp_path):
    """Six files that have been as they are for an hour."""
    paths = [tmp_path / f"{number}\udcff.png" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(b"x" * number)
        os.utime(path, (path.stat().st_mtime - 3600,) * 2)
    return paths


@pytest.fixture
def digest(files, tmp_path, monkeypatch):
    """Computes the digest, and tells which files were read for it."""
    monkeypatch.setattr(content_index, "CHUNK", 4)

    def digest(paths=files):
        read = []
        with pytest.MonkeyPatch.context() as patch:
            real = content_index._read
            patch.setattr(content_index, "_read", lambda path: read.append(path) or real(path))
            found = content_index.digest_of(paths, "test", tmp_path / "cache" / "i.sqlite3")
        return found, sorted(read)

    return digest


def test_the_digest_is_that_of_all_contents_and_each_is_read_once(digest, files):
    expected = hashlib.sha256()
    for path in files:
        expected.update(hashlib.sha256(path.read_bytes()).digest())
    assert digest() == (expected.hexdigest(), files)
    assert digest() == (expected.hexdigest(), [])
    assert digest(files[::-1])[0] != expected.hexdigest()


def test_what_was_changed_is_read_again(digest, files):
    before = digest()[0]
    os.utime(files[1], (5, 5))
    assert digest() == (before, [files[1]])
    content = files[3].read_bytes()
    files[3].write_bytes(b"yyy")
    os.utime(files[3], (7, 7))
    after, read = digest()
    assert after != before
    assert read == [files[3]]
    files[3].write_bytes(content)
    assert digest()[0] == before


def test_what_was_changed_just_now_is_not_trusted(digest, files):
    os.utime(files[2])
    assert digest()[1] == files
    assert digest()[1] == [files[2]]


def test_an_index_that_cannot_be_used_is_told_and_left(digest, files, tmp_path, capsys):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "i.sqlite3").write_bytes(b"no database" * 100)
    first = digest()
    assert first == digest()
    assert first[1] == files
    assert "cannot be used (file is not a database)" in capsys.readouterr().err
    assert (tmp_path / "cache" / "i.sqlite3").read_bytes().startswith(b"no database")


def test_an_index_that_is_damaged_inside_is_named(digest, tmp_path):
    digest()
    path = tmp_path / "cache" / "i.sqlite3"
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * len(data[4096:])
    path.write_bytes(data)
    with pytest.raises(OSError, match=r"i\.sqlite3' is damaged .*Remove it"):
        digest()


def test_a_file_that_is_gone_is_named(digest, files):
    files[4].unlink()
    with pytest.raises(FileNotFoundError, match=r"4.*\.png"):
        digest()


def test_the_index_is_in_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    content_index.digest_of([], "test")
    path = content_index.default_path()
    assert path.parent == tmp_path / "cyclegan_keras"
    assert sqlite3.connect(path).execute("SELECT COUNT(*) FROM files").fetchone() == (0,)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/x")
    assert content_index.default_path() == pathlib.Path("/home/x/.cache/cyclegan_keras") / (
        content_index.NAME
    )
