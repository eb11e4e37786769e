"""What became of each picture of a shard: one line of JSON for each, beside the translations."""

import array
import datetime
import json
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Literal

from cyclegan_keras._files import PathLike, flush, locked
from cyclegan_keras.inference.sharding import Shard, digest_of
from cyclegan_keras.inference.targets import Digests

# A translation was written; it was there before anything was noted of it; it could not be made.
Status = Literal["written", "found", "failed"]


class BusyError(FileExistsError):
    """Another process is translating the same shard into the same folder."""


class Manifest:
    """A file that says of each picture of a shard what became of it.

    It is opened as a context, in which no other process can open it. Each line is written with one
    call, after the translation has appeared. A process that is killed in between leaves a
    translation without a line; the next one finds it and notes it as `"found"`. A line that was
    written in part, on a full disk, is taken out when the file is opened.

    Args:
        output: The folder for the translations, in which the file lies.
        shard: The shard.
        about: What determines the translations, in the first line: the generator and how it
            translates.

    Attributes:
        path: The file.
    """

    def __init__(self, output: PathLike, shard: Shard, about: Mapping[str, Any]) -> None:
        self._output = pathlib.Path(output)
        self._shard = shard
        self._about = json.loads(json.dumps({"shard": str(shard), **about}))
        self.path = self._output / f"shard-{shard.number}-of-{shard.count}.jsonl"
        self._noted = Digests([])

    def __enter__(self) -> "Manifest":
        """Opens the file.

        Returns:
            The manifest.

        Raises:
            BusyError: If another process has it open.
            OSError: If it cannot be written.
            ValueError: If it is of another generator or other settings.
        """
        self._output.mkdir(parents=True, exist_ok=True)
        lock = locked(self._output / f".{self.path.stem}.lock", _warn)
        if lock is None:
            raise BusyError(
                f"Another process is translating shard {self._shard} into {str(self._output)!r}. "
                "Wait for it, or end it."
            )
        self._lock = lock
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                self._resume()
            except BaseException:
                os.close(self._file)
                raise
        except BaseException:
            lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._file)
        flush(self.path)
        self._lock.release()

    def written(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Notes a translation that was written."""
        self._append("written", source, target)

    def found(self, source: pathlib.Path, target: pathlib.Path) -> None:
        """Notes a translation that exists, unless that was noted before."""
        if digest_of(self._name(target)) not in self._noted:
            self._append("found", source, target)

    def failed(self, source: pathlib.Path, reason: str) -> None:
        """Notes a picture that could not be translated, and the reason."""
        self._append("failed", source, reason=" ".join(reason.split()))

    def _name(self, target: pathlib.Path) -> str:
        return target.relative_to(self._output).as_posix()

    def _append(
        self,
        status: Status,
        source: pathlib.Path,
        target: pathlib.Path | None = None,
        **more: str,
    ) -> None:
        line = {"status": status, "source": str(source)}
        if target is not None:
            line["target"] = self._name(target)
        self._write(line | more)

    def _write(self, line: Mapping[str, Any]) -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        data = json.dumps({**line, "time": now}).encode() + b"\n"
        if os.write(self._file, data) != len(data):
            self._take_out_torn_line()
            raise OSError(f"Cannot write to {str(self.path)!r}: the disk is full.")

    def _resume(self) -> None:
        self._take_out_torn_line()
        lines = lines_of(self.path)
        if (first := next(lines, None)) is None:
            self._write(self._about)
            return
        for key, mine in self._about.items():
            if first.get(key) != mine:
                raise ValueError(
                    f"{str(self.path)!r} is of other translations: {key} was {first.get(key)!r}. "
                    f"Give another --output. Received: {mine!r}"
                )
        self._noted = Digests(
            array.array("Q", (digest_of(line["target"]) for line in lines if "target" in line))
        )

    def _take_out_torn_line(self) -> None:
        size = place = os.fstat(self._file).st_size
        with open(self.path, "rb") as file:
            while place:
                start = max(0, place - (1 << 16))
                file.seek(start)
                last = file.read(place - start).rfind(b"\n")
                if last >= 0:
                    place = start + last + 1
                    break
                place = start
        if place != size:
            os.ftruncate(self._file, place)


def lines_of(path: PathLike) -> Iterator[dict[str, Any]]:
    """Reads a manifest line by line.

    Args:
        path: The file.

    Yields:
        First what it is of, then what became of each picture. Where there are several lines for
        one, the last is true.

    Raises:
        ValueError: If a line is not JSON.
    """
    with open(path, encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            try:
                line = json.loads(text)
            except ValueError as error:
                raise ValueError(
                    f"Line {number} of {os.fspath(path)!r} is damaged ({error}). Take the line out."
                ) from None
            if not isinstance(line, dict):
                raise ValueError(f"Line {number} of {os.fspath(path)!r} is damaged. Take it out.")
            yield line


def _warn(text: str) -> None:
    print(f"Warning: {text}", file=sys.stderr, flush=True)
