import collections
import errno
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import threading

import numpy as np
import pytest

from cyclegan_keras.data import pixel_cache
from cyclegan_keras.data.pixel_cache import GIB, PixelStore

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
    pixels = store.get("A", PATHS, (*RES, 3), read)
    assert store.place("A") == ("disk" if cache_memory == 0 else "memory")
    assert type(pixels) is np.ndarray
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.stack([read(path) for path in PATHS]))
    with pytest.raises(ValueError, match="read-only"):
        pixels[0] = 0
    assert store.get("A", PATHS, (*RES, 3), lambda path: pytest.fail("decoded twice")) is pixels


def test_the_budget_is_that_of_all_sets_in_memory_together(cache):
    store = PixelStore(2 * NUM_BYTES / GIB)
    large = PATHS * 3
    for name, paths in (("A", PATHS), ("large", large), ("B", PATHS), ("C", PATHS[:1])):
        store.get(name, paths, (*RES, 3), read)
    places = {name: store.place(name) for name in ("A", "large", "B", "C")}
    # 1/2 + 3/2 is too much; 1/2 + 1/2 just fits; then not even one image does.
    assert places == {"A": "memory", "large": "disk", "B": "memory", "C": "disk"}


def test_what_could_not_be_read_takes_nothing_of_the_budget(cache):
    store = PixelStore(NUM_BYTES / GIB)
    with pytest.raises(ValueError, match=r"^1 of the 10 images of A cannot .*broken"):
        store.get("A", [*PATHS[:9], pathlib.Path("broken")], (*RES, 3), read)
    assert store.place("A") is None
    store.get("B", PATHS, (*RES, 3), read)
    assert store.place("B") == "memory"


def test_the_file_is_in_the_cache_folder_and_has_no_name(cache, monkeypatch):
    folders = []
    nameless_file = pixel_cache._nameless_file

    def noticed():
        file, folder = nameless_file()
        folders.append(folder)
        status = os.fstat(file.fileno())
        # On the disk of that folder, wherever the system's temporary folder is.
        assert status.st_dev == folder.stat().st_dev
        assert status.st_nlink == 0
        return file, folder

    monkeypatch.setattr(pixel_cache, "_nameless_file", noticed)
    pixels = PixelStore(0).get("A", PATHS, (*RES, 3), read)
    assert folders == [cache]
    assert list(cache.iterdir()) == []
    assert pixels[9, 0, 0, 0] == 9


