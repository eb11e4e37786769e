"""Plans which images are translated, and where the translations go, before anything is written."""

import array
import os
import pathlib
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator

from PIL import Image, UnidentifiedImageError

from cyclegan_keras._files import PathLike, partial_files
from cyclegan_keras.data import images, listing
from cyclegan_keras.inference import formats, targets
from cyclegan_keras.inference.sharding import Shard, digest_of
from cyclegan_keras.inference.sources import Source, Sources
from cyclegan_keras.inference.targets import Digests, Job, Names


class Plan:
    """The images to translate and the files of their translations, of which no list is kept.

    Folders are looked into three times: for the names, for what exists already, and for the jobs.
    In memory are the names of one folder at a time and 8 bytes for each image, so that there may
    be millions. Paths of single files and what matches a pattern are kept.

    Args:
        paths: As for `plan`.
        output: As for `plan`.
        overwrite: As for `plan`.
        skip_existing: As for `plan`.
        file_format: As for `plan`.
        check: As for `plan`.
        shard: Which part of the images is meant; `None` means all. The names are those that they
            have among all.

    Attributes:
        on_skipped: Called with each image whose translation exists, and with that, while the jobs
            are gone through.
        remove_leftovers: Whether what a killed process had begun to write in the place of a
            translation is removed when its turn comes.

    Raises:
        As `plan` does.
    """

    def __init__(
        self,
        paths: Iterable[PathLike],
        output: PathLike,
        overwrite: bool = False,
        *,
        skip_existing: bool = False,
        file_format: str | None = None,
        check: bool = True,
        shard: Shard | None = None,
    ) -> None:
        if overwrite and skip_existing:
            raise ValueError("Give either `overwrite` or `skip_existing`. Received both.")
        if file_format is not None and file_format not in formats.SUFFIXES:
            raise ValueError(
                f"`file_format` must be one of {', '.join(formats.SUFFIXES)}. "
                f"Received: file_format={file_format!r}"
            )
        self._output = pathlib.Path(output)
        self._skip_existing, self._may_exist = skip_existing, overwrite or skip_existing
        self._shard = shard or Shard(1, 1)
        self._sources = Sources(paths, self._output, must_exist=check)
        self.on_skipped: Callable[[pathlib.Path, pathlib.Path], object] | None = None
        self.remove_leftovers = False
        self._is_file = targets.is_file(output)
        if self._is_file:
            if shard is not None:
                raise ValueError(
                    f"--shard needs a folder as --output. Received: {os.fspath(output)!r}"
                )
            targets.check_file(output, sum(1 for _ in self._sources), file_format)
        else:
            self._names = Names(self._sources, file_format)
        self._num_jobs = self._checked()
        targets.check_folder(self._output.parent if self._is_file else self._output)
        if check:
            for _, source, _ in self._jobs():
                _check_is_image(pathlib.Path(source))

    def __len__(self) -> int:
        return self._num_jobs

    def __iter__(self) -> Iterator[Job]:
        folder, leftovers = None, {}
        for _, source, target in self._jobs(self.on_skipped):
            job = pathlib.Path(source), pathlib.Path(target)
            if self.remove_leftovers:
                if job[1].parent != folder:
                    folder = job[1].parent
                    leftovers = partial_files(folder)
                for path in leftovers.get(job[1].name, ()):
                    path.unlink(missing_ok=True)
            yield job

    def as_list(self) -> list[Job]:
        """Lists the jobs.

        Returns:
            Sources and targets in the order of the given paths, and sorted in each.
        """
        jobs = [
            (given, pathlib.Path(source), pathlib.Path(target))
            for given, source, target in self._jobs()
        ]
        return [(source, target) for _, source, target in sorted(jobs)]

    def _jobs(
        self, on_skipped: Callable[[pathlib.Path, pathlib.Path], object] | None = None
    ) -> Iterator[tuple[int, str, str]]:
        for source in self._sources:
            if not self._shard.holds(source.name):
                continue
            target = self._target(source)
            if not self._skip_existing or not os.path.exists(target):
                yield source.given, source.path, target
            elif on_skipped is not None:
                on_skipped(pathlib.Path(source.path), pathlib.Path(target))

    def _target(self, source: Source) -> str:
        if self._is_file:
            return str(self._output)
        return os.path.join(self._output, self._names.of(source.name))

    def _checked(self) -> int:
        """Checks all targets as `targets.check_targets` does, and counts the jobs."""
        count = 0
        digests, existing = array.array("Q"), array.array("Q")
        for source in self._sources:
            target = self._target(source)
            targets.check_name(os.path.basename(target))
            digests.append(digest_of(target))
            if not self._shard.holds(source.name):
                continue
            exists = os.path.exists(target)
            if exists:
                existing.append(_identity(target))
                if not self._may_exist or os.path.isdir(target):
                    self._check_replaces_none(Digests(existing))
                    targets.check_existing(target, self._may_exist)
            count += not (exists and self._skip_existing)
        if repeated := Digests(digests).repeated():
            self._raise_clash(repeated)
        if existing:
            self._check_replaces_none(Digests(existing))
        return count

    def _raise_clash(self, repeated: Digests) -> None:
        first: dict[str, str] = {}
        for source in self._sources:
            target = self._target(source)
            if digest_of(target) not in repeated:
                continue
            if target in first:
                raise targets.clash(first[target], source.path, target)
            first[target] = source.path

    def _check_replaces_none(self, existing: Digests) -> None:
        """Checks that none of the translations that exist is a source, by whatever link."""
        sources = {
            listing.identity(source.path): source.path
            for source in self._sources
            if os.path.exists(source.path) and _identity(source.path) in existing
        }
        if not sources:
            return
        for source in self._sources:
            target = self._target(source)
            if self._shard.holds(source.name) and os.path.exists(target):
                replaced = sources.get(listing.identity(target))
                if replaced is not None:
                    raise targets.would_replace(source.path, replaced)


def plan(
    paths: Iterable[PathLike],
    output: PathLike,
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
        Pairs of source and target. `Plan` is the same for millions of images, without a list.

    Raises:
        FileExistsError: If a translation exists and may not be replaced.
        FileNotFoundError: If an image does not exist.
        OSError: If an image cannot be opened, or the output cannot be written to.
        ValueError: If a folder has no images, two translations would have the same name, one would
            replace a source, or a file is not an image.
    """
    return Plan(
        paths,
        output,
        overwrite,
        skip_existing=skip_existing,
        file_format=file_format,
        check=check,
    ).as_list()


def left_out(
    paths: Iterable[PathLike],
    output: PathLike,
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
    return Sources(paths, pathlib.Path(output), must_exist=False).left_out(without)


def _identity(path: str) -> int:
    """A number of 64 bits for what `listing.identity` tells."""
    return hash(listing.identity(path)) & (2**64 - 1)


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
