"""Where decoded images lie: in memory while they fit a budget, above that in a temporary file."""

import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import tempfile
import threading
from collections.abc import Sequence, Set
from typing import IO, Any, Literal

import numpy as np
import tqdm

from cyclegan_keras._files import is_unsupported
from cyclegan_keras.data.rows import Read, Rows

GIB = 2**30

# Bad images that an error names; of thousands, nobody would read more.
NUM_NAMED = 3

Place = Literal["memory", "disk", "nowhere"]


class PixelStore:
    """Decodes sets of images once, with all cores, and keeps each as one array.

    A set lies in memory if it fits there together with those that do already. Otherwise it lies in
    a file without a name in the user's cache folder, which is gone when the process ends, however
    it ends.

    Args:
        cache_memory: GiB that the sets in memory may take together, at least 0. `None` means that
            there is no limit.

    Raises:
        ValueError: If `cache_memory` is less than 0.
    """

    def __init__(self, cache_memory: float | None = 2.0) -> None:
        if cache_memory is not None and not cache_memory >= 0:
            raise ValueError(
                "`cache_memory` must be at least 0, in GiB, or None for no limit. "
                f"Received: cache_memory={cache_memory}"
            )
        self.cache_memory = cache_memory
        # What was decoded into, and what is shown of it, which nobody may write to.
        self._decoded: dict[str, np.ndarray] = {}
        self._arrays: dict[str, np.ndarray] = {}
        self._places: dict[str, Place] = {}
        self._bad: dict[str, dict[int, str]] = {}
        self._rows: dict[str, Rows] = {}

    def fits(self, count: int, img_shape: tuple[int, int, int]) -> bool:
        """Tells whether a set would lie in memory, beside those that do.

        Args:
            count: Of its images.
            img_shape: `(height, width, channels)` of each.

        Returns:
            Whether it would.
        """
        return self._place_for((count, *img_shape)) == "memory"

    def rows(
        self,
        name: str,
        paths: Sequence[pathlib.Path],
        img_shape: tuple[int, int, int],
        read: Read,
        skip_bad: bool = False,
    ) -> Rows:
        """Gives the images of one set, each of which is decoded when it is first wanted.

        They are kept where `get` would keep them; if there is no room on the disk, they are
        decoded each time.

        Args:
            name: Of the set.
            paths: As for `get`.
            img_shape: As for `get`.
            read: As for `get`.
            skip_bad: Whether the next image takes the place of a bad one.

        Returns:
            The images, indexed like an array.
        """
        if name not in self._rows:
            shape = (len(paths), *img_shape)
            place: Place = self._place_for(shape)
            store = None
            if place == "memory":
                store = self._decoded[name] = np.empty(shape, np.uint8)
            else:
                with contextlib.suppress(OSError):
                    store = _on_disk(shape, name)
            self._places[name] = "nowhere" if store is None else place
            self._rows[name] = Rows(paths, img_shape, read, store, skip_bad)
        return self._rows[name]

    def get(
        self,
        name: str,
        paths: Sequence[pathlib.Path],
        img_shape: tuple[int, int, int],
        read: Read,
        skip_bad: bool = False,
    ) -> np.ndarray:
        """Gives the images of one set, decoding them the first time.

        Args:
            name: Of the set, for the progress bar, which comes if it takes more than a second.
            paths: Of its images.
            img_shape: `(height, width, channels)` of each.
            read: Decodes one image to that shape, uint8. It is called in many threads. A
                ValueError or FileNotFoundError of it means that this one image is bad; anything
                else ends the decoding at once.
            skip_bad: Whether bad images are left out; see `bad`.

        Returns:
            `(count, *img_shape)`, uint8, in the order of `paths`. Not to be written to.

        Raises:
            OSError: If they fit neither in `cache_memory` nor on the disk.
            ValueError: If images are bad and are not to be left out, or all are bad.
        """
        if name not in self._arrays:
            shape = (len(paths), *img_shape)
            place = self._place_for(shape)
            pixels = np.empty(shape, np.uint8) if place == "memory" else _on_disk(shape, name)
            bad = _fill(pixels, paths, read, f"Reading {name}")
            if bad and (not skip_bad or len(bad) == len(paths)):
                raise ValueError(_in_words(bad, len(paths), name))
            self._decoded[name], self._arrays[name] = pixels, pixels
            self._places[name], self._bad[name] = place, bad
            self.drop(name, set(bad))
        return self._arrays[name]

    def bad(self, name: str) -> dict[int, str]:
        """Tells which images of a set were left out because they are bad.

        Args:
            name: Of the set, which has been decoded.

        Returns:
            What is wrong with each, by its place in `paths`.
        """
        return self._bad[name]

    def drop(self, name: str, places: Set[int]) -> None:
        """Takes images out of a set; the others move up, and no second array is needed.

        Args:
            name: Of the set, which has been decoded.
            places: Of the images, as the set is now.
        """
        pixels, count = self._decoded[name], len(self._arrays[name])
        stay = [place for place in range(count) if place not in places]
        for to, place in enumerate(stay):
            if to != place:
                pixels[to] = pixels[place]
        shown = pixels[: len(stay)]
        shown.flags.writeable = False
        self._arrays[name] = shown

    def place(self, name: str) -> Place | None:
        """Tells where a set lies.

        Args:
            name: Of the set.

        Returns:
            `"memory"` or `"disk"`; `"nowhere"` if its images are decoded each time; `None` while it
            has not been decoded.
        """
        return self._places.get(name)

    def _place_for(self, shape: tuple[int, ...]) -> Place:
        if self.cache_memory is None:
            return "memory"
        in_memory = (a.nbytes for name, a in self._decoded.items() if self.place(name) == "memory")
        wanted = sum(in_memory) + _num_bytes(shape)
        return "memory" if wanted <= self.cache_memory * GIB else "disk"