def test_nothing_is_left_of_a_process_that_was_killed(tmp_path):
    code = (
        "import os, pathlib, signal, numpy as np\n"
        "from cyclegan_keras.data.pixel_cache import PixelStore\n"
        "store = PixelStore(0)\n"
        "image = np.ones((4, 8, 3), np.uint8)\n"
        "pixels = store.get('A', [pathlib.Path('x')], (4, 8, 3), lambda path: image)\n"
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
    file, folder = pixel_cache._nameless_file()
    file.close()
    assert folder == tmp_path / ".cache" / "cyclegan_keras"


def test_a_cache_that_cannot_be_written_gives_way_to_the_temporary_folder(tmp_path, monkeypatch):
    # A file where the folder should be stops even root, whom no permissions do.
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    file, folder = pixel_cache._nameless_file()
    file.close()
    assert folder == pathlib.Path(tempfile.gettempdir())
    assert PixelStore(0).get("A", PATHS, (*RES, 3), read)[3, 0, 0, 0] == 3


def test_a_full_disk_is_told_with_the_remedies(cache, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(9 * GIB, 6 * GIB, 3 * GIB))
    # The room is looked at before any image is read: these 64 would take 4 GiB.
    paths, img_shape = PATHS[:1] * 64, (4096, 5462, 3)
    message = (
        r"the images of trainA take 4 GiB.* '.*cyclegan_keras' has only 3 GiB free\. "
        r".*XDG_CACHE_HOME.*`cache_memory` \(--cache-memory"
    )
    with pytest.raises(OSError, match=message):
        PixelStore(1).get("trainA", paths, img_shape, lambda path: pytest.fail("was read"))


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no room")
def test_room_that_another_took_meanwhile_is_told_alike(cache, monkeypatch):
    def full(descriptor, offset, length):
        assert (offset, length) == (0, NUM_BYTES)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    with pytest.raises(OSError, match=r"GiB free \(No space left on device\)\. Make room"):
        PixelStore(0).get("A", PATHS, (*RES, 3), read)

    def not_here(descriptor, offset, length):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.posix_fallocate", not_here)
    assert PixelStore(0).get("A", PATHS, (*RES, 3), read)[5, 0, 0, 0] == 5


@pytest.mark.parametrize("number", [errno.ENODEV, errno.EACCES, errno.EINVAL])
def test_a_disk_that_maps_nothing_gives_way_to_the_temporary_folder(number, cache, monkeypatch):
    memmap, files = np.memmap, []

    def refuse_first(file, *args, **kwargs):
        files.append(os.fstat(file.fileno()).st_ino)
        if len(files) <= num_refused:
            raise OSError(number, os.strerror(number))
        return memmap(file, *args, **kwargs)

    monkeypatch.setattr(np, "memmap", refuse_first)
    num_refused = 1
    assert PixelStore(0).get("A", PATHS, (*RES, 3), read)[5, 0, 0, 0] == 5
    assert len(set(files)) == 2
    num_refused = 9
    with pytest.raises(OSError, match=r"cannot map files to memory .* Set XDG_CACHE_HOME"):
        PixelStore(0).get("A", PATHS, (*RES, 3), read)


def some_bad(*bad: int):
    """Reads all but some."""

    def read_or_fail(path):
        if int(path.name) not in bad:
            return read(path)
        if path.name == "4":
            raise FileNotFoundError("4 is gone.")
        raise ValueError(f"{path} is bad.")

    return read_or_fail


@pytest.mark.parametrize("num_threads", [1, 4])
def test_all_bad_images_are_counted_and_three_named(num_threads, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: num_threads)
    for bad, said in (
        ((7,), r"^1 of the 10 images of A cannot be used\. 7 is bad\. Or go on"),
        ((1, 4, 5), r"^3 of the 10 .* used\. 1 is bad\. 4 is gone\. 5 is bad\. Or go on"),
        ((1, 2, 4, 5, 9), r"^5 of .* used\. 1 is bad\. 2 is bad\. 4 is gone\. And 2 more\. Or "),
    ):
        with pytest.raises(ValueError, match=said + r".* without them: `skip_bad_images` \(--skip"):
            PixelStore().get("A", PATHS, (*RES, 3), some_bad(*bad))


def test_bad_images_are_named_in_order(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    second_bad = threading.Event()

    def all_bad(path):
        # The first is found to be bad only after another.
        assert path != PATHS[0] or second_bad.wait(30)
        if path == PATHS[2]:
            second_bad.set()
        raise ValueError(f"{path} is bad.")

    with pytest.raises(ValueError, match=r"used\. 0 is bad\. 1 is bad\. 2 is bad\. And 7 more\.$"):
        PixelStore().get("A", PATHS, (*RES, 3), all_bad)


@pytest.mark.parametrize("cache_memory", [0, 2.0])
def test_bad_images_can_be_left_out(cache_memory, cache):
    store = PixelStore(cache_memory)
    pixels = store.get("A", PATHS, (*RES, 3), some_bad(0, 4, 5, 9), skip_bad=True)
    assert pixels[:, 3, 7, 2].tolist() == [1, 2, 3, 6, 7, 8]
    assert pixels.shape == (6, 4, 8, 3)
    bad = {0: "0 is bad.", 4: "4 is gone.", 5: "5 is bad.", 9: "9 is bad."}
    assert store.bad("A") == bad
    assert list(store.bad("A")) == [0, 4, 5, 9]
    assert not pixels.flags.writeable
    store.drop("A", {0, 3})
    dropped = store.get("A", PATHS, (*RES, 3), read)
    assert dropped[:, 0, 0, 0].tolist() == [2, 3, 7, 8]
    # Still the array that was decoded into, of ten images: there is no second one.
    assert dropped.base is not None
    assert np.shares_memory(dropped, pixels)
    assert dropped.ctypes.data == pixels.ctypes.data
    assert not dropped.flags.writeable


def test_where_all_are_bad_nothing_can_be_left_out():
    with pytest.raises(
        ValueError, match=r"^None of the 2 images of A can be used\. 1 is bad\. 3 is"
    ):
        PixelStore().get("A", [PATHS[1], PATHS[3]], (*RES, 3), some_bad(1, 3), skip_bad=True)


@pytest.mark.parametrize("skip_bad", [False, True])
@pytest.mark.parametrize(
    "error",
    [OSError(24, "Too many open files"), MemoryError(), KeyboardInterrupt(), KeyError("bug")],
)
def test_anything_else_ends_the_decoding_of_all(error, skip_bad, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    begun = []

    def second_fails(path):
        begun.append(path)
        if path == PATHS[1]:
            raise error
        return read(path)

    store = PixelStore()
    with pytest.raises(type(error)):
        store.get("A", PATHS * 20, (*RES, 3), second_fails, skip_bad)
    assert begun == PATHS[:2]
    assert store.place("A") is None


@pytest.mark.parametrize(("seconds", "shown"), [(0.001, False), (5.0, True)])
def test_a_bar_is_shown_only_if_it_takes_long(seconds, shown, monkeypatch):
    # tqdm's clock goes on by so much each time that it looks.
    now = [0.0]

    def clock() -> float:
        now[0] += seconds
        return now[0]

    monkeypatch.setattr("tqdm.std.time", clock)
    monkeypatch.setattr("sys.stderr", Terminal())
    PixelStore().get("trainA", PATHS, (*RES, 3), read)
    assert ("Reading trainA:" in sys.stderr.getvalue()) == shown
    # It is wiped away at the end.
    assert sys.stderr.getvalue().rpartition("\r")[2].strip() == ""
    monkeypatch.setattr("sys.stderr", io.StringIO())
    PixelStore().get("trainA", PATHS, (*RES, 3), read)
    assert sys.stderr.getvalue() == ""


@pytest.mark.parametrize("cache_memory", [-1, float("nan")])
def test_a_wrong_budget_is_named(cache_memory):
    with pytest.raises(ValueError, match="`cache_memory` must be at least 0, in GiB"):
        PixelStore(cache_memory)
