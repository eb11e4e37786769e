import collections
import io
import pathlib
import stat
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


def entry_of_kind(name, kind):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


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


def lying(size):
    """Its second image unpacks to 3 MB, but is said to have another size."""
    bomb = zip_of({**GOOD, "set/trainA/bomb.png": bytes(3_000_000)})
    true, said = (n.to_bytes(4, "little") for n in (3_000_000, size))
    assert bomb.count(true) == 2  # Before the file, and in the list at the end.
    return bomb.replace(true, said)


def encrypted():
    content = bytearray(zip_of(GOOD))
    start = content.rindex(b"PK\x01\x02")
    content[start + 8] |= 1
    return bytes(content)


def damaged():
    content = zip_of(GOOD, zipfile.ZIP_STORED)
    at = content.index(GOOD["set/testB/2.jpg"])
    return content[:at] + b"!!" + content[at + 2 :]


ELSEWHERE = "may lead elsewhere"
HOSTILE = {
    "up": (zip_of({**GOOD, "../x.jpg": b""}), ELSEWHERE),
    "up in the middle": (zip_of({**GOOD, "set/trainA/../../../x.jpg": b""}), ELSEWHERE),
    "up as an image": (zip_of({**GOOD, "../set/trainA/x.jpg": b""}), ELSEWHERE),
    "absolute": (zip_of({**GOOD, "/set/trainA/x.jpg": b""}), ELSEWHERE),
    "drive": (zip_of({**GOOD, "C:/set/trainA/x.jpg": b""}), ELSEWHERE),
    "drive in the middle": (zip_of({**GOOD, "set/trainA/c:x.jpg": b""}), ELSEWHERE),
    "backslash": (zip_of({**GOOD, "set/trainA/..\\x.jpg": b""}), ELSEWHERE),
    "zero byte": (
        zip_of({**GOOD, "set/trainA/@.jpg": b""}).replace(b"@.jpg", b"\0.jpg"),
        ELSEWHERE,
    ),
    "symlink": (
        zip_of({**GOOD, entry_of_kind("set/trainA/x.jpg", stat.S_IFLNK): b"/etc/passwd"}),
        "neither a file nor a folder",
    ),
    "symlinked folder": (
        zip_of({entry_of_kind("set/trainA", stat.S_IFLNK): b"/tmp", **GOOD}),
        "neither a file nor a folder",
    ),
    "pipe": (
        zip_of({**GOOD, entry_of_kind("x", stat.S_IFIFO): b""}),
        "neither a file nor a folder",
    ),
    "twice": (
        zip_of({**GOOD, "set/trainA/@.jpg": b"x"}).replace(b"@.jpg", b"0.jpg"),
        "in it twice",
    ),
    "twice, spelled otherwise": (zip_of({**GOOD, "set/./trainA//0.jpg": b"x"}), "in it twice"),
    "same name in the end": (
        zip_of({**GOOD, "set/trainA/12:00.jpg": b"", "set/trainA/12?00.jpg": b""}),
        "would get the same name",
    ),
    "two sets": (zip_of({**GOOD, "a/set/trainA/x.jpg": b""}), "more than one folder 'set'"),
    "no set": (zip_of({"x.jpg": b""}), "no images in trainA trainB testA testB of a folder 'set'"),
    "empty": (zip_of({}), "no images in trainA"),
    "lacks a folder": (
        zip_of({name: GOOD[name] for name in GOOD if "testA" not in name}),
        "no images in testA of a folder 'set'",
    ),
    "bomb": (zip_of({**GOOD, "set/trainA/x.png": bytes(10**6)}), "more than 10 times its size"),
    "many small bombs": (
        zip_of({**GOOD, **{f"set/testA/x{i}.png": bytes(10_000) for i in range(20)}}),
        "more than 10 times its size",
    ),
    "bomb that says 10 bytes": (lying(10), "Bad CRC-32"),
    "bomb that says 4 GB": (lying(2**32 - 2), "more than 10 times its size"),
    "bzip2": (zip_of(GOOD, zipfile.ZIP_BZIP2), "compressed in an unusual way"),
    "lzma": (zip_of(GOOD, zipfile.ZIP_LZMA), "compressed in an unusual way"),
    "encrypted": (encrypted(), "is encrypted"),
    "damaged": (damaged(), "Bad CRC-32 for file 'set/testB/2.jpg'"),
    "cut": (zip_of(GOOD)[:-200], "is not a zip file, or is damaged"),
    "no zip": (b"<html>Please log in</html>", "is not a zip file, or is damaged"),
    "nothing": (b"", "is not a zip file, or is damaged"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_leaves_nothing(kind, unpacked, tmp_path):
    content, reason = HOSTILE[kind]
    (tmp_path / "set").mkdir()
    with pytest.raises(ValueError, match=reason) as caught:
        unpacked(content)
    assert "set.zip' " in str(caught.value)
    assert left_in(tmp_path) == ["set", "set.zip"]


def test_too_many_entries(unpacked, monkeypatch):
    content = zip_of({**GOOD, "set/README.txt": b""})
    monkeypatch.setattr(unpack, "MAX_ENTRIES", 12)
    with pytest.raises(ValueError, match="13 entries, and 12 are the most"):
        unpacked(content)
    monkeypatch.setattr(unpack, "MAX_ENTRIES", 13)
    assert unpacked(content) == GOOD


def test_too_many_bytes(unpacked, monkeypatch):
    monkeypatch.setattr(unpack, "MAX_BYTES", 12 * 500 - 1)
    with pytest.raises(ValueError, match="images take more than"):
        unpacked(zip_of(GOOD))
    monkeypatch.setattr(unpack, "MAX_BYTES", 12 * 500)
    assert unpacked(zip_of(GOOD)) == GOOD


def test_what_comes_is_counted_and_not_what_is_announced(monkeypatch):
    monkeypatch.setattr(unpack, "CHUNK", 100)
    target = io.BytesIO()
    assert unpack._copy(io.BytesIO(bytes(1000)), target, at_most=1000) == 1000
    with pytest.raises(unpack._RefusedError):
        unpack._copy(io.BytesIO(bytes(10**6)), target, at_most=250)
    assert len(target.getvalue()) == 1000 + 200


def test_no_room_on_the_disk(unpacked, tmp_path, monkeypatch):
    free = 12 * 500 - 1
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(free))
    with pytest.raises(OSError, match="Make room"):
        unpacked(zip_of(GOOD))
    assert left_in(tmp_path) == ["set.zip"]
    free += 1
    assert unpacked(zip_of(GOOD)) == GOOD


def test_no_room_is_asked_for_what_a_bomb_announces(unpacked, monkeypatch):
    usage = collections.namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**6))
    with pytest.raises(ValueError, match="more than 10 times its size"):
        unpacked(lying(2**32 - 2))


