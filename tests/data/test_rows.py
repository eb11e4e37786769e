import collections
import pathlib
import threading

import numpy as np
import pytest

from cyclegan_keras.data.rows import Rows

SHAPE = (4, 6, 3)
PATHS = [pathlib.Path(str(number)) for number in range(10)]
ALL = np.stack([np.arange(72).reshape(SHAPE) + number for number in range(10)]).astype(np.uint8)


@pytest.fixture(params=["kept", "decoded each time"])
def make(request):
    """Makes rows of ten images, and counts how often each was read."""

    def make(bad=(), **options):
        def read(path):
            with lock:
                counts[int(path.name)] += 1
            if int(path.name) in bad:
                raise ValueError(f"{path} is bad.")
            return ALL[int(path.name)].copy()

        counts, lock = collections.Counter(), threading.Lock()
        store = np.zeros((10, *SHAPE), np.uint8) if request.param == "kept" else None
        rows = Rows(PATHS, SHAPE, read, store, **options)
        return rows, counts

    make.is_kept = request.param == "kept"
    return make


@pytest.mark.parametrize(
    "key",
    [
        3, -1, np.int64(2), (3, slice(1, 3), slice(2, 5)), slice(2, 7, 2), slice(None),
        np.array([9, 0, 0, 4]), [1, 2], np.arange(10) % 2 == 0, np.array([], int),
    ],
    ids=str,
)  # fmt: skip
def test_rows_are_indexed_like_an_array(key, make):
    rows, _ = make()
    np.testing.assert_array_equal(rows[key], ALL[key])
    assert rows[key].dtype == rows.dtype == np.uint8
    assert (rows.shape, len(rows)) == (ALL.shape, 10)
    np.testing.assert_array_equal(rows.part(1, 2, (3, 2))[key], ALL[:, 1:4, 2:4][key])


def test_all_of_them_are_an_array(make):
    rows, _ = make()
    np.testing.assert_array_equal(np.asarray(rows), ALL)
    assert np.asarray(rows, np.float32).dtype == np.float32
    inner = rows.part(1, 1, (3, 4)).part(1, 0, (2, 2))
    np.testing.assert_array_equal(np.asarray(inner), ALL[:, 2:4, 1:3])
    with pytest.raises(IndexError):
        rows[10]
    with pytest.raises(ValueError, match="read-only"):
        rows[0][0] = 1


def test_nothing_is_decoded_before_it_is_wanted_and_then_once(make):
    rows, counts = make()
    assert not counts
    for _ in range(2):
        rows.ask([7, 7, 2])
        for place in (7, 2, 7):
            np.testing.assert_array_equal(rows[place], ALL[place])
    assert counts == ({7: 1, 2: 1} if make.is_kept else {7: 2, 2: 2})
    assert not rows._coming  # Nothing is held that nobody will take.
    assert not rows._asked


def test_many_threads_get_the_same(make):
    rows, counts = make()
    wrong = []

    def work(seed):
        for place in np.random.default_rng(seed).integers(0, 10, 200):
            rows.ask([place])
            if not np.array_equal(rows[place], ALL[place]):
                wrong.append(place)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    if make.is_kept:
        assert max(counts.values()) <= len(threads)


def test_a_bad_image_is_named_with_the_remedy_when_its_turn_comes(make):
    rows, _ = make(bad=[4])
    rows.ask([3, 4])
    np.testing.assert_array_equal(rows[3], ALL[3])
    with pytest.raises(ValueError, match=r"^4 is bad\. Resume with --skip-bad-images"):
        rows[4]


def test_the_next_good_image_takes_the_place_of_a_bad_one(make):
    rows, _ = make(bad=[4, 5, 9], skip_bad=True)
    np.testing.assert_array_equal(np.asarray(rows), ALL[[0, 1, 2, 3, 6, 6, 6, 7, 8, 0]])
    assert rows.bad == {n: f"{n} is bad." for n in (4, 5, 9)}
    rows, _ = make(bad=range(10), skip_bad=True)
    with pytest.raises(ValueError, match=r"None of the 10 images can be used\. 3 is bad"):
        rows[4]


def test_troubles_of_the_computer_are_no_bad_images():
    def read(path):
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        Rows(PATHS, SHAPE, read, None, skip_bad=True)[0]
