"""The images of a set that are decoded when they are wanted, and not all at the start."""

import collections
import concurrent.futures
import os
import pathlib
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

Read = Callable[[pathlib.Path], np.ndarray]

# What one bad file of a million costs must not be more than a few reads.
WITHOUT_IT = (
    "Resume with --skip-bad-images to have the next image in its place, or mend or remove it and "
    "begin anew."
)


class Rows:
    """Images that are indexed like an array, of which each is decoded when it is first wanted.

    `rows[place]`, `rows[place, top:bottom, left:right]` and `rows[places]` give uint8 arrays.
    `np.asarray(rows)` decodes all. Any number of threads may ask.

    Args:
        paths: Of the images.
        img_shape: `(height, width, channels)` of each.
        read: Decodes one image to that shape, uint8. It is called in many threads. A ValueError or
            FileNotFoundError of it means that this one image is bad.
        store: Keeps what was decoded, `(count, *img_shape)`, uint8; `None` means that an image is
            decoded each time that it is wanted.
        skip_bad: Whether the next image that can be read takes the place of one that cannot.

    Attributes:
        shape: `(count, height, width, channels)`.
        dtype: uint8.
        bad: What is wrong with each image that could not be read so far, by its place.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        paths: Sequence[pathlib.Path],
        img_shape: tuple[int, int, int],
        read: Read,
        store: np.ndarray | None,
        skip_bad: bool = False,
    ) -> None:
        self.shape = (len(paths), *img_shape)
        self.bad: dict[int, str] = {}
        self._paths, self._read, self._store, self._skip_bad = paths, read, store, skip_bad
        self._is_kept = np.zeros(len(paths), bool)
        self._lock = threading.Lock()
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None
        # What was asked for and not taken yet, and how often.
        self._coming: dict[int, concurrent.futures.Future[np.ndarray]] = {}
        self._asked: collections.Counter[int] = collections.Counter()

    def __len__(self) -> int:
        return self.shape[0]

    def ask(self, places: Iterable[int]) -> None:
        """Begins to decode images that will be wanted, with all cores.

        Args:
            places: Of the images. Each is to be taken as often as it was asked for.
        """
        with self._lock:
            if self._pool is None:
                self._pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count(), "decode")
            for place in map(int, places):
                self._asked[place] += 1
                if place not in self._coming and not self._is_kept[place]:
                    self._coming[place] = self._pool.submit(self._decoded, place)

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, tuple):
            place, *parts = key
            return self[place][tuple(parts)]
        if isinstance(key, slice):
            key = np.arange(len(self))[key]
        if np.ndim(key):
            places = np.flatnonzero(key) if np.asarray(key).dtype == bool else np.asarray(key)
            self.ask(places)
            rows = [self[place] for place in places]
            return np.stack(rows) if rows else np.empty((0, *self.shape[1:]), np.uint8)
        return self._take(range(len(self))[int(key)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Decodes all images, for NumPy."""
        if copy is False:
            raise ValueError("Images that are decoded when they are wanted cannot but be copied.")
        return np.asarray(self[:], dtype)

    def part(self, top: int, left: int, size: tuple[int, int]) -> "Part":
        """Gives the same part of each image.

        Args:
            top: Its first row.
            left: Its first column.
            size: Its height and width.

        Returns:
            The parts, decoded when they are wanted.
        """
        return Part(self, top, left, size)

    def _take(self, place: int) -> np.ndarray:
        with self._lock:
            future = self._coming.get(place)
            self._asked[place] -= 1
            if self._asked[place] <= 0:
                del self._asked[place]
                self._coming.pop(place, None)
            if future is None and self._is_kept[place]:
                assert self._store is not None
                row = self._store[place]
                row.flags.writeable = False
                return row
        return self._decoded(place) if future is None else future.result()

    def _decoded(self, place: int) -> np.ndarray:
        pixels = self._read_or_next(place)
        pixels.flags.writeable = False
        if self._store is None:
            return pixels
        self._store[place] = pixels
        with self._lock:
            self._is_kept[place] = True
        return pixels

    def _read_or_next(self, place: int) -> np.ndarray:
        reason = ""
        for number in range(len(self)):
            at = (place + number) % len(self)
            try:
                return self._read(self._paths[at])
            except (ValueError, FileNotFoundError) as error:
                if not self._skip_bad:
                    raise ValueError(f"{error} {WITHOUT_IT}") from None
                # In words: an error would keep alive what is in its traceback.
                reason = self.bad[at] = str(error)
        raise ValueError(f"None of the {len(self)} images can be used. {reason}")


class Part(Rows):
    """The same part of each image of others; see `Rows.part`."""

    def __init__(self, rows: Rows, top: int, left: int, size: tuple[int, int]) -> None:
        self._rows = rows
        self._where = (slice(top, top + size[0]), slice(left, left + size[1]))
        self.shape = (len(rows), *size, rows.shape[3])
        self.bad = rows.bad

    def ask(self, places: Iterable[int]) -> None:
        """As of the whole images."""
        self._rows.ask(places)

    def _take(self, place: int) -> np.ndarray:
        return self._rows[place][self._where]
