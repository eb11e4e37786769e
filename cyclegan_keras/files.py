"""Files that are written whole or not at all."""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterator

PathLike = str | os.PathLike[str]

# Of one name, on nearly every file system; in UTF-8, a letter may take four.
MAX_NAME_BYTES = 255


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a name to write to; what was written there takes the place of the file at the end.

    Args:
        path: Of the file; one that exists is replaced, unless there is an error.

    Yields:
        A hidden path beside it, with the same suffix (unless that is absurdly long).
    """
    target = pathlib.Path(path)
    partial = target.with_name(_partial_name(target))
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _partial_name(target: pathlib.Path) -> str:
    """A hidden name with the process's number and the same suffix, not too long for a file."""
    suffix = target.suffix if len(os.fsencode(target.suffix)) <= 32 else ""
    end = f".{os.getpid()}{suffix or '.part'}"
    name = f".{target.name.removesuffix(suffix)}{end}"
    if len(os.fsencode(name)) <= MAX_NAME_BYTES:
        return name
    # Names that begin alike must not meet, as several are written at a time.
    end = f"~{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}{end}"
    start = os.fsencode(name)[: MAX_NAME_BYTES - len(os.fsencode(end))]
    return start.decode("utf-8", "ignore") + end


def write_text(path: PathLike, text: str) -> None:
    """Writes a text file in UTF-8.

    Args:
        path: Of the file; one that exists is replaced.
        text: What is to be in it.
    """
    with written_whole(path) as partial:
        partial.write_text(text, "utf-8")


def check_can_be_folder(path: PathLike) -> None:
    """Tells early, without touching anything, whether there is a folder or one can be made.

    Args:
        path: Of the folder.

    Raises:
        FileExistsError: If it, or what it is to be in, is a file.
    """
    for place in (folder := pathlib.Path(path), *folder.parents):
        if place.is_dir():
            return
        if place.exists():
            raise FileExistsError(
                f"Cannot make the folder {str(path)!r}, for {str(place)!r} is a file. Give another "
                "place."
            )


def remove_partial(directory: PathLike) -> None:
    """Removes what processes that were killed had begun to write with `written_whole`.

    Args:
        directory: A folder in which nobody is writing now.
    """
    for partial in pathlib.Path(directory).glob(".*.*"):
        if partial.is_file() and partial.stem.rpartition(".")[2].isdigit():
            partial.unlink()
