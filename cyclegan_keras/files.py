"""Files that are written whole or not at all."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def written_whole(path: PathLike) -> Iterator[pathlib.Path]:
    """Gives a name to write to; what was written there takes the place of the file at the end.

    Args:
        path: Of the file; one that exists is replaced, unless there is an error.

    Yields:
        A hidden path beside it, with the same suffix.
    """
    target = pathlib.Path(path)
    partial = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: PathLike, text: str) -> None:
    """Writes a text file in UTF-8.

    Args:
        path: Of the file; one that exists is replaced.
        text: What is to be in it.
    """
    with written_whole(path) as partial:
        partial.write_text(text, "utf-8")


def free_name(path: PathLike) -> pathlib.Path:
    """Finds a name that is not taken, so that nothing is overwritten.

    Args:
        path: The name that is wanted.

    Returns:
        `path`, or `path-2`, `path-3`, … if there is one of that name already.
    """
    wanted = pathlib.Path(path)
    name, number = wanted, 1
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


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
