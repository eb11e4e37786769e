"""Which files of a folder are pictures, and what else is in it."""

import dataclasses
import os
import pathlib
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, overload

from cyclegan_keras._files import PathLike
from cyclegan_keras._text import counted
from cyclegan_keras.data.formats import SUFFIXES, UNREADABLE
from cyclegan_keras.data.tiff import STARTS

# What systems and programs leave beside pictures; nobody misses it.
NOBODYS = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "lost+found", "$recycle.bin"}
)
ABOUT = frozenset(
    ".aae .csv .db .htm .html .ini .json .jsonl .log .md .py .sh .toml .tsv .txt .xml .xmp .yaml "
    ".yml".split()
)

# How files begin that are read.
BEGINNINGS = (
    b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"RIFF", b"\0\0\0\x0cjP  ",
    b"\xff\x4f\xff\x51", *STARTS,
)  # fmt: skip
# What else there is, and what is to be said behind it.
PICTURE, OTHER_FILE, OTHER_LINK = "picture", "other file", "folder"
BEHIND = {OTHER_FILE: "", OTHER_LINK: " read already, by another link"}


class Paths(Sequence[pathlib.Path]):
    """Paths that are kept as text, with a fifth of the memory of as many `pathlib.Path`.

    Args:
        names: The paths as text.
    """

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, place: int) -> pathlib.Path: ...

    @overload
    def __getitem__(self, place: slice) -> "Paths": ...

    def __getitem__(self, place: int | slice) -> "pathlib.Path | Paths":
        if isinstance(place, slice):
            return Paths(self._names[place])
        return pathlib.Path(self._names[place])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Paths):
            return self._names == other._names
        return isinstance(other, list) and list(self) == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(list(self))

    def texts(self) -> list[str]:
        """Returns the paths as text, which is not to be changed."""
        return self._names


@dataclasses.dataclass(frozen=True)
class Listing:
    """What is in a folder.

    Attributes:
        paths: Of its pictures, sorted.
        left_out: How many other files there are, by what they are, and one of them each.
    """

    paths: Paths
    left_out: dict[str, tuple[int, pathlib.Path]]

    def in_words(self, without: Collection[str] = ()) -> list[str]:
        """Says what else there is, one phrase for each kind.

        Args:
            without: Suffixes of files of which nothing is said.

        Returns:
            The phrases.
        """
        return [
            (counted(count, what) + BEHIND[what] if what in BEHIND else f"{count:,} {what}")
            + f", such as {path.name!r}"
            for what, (count, path) in self.left_out.items()
            if path.suffix.lower() not in without
        ]


class Contents(NamedTuple):
    """What is in one folder, without those in it.

    Attributes:
        folder: The folder.
        names: Of its pictures, sorted.
        left_out: How many other files there are, by what they are, and the least name of each kind.
    """

    folder: str
    names: list[str]
    left_out: dict[str, tuple[int, str]]


def walked(
    directory: PathLike,
    recursive: bool = True,
    without: PathLike | None = None,
    suffixes: Collection[str] = SUFFIXES,
) -> Iterator[Contents]:
    """Looks into a folder and those in it, one after the other, with one in memory at a time.

    Args:
        directory: The folder.
        recursive: Whether folders in it are looked into, except hidden ones.
        without: A folder that is passed over.
        suffixes: As for `listed`.

    Yields:
        What is in each folder.

    Raises:
        FileNotFoundError: If the folder does not exist.
        OSError: If it cannot be looked into.
    """
    root = os.fspath(directory)
    if not os.path.isdir(root):
        raise FileNotFoundError(f"No folder {root!r}. Make it and put the images in it.")
    seen, todo = {identity(root)}, [root]
    passed_over = identity(without) if without is not None and os.path.isdir(without) else None
    while todo:
        folder = todo.pop()
        found = Contents(folder, [], {})
        inner = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name.lower() in NOBODYS:
                    continue
                if _is_folder(entry):
                    inner.append(entry.name)
                elif (kind := _kind(entry, suffixes)) == PICTURE:
                    found.names.append(entry.name)
                elif kind is not None:
                    _count(found.left_out, kind, entry.name)
        found.names.sort()
        for name in sorted(inner) if recursive else ():
            path = os.path.join(folder, name)
            its_own = identity(path)
            if its_own == passed_over:
                continue
            if its_own in seen:
                _count(found.left_out, OTHER_LINK, name)
            else:
                seen.add(its_own)
                todo.append(path)
        yield found


