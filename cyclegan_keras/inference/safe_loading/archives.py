"""Reads untrusted `.keras` files, which must have exactly the parts that Keras writes."""

import errno
import os
import pathlib
import stat
import struct
import zipfile
import zlib
from typing import IO, NamedTuple

# The parts that Keras writes. It does not read the first one when it loads a model.
METADATA, CONFIG, WEIGHTS = MEMBERS = ("metadata.json", "config.json", "model.weights.h5")

# The description of the paper's ResNet has 70 kB, its weights 45 MB.
MAX_TEXT = 10**6
# Loading needs about three times the memory of the weights.
MAX_WEIGHTS = 2 * 10**9
# Keras does not compress. Compressing the file again saves a tenth of the weights.
MAX_GROWTH = 10

CHUNK = 2**20

# Only these methods never return more bytes at a time than requested.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# The end of a zip file without a comment: where its table of contents is, and how long.
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR_SIZE = 20
_MAX_CONTENTS = 2**16

# First bytes, their offset, and the type of file that they indicate.
_KINDS = (
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5), in which Keras would not look out for code"),
    (0, b"\x80", "a pickle or an old PyTorch file, whose loading runs code"),
    (4, b"TFL3", "a TensorFlow Lite model"),
)
_SUFFIXES = {
    ".h5": "an HDF5 file",
    ".hdf5": "an HDF5 file",
    ".onnx": "an ONNX model",
    ".pb": "a part of a SavedModel",
    ".pkl": "a pickle",
    ".pt": "a PyTorch file",
    ".pth": "a PyTorch file",
}


class Parts(NamedTuple):
    """The contents of a file.

    Attributes:
        config: The model's description, as JSON.
        weights: Where the weights were put.
    """

    config: bytes
    weights: pathlib.Path


def unpack(path: str | bytes | os.PathLike, folder: pathlib.Path) -> Parts:
    """Reads the parts of a `.keras` file, without interpreting them.

    Args:
        path: Of the file.
        folder: Where the weights may be put.

    Returns:
        The parts that loading needs.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read, or there is no room for the weights.
        ValueError: If it is no such file, is damaged, has more or other parts than Keras writes, or
            parts of a size that no translator has. The message says what it is.
    """
    with _open(path) as file:
        _check_ends(file, pathlib.PurePath(os.fsdecode(path)).suffix.lower())
        try:
            with zipfile.ZipFile(file) as archive:
                members = _choose(archive.infolist(), os.fstat(file.fileno()).st_size)
                config = _read(archive, members[CONFIG])
                _read(archive, members[METADATA])  # Only to verify its checksum.
                return Parts(config, _extract(archive, members[WEIGHTS], folder / WEIGHTS))
        except (
            EOFError,
            RuntimeError,  # A feature that `zipfile` lacks.
            UnicodeError,
            struct.error,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise ValueError(f"it is damaged: {error}") from error
        except OSError as error:
            if error.errno == errno.EINVAL:  # A negative offset.
                raise ValueError("it is damaged: its parts are where nothing can be") from error
            raise


def _open(path: str | bytes | os.PathLike) -> IO[bytes]:
    try:
        # Otherwise, it would wait for a pipe.
        number = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except IsADirectoryError:
        raise ValueError(_kind_of_folder(path)) from None
    kind = os.fstat(number).st_mode
    if stat.S_ISREG(kind):
        return os.fdopen(number, "rb")
    os.close(number)
    raise ValueError(_kind_of_folder(path) if stat.S_ISDIR(kind) else "it is a pipe or a device")


def _kind_of_folder(path: str | bytes | os.PathLike) -> str:
    if (pathlib.Path(os.fsdecode(path)) / "saved_model.pb").exists():
        return "it is a SavedModel, which may have any operation in it"
    return "it is a folder"


def _check_ends(file: IO[bytes], suffix: str) -> None:
    """Checks the first and last bytes, so that `zipfile` gets no excessive table of contents.

    It reads a whole table at once, however long that is.
    """
    head = file.read(256)
    if not head:
        raise ValueError("it is empty")
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END.size - _END64_LOCATOR_SIZE))
    tail = file.read()
    if b"/data.pkl" in head and head.startswith(b"PK"):
        raise ValueError("it seems to be a PyTorch file (.pth, .pt), whose loading runs code")
    end = _END.unpack(tail[-_END.size :]) if len(tail) >= _END.size else (b"",)
    if end[0] != b"PK\5\6":
        raise ValueError(_kind_of_file(head, suffix))
    entries, contents_size, comment_size = end[4], end[5], end[7]
    if entries != len(MEMBERS) or tail.startswith(b"PK\6\7"):
        raise ValueError(f"it must have the members {', '.join(MEMBERS)}, and no others")
    if contents_size > _MAX_CONTENTS or comment_size:
        raise ValueError("it is damaged: its table of contents is not one of Keras's")


def _kind_of_file(head: bytes, suffix: str) -> str:
    for start, mark, kind in _KINDS:
        if head.startswith(mark, start):
            return f"it seems to be {kind}"
    if suffix in _SUFFIXES:
        return f"it seems to be {_SUFFIXES[suffix]}"
    # A truncated file has only its beginning.
    return "it is damaged: its end is missing" if head.startswith(b"PK") else "it is no zip file"


def _choose(infos: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    members = {info.orig_filename: info for info in infos}
    if sorted(info.orig_filename for info in infos) != sorted(MEMBERS):
        raise ValueError(
            f"it must have the members {', '.join(MEMBERS)}, and no others. Received: "
            f"{', '.join(repr(name)[:40] for name in members)}"
        )
    for name, info in members.items():
        if info.compress_type not in METHODS or info.flag_bits & 1:
            raise ValueError(f"{name!r} in it is encrypted, or compressed in an unusual way")
        limit = min(MAX_WEIGHTS, MAX_GROWTH * size) if name == WEIGHTS else MAX_TEXT
        if info.file_size > limit:
            raise ValueError(
                f"{name!r} in it would take {info.file_size} bytes, and {limit} are the most "
                "allowed"
            )
    return members


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as source:
        # The announced size was checked; with more bytes, the checksum would differ.
        return source.read(info.file_size + 1)


def _extract(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: pathlib.Path) -> pathlib.Path:
    left = info.file_size
    with archive.open(info) as source, target.open("xb") as file:
        while chunk := source.read(min(CHUNK, left + 1)):
            left -= len(chunk)
            file.write(chunk)
    if left:
        raise ValueError(f"it is damaged: {info.orig_filename!r} in it has not the announced size")
    return target


def pack(config: str, weights: pathlib.Path, target: pathlib.Path) -> None:
    """Puts verified parts together again.

    Args:
        config: The model's description, as JSON.
        weights: A file with the weights, which is gone afterwards.
        target: A `.keras` file to write.

    Raises:
        OSError: If there is no room for it.
    """
    with zipfile.ZipFile(target, "x") as archive:
        archive.writestr(CONFIG, config)
        archive.write(weights, WEIGHTS)
    weights.unlink()
