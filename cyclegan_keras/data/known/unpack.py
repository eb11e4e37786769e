"""Images out of a zip file that nobody vouches for."""

import pathlib
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence
from typing import IO

import tqdm

from cyclegan_keras.data.images import SUFFIXES
from cyclegan_keras.data.known.fetch import check_free_space, in_mb

# The largest of the known archives has a few ten thousand images in 1.5 GB. Images are compressed
# already, so an honest archive grows by a few percent.
MAX_ENTRIES = 100_000
MAX_BYTES = 10 * 10**9
MAX_GROWTH = 10

CHUNK = 2**20

# Of the methods, these alone are sure to give no more bytes at a time than are asked for.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# Folder and name of each image, and what it is in the archive.
Chosen = dict[tuple[str, str], zipfile.ZipInfo]


def unpack(archive: pathlib.Path, target: pathlib.Path, folders: Sequence[str]) -> None:
    """Takes the images of a data set out of an archive.

    Somewhere in the archive there must be one folder with the name of `target`, with `folders` in
    it. The images that lie directly in those are taken, and nothing else. Characters that some
    systems do not allow in names, such as a colon, become `_`. The target appears in one step, or,
    if anything is wrong, not at all.

    Only one process may do this at a time, which is the caller's to see to.

    Args:
        archive: A zip file.
        target: A folder to make; it must be missing or empty.
        folders: Names of the folders that the target is to have.

    Raises:
        OSError: If the disk has no room, or the target was filled meanwhile.
        ValueError: If it is not a zip file, is damaged, lacks a folder, or has anything in it that
            an honest archive of images has not: names that lead elsewhere or come twice, links, or
            far more bytes than the archive itself.
    """
    # A sibling is on the same disk, so the rename at the end is one step.
    draft = target.with_name(f".{target.name}.unpacked")
    # There is one only if a process was killed here.
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as file:
            chosen = _choose(file.infolist(), target.name, folders)
            room = min(MAX_BYTES, MAX_GROWTH * archive.stat().st_size)
            announced = sum(info.file_size for info in chosen.values())
            check_free_space(target.parent, min(room, announced))
            for folder in folders:
                (draft / folder).mkdir(parents=True)
            _extract(file, chosen, draft, room)
        if target.is_dir():
            # Only an empty folder can be removed, so nothing of anyone's can be lost.
            target.rmdir()
        draft.rename(target)
    except _RefusedError as refused:
        raise ValueError(f"{str(archive)!r} was not unpacked: {refused}.") from None
    except (
        EOFError,
        RuntimeError,  # An encrypted file, or a feature that `zipfile` lacks.
        UnicodeError,
        struct.error,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise ValueError(f"{str(archive)!r} is not a zip file, or is damaged: {error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class _RefusedError(Exception):
    """What an honest archive of images would not have."""


def _choose(infos: Sequence[zipfile.ZipInfo], name: str, folders: Sequence[str]) -> Chosen:
    """Looks at every entry, and picks the images."""
    if len(infos) > MAX_ENTRIES:
        raise _RefusedError(f"it has {len(infos)} entries, and {MAX_ENTRIES} are the most allowed")
    seen = set()
    homes = set()
    chosen: Chosen = {}
    for info in infos:
        path = _checked_path(info)
        if path in seen:
            raise _RefusedError(f"{info.orig_filename!r} is in it twice")
        seen.add(path)
        if info.is_dir() or not _is_image(path) or path.parts[-3:-1] not in _places(name, folders):
            continue
        homes.add(path.parents[1])
        place = (path.parent.name, re.sub(r'[\x00-\x1f"*:<>?|]', "_", path.name))
        if place in chosen:
            raise _RefusedError(f"{info.orig_filename!r} and another file would get the same name")
        chosen[place] = info
    if len(homes) > 1:
        raise _RefusedError(f"it has more than one folder {name!r}")
    missing = [folder for folder in folders if folder not in {place[0] for place in chosen}]
    if missing:
        raise _RefusedError(f"it has no images in {' '.join(missing)} of a folder {name!r}")
    return chosen


def _checked_path(info: zipfile.ZipInfo) -> pathlib.PurePosixPath:
    """Reads the name as it stands in the archive, before `zipfile` has made it nicer."""
    path = pathlib.PurePosixPath(info.orig_filename)
    leads_elsewhere = (
        not info.orig_filename
        or path.is_absolute()
        or ".." in path.parts
        or any(re.match(r"[A-Za-z]:", part) for part in path.parts)
        or re.search(r"[\\\x00]", info.orig_filename)
    )
    if leads_elsewhere:
        raise _RefusedError(f"the name {info.orig_filename!r} in it may lead elsewhere")
    # Zero: made on a system without file types.
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _RefusedError(f"{info.orig_filename!r} in it is neither a file nor a folder")
    return path


def _is_image(path: pathlib.PurePosixPath) -> bool:
    # macOS puts a hidden file beside each one, in a folder of its own.
    is_made_by_macos = path.name.startswith(".") or "__MACOSX" in path.parts
    return path.suffix.lower() in SUFFIXES and not is_made_by_macos


def _places(name: str, folders: Sequence[str]) -> set[tuple[str, ...]]:
    return {(name, folder) for folder in folders}


def _extract(file: zipfile.ZipFile, chosen: Chosen, directory: pathlib.Path, room: int) -> None:
    description = f"Unpacking {file.filename and pathlib.Path(file.filename).name}"
    for (folder, name), info in tqdm.tqdm(chosen.items(), description, unit="image", delay=1):
        if info.compress_type not in METHODS:
            raise _RefusedError(f"{info.orig_filename!r} in it is compressed in an unusual way")
        # "x": where capitals make no difference, two names may yet be one.
        with file.open(info) as source, (directory / folder / name).open("xb") as target:
            room -= _copy(source, target, room)


def _copy(source: IO[bytes], target: IO[bytes], at_most: int) -> int:
    """Counts what really comes: sizes in an archive are only what it says of itself."""
    count = 0
    while chunk := source.read(CHUNK):
        count += len(chunk)
        if count > at_most:
            raise _RefusedError(
                f"its images take more than {MAX_GROWTH} times its size, or {in_mb(MAX_BYTES)}"
            )
        target.write(chunk)
    return count
