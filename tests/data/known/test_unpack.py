import collections
import io
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

from cyclegan_keras.data.known import unpack

FOLDERS = ("trainA", "trainB", "testA", "testB")
RNG = np.random.default_rng(0)
# Nothing here looks into the images: noise compresses as little as they do.
GOOD = {f"set/{folder}/{i}.jpg": RNG.bytes(500) for folder in FOLDERS for i in range(3)}


def zip_of(entries, method=zipfile.ZIP_DEFLATED):
    """Bytes of a zip file. Names may be `zipfile.ZipInfo`, for what a plain name cannot say."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content, method)
    return file.getvalue()


@pytest.fixture
def unpacked(tmp_path):
    """Unpacks bytes to a folder `set`, and says which files there are afterwards."""

    def do(content):
        archive = tmp_path / "set.zip"
        archive.write_bytes(content)
        unpack.unpack(archive, tmp_path / "set", FOLDERS)
        return {
            path.relative_to(tmp_path).as_posix(): path.read_bytes()
            for path in (tmp_path / "set").rglob("*")
            if path.is_file()
        }

    return do


def left_in(directory):
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*"))


def test_an_archive_as_it_should_be(unpacked, tmp_path):
    assert unpacked(zip_of(GOOD)) == GOOD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set", "set.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_only_images_are_taken(unpacked, method):
    others = [
        "set/",
        "set/trainA/",
        "set/README.txt",
        "set/cover.jpg",
        "set/trainA/.DS_Store",
        "set/trainA/._0.jpg",
        "set/trainA/notes.txt",
        "set/trainA/more/0.jpg",
        "set/trainA/folder.jpg/",
        "set/valA/0.jpg",
        "0.jpg",
        "trainA/0.jpg",
        "other/trainA/0.jpg",
        "__MACOSX/set/trainA/0.jpg",
    ]
    assert unpacked(zip_of({**GOOD, **dict.fromkeys(others, b"")}, method)) == GOOD


def test_the_folder_may_lie_deeper(unpacked):
    assert unpacked(zip_of({f"./data/sets/{name}": GOOD[name] for name in GOOD})) == GOOD


def test_names_that_windows_does_not_allow(unpacked):
    found = unpacked(zip_of({**GOOD, "set/testA/2010-09-07 12:23:20.JPG": b"x"}))
    assert found == {**GOOD, "set/testA/2010-09-07 12_23_20.JPG": b"x"}


def test_an_archive_without_a_folder_leaves_nothing(unpacked, tmp_path):
    (tmp_path / "set").mkdir()
    lacking = {name: content for name, content in GOOD.items() if "testA" not in name}
    with pytest.raises(
        ValueError, match=r"set\.zip' must have images .* Received: none in testA\."
    ):
        unpacked(zip_of(lacking))
    assert left_in(tmp_path) == ["set", "set.zip"]


def test_no_image_is_put_elsewhere_or_takes_the_place_of_another(unpacked, tmp_path):
    outside = {"set/trainA/../../../x.jpg": b"", "../set/trainA/x\\y.jpg": b"y"}
    assert unpacked(zip_of({**GOOD, **outside})) == {**GOOD, "set/trainA/x_y.jpg": b"y"}
    shutil.rmtree(tmp_path / "set")
    same = {"set/trainA/12:00.jpg": b"", "set/trainA/12?00.jpg": b""}
    with pytest.raises(FileExistsError):
        unpacked(zip_of({**GOOD, **same}))
    assert left_in(tmp_path) == ["set.zip"]


def test_no_room_on_the_disk(unpacked, tmp_path, monkeypatch):
    free = 12 * 500 - 1
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(free))
    with pytest.raises(OSError, match="Make room"):
        unpacked(zip_of(GOOD))
    assert left_in(tmp_path) == ["set.zip"]
    free += 1
    assert unpacked(zip_of(GOOD)) == GOOD


def test_the_folder_appears_in_one_step(unpacked, tmp_path, monkeypatch):
    events = []
    copy, rename = shutil.copyfileobj, pathlib.Path.rename

    def seen_copy(*args):
        events.append(("copy", (tmp_path / "set").exists()))
        return copy(*args)

    def seen_rename(source, target):
        files = [path for path in source.rglob("*") if path.is_file()]
        events.append((str(target), len(files), (tmp_path / "set").exists()))
        return rename(source, target)

    monkeypatch.setattr(shutil, "copyfileobj", seen_copy)
    monkeypatch.setattr(pathlib.Path, "rename", seen_rename)
    assert unpacked(zip_of(GOOD)) == GOOD
    assert events == [("copy", False)] * 12 + [(str(tmp_path / "set"), 12, False)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_end_in_the_middle_leaves_nothing(error, unpacked, tmp_path, monkeypatch):
    copy, copied = shutil.copyfileobj, []

    def broken_off(*args):
        if len(copied) == 5:
            raise error("No space left on device")
        copied.append(args)
        return copy(*args)

    monkeypatch.setattr(shutil, "copyfileobj", broken_off)
    with pytest.raises(error):
        unpacked(zip_of(GOOD))
    assert left_in(tmp_path) == ["set.zip"]


def test_what_someone_else_put_there_meanwhile_stays(unpacked, tmp_path, monkeypatch):
    def overtaken(*args):
        (tmp_path / "set").mkdir(exist_ok=True)
        (tmp_path / "set" / "mine.txt").write_text("mine")

    monkeypatch.setattr(shutil, "copyfileobj", overtaken)
    with pytest.raises(OSError, match="not empty"):
        unpacked(zip_of(GOOD))
    assert left_in(tmp_path) == ["set", "set.zip", "set/mine.txt"]
    assert (tmp_path / "set" / "mine.txt").read_text() == "mine"


def test_the_leavings_of_a_killed_process_do_not_get_in(unpacked, tmp_path):
    (tmp_path / ".set.unpacked" / "trainA").mkdir(parents=True)
    (tmp_path / ".set.unpacked" / "trainA" / "half.jpg").touch()
    assert unpacked(zip_of(GOOD)) == GOOD
    assert not (tmp_path / ".set.unpacked").exists()
