"""Plans which images are translated, and where the translations go, before anything is written."""

import collections
import glob
import itertools
import os
import pathlib
import warnings
from collections.abc import Collection, Iterable, Iterator

from PIL import Image, UnidentifiedImageError

from cyclegan_keras._files import MAX_NAME_BYTES, check_can_be_folder
from cyclegan_keras.data import images, listing
from cyclegan_keras.data.formats import UNREADABLE
from cyclegan_keras.inference import formats

# Source and target.
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
    """Finds the images to translate and the files of their translations, without writing anything.

    A translation gets the name of its source, in the same subfolder of `output` as the source has
    in the given folder, and the same suffix, hence the same format. With `file_format`, it gets the
    suffix of that format. If two translations would then have the same name, the old suffix is kept
    inside: `a.jpg` and `a.png` become `a.jpg.png` and `a.png`.

    Args:
        paths: Images, and folders of images, with their subfolders except hidden ones and `output`.
            What does not exist and has `*`, `?` or `[` in it is a pattern, in which `**` stands for
            any folders. A translation is then in the same subfolder as its source is, seen from the
            part of the pattern before such a letter.
        output: The folder for the translations; or, for one image, a file, if the name has the
            suffix of an image and is not a folder.
        overwrite: Whether existing files may be replaced.
        skip_existing: Whether to skip images whose translation exists.
        file_format: One of `formats.SUFFIXES`; `None` means the format of each source.
        check: Whether to open each image, so that files that are not images are reported at once.
            If not, they and missing paths are reported when they are read.

    Returns:
        Pairs of source and target.

    Raises:
        FileExistsError: If a translation exists and may not be replaced.
        FileNotFoundError: If an image does not exist.
        OSError: If an image cannot be opened, or the output cannot be written to.
        ValueError: If a folder has no images, two translations would have the same name, one would
            replace a source, or a file is not an image.
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
    for path, root in expanded(paths, folder):
        if check and not path.exists():
            # Also for a broken link; without the check, reading it tells where it leads.
            raise FileNotFoundError(f"No image or folder {str(path)!r}.")
        if path.is_dir():
            found = listing.some(listing.listed(path, without=folder), path).paths
            sources |= {source: source.relative_to(root or path) for source in found}
        else:
            sources[path] = path.relative_to(root) if root else pathlib.Path(path.name)
    if _is_file(output):
        jobs = [(_only(sources, output, file_format), folder)]
    else:
        jobs = [(source, folder / name) for source, name in _named(sources, file_format).items()]
    check_targets(jobs, overwrite or skip_existing)
    if skip_existing:
        jobs = [job for job in jobs if not job[1].exists()]
    _check_output(folder.parent if _is_file(output) else folder)
    if check:
        for source, _ in jobs:
            _check_is_image(source)
    return jobs


def plan_samples(
    paths: Iterable[images.PathLike],
    output: images.PathLike,
    overwrite: bool = False,
    *,
    num_samples: int,
    skip_existing: bool = False,
    file_format: str | None = None,
    check: bool = True,
) -> list[list[Job]]:
    """Plans several translations of each image, in folders `sample1`, `sample2`, … of their own.

    Args:
        paths: As for `plan`.
        output: The folder that these folders are in.
        overwrite: As for `plan`.
        num_samples: Translations of each image.
        skip_existing: As for `plan`.
        file_format: As for `plan`.
        check: As for `plan`.

    Returns:
        For each sample, pairs of source and target.

    Raises:
        FileExistsError: As `plan` does; and so on.
    """
    if _is_file(output):
        raise ValueError(
            "Several samples take a folder, in which each has one of its own. "
            f"Received: the file {str(output)!r}"
        )
    if overwrite and skip_existing:
        raise ValueError("Give either `overwrite` or `skip_existing`. Received both.")
    # Nothing is written to these targets, so nothing there is in the way.
    jobs = plan(paths, output, overwrite=True, file_format=file_format, check=check)
    folder, found = pathlib.Path(output), []
    for number in range(1, num_samples + 1):
        place = folder / f"sample{number}"
        own = [(source, place / target.relative_to(folder)) for source, target in jobs]
        check_targets(own, overwrite or skip_existing)
        found.append([job for job in own if not (skip_existing and job[1].exists())])
    return found


def left_out(
    paths: Iterable[images.PathLike],
    output: images.PathLike,
    without: Collection[str] = (),
) -> list[str]:
    """Lists the files in folders of images that are not translated.

    Args:
        paths: As for `plan`.
        output: As for `plan`.
        without: Suffixes of files that are translated in another way.

    Returns:
        For each kind of file, the number and the folder, in words.
    """
    return [
        f"{phrase} in {str(path)!r}"
        for path, _ in dict.fromkeys(expanded(paths, pathlib.Path(output)))
        if path.is_dir()
        for phrase in listing.listed(path, without=output).in_words(without)
    ]


def expanded(
    paths: Iterable[images.PathLike], output: pathlib.Path
) -> Iterator[tuple[pathlib.Path, pathlib.Path | None]]:
    """Finds the files and folders that paths and patterns name.

    Args:
        paths: Files, folders and patterns such as "photos/**/*.jpg". What has such a name itself is
            no pattern.
        output: The folder for the translations, which no pattern matches.

    Yields:
        Each of them; and for what matches a pattern, the folder at which its name begins, else
        `None`.

    Raises:
        FileNotFoundError: If nothing matches a pattern.
    """
    for path in map(pathlib.Path, paths):
        if path.exists() or path.is_symlink() or not glob.has_magic(str(path)):
            yield path, None
            continue
        parts = list(itertools.takewhile(lambda part: not glob.has_magic(part), path.parts))
        root = pathlib.Path(*parts)
        matching = [pathlib.Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        outside = [found for found in matching if output not in (found, *found.parents)]
        # A folder that matches is taken with all that is in it.
        folders = {found for found in outside if found.is_dir()}
        chosen = [found for found in outside if not folders.intersection(found.parents)]
        if not chosen:
            raise FileNotFoundError(f"No image or folder matches {str(path)!r}.")
        yield from ((found, root) for found in chosen)


def _is_file(output: images.PathLike) -> bool:
    name = os.fspath(output)
    suffix = pathlib.Path(name).suffix.lower()
    # A name such as `out.heic` means a file, too, though it cannot be written; see `format_of`.
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
    """Gives each translation its path, relative to the output."""
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


def check_targets(jobs: list[Job], may_exist: bool) -> None:
    """Checks that no file would be replaced that must not be, and that each has its own name.

    Args:
        jobs: Sources and targets.
        may_exist: Whether a target may exist already.

    Raises:
        FileExistsError: If a target exists.
        ValueError: If two targets are the same, or one is a source.
    """
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
                f"{str(target)!r} exists. Give another --output, --skip-existing to continue an "
                "interrupted batch, or --overwrite."
            )


def _check_output(folder: pathlib.Path) -> None:
    check_can_be_folder(folder)
    place = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"Cannot write into {str(place)!r}. Give another --output.")


def _check_is_image(path: pathlib.Path) -> None:
    """Checks the first bytes; suspicious files are read completely, which reports what is wrong."""
    try:
        if path.is_file() and path.stat().st_size:
            with warnings.catch_warnings(action="ignore"):
                Image.open(path, formats=images.FORMATS).close()
            return
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        pass
    images.read_picture(path)
