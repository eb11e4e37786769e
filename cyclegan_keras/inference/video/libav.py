"""PyAV, imported when it is needed, and its errors in the words of this package."""

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

from cyclegan_keras import _extras
from cyclegan_keras._files import PathLike

# Errors of the system that say nothing about the file. "Input/output error" is not among them, for
# FFmpeg says so where a file ends too early.
_SYSTEM = frozenset(
    getattr(errno, name)
    for name in "ENOSPC EDQUOT EROFS EFBIG EACCES EPERM ENOENT EISDIR EMFILE ENFILE".split()
    if hasattr(errno, name)
)


def load() -> Any:
    """Imports PyAV.

    Returns:
        The module `av`.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise ValueError(
            f"Videos need PyAV, which is not installed ({error}). Install it: "
            f"{_extras.advice('video')}"
        ) from None
    return av


def has(codec: str, mode: str) -> bool:
    """Tells whether FFmpeg, as it is installed, has a codec.

    Args:
        codec: Its name.
        mode: "r" for a decoder, "w" for an encoder.

    Returns:
        Whether it can be used.
    """
    av = load()
    try:
        av.codec.Codec(codec, mode)
    except (ValueError, av.error.FFmpegError):
        return False
    return True


def is_system(error: Exception) -> bool:
    """Tells whether it was the system that refused, because the disk is full, for example."""
    return isinstance(error, OSError) and error.errno in _SYSTEM


@contextlib.contextmanager
def errors_in_words(path: PathLike, doing: str) -> Iterator[None]:
    """Turns PyAV's errors into those that the command line shows in one line.

    Args:
        path: The video.
        doing: What is being done to it: "read" or "write".

    Raises:
        OSError: If the system refused, because the disk is full, for example.
        ValueError: If the video is the reason.
    """
    av = load()
    try:
        yield
    except av.error.FFmpegError as error:
        reason = (error.strerror or type(error).__name__).strip()
        if is_system(error) or (doing == "write" and isinstance(error, OSError)):
            raise OSError(error.errno, reason, os.fspath(path)) from None
        if doing == "read":
            reason = f"it is damaged, incomplete or not a video ({reason})"
        raise ValueError(f"Cannot {doing} the video {os.fsdecode(path)!r}: {reason}.") from None