def _fill(
    pixels: np.ndarray, paths: Sequence[pathlib.Path], read: Read, title: str
) -> dict[int, str]:
    """Decodes each image into its row, tells which are bad, and stops at any other error."""
    todo = enumerate(paths)
    errors: list[BaseException] = []
    bad: dict[int, str] = {}
    lock, stopped = threading.Lock(), threading.Event()
    # In a file or a pipe a bar would be noise; tqdm finds out itself if it is told None.
    bar: Any = tqdm.tqdm(
        total=len(paths),
        desc=title,
        unit="image",
        delay=1.0,
        disable=None,
        leave=False,
        dynamic_ncols=True,
    )

    def work() -> None:
        while not stopped.is_set():
            with lock:
                index, path = next(todo, (-1, None))
            if path is None:
                return
            try:
                pixels[index] = read(path)
            except (ValueError, FileNotFoundError) as error:
                # In words: an error would keep alive what is in its traceback.
                bad[index] = str(error)
            except BaseException as error:
                errors.append(error)
                stopped.set()
                return
            with lock:
                bar.update()

    with bar, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            concurrent.futures.wait([pool.submit(work) for _ in range(os.cpu_count() or 1)])
        finally:
            stopped.set()  # After Ctrl-C the threads must not go on to the last image.
    if errors:
        try:
            raise errors[0]
        finally:
            errors.clear()  # Else a circle through the traceback would keep the array alive.
    return dict(sorted(bad.items()))


def _in_words(bad: dict[int, str], count: int, name: str) -> str:
    first = " ".join(list(bad.values())[:NUM_NAMED])
    more = f" And {len(bad) - NUM_NAMED} more." if len(bad) > NUM_NAMED else ""
    if len(bad) == count:
        return f"None of the {count} images of {name} can be used. {first}{more}"
    return (
        f"{len(bad)} of the {count} images of {name} cannot be used. {first}{more} Or go on "
        "without them: `skip_bad_images` (--skip-bad-images)."
    )


def _on_disk(shape: tuple[int, ...], name: str) -> np.ndarray:
    """Maps an array to a file that vanishes with it."""
    for nameless_file in (_nameless_file, _temporary_file):
        file, folder = nameless_file()
        try:
            return _mapped(shape, name, file, folder)
        except OSError as error:
            if not is_unsupported(error, or_refused=True):
                raise
            # A home on a network mount; the system's temporary folder is rarely on one, too.
            reason = error.strerror
    raise OSError(
        f"The disk of {str(folder)!r} cannot map files to memory ({reason}), which decoded images "
        "beyond `cache_memory` need. Set XDG_CACHE_HOME to a folder on a local disk, or, if the "
        "computer has the memory, raise `cache_memory` (--cache-memory, in GiB)."
    )


def _mapped(shape: tuple[int, ...], name: str, file: IO[bytes], folder: pathlib.Path) -> np.ndarray:
    num_bytes = _num_bytes(shape)
    with file:  # The map stays when the file is closed.
        free = shutil.disk_usage(folder).free
        try:
            if num_bytes <= free:
                _reserve(file, num_bytes)
                return np.asarray(np.memmap(file, np.uint8, "w+", shape=shape))
        except OSError as error:
            if is_unsupported(error, or_refused=True):
                raise
            reason = f" ({error.strerror})"
        else:
            reason = ""
    raise OSError(
        f"Decoded, the images of {name} take {num_bytes / GIB:.3g} GiB. That is more than "
        f"`cache_memory` has left for them, and {str(folder)!r} has only {free / GIB:.3g} GiB free"
        f"{reason}. Make room there, set XDG_CACHE_HOME to a folder with more room, or, if the "
        "computer has the memory, raise `cache_memory` (--cache-memory, in GiB)."
    )


def _nameless_file() -> tuple[IO[bytes], pathlib.Path]:
    """Opens a file that nobody else can see, and tells in which folder."""
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        folder = pathlib.Path(cache) / "cyclegan_keras"
        folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=folder), folder
    except (OSError, RuntimeError):  # A home that cannot be written to, or none at all.
        return _temporary_file()


def _temporary_file() -> tuple[IO[bytes], pathlib.Path]:
    return tempfile.TemporaryFile(), pathlib.Path(tempfile.gettempdir())


def _reserve(file: IO[bytes], num_bytes: int) -> None:
    """Takes the room at once: a map to a full disk would end the process without a word."""
    if not hasattr(os, "posix_fallocate"):  # macOS and Windows.
        return
    try:
        os.posix_fallocate(file.fileno(), 0, num_bytes)
    except OSError as error:
        # Some file systems cannot reserve; there the look at the free space has to do.
        if not is_unsupported(error, or_refused=True):
            raise


def _num_bytes(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))
