import collections
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import numpy as np
import pytest

from cyclegan_keras.data import pixel_store
from cyclegan_keras.data.pixel_store import GIB, PixelStore

RES = (4, 8)
NUM_BYTES = 10 * 4 * 8 * 3  # of the ten images of `PATHS`
PATHS = [pathlib.Path(str(number)) for number in range(10)]

Usage = collections.namedtuple("Usage", "total used free")


def read(path: pathlib.Path) -> np.ndarray:
    """An "image" whose every value is its name."""
    return np.full((*RES, 3), int(path.name), np.uint8)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cyclegan_keras"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("cache_memory", [0, 2.0, None])
def test_memory_and_disk_hold_the_same(cache_memory, cache):
    store = PixelStore(cache_memory)
    assert store.place("A") is None
    pixels = store.get("A", PATHS, RES, read)
    assert store.place("A") == ("disk" if cache_memory == 0 else "memory")
    assert type(pixels) is np.ndarray
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.stack([read(path) for path in PATHS]))
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0
    assert store.get("A", PATHS, RES, lambda path: pytest.fail("decoded twice")) is pixels


def test_the_budget_is_that_of_all_sets_in_memory_together(cache):
    store = PixelStore(2 * NUM_BYTES / GIB)
    large = PATHS * 3
    for name, paths in (("A", PATHS), ("large", large), ("B", PATHS), ("C", PATHS[:1])):
        store.get(name, paths, RES, read)
    places = {name: store.place(name) for name in ("A", "large", "B", "C")}
    # 1/2 + 3/2 is too much; 1/2 + 1/2 just fits; then not even one image does.
    assert places == {"A": "memory", "large": "disk", "B": "memory", "C": "disk"}


def test_what_could_not_be_read_takes_nothing_of_the_budget(cache):
    store = PixelStore(NUM_BYTES / GIB)
    with pytest.raises(ValueError, match="broken"):
        store.get("A", [*PATHS[:9], pathlib.Path("broken")], RES, read)
    assert store.place("A") is None
    store.get("B", PATHS, RES, read)
    assert store.place("B") == "memory"


def test_the_file_is_in_the_cache_folder_and_has_no_name(cache, monkeypatch):
    folders = []
    nameless_file = pixel_store._nameless_file

    def noticed():
        file, folder = nameless_file()
        folders.append(folder)
        status = os.fstat(file.fileno())
        # On the disk of that folder, wherever the system's temporary folder is.
        assert status.st_dev == folder.stat().st_dev
        assert status.st_nlink == 0
        return file, folder

    monkeypatch.setattr(pixel_store, "_nameless_file", noticed)
    pixels = PixelStore(0).get("A", PATHS, RES, read)
    assert folders == [cache]
    assert list(cache.iterdir()) == []
    assert pixels[9, 0, 0, 0] == 9


def test_nothing_is_left_of_a_process_that_was_killed(tmp_path):
    code = (
        "import os, pathlib, signal, numpy as np\n"
        "from cyclegan_keras.data.pixel_store import PixelStore\n"
        "store = PixelStore(0)\n"
        "image = np.ones((4, 8, 3), np.uint8)\n"
        "pixels = store.get('A', [pathlib.Path('x')], (4, 8), lambda path: image)\n"
        "print(store.place('A'), pixels.sum(), flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert result.returncode == -9
    assert result.stdout == "disk 96\n"
    assert [path.name for path in tmp_path.rglob("*")] == ["cyclegan_keras"]


def test_without_xdg_the_cache_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    file, folder = pixel_store._nameless_file()
    file.close()
    assert folder == tmp_path / ".cache" / "cyclegan_keras"


def test_a_cache_that_cannot_be_written_gives_way_to_the_temporary_folder(tmp_path, monkeypatch):
    # A file where the folder should be stops even root, whom no permissions do.
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    file, folder = pixel_store._nameless_file()
    file.close()
    assert folder == pathlib.Path(tempfile.gettempdir())
    assert PixelStore(0).get("A", PATHS, RES, read)[3, 0, 0, 0] == 3


def test_a_full_disk_is_told_with_the_remedies(cache, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(9 * GIB, 6 * GIB, 3 * GIB))
    # The room is looked at before any image is read: these 64 would take 4 GiB.
    paths, img_res = PATHS[:1] * 64, (4096, 5462)
    message = (
        r"the images of trainA take 4 GiB.* '.*cyclegan_keras' has only 3 GiB free\. "
        r".*XDG_CACHE_HOME.*`cache_memory` \(--cache-memory"
    )
    with pytest.raises(OSError, match=message):
        PixelStore(1).get("trainA", paths, img_res, lambda path: pytest.fail("was read"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no room")
def test_room_that_another_took_meanwhile_is_told_alike(cache, monkeypatch):
    def full(descriptor, offset, length):
        assert (offset, length) == (0, NUM_BYTES)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match=r"GiB free \(No space left on device\)\. Make room"):
        PixelStore(0).get("A", PATHS, RES, read)

    def not_here(descriptor, offset, length):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.posix_fallocate", not_here)
    assert PixelStore(0).get("A", PATHS, RES, read)[5, 0, 0, 0] == 5


def test_one_broken_image_ends_the_decoding_of_all(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    begun = []

    def second_broken(path):
        begun.append(path)
        if path == PATHS[1]:
            raise ValueError("1 is broken")
        return read(path)

    with pytest.raises(ValueError, match="1 is broken"):
        PixelStore().get("A", PATHS * 20, RES, second_broken)
    assert begun == PATHS[:2]


def test_of_many_broken_images_the_first_is_named(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    for _ in range(20):
        second_begun = threading.Event()

        def all_broken(path, second_begun=second_begun):
            # The first is found to be broken only after the second.
            assert path == PATHS[1] or second_begun.wait(30)
            second_begun.set()
            raise ValueError(f"{path} is broken")

        with pytest.raises(ValueError, match=r"^0 is broken"):
            PixelStore().get("A", PATHS, RES, all_broken)


@pytest.mark.parametrize(("seconds", "shown"), [(0.001, False), (5.0, True)])
def test_a_bar_is_shown_only_if_it_takes_long(seconds, shown, monkeypatch):
    # tqdm's clock goes on by so much each time that it looks.
    now = [0.0]

    def clock() -> float:
        now[0] += seconds
        return now[0]

    monkeypatch.setattr("tqdm.std.time", clock)
    monkeypatch.setattr("sys.stderr", Terminal())
    PixelStore().get("trainA", PATHS, RES, read)
    assert ("Reading trainA:" in sys.stderr.getvalue()) == shown
    # It is wiped away at the end.
    assert sys.stderr.getvalue().rpartition("\r")[2].strip() == ""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    PixelStore().get("trainA", PATHS, RES, read)
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize("cache_memory", [-1, float("nan")])
def test_a_wrong_budget_is_named(cache_memory):
    with pytest.raises(ValueError, match="`cache_memory` must be at least 0, in GiB"):
        PixelStore(cache_memory)