def test_the_folder_appears_in_one_step(unpacked, tmp_path, monkeypatch):
    events = []
    copy, rename = unpack._copy, pathlib.Path.rename

    def seen_copy(*args):
        events.append(("copy", (tmp_path / "set").exists()))
        return copy(*args)

    def seen_rename(source, target):
        files = [path for path in source.rglob("*") if path.is_file()]
        events.append((str(target), len(files), (tmp_path / "set").exists()))
        return rename(source, target)

    monkeypatch.setattr(unpack, "_copy", seen_copy)
    monkeypatch.setattr(pathlib.Path, "rename", seen_rename)
    assert unpacked(zip_of(GOOD)) == GOOD
    assert events == [("copy", False)] * 12 + [(str(tmp_path / "set"), 12, False)]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_end_in_the_middle_leaves_nothing(error, unpacked, tmp_path, monkeypatch):
    copy, copied = unpack._copy, []

    def broken_off(*args):
        if len(copied) == 5:
            raise error("No space left on device")
        copied.append(args)
        return copy(*args)

    monkeypatch.setattr(unpack, "_copy", broken_off)
    with pytest.raises(error):
        unpacked(zip_of(GOOD))
    assert left_in(tmp_path) == ["set.zip"]


def test_what_someone_else_put_there_meanwhile_stays(unpacked, tmp_path, monkeypatch):
    extract = unpack._extract

    def overtaken(*args):
        extract(*args)
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "mine.txt").write_text("mine")

    monkeypatch.setattr(unpack, "_extract", overtaken)
    with pytest.raises(OSError, match="not empty"):
        unpacked(zip_of(GOOD))
    assert left_in(tmp_path) == ["set", "set.zip", "set/mine.txt"]
    assert (tmp_path / "set" / "mine.txt").read_text() == "mine"


def test_the_leavings_of_a_killed_process_do_not_get_in(unpacked, tmp_path):
    (tmp_path / ".set.unpacked" / "trainA").mkdir(parents=True)
    (tmp_path / ".set.unpacked" / "trainA" / "half.jpg").touch()
    assert unpacked(zip_of(GOOD)) == GOOD
    assert not (tmp_path / ".set.unpacked").exists()
