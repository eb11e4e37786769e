"""Which pictures are translated: found one by one, however many there are."""

import glob
import itertools
import os
import pathlib
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from cyclegan_keras._files import PathLike
from cyclegan_keras.data import listing


class Source(NamedTuple):
    """A picture to translate.

    Attributes:
        path: Its file.
        name: Its path relative to the folder that was given, with `/` between folders.
        given: The place of the path by which it was given, among all.
    """

    path: str
    name: str
    given: int


class Sources:
    """The pictures that paths name. Each iteration looks for those in folders anew.

    A file that is named itself is not taken again with the folder that it is in, and of two given
    folders that are in each other, the later one gives its pictures their names.

    Args:
        paths: Pictures, folders of them and patterns.
        output: The folder for the translations, which is not looked into.
        must_exist: Whether a path that does not exist is an error.

    Raises:
        FileNotFoundError: If a path does not exist, or nothing matches a pattern. Iterating raises
            a ValueError if a folder has no picture.
    """

    def __init__(
        self, paths: Iterable[PathLike], output: pathlib.Path, must_exist: bool = True
    ) -> None:
        self._output = output
        self._files: dict[str, Source] = {}
        self._folders: dict[str, tuple[int, pathlib.Path]] = {}
        for given, (path, root) in enumerate(expanded(paths, output)):
            if must_exist and not path.exists():
                # Also for a broken link; without the check, reading it tells where it leads.
                raise FileNotFoundError(f"No image or folder {str(path)!r}.")
            if path.is_dir():
                self._folders[str(path)] = (given, root or path)
            else:
                name = path.relative_to(root).as_posix() if root else path.name
                self._files[str(path)] = Source(str(path), name, given)

    def __iter__(self) -> Iterator[Source]:
        parts: list[tuple[int, Iterable[Source]]]
        parts = [(source.given, [source]) for source in self._files.values()]
        parts += [(given, self._in(folder)) for folder, (given, _) in self._folders.items()]
        for _, some in sorted(parts, key=lambda part: part[0]):
            yield from some

    def _in(self, given_folder: str) -> Iterator[Source]:
        given, root = self._folders[given_folder]
        later = {pathlib.PurePath(path) for path, (n, _) in self._folders.items() if n > given}
        has_some = False
        for found in listing.walked(given_folder, without=self._output):
            folder = pathlib.PurePath(found.folder)
            has_some |= bool(found.names)
            if not later.isdisjoint((folder, *folder.parents)):
                continue
            inside = "" if folder == root else folder.relative_to(root).as_posix() + "/"
            place = "" if str(folder) == "." else str(folder)
            for name in found.names:
                if (path := os.path.join(place, name)) not in self._files:
                    yield Source(path, inside + name, given)
        if not has_some:
            listing.some(listing.others(given_folder, self._output), given_folder)

    def left_out(self, without: Collection[str] = ()) -> list[str]:
        """Lists the files in the folders that are not translated.

        Args:
            without: Suffixes of files that are translated in another way.

        Returns:
            For each kind of file, the number and the folder, in words.
        """
        return [
            f"{phrase} in {folder!r}"
            for folder in self._folders
            for phrase in listing.others(folder, self._output).in_words(without)
        ]


def check_no_address(path: PathLike) -> None:
    """Refuses addresses, of which a folder of that name would be made here.

    Args:
        path: A path as it was given.

    Raises:
        ValueError: If it is the address of something on another computer.
    """
    if re.match(r"[a-z][a-z0-9+.-]+://", name := os.fsdecode(path)) and not os.path.exists(name):
        raise ValueError(
            f"{name!r} is an address, and files are wanted. Mount the bucket (rclone mount, s3fs, "
            "gcsfuse), or copy the images to a disk."
        )


def expanded(
    paths: Iterable[PathLike], output: pathlib.Path
) -> Iterator[tuple[pathlib.Path, pathlib.Path | None]]:
    """Finds the files and folders that paths and patterns name.

    Args:
        paths: Files, folders and patterns such as "photos/**/*.jpg". What has such a name itself is
            no pattern.
        output: The folder for the translations, which no pattern matches.

    Yields:
        Each of them; and for what matches a pattern, the folder at which its name begins, else
        `None`.

    Raises:
        FileNotFoundError: If nothing matches a pattern.
    """
    for path in map(pathlib.Path, paths):
        if path.exists() or path.is_symlink() or not glob.has_magic(str(path)):
            yield path, None
            continue
        parts = list(itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
        root = pathlib.Path(*parts)
        matching = [pathlib.Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        outside = [found for found in matching if output not in (found, *found.parents)]
        # A folder that matches is taken with all that is in it.
        folders = {found for found in outside if found.is_dir()}
        chosen = [found for found in outside if not folders.intersection(found.parents)]
        if not chosen:
            raise FileNotFoundError(f"No image or folder matches {str(path)!r}.")
        yield from ((found, root) for found in chosen)
