"""Files that are written whole or not at all, also where a disk cannot do all that others can."""

import contextlib
import errno
import hashlib
import os
import pathlib
import stat
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import filelock

PathLike = str | os.PathLike[str]

# What network and cloud mounts answer to what they have no means to do. That the disk is full or
# broken is another matter.
_UNSUPPORTED = frozenset(
    getattr(errno, name)
    for name in "EINVAL ENOTSUP EOPNOTSUPP ENOSYS ENODEV ENOTTY ENOLCK".split()
    if hasattr(errno, name)
)
# What they, and Windows, answer where it is the right to do it that is missing.
_REFUSED = frozenset([errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR])


def is_unsupported(error: BaseException, or_refused: bool = False) -> bool:
    """Tells whether a disk cannot do what was asked of it, as opposed to having failed at it.

    Args:
        error: What came of asking, for a lock, a map or reserved room, for example.
        or_refused: Whether a right that is missing counts as well: where the program can do
            without, and has that right if the disk grants it to anyone.

    Returns:
        True if there is no use in asking again, and nothing is wrong with disk and data.
    """
    if isinstance(error, NotImplementedError):
        return True
    number = error.errno if isinstance(error, OSError) else None
    return number in _UNSUPPORTED or (or_refused and number in _REFUSED)


def flush(path: PathLike) -> None:
    """Waits until a file or a folder is on the disk, where the disk has a way to.

    Many network and cloud mounts cannot flush folders, and Windows cannot even open them.

    Args:
        path: Of the file or the folder.

    Raises:
        OSError: If what was written is not on the disk because that is full or broken.
    """
    # Some mounts let nobody write to a file again, but flush it for those who read.
    for mode in (os.O_RDONLY,) if os.path.isdir(path) else (os.O_RDWR, os.O_RDONLY):
        try:
            descriptor = os.open(path, mode)
        except OSError as error:
            if not is_unsupported(error, or_refused=True):
                raise
            continue
        try:
            os.fsync(descriptor)
        except OSError as error:
            if not is_unsupported(error, or_refused=True):
                raise
        finally:
            os.close(descriptor)
        return


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


def free_name(path: PathLike, suffix: str = "") -> pathlib.Path:
    """Finds a name that is not taken, so that nothing is overwritten.

    Args:
        path: The name that is wanted.
        suffix: Of the name, if it is a file's.

    Returns:
        `path`, or `path-2`, `path-3`, … if there is one of that name already; and the suffix.
    """
    wanted = pathlib.Path(path)
    name, number = wanted.with_name(wanted.name + suffix), 1
    while os.path.lexists(name):  # Also a link that leads nowhere.
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}{suffix}")
    return name


def check_can_be_folder(path: PathLike) -> None:
    """Tells early, without touching anything, whether there is a folder or one can be made.

    Args:
        path: Of the folder.

    Raises:
        FileExistsError: If it, or what it is to be in, is a file.
    """
    for place in (folder := pathlib.Path(path), *folder.parents):
        try:
            # Asked once: another process may make the folder between two questions.
            mode = place.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISDIR(mode):
            return
        raise FileExistsError(
            f"Cannot make the folder {str(path)!r}, for {str(place)!r} is a file. Give another "
            "place."
        )


def locked(path: PathLike, warn: Callable[[str], object]) -> "filelock.BaseFileLock | None":
    """Takes a lock that ends with the process, however that ends.

    Args:
        path: Of the file that is the lock.
        warn: Called with one line if the disk has no locks; nothing then keeps a second process
            out.

    Returns:
        The lock, to be released; `None` if another process has it.

    Raises:
        OSError: If the file cannot be made.
    """
    import filelock

    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    except (OSError, NotImplementedError) as error:
        if not is_unsupported(error):
            raise
        warn(
            f"The file system of {os.path.dirname(path)!r} does not support locks ({error}). Make "
            "sure that no other process writes into that folder."
        )
    return lock


def partial_files(directory: PathLike) -> dict[str, list[pathlib.Path]]:
    """Finds what processes that were killed had begun to write with `written_whole`.

    Args:
        directory: A folder, which need not exist.

    Returns:
        By the name of the file that was to be written, the hidden ones in its place. Those of names
        that are too long to be hidden whole are missing.
    """
    found: dict[str, list[pathlib.Path]] = {}
    with contextlib.suppress(FileNotFoundError):
        for path in pathlib.Path(directory).glob(".*.*"):
            name, _, number = path.stem.rpartition(".")
            if number.isdigit():
                suffix = "" if path.suffix == ".part" else path.suffix
                found.setdefault(name[1:] + suffix, []).append(path)
    return found


def remove_partial(directory: PathLike) -> None:
    """Removes what processes that were killed had begun to write with `written_whole`.

    Args:
        directory: A folder in which nobody is writing now.
    """
    for partial in pathlib.Path(directory).glob(".*.*"):
        if partial.is_file() and partial.stem.rpartition(".")[2].isdigit():
            partial.unlink()