def listed(
    directory: PathLike,
    recursive: bool = True,
    without: PathLike | None = None,
    suffixes: Collection[str] = SUFFIXES,
) -> Listing:
    """Lists the pictures in a folder and in those in it.

    Hidden files and what systems leave behind are passed over; so are files about pictures, such
    as `labels.txt`. A file with an unknown suffix is a picture if it begins like one. A folder that
    several links lead to is read once. A link to nothing is listed, so that reading it tells.

    Args:
        directory: The folder.
        recursive: Whether folders in it are looked into.
        without: A folder in it that is passed over.
        suffixes: Of other files, in lower case, if it is those that are wanted.

    Returns:
        What is in it. The order depends on names only: files in the folder itself are sorted by
        name, as ever.

    Raises:
        FileNotFoundError: If the folder does not exist.
        OSError: If it cannot be looked into.
    """
    return _gathered(walked(directory, recursive, without, suffixes), keep=True)


def others(directory: PathLike, without: PathLike | None = None) -> Listing:
    """Counts what is no picture in a folder and in those in it, and keeps no name of a picture.

    Args:
        directory: The folder.
        without: A folder in it that is passed over.

    Returns:
        As of `listed`, with the pictures left out.

    Raises:
        FileNotFoundError: If the folder does not exist.
        OSError: If it cannot be looked into.
    """
    return _gathered(walked(directory, without=without), keep=False)


def _gathered(folders: Iterable[Contents], keep: bool) -> Listing:
    paths: list[str] = []
    left_out: dict[str, tuple[int, pathlib.Path]] = {}
    for found in folders:
        folder = pathlib.Path(found.folder)
        place = "" if str(folder) == "." else str(folder)
        paths += [os.path.join(place, name) for name in found.names] if keep else []
        for what, (count, name) in found.left_out.items():
            before, first = left_out.get(what, (0, folder / name))
            left_out[what] = (before + count, min(first, folder / name))
    # In the order of `pathlib.Path`, folder by folder: no name has a character before the 0.
    paths.sort(key=lambda path: path.replace(os.sep, "\0"))
    return Listing(Paths(paths), dict(sorted(left_out.items())))


def some(found: Listing, directory: PathLike) -> Listing:
    """Raises an error that teaches if there is no picture in a folder.

    Args:
        found: From `listed`.
        directory: The folder.

    Returns:
        `found`.

    Raises:
        ValueError: If there is none.
    """
    if not found.paths:
        rest = "; ".join(found.in_words())
        raise ValueError(
            f"No images in {str(directory)!r}. Put some there, with one of the suffixes "
            f"{' '.join(sorted(SUFFIXES))}.{f' What is there is not read: {rest}.' if rest else ''}"
        )
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Links that lead in circles are no folders; `entry.is_dir()` would raise an error.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _count(left_out: dict[str, tuple[int, str]], what: str, name: str) -> None:
    count, first = left_out.get(what, (0, name))
    left_out[what] = (count + 1, min(first, name))


def _kind(entry: os.DirEntry[str], suffixes: Collection[str]) -> str | None:
    """Tells a picture from what is counted, and both from what goes without saying: `None`."""
    suffix = suffix_of(entry.name).lower()
    if suffix in suffixes:
        return PICTURE
    if what := _what(entry.name):
        return what
    if suffix in ABOUT:
        return None
    return PICTURE if suffixes is SUFFIXES and _begins_like_a_picture(entry.path) else OTHER_FILE


def suffix_of(name: str) -> str:
    """Finds the suffix of a name as `pathlib` does, in a tenth of the time.

    Args:
        name: Of a file, without its folder.

    Returns:
        Such as ".png"; "" if it has none.
    """
    place = name.rfind(".")
    return name[place:] if 0 < place < len(name) - 1 else ""


def _what(name: str) -> str:
    """Names the kind of a file that is known and not read."""
    name = name.lower()
    for suffix in (
        suffix_of(name.removesuffix(".gz")),
        suffix_of(name),
    ):  # `scan.nii.gz` is a volume.
        if suffix in UNREADABLE:
            return f"{suffix} ({UNREADABLE[suffix]})"
    return ""


def identity(path: PathLike) -> tuple[int, int]:
    """Returns the numbers that a file or a folder has, whatever link leads to it."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _begins_like_a_picture(path: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # Whoever opens a pipe may wait for ever.
            return False
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(BEGINNINGS) and (start[:4] != b"RIFF" or start[8:] == b"WEBP")
