"""Digests of what is in files, each computed once as long as its file is not changed."""

import concurrent.futures
import contextlib
import hashlib
import itertools
import logging
import os
import pathlib
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any

import tqdm

NAME = "content.sqlite3"

# So many files are looked up, read and noted at a time; a process that is killed loses no more.
CHUNK = 1000

# A file that was changed just now may be changed again without getting another time.
SECONDS_TO_SETTLE = 2.0

_log = logging.getLogger(__name__)


def default_path() -> pathlib.Path:
    """Finds the index in the user's cache folder.

    Returns:
        The file, which need not exist.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "cyclegan_keras" / NAME


def digest_of(paths: Sequence[pathlib.Path], title: str, index: pathlib.Path | None = None) -> str:
    """Computes a digest of the contents of files, in their order.

    A file is read if its size or its time of modification is not that of the index.

    Args:
        paths: Of the files.
        title: Of the progress bar, which comes if it takes more than a second.
        index: The index; `None` means that in the user's cache folder.

    Returns:
        SHA-256 of the SHA-256 of all files.

    Raises:
        OSError: If a file cannot be read.
    """
    path = default_path() if index is None else index
    try:
        return _digest_of(paths, title, path)
    except sqlite3.DatabaseError as error:
        raise OSError(f"The index {str(path)!r} is damaged ({error}). Remove it.") from None


def _digest_of(paths: Sequence[pathlib.Path], title: str, index: pathlib.Path) -> str:
    whole = hashlib.sha256()
    bar: Any = tqdm.tqdm(
        total=len(paths), desc=title, unit="image", delay=1.0, disable=None, leave=False
    )
    with (
        bar,
        contextlib.closing(_opened(index)) as connection,
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for chunk in _chunks(paths):
            for digest in _digests(connection, pool, chunk):
                whole.update(digest)
            bar.update(len(chunk))
    return whole.hexdigest()


def _opened(path: pathlib.Path) -> sqlite3.Connection:
    """Opens the index or, if it cannot be, one that is gone at the end."""
    for place in (path, None):
        try:
            if place is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(place or ":memory:", timeout=60)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, size INTEGER, "
                "modified INTEGER, digest BLOB) WITHOUT ROWID"
            )
            return connection
        except (OSError, sqlite3.Error) as error:
            if place is None:
                raise
            _log.warning(
                f"The index {str(path)!r} cannot be used ({error}), so all images are read. Remove "
                "it, or set XDG_CACHE_HOME to a folder that can be written to."
            )
    raise AssertionError


def _chunks(paths: Sequence[pathlib.Path]) -> Iterator[list[pathlib.Path]]:
    rest = iter(paths)
    while chunk := list(itertools.islice(rest, CHUNK)):
        yield chunk


def _digests(
    connection: sqlite3.Connection,
    pool: concurrent.futures.Executor,
    paths: list[pathlib.Path],
) -> list[bytes]:
    found: list[bytes | None] = []
    stats = []
    for path in paths:
        name, status = os.fsencode(os.path.abspath(path)), path.stat()
        stats.append((name, status.st_size, status.st_mtime_ns))
        row = connection.execute(
            "SELECT digest FROM files WHERE path = ? AND size = ? AND modified = ?", stats[-1]
        ).fetchone()
        found.append(row and row[0])
    missing = [place for place, digest in enumerate(found) if digest is None]
    news = []
    for place, digest in zip(missing, pool.map(_read, [paths[p] for p in missing]), strict=True):
        found[place] = digest
        if time.time_ns() - stats[place][2] > SECONDS_TO_SETTLE * 1e9:
            news.append((*stats[place], digest))
    with contextlib.suppress(sqlite3.OperationalError), connection:  # A full disk: next time again.
        connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", news)
    return [digest for digest in found if digest is not None]


def _read(path: pathlib.Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
