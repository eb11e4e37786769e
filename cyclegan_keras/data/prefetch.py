"""Batches made ahead: the next ones are worked out while a training step runs."""

import collections
import queue
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from cyclegan_keras.data.augment import Chances, Pixels
from cyclegan_keras.data.rows import Rows

# Where images are decoded when they are wanted, so many of each domain are asked for in advance.
IMAGES_AHEAD = 32

# Of one domain in one batch: its images, the chosen ones, and what chance does to each.
Plan = tuple[Pixels, np.ndarray, Chances]


def asked_for(plans: Iterator[list[Plan]], num_ahead: int) -> Iterator[list[Plan]]:
    """Begins to decode the images of batches some batches before their turn.

    Args:
        plans: What is in each batch.
        num_ahead: How many batches before.

    Yields:
        The same.
    """
    waiting: collections.deque[list[Plan]] = collections.deque()
    for plan in plans:
        for pixels, chosen, _ in plan:
            if isinstance(pixels, Rows):
                pixels.ask(chosen)
        waiting.append(plan)
        if len(waiting) > num_ahead:
            yield waiting.popleft()
    yield from waiting


def ahead(batches: Iterator[Any], num_ahead: int = 2) -> Iterator[Any]:
    """Runs an iterator in a thread of its own, a few steps ahead of the one who takes from it.

    The thread begins with the first `next`. It ends with the iterator, or when the result is closed
    or no longer held by anyone; a batch that is being made then is finished first, and lost.

    Args:
        batches: Any iterator. Nobody else may take from it meanwhile.
        num_ahead: How many batches may lie ready, at least one.

    Returns:
        An iterator of the same batches in the same order. What `batches` raises, it raises in the
        place of the batch that could not be made.

    Raises:
        ValueError: If `num_ahead` is less than one.
    """
    # Not in the generator itself, which would not run before the first batch is asked for.
    if num_ahead < 1:
        raise ValueError(f"`num_ahead` must be at least 1. Received: num_ahead={num_ahead}")
    return _taken(batches, num_ahead)


def _taken(batches: Iterator[Any], num_ahead: int) -> Iterator[Any]:
    # A token in `room` allows one batch more. Two queues and no lock of our own: the garbage
    # collector may close this generator in any thread, even while that thread holds the lock.
    room: queue.SimpleQueue[None] = queue.SimpleQueue()
    made: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
    stopped = threading.Event()
    for _ in range(num_ahead):
        room.put(None)
    # The thread must not hold this generator, or nobody could let go of it.
    threading.Thread(
        target=_make, args=(batches, room, made, stopped), name="batches ahead", daemon=True
    ).start()
    try:
        while True:
            batch, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                try:
                    raise error
                finally:
                    del error  # Its traceback holds this frame: a circle that keeps batches alive.
            room.put(None)
            yield batch
    finally:
        stopped.set()
        room.put(None)  # Wakes the thread if it waits.


def _make(
    batches: Iterator[Any],
    room: queue.SimpleQueue[None],
    made: queue.SimpleQueue[tuple[Any, BaseException | None]],
    stopped: threading.Event,
) -> None:
    while True:
        room.get()
        if stopped.is_set():
            return
        try:
            made.put((next(batches), None))
        except BaseException as error:  # Also the StopIteration at the end.
            made.put((None, error))
            return
