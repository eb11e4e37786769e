"""One large file over HTTP: resumed where it was cut, never longer than it should be, checked."""

import contextlib
import hashlib
import http.client
import pathlib
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import filelock
import tqdm

# Seconds: how long the server may be silent, and the waits before another try.
TIMEOUT = 30.0
PAUSES = (1.0, 2.0, 4.0, 8.0)

CHUNK = 2**18


class _DroppedError(Exception):
    """No bytes, or no more, for a reason that may pass."""


class _UnreachableError(_DroppedError):
    """The server did not even take the question."""


def download(url: str, path: pathlib.Path, num_bytes: int) -> None:
    """Downloads a file of known size, going on from what is there.

    Args:
        url: Where from.
        path: Where to. If it is there, it has the first bytes of the file; if it is too long for
            that, it is made anew. After an error or Ctrl-C it has what came so far.
        num_bytes: The size that the file must have.

    Raises:
        ConnectionError: If the server cannot be reached, has no such file or one of another size,
            or drops the connection again and again.
        OSError: If the disk has no room for the file and, unpacked, its images.
    """
    if _size(path) > num_bytes:
        path.unlink()
    start = _size(path)
    # Images in an archive are hardly smaller than they are unpacked.
    check_free_space(path.parent, num_bytes - start + num_bytes)
    if start == num_bytes:
        return
    try:
        _persist(url, path, num_bytes)
    finally:
        # Created, and then nothing came.
        if not _size(path):
            path.unlink(missing_ok=True)


def _persist(url: str, path: pathlib.Path, num_bytes: int) -> None:
    """Asks again while there is hope."""
    start = _size(path)
    # In a file, where nothing is overwritten, a line now and then is enough.
    interval = 0.5 if sys.stderr.isatty() else 10.0
    name = url.rpartition("/")[2]
    with tqdm.tqdm(
        desc=name,
        total=num_bytes,
        initial=start,
        unit="B",
        unit_scale=True,
        mininterval=interval,
        delay=1,
    ) as bar:
        for pause in (*PAUSES, None):
            try:
                _receive(url, path, num_bytes, bar)
                return
            except _DroppedError as dropped:
                # Without a network from the first, waiting for one would only hide it.
                hopeless = isinstance(dropped, _UnreachableError) and _size(path) == start
                if pause is None or hopeless:
                    raise ConnectionError(_in_words(url, str(dropped), path)) from dropped
                bar.write(f"{name}: {dropped}; trying again in {pause:g} s", file=sys.stderr)
            time.sleep(pause)


def _receive(url: str, path: pathlib.Path, num_bytes: int, bar: Any) -> None:
    """Asks once, for what is missing, and writes what comes."""
    response, size = _ask(url, path, num_bytes)
    with response, path.open("ab" if size else "wb") as file:
        # Backwards, if the server begins anew.
        bar.update(size - bar.n)
        while size < num_bytes:
            try:
                # Whatever is there, up to so much: the end of a dropped connection is not lost.
                chunk = response.read1(min(CHUNK, num_bytes - size))
            except (OSError, http.client.HTTPException) as error:
                raise _DroppedError(str(error) or type(error).__name__) from error
            if not chunk:
                raise _DroppedError(f"the connection ended after {size} of {num_bytes} bytes")
            file.write(chunk)
            size += len(chunk)
            bar.update(len(chunk))


def _ask(url: str, path: pathlib.Path, num_bytes: int) -> tuple[Any, int]:
    """Gives the response, and the place in the file where it begins: where asked, or 0."""
    start = _size(path)
    response = _open(url, start, path)
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers["Content-Range"] or "")
        if found and int(found[1]) == start:
            announced = None if found[2] == "*" else int(found[2])
        else:
            response.close()
            response, start = _open(url, 0, path), 0
            announced = response.length
    else:
        # The whole file, asked for or not.
        start, announced = 0, response.length
    if announced is not None and announced != num_bytes:
        response.close()
        reason = f"it must have {num_bytes} bytes. Received: a file of {announced}"
        raise ConnectionError(_in_words(url, reason, path))
    return response, start


def _open(url: str, start: int, path: pathlib.Path) -> Any:
    headers = {"User-Agent": "cyclegan-keras"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _open(url, 0, path)
        reason = f"the server answers {error.code} {error.reason}"
        if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS:
            raise _DroppedError(reason) from error
        raise ConnectionError(_in_words(url, reason, path)) from error
    except urllib.error.URLError as error:
        raise _UnreachableError(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _DroppedError(str(error) or type(error).__name__) from error


def _in_words(url: str, reason: str, path: pathlib.Path) -> str:
    size = _size(path)
    kept = f" The first {in_mb(size)} are kept, and the next try goes on from there."
    return f"Cannot download {url}: {reason}.{kept if size else ''}"


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def in_mb(num_bytes: float) -> str:
    """Puts a size into words.

    Args:
        num_bytes: The size.

    Returns:
        Such as `"78.5 MB"`, where a megabyte is a million bytes.
    """
    return f"{num_bytes / 1e6:.1f} MB"


def check(path: pathlib.Path, num_bytes: int, sha256: str) -> None:
    """Compares a file with what is known of it.

    Args:
        path: Of the file.
        num_bytes: The size that it must have.
        sha256: The hash that it must have, in lower-case hexadecimal digits.

    Raises:
        ValueError: If one of them is another.
    """
    size = _size(path)
    if size != num_bytes:
        raise ValueError(f"{str(path)!r} must have {num_bytes} bytes. Received: {size} bytes.")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise ValueError(f"{str(path)!r} must have the SHA-256 {sha256}. Received: {digest}.")


def check_free_space(directory: pathlib.Path, num_bytes: int) -> None:
    """Makes sure that there is room on a disk.

    Args:
        directory: A folder on it.
        num_bytes: How much is wanted.

    Raises:
        OSError: If there is less.
    """
    free = shutil.disk_usage(directory).free
    if free < num_bytes:
        raise OSError(
            f"{in_mb(num_bytes)} more are needed in {str(directory)!r}, and {in_mb(free)} are "
            "free. Make room, or name a --data-dir on another disk."
        )


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Keeps other processes out until the block ends, or until the process does, however it ends.

    Args:
        path: A file to lock, which is there only meanwhile.

    Yields:
        Nothing; do inside what only one may do.

    Raises:
        BlockingIOError: If another one is inside.
        OSError: If the disk knows no locks.
    """
    try:
        lock = filelock.FileLock(path).acquire(timeout=0)
    except filelock.Timeout:
        raise BlockingIOError(
            f"Another process is at the same work and holds {str(path)!r}. Wait until it is "
            "done, or end it."
        ) from None
    except (OSError, NotImplementedError) as error:
        path.unlink(missing_ok=True)
        raise OSError(
            f"Cannot lock {str(path)!r}: {error}. Name a --data-dir on another disk."
        ) from error
    with lock:
        try:
            yield
        finally:
            # While it is locked: filelock refuses whoever then has the lock of a file that is gone.
            with contextlib.suppress(PermissionError):  # On Windows, which leaves it to filelock.
                path.unlink(missing_ok=True)
