"""Checkpoints on disk: written atomically, verified when read, and only the newest kept."""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import re
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np

from cyclegan_keras._files import PathLike, flush

VARIABLES, STATE, SUMS = "variables.npz", "state.json", "SHA256SUMS"
_NAME = re.compile(r"checkpoint-(\d{6,})(\.damaged)?")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        path: Its folder.
        variables: Arrays by name.
        state: Everything else, as JSON holds it.
    """

    path: pathlib.Path
    variables: dict[str, np.ndarray]
    state: dict[str, Any]


class CheckpointStore:
    """A folder of checkpoints.

    Each is a folder `checkpoint-<number>` of three files: `variables.npz` (NumPy's format),
    `state.json`, and `SHA256SUMS`, which `sha256sum --check` understands. It is written under
    another name, flushed to the disk, and only then renamed; after that, older ones are removed. So
    the last complete checkpoint survives whenever the process or the machine stops. It is not read
    back at once: that would be answered from memory, and tell nothing of the disk.

    Args:
        directory: The folder, created with the first checkpoint.
        keep: The number of checkpoints to keep, at least 1.
    """

    def __init__(self, directory: PathLike, keep: int = 2) -> None:
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1. Received: keep={keep}")
        self.directory = pathlib.Path(directory)
        self.keep = keep

    def save(self, variables: dict[str, np.ndarray], state: dict[str, Any]) -> pathlib.Path:
        """Writes a checkpoint.

        Args:
            variables: Arrays by name.
            state: Anything that JSON can hold.

        Returns:
            Its folder.

        Raises:
            OSError: If it cannot be written. Earlier checkpoints are untouched.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        number = max(self._numbers(damaged_too=True), default=0) + 1
        target = self.directory / f"checkpoint-{number:06d}"
        partial = self.directory / f".{target.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            with (partial / VARIABLES).open("wb") as file:
                np.savez(file, **variables)  # type: ignore[arg-type]
            (partial / STATE).write_text(json.dumps(state, indent=1) + "\n", "utf-8")
            sums = [f"{_sha256(partial / name)}  {name}\n" for name in (VARIABLES, STATE)]
            (partial / SUMS).write_text("".join(sums), "utf-8")
            for name in (VARIABLES, STATE, SUMS):
                flush(partial / name)
            flush(partial)
            partial.rename(target)
            flush(self.directory)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for old in self._numbers()[: -self.keep]:
            # Not essential: what cannot be removed now is removed after the next one.
            with contextlib.suppress(OSError):
                self._remove(old)
        return target

    def load_latest(
        self, warn: Callable[[str], None], or_else: str | None = None
    ) -> Checkpoint | None:
        """Reads the newest undamaged checkpoint.

        Damaged ones are renamed, so that they can still be examined.

        Args:
            warn: Called with a sentence for each damaged checkpoint.
            or_else: The error message if one is required but all are missing or damaged; `None` if
                none is required.

        Returns:
            The checkpoint; `None` if there is none.

        Raises:
            ValueError: If one is required and there is none. Nothing is renamed then.
        """
        found, damaged = self._newest_whole()
        if found is None and or_else is not None:
            raise ValueError(" ".join([*(str(error) for _, error in damaged), or_else]))
        for path, error in damaged:
            aside = path.with_name(f"{path.name}.damaged")
            shutil.rmtree(aside, ignore_errors=True)
            path.rename(aside)
            warn(f"{error} It is now called {aside.name}; the one before it is used.")
        return found

    def _newest_whole(self) -> tuple[Checkpoint | None, list[tuple[pathlib.Path, ValueError]]]:
        """Reads the newest undamaged checkpoint, and lists the damaged ones that are newer."""
        damaged: list[tuple[pathlib.Path, ValueError]] = []
        for number in reversed(self._numbers()):
            path = self.directory / f"checkpoint-{number:06d}"
            try:
                return load(path), damaged
            except ValueError as error:
                damaged.append((path, error))
        return None, damaged

    def newest(self) -> Checkpoint | None:
        """Reads the newest undamaged checkpoint, without renaming any.

        Returns:
            The checkpoint; `None` if there is none.
        """
        return self._newest_whole()[0]

    def remove_leftovers(self) -> None:
        """Removes incomplete checkpoints of a process that was killed while writing."""
        for partial in self.directory.glob(".checkpoint-*"):
            shutil.rmtree(partial, ignore_errors=True)

    def _numbers(self, damaged_too: bool = False) -> list[int]:
        if not self.directory.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self.directory.iterdir())
        return sorted(int(name[1]) for name in found if name and (damaged_too or not name[2]))

    def _remove(self, number: int) -> None:
        path = self.directory / f"checkpoint-{number:06d}"
        # Renamed first, so that a partly removed checkpoint does not look damaged.
        removed = path.with_name(f".{path.name}.removed")
        path.rename(removed)
        shutil.rmtree(removed, ignore_errors=True)


def load(path: pathlib.Path) -> Checkpoint:
    """Reads a checkpoint.

    Args:
        path: Its folder.

    Returns:
        The checkpoint.

    Raises:
        ValueError: If a file is missing or damaged.
    """
    try:
        lines = (path / SUMS).read_text("utf-8").splitlines()
        sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        for name in (VARIABLES, STATE):
            if sums.get(name) != _sha256(path / name):
                raise ValueError(f"{name} is not what was written")
        state = json.loads((path / STATE).read_text("utf-8"))
        with np.load(path / VARIABLES, allow_pickle=False) as arrays:
            return Checkpoint(path, dict(arrays), state)
    except (OSError, ValueError) as error:
        raise ValueError(f"The checkpoint {str(path)!r} is damaged: {error}.") from None


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
