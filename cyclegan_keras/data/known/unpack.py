"""Images out of the zip file of a known data set, whose SHA-256 has been checked."""

import pathlib
import re
import shutil
import zipfile
from collections.abc import Sequence

import tqdm

from cyclegan_keras.data.images import SUFFIXES
from cyclegan_keras.data.known.fetch import check_free_space

# Not allowed in names on Windows.
ODD = re.compile(r'[\x00-\x1f"*:<>?|\\]')


def unpack(archive: pathlib.Path, target: pathlib.Path, folders: Sequence[str]) -> None:
    """Takes the images of a data set out of an archive.

    Somewhere in the archive there must be one folder with the name of `target`, with `folders` in
    it. The images that lie directly in those are taken, and nothing else. Characters that some
    systems do not allow in names, such as a colon, become `_`. The target appears in one step, or,
    if anything goes wrong, not at all.

    The archive is trusted, as its hash is known: nothing bounds the size of what is in it. Only one
    process may do this at a time, which is the caller's to see to.

    Args:
        archive: A zip file.
        target: A folder to make; it must be missing or empty.
        folders: Names of the folders that the target is to have.

    Raises:
        OSError: If the disk has no room, or the target was filled meanwhile.
        ValueError: If it lacks a folder.
    """
    # A sibling is on the same disk, so the rename at the end is one step.
    draft = target.with_name(f".{target.name}.unpacked")
    # There is one only if a process was killed here.
    shutil.rmtree(draft, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as file:
            chosen = _choose(file.infolist(), target.name, folders)
            found = {place.parent.name for place, _ in chosen}
            if missing := [folder for folder in folders if folder not in found]:
                raise ValueError(
                    f"{str(archive)!r} must have images in {' '.join(folders)} of a folder "
                    f"{target.name!r}. Received: none in {' '.join(missing)}."
                )
            check_free_space(target.parent, sum(info.file_size for _, info in chosen))
            for folder in folders:
                (draft / folder).mkdir(parents=True)
            for place, info in tqdm.tqdm(
                chosen, f"Unpacking {archive.name}", unit="image", delay=1
            ):
                # "x": no image takes the place of another.
                with file.open(info) as source, (draft / place).open("xb") as image:
                    shutil.copyfileobj(source, image)
        if target.is_dir():
            # Only an empty folder can be removed, so nothing of anyone's can be lost.
            target.rmdir()
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _choose(
    infos: Sequence[zipfile.ZipInfo], name: str, folders: Sequence[str]
) -> list[tuple[pathlib.PurePath, zipfile.ZipInfo]]:
    """Picks the images, and says where in the target each is to be."""
    chosen = []
    for info in infos:
        path = pathlib.PurePosixPath(info.filename)
        # macOS puts a hidden file beside each one, in a folder of its own.
        is_made_by_macos = path.name.startswith(".") or "__MACOSX" in path.parts
        if info.is_dir() or is_made_by_macos or path.suffix.lower() not in SUFFIXES:
            continue
        if path.parts[-3:-2] == (name,) and path.parent.name in folders:
            chosen.append((pathlib.PurePath(path.parent.name, ODD.sub("_", path.name)), info))
    return chosen
