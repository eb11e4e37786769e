"""Translates many videos: which ones, where to, and one after the other."""

import dataclasses
import errno
import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import tqdm

from cyclegan_keras._files import PathLike
from cyclegan_keras.data import listing
from cyclegan_keras.inference import sources as pictures
from cyclegan_keras.inference import targets
from cyclegan_keras.inference.sharding import Shard
from cyclegan_keras.inference.video import libav
from cyclegan_keras.inference.video.reading import SUFFIXES, is_video, num_frames
from cyclegan_keras.inference.video.translating import (
    VideoOutcome,
    check_target,
    translate_video,
)

# Errors that would recur with the next video.
_LASTING = frozenset((errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.ENFILE))


class Plan(NamedTuple):
    """What was asked for, parted.

    Attributes:
        jobs: Source and target of each video.
        others: The paths to plan for pictures: folders with nothing but videos are not among them.
    """

    jobs: list[targets.Job]
    others: list[str]


@dataclasses.dataclass(frozen=True)
class VideosOutcome:
    """The outcome of translating many videos.

    Attributes:
        written: The outcome of each video that was translated, by its source.
        failed: For the path of each video that could not be translated, the reason.
    """

    written: dict[pathlib.Path, VideoOutcome]
    failed: dict[pathlib.Path, str]


def plan_videos(
    paths: Iterable[PathLike],
    output: PathLike,
    overwrite: bool = False,
    *,
    skip_existing: bool = False,
    check: bool = True,
    shard: Shard | None = None,
    on_skipped: Callable[[pathlib.Path, pathlib.Path], object] | None = None,
) -> Plan:
    """Finds the videos among files and folders, without writing anything.

    Args:
        paths: Files and folders, as for `planning.plan`.
        output: The folder for the translations; or a file, for one video, if it has the suffix of
            one.
        overwrite: Whether existing files may be replaced.
        skip_existing: Whether to skip videos whose translation exists.
        check: Whether to open each video, so that what is none is reported at once.
        shard: Which part of the videos is meant; `None` means all.
        on_skipped: Called with each video whose translation exists, and with that.

    Returns:
        The videos with their targets, and what is left for pictures.

    Raises:
        FileExistsError: If a translation exists and may not be replaced.
        FileNotFoundError: If a video does not exist.
        OSError: If a video cannot be opened.
        ValueError: If a file is no video, two translations would have the same name, one would
            replace a source, or PyAV is not installed.
    """
    sources: dict[pathlib.Path, pathlib.Path] = {}
    others: list[str] = []
    for name in map(os.fsdecode, paths):
        matching = list(pictures.expanded([name], pathlib.Path(output)))
        has_videos = any(is_video(path) and not path.is_dir() for path, _ in matching)
        if len(matching) > 1 and not has_videos and not any(path.is_dir() for path, _ in matching):
            others.append(name)  # A pattern of pictures.
            continue
        for path, root in matching:
            if path.is_dir():
                found = listing.listed(path, without=output, suffixes=SUFFIXES).paths
                sources |= {source: source.relative_to(root or path) for source in found}
                if not found or any(each.names for each in listing.walked(path, without=output)):
                    others.append(os.fspath(path))
            elif is_video(path):
                sources[path] = path.relative_to(root) if root else pathlib.Path(path.name)
            else:
                others.append(os.fspath(path))
    if not sources:
        return Plan([], others)
    libav.load()
    jobs = _jobs(sources, output, bool(others))
    targets.check_targets(jobs, overwrite or skip_existing)
    if shard is not None:
        jobs = [job for job in jobs if shard.holds(sources[job[0]].as_posix())]
    if skip_existing:
        there = [job for job in jobs if job[1].exists()]
        jobs = [job for job in jobs if job not in there]
        if on_skipped is not None:
            for job in there:
                on_skipped(*job)
    for source, target in jobs:
        check_target(source, target, overwrite=True)
        if check:
            num_frames(source)
    return Plan(jobs, others)


def translate_videos(
    translate: Any,
    jobs: Sequence[targets.Job],
    *,
    overwrite: bool = False,
    continue_on_error: bool = False,
    on_written: Callable[[pathlib.Path, pathlib.Path], object] | None = None,
    on_failed: Callable[[pathlib.Path, str], object] | None = None,
) -> VideosOutcome:
    """Translates videos one after the other, with a bar of frames for each.

    Args:
        translate: As for `translate_video`.
        jobs: From `plan_videos`.
        overwrite: Whether existing files may be replaced.
        continue_on_error: Whether to continue with the others if a video cannot be read or written.
        on_written: Called after each video that was written, with it and with its translation.
        on_failed: Called with each video that could not be translated, and with the reason.

    Returns:
        The outcome.

    Raises:
        OSError: If a translation cannot be written; if the disk is full, always.
        ValueError: If a video cannot be read; those before it are translated.
    """
    outcome = VideosOutcome({}, {})
    for source, target in jobs:
        try:
            with tqdm.tqdm(total=num_frames(source), unit="frame", desc=source.name) as progress:
                outcome.written[source] = translate_video(
                    translate, source, target, overwrite=overwrite, on_frame=progress.update
                )
                # What a video says about itself may be an estimate.
                progress.total = outcome.written[source].num_frames
            if on_written is not None:
                on_written(source, target)
        except (OSError, ValueError) as error:
            lasting = isinstance(error, OSError) and error.errno in _LASTING
            if lasting or not continue_on_error:
                raise
            outcome.failed[source] = str(error)
            if on_failed is not None:
                on_failed(source, str(error))
    return outcome


def in_words(outcome: VideoOutcome) -> str:
    """Says how the translation of a video came out.

    Args:
        outcome: From `translate_video`.

    Returns:
        One line.
    """
    parts = [f"{outcome.num_frames:,} frame{'s' * (outcome.num_frames != 1)}"]
    if outcome.num_lost:
        parts.append(f"{outcome.num_lost:,} could not be read")
    if (flicker := outcome.flicker) is not None:
        parts.append(
            f"flicker {flicker.levels:.2f} levels, measured in {flicker.share:.0%} of the picture"
        )
    return "; ".join([*parts, *outcome.notes])


def _jobs(
    sources: dict[pathlib.Path, pathlib.Path], output: PathLike, has_others: bool
) -> list[targets.Job]:
    folder = pathlib.Path(os.fsdecode(output))
    if is_video(output) and not folder.is_dir():
        if len(sources) != 1 or has_others:
            raise ValueError(
                f"--output {os.fsdecode(output)!r} is a file for one video. Give a folder."
            )
        return [(next(iter(sources)), folder)]
    return [(source, folder / name) for source, name in sources.items()]
