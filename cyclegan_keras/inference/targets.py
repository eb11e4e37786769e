"""Where translations go: their names, and checks that nothing is replaced that must not be."""

import array
import os
import pathlib
from collections.abc import Iterable, Sized
from typing import Protocol

import numpy as np

from cyclegan_keras._files import MAX_NAME_BYTES, PathLike, check_can_be_folder
from cyclegan_keras.data import images, listing
from cyclegan_keras.data.formats import UNREADABLE
from cyclegan_keras.inference import formats
from cyclegan_keras.inference.sharding import digest_of
from cyclegan_keras.inference.sources import Source

# Source and target.
Job = tuple[pathlib.Path, pathlib.Path]


class Jobs(Sized, Iterable[Job], Protocol):
    """Sources and targets: a list, or what finds them one by one."""


class Digests:
    """A collection of numbers that takes 8 bytes for each.

    Args:
        numbers: Of 64 bits.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._sorted = np.sort(np.frombuffer(array.array("Q", numbers), np.uint64))

    def __contains__(self, number: int) -> bool:
        place = np.searchsorted(self._sorted, np.uint64(number))
        return bool(place < len(self._sorted) and self._sorted[place] == number)

    def repeated(self) -> "Digests":
        """Finds the numbers that are there more than once."""
        again = self._sorted[1:][self._sorted[1:] == self._sorted[:-1]]
        found = Digests([])
        found._sorted = np.unique(again)
        return found

    def __len__(self) -> int:
        return len(self._sorted)


class Names:
    """The names of translations, relative to the folder for them.

    Args:
        sources: The pictures, which are gone through if there is a format.
        file_format: One of `formats.SUFFIXES`; `None` means the format of each picture.
    """

    def __init__(self, sources: Iterable[Source], file_format: str | None) -> None:
        self._suffix = None if file_format is None else formats.SUFFIXES[file_format]
        self._shared = Digests([])
        if self._suffix is not None:
            self._shared = Digests(
                digest_of(self._short(source.name)) for source in sources
            ).repeated()

    def of(self, name: str) -> str:
        """Names the translation of a picture.

        Args:
            name: That of the picture, from `Source`.

        Returns:
            The name, with `/` between folders.
        """
        suffix = listing.suffix_of(name.rpartition("/")[2]).lower()
        if self._suffix is None:
            # What cannot be written in its own format becomes a PNG.
            return name if suffix in formats.FORMATS else f"{name}.png"
        if self._keeps(suffix):
            return name
        short = self._short(name)
        return f"{name}{self._suffix}" if digest_of(short) in self._shared else short

    def _keeps(self, suffix: str) -> bool:
        assert self._suffix is not None
        return formats.FORMATS.get(suffix) == formats.FORMATS[self._suffix]

    def _short(self, name: str) -> str:
        suffix = listing.suffix_of(name.rpartition("/")[2])
        if self._keeps(suffix.lower()):
            return name
        return f"{name.removesuffix(suffix)}{self._suffix}"


def is_file(output: PathLike) -> bool:
    """Tells whether an output is meant to be a file and not a folder.

    Args:
        output: As it was given.

    Returns:
        Whether it has the suffix of a picture and is no folder.
    """
    name = os.fspath(output)
    suffix = pathlib.Path(name).suffix.lower()
    # A name such as `out.heic` means a file, too, though it cannot be written; see `format_of`.
    is_named_so = suffix in formats.FORMATS or suffix in images.SUFFIXES or suffix in UNREADABLE
    return is_named_so and not name.endswith(os.sep) and not os.path.isdir(name)


def check_file(output: PathLike, num_sources: int, file_format: str | None) -> None:
    """Checks an output that is a file.

    Args:
        output: As it was given.
        num_sources: How many pictures there are, or 2 if there are more than one.
        file_format: As for `plan`.

    Raises:
        ValueError: If there is not one picture, or the suffix is none that can be written, or that
            of another format.
    """
    name = os.fspath(output)
    output_format = formats.format_of(name)
    if num_sources != 1:
        raise ValueError(
            f"--output {name!r} is a file for one image. Give a folder. "
            f"Received: {num_sources} images"
        )
    if file_format is not None:
        wanted = formats.FORMATS[formats.SUFFIXES[file_format]]
        if output_format != wanted:
            raise ValueError(
                f"--output {name!r} has the suffix of another format than --format {file_format}. "
                "Leave one out."
            )


def check_folder(folder: pathlib.Path) -> None:
    """Checks that translations can be written into a folder, without touching anything.

    Args:
        folder: It need not exist.

    Raises:
        FileExistsError: If it, or what it is to be in, is a file.
        PermissionError: If nothing can be written there.
    """
    check_can_be_folder(folder)
    place = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"Cannot write into {str(place)!r}. Give another --output.")


def check_name(name: str) -> None:
    """Checks the name of a translation.

    Args:
        name: Without its folder.

    Raises:
        ValueError: If it is too long.
    """
    if len(os.fsencode(name)) > MAX_NAME_BYTES:
        raise ValueError(f"The name {name!r} is too long for a file. Rename the image.")


def check_existing(target: PathLike, may_exist: bool) -> None:
    """Checks a translation that exists, and is no source.

    Args:
        target: Its file.
        may_exist: Whether it may be there.

    Raises:
        FileExistsError: If it may not, or is a folder.
    """
    if os.path.isdir(target):
        raise FileExistsError(f"{os.fspath(target)!r} is a folder. Give another --output.")
    if not may_exist:
        raise FileExistsError(
            f"{os.fspath(target)!r} exists. Give another --output, --skip-existing to continue an "
            "interrupted batch, or --overwrite."
        )


def clash(first: PathLike, second: PathLike, target: PathLike) -> ValueError:
    """Makes the error for two pictures whose translations would have the same name."""
    return ValueError(
        f"{os.fspath(first)!r} and {os.fspath(second)!r} would both become "
        f"{os.fspath(target)!r}. Rename one, or translate them into two folders."
    )


def would_replace(source: PathLike, replaced: PathLike) -> ValueError:
    """Makes the error for a translation that would replace a source."""
    source, replaced = os.fspath(source), os.fspath(replaced)
    return ValueError(
        f"The translation of {source!r} would replace "
        f"{'it' if replaced == source else repr(replaced)}. Give another --output."
    )


def check_targets(jobs: list[Job], may_exist: bool) -> None:
    """Checks that no file would be replaced that must not be, and that each has its own name.

    Args:
        jobs: Sources and targets.
        may_exist: Whether a target may exist already.

    Raises:
        FileExistsError: If a target exists.
        ValueError: If two targets are the same, or one is a source.
    """
    first: dict[pathlib.Path, pathlib.Path] = {}
    inputs = {listing.identity(source): source for source, _ in jobs if source.exists()}
    for source, target in jobs:
        if target in first:
            raise clash(first[target], source, target)
        first[target] = source
        check_name(target.name)
        if not target.exists():
            continue
        if (replaced := inputs.get(listing.identity(target))) is not None:
            raise would_replace(source, replaced)
        check_existing(target, may_exist)
