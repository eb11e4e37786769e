import gc
import itertools
import threading

import pytest

from cyclegan_keras.data.prefetch import ahead

SECONDS = 30  # Far more than anything here takes: a test that would hang fails instead.


@pytest.fixture
def threads():
    """Gives the threads that came since the test began."""
    before = set(threading.enumerate())
    return lambda: set(threading.enumerate()) - before


def ended(threads: set[threading.Thread]) -> bool:
    for thread in threads:
        thread.join(SECONDS)
    return not any(thread.is_alive() for thread in threads)


@pytest.mark.parametrize("num_ahead", [1, 2, 5, 100])
def test_the_same_batches_in_the_same_order(num_ahead, threads):
    assert list(ahead(iter(range(50)), num_ahead)) == list(range(50))
    assert list(ahead(iter([]), num_ahead)) == []
    assert list(ahead(iter([None, ValueError]), num_ahead)) == [None, ValueError]
    assert ended(threads())


def test_an_error_comes_in_the_place_of_its_batch(threads):
    def batches():
        yield 0
        yield 1
        raise ValueError("the third is broken")

    dealt = ahead(batches())
    assert [next(dealt), next(dealt)] == [0, 1]
    with pytest.raises(ValueError, match="the third is broken") as caught:
        next(dealt)
    # Where it came from, in the other thread, is still told.
    assert caught.traceback[-1].name == "batches"
    assert ended(threads())


def test_batches_are_made_while_one_is_in_use():
    two_more = threading.Event()

    def batches():
        yield 0
        yield 1
        two_more.set()
        yield 2

    dealt = ahead(batches(), 2)
    assert next(dealt) == 0
    assert two_more.wait(SECONDS)
    assert list(dealt) == [1, 2]


def test_no_more_are_made_than_were_asked_for():
    taken, leads = [0], []

    def batches():
        for number in range(2000):
            leads.append(number - taken[0])
            yield number

    for batch in ahead(batches(), 3):
        taken[0] = batch + 1
    assert max(leads) <= 3


def leave(dealt):
    for _ in dealt:
        break


@pytest.mark.parametrize("end", [lambda dealt: dealt.close(), leave, lambda dealt: None])
def test_whoever_stops_early_stops_the_thread(end, threads):
    all_ready = threading.Event()

    def batches():
        for number in itertools.count():
            if number == 2:
                all_ready.set()
            yield number

    dealt = ahead(batches(), 2)
    assert threads() == set()
    assert next(dealt) == 0
    # The thread has no room left: it must be woken to end.
    assert all_ready.wait(SECONDS)
    (thread,) = started = threads()
    assert thread.daemon
    end(dealt)
    del dealt  # A loop that was left, and nothing at all: now nobody holds it.
    gc.collect()
    assert ended(started)


def test_what_was_not_begun_has_no_thread(threads):
    ahead(iter([1])).close()
    assert threads() == set()


def test_none_ahead_is_an_error_at_once():
    with pytest.raises(ValueError, match="`num_ahead` must be at least 1"):
        ahead(iter([1]), 0)
