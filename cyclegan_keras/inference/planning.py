"""Which pictures are translated, and where each translation goes; all before anything is done."""

import collections
import os
import pathlib
import warnings
from collections.abc import Iterable

from PIL import Image, UnidentifiedImageError

from cyclegan_keras._files import MAX_NAME_BYTES, check_can_be_folder
from cyclegan_keras.data import images, listing
from cyclegan_keras.data.formats import UNREADABLE
from cyclegan_keras.inference import formats

# From where to where.
Job = tuple[pathlib.Path, pathlib.Path]


def plan(
    paths: Iterable[images.PathLike],
    output: images.PathLike,
    overwrite: bool = False,
    *,
    skip_existing: bool = False,
    file_format: str | None = None,
    check: bool = True,
) -> list[Job]:
    """Finds the images to translate and where each translation goes, without writing anything.

    A translation has the name of its source, in the same folder below `output` as the source is in
    below the folder that was given. Its suffix stays, and with it the format. With `file_format`,
    the suffix becomes that of the format; where two would then have one name, those whose suffix
    changes keep it inside: `a.jpg` and `a.png` become `a.jpg.png` and `a.png`.

    Args:
        paths: Images, and folders of images; the folders in them are taken as well, hidden ones
            excepted, and `output` if it is one of them.
        output: The folder for the translations; or, for one image, the file, if it has a suffix of
            an image and is no folder.
        overwrite: Whether files that are already there may be replaced.
        skip_existing: Whether images whose translation is already there are left out.
        file_format: One of `formats.SUFFIXES`; `None` means each source's own.
        check: Whether each image is opened, so that what is plainly none is told at once. If not,
            and if a path is missing, reading tells.

    Returns:
        Pairs of a source and its target.

    Raises:
        FileExistsError: If a translation is already there and may not be replaced.
        FileNotFoundError: If there is no such image.
        OSError: If an image cannot be opened, or the output cannot be written to.
        ValueError: If a folder has no images, two translations would have one name, one would
            replace a source, or something is no image.
    """
    if overwrite and skip_existing:
        raise ValueError("Give either `overwrite` or `skip_existing`. Received both.")
    if file_format is not None and file_format not in formats.SUFFIXES:
        raise ValueError(
            f"`file_format` must be one of {', '.join(formats.SUFFIXES)}. "
            f"Received: file_format={file_format!r}"
        )
    folder = pathlib.Path(output)
    sources: dict[pathlib.Path, pathlib.Path] = {}
    for path in map(pathlib.Path, paths):
        if check and not path.exists():
            # A broken link is no image either; reading it would say where it leads.
            raise FileNotFoundError(f"No image or folder {str(path)!r}.")
        if path.is_dir():
            found = listing.some(listing.listed(path, without=folder), path).paths
            sources |= {source: source.relative_to(path) for source in found}
        else:
            sources[path] = pathlib.Path(path.name)
    if _is_file(output):
        jobs = [(_only(sources, output, file_format), folder)]
    else:
        jobs = [(source, folder / name) for source, name in _named(sources, file_format).items()]
    _check_targets(jobs, overwrite or skip_existing)
    if skip_existing:
        jobs = [job for job in jobs if not job[1].exists()]
    _check_output(folder.parent if _is_file(output) else folder)
    if check:
        for source, _ in jobs:
            _check_is_image(source)
    return jobs


def left_out(paths: Iterable[images.PathLike], output: images.PathLike) -> list[str]:
    """Tells what lies in folders of images and is not translated.

    Args:
        paths: As for `plan`.
        output: Likewise.

    Returns:
        For each kind of file, how many and where, in words.
    """
    return [
        f"{phrase} in {str(path)!r}"
        for path in dict.fromkeys(map(pathlib.Path, paths))
        if path.is_dir()
        for phrase in listing.listed(path, without=output).in_words()
    ]


def _is_file(output: images.PathLike) -> bool:
    name = os.fspath(output)
    suffix = pathlib.Path(name).suffix.lower()
    # Nobody calls a folder `out.heic`; that it cannot be written is told later.
    is_named_so = suffix in formats.FORMATS or suffix in images.SUFFIXES or suffix in UNREADABLE
    return is_named_so and not name.endswith(os.sep) and not os.path.isdir(name)


def _only(
    sources: dict[pathlib.Path, pathlib.Path], output: images.PathLike, file_format: str | None
) -> pathlib.Path:
    name = os.fspath(output)
    output_format = formats.format_of(name)
    if len(sources) != 1:
        raise ValueError(
            f"--output {name!r} is a file for one image. Give a folder. "
            f"Received: {len(sources)} images"
        )
    if file_format is not None:
        wanted = formats.FORMATS[formats.SUFFIXES[file_format]]
        if output_format != wanted:
            raise ValueError(
                f"--output {name!r} has the suffix of another format than --format {file_format}. "
                "Leave one out."
            )
    return next(iter(sources))


def _named(
    sources: dict[pathlib.Path, pathlib.Path], file_format: str | None
) -> dict[pathlib.Path, pathlib.Path]:
    """Gives each translation its name, below the output."""
    if file_format is None:
        # What cannot be written in its own format becomes a PNG.
        return {
            source: name
            if name.suffix.lower() in formats.FORMATS
            else name.with_name(f"{name.name}.png")
            for source, name in sources.items()
        }
    suffix = formats.SUFFIXES[file_format]
    wanted = formats.FORMATS[suffix]
    keeps = {
        source: formats.FORMATS.get(name.suffix.lower()) == wanted
        for source, name in sources.items()
    }
    short = {
        source: name if keeps[source] else name.with_suffix(suffix)
        for source, name in sources.items()
    }
    counts = collections.Counter(short.values())
    return {
        source: (
            name
            if keeps[source] or counts[name] == 1
            else name.with_name(f"{sources[source].name}{suffix}")
        )
        for source, name in short.items()
    }


def _check_targets(jobs: list[Job], may_exist: bool) -> None:
    first: dict[pathlib.Path, pathlib.Path] = {}
    inputs = {listing.identity(source): source for source, _ in jobs if source.exists()}
    for source, target in jobs:
        if target in first:
            raise ValueError(
                f"{str(first[target])!r} and {str(source)!r} would both become {str(target)!r}. "
                "Rename one, or translate them into two folders."
            )
        first[target] = source
        if len(os.fsencode(target.name)) > MAX_NAME_BYTES:
            raise ValueError(f"The name {target.name!r} is too long for a file. Rename the image.")
        if not target.exists():
            continue
        if (replaced := inputs.get(listing.identity(target))) is not None:
            raise ValueError(
                f"The translation of {str(source)!r} would replace "
                f"{'it' if replaced == source else repr(str(replaced))}. Give another --output."
            )
        if target.is_dir():
            raise FileExistsError(f"{str(target)!r} is a folder. Give another --output.")
        if not may_exist:
            raise FileExistsError(
                f"{str(target)!r} is already there. Give another --output, --skip-existing to go "
                "on where a translation was broken off, or --overwrite."
            )


def _check_output(folder: pathlib.Path) -> None:
    check_can_be_folder(folder)
    place = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"Cannot write into {str(place)!r}. Give another --output.")


def _check_is_image(path: pathlib.Path) -> None:
    """Looks at the first bytes; only what is suspicious is read whole, which says what is wrong."""
    try:
        if path.is_file() and path.stat().st_size:
            with warnings.catch_warnings(action="ignore"):
                Image.open(path, formats=images.FORMATS).close()
            return
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        pass
    images.read_picture(path)
