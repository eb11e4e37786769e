"""Which files of a folder are pictures, and what else is in it."""

import collections
import dataclasses
import os
import pathlib
import stat
from collections.abc import Collection

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
OTHER_FILE, OTHER_LINK = "other file", "folder"
BEHIND = {OTHER_FILE: "", OTHER_LINK: " read already, by another link"}


@dataclasses.dataclass(frozen=True)
class Listing:
    """What is in a folder.

    Attributes:
        paths: Of its pictures, sorted.
        left_out: How many other files there are, by what they are, and one of them each.
    """

    paths: list[pathlib.Path]
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
    root = pathlib.Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"No folder {str(root)!r}. Make it and put the images in it.")
    paths: list[pathlib.Path] = []
    others: dict[str, list[pathlib.Path]] = collections.defaultdict(list)
    seen, todo = {identity(root)}, [root]
    passed_over = identity(without) if without is not None and os.path.isdir(without) else None
    while todo:
        folder = todo.pop()
        inner = []
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or path.name.lower() in NOBODYS:
                continue
            if path.is_dir():
                inner.append(path)
            elif path.suffix.lower() in suffixes:
                paths.append(path)
            elif what := _what(path):
                others[what].append(path)
            elif (
                suffixes is SUFFIXES
                and path.suffix.lower() not in ABOUT
                and _begins_like_a_picture(path)
            ):
                paths.append(path)
            elif path.suffix.lower() not in ABOUT:
                others[OTHER_FILE].append(path)
        for path in inner if recursive else ():
            found = identity(path)
            if found == passed_over:
                continue
            if found in seen:
                others[OTHER_LINK].append(path)
            else:
                seen.add(found)
                todo.append(path)
    return Listing(
        sorted(paths), {what: (len(some), min(some)) for what, some in sorted(others.items())}
    )


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


def _what(path: pathlib.Path) -> str:
    """Names the kind of a file that is known and not read."""
    name = path.name.lower().removesuffix(".gz")  # `scan.nii.gz` is a volume.
    for suffix in (pathlib.PurePath(name).suffix, path.suffix.lower()):
        if suffix in UNREADABLE:
            return f"{suffix} ({UNREADABLE[suffix]})"
    return ""


def identity(path: PathLike) -> tuple[int, int]:
    """Returns the numbers that a file or a folder has, whatever link leads to it."""
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _begins_like_a_picture(path: pathlib.Path) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # Whoever opens a pipe may wait for ever.
            return False
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith(BEGINNINGS) and (start[:4] != b"RIFF" or start[8:] == b"WEBP")
