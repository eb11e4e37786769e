"""Translate images and videos with a saved generator, keeping their size, depth and format."""

import argparse
import contextlib
import dataclasses
import functools
import pathlib
import sys

from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras._text import counted
from cyclegan_keras.cli import latent_flags
from cyclegan_keras.cli.generator_file import WAYS, generator_file
from cyclegan_keras.config import scale, value_range
from cyclegan_keras.config.train_config import TrainConfig

HELP = "translate images and videos with a saved generator"

# As in `inference.files`, which cannot be imported without loading TensorFlow.
BATCH_SIZE = 16
# As in `inference.manner`, likewise.
DETAILS = ("guided", "network", "plain")
# As in `inference.formats`, likewise.
FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "gif", "avif", "jp2")

# The exit status if some images could not be translated, and the others were.
SOME_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this command.

    Args:
        parser: The parser of this command.
    """
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="first the generator: a .keras file or the folder of a run; then images, videos, "
        "folders of them with their subfolders, and patterns such as 'photos/**/*.jpg'",
    )
    parser.add_argument(
        "--model",
        metavar="FILE",
        help="the generator; then all of PATH are images or videos",
    )
    parser.add_argument(
        "--way",
        choices=WAYS,
        help="which generator of a run translates (default: AB, or the only one there)",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="folder for the translations, created if it does not exist, where each gets the name "
        "of its source; or a file for one image or video, such as out.png",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        help="write in this format (default: each image in its own; formats that cannot be "
        "written become PNG)",
    )
    for flag, whose in (
        ("--value-range", "in the images"),
        ("--output-range", "in the translations"),
    ):
        parser.add_argument(
            flag,
            nargs=2,
            type=float,
            metavar=("LOW", "HIGH"),
            help=f"the values of black and white {whose} (default: those of the run in whose "
            "folder the model is; else "
            + (
                "the whole range of the file's type)"
                if whose.endswith("images")
                else "as in the images)"
            ),
        )
    parser.add_argument(
        "--detail",
        choices=DETAILS,
        default=DETAILS[0],
        help="guided gives the translation of a small copy the detail of a larger image; plain "
        "enlarges that translation; network translates the image in its own size (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--size",
        type=int,
        metavar="N",
        help="the longer side of the small copy, in pixels (default: the generator's size or, if "
        "it takes any size, the image's own)",
    )
    parser.add_argument(
        "--tile",
        default="auto",
        metavar="N",
        help="height and width of the tiles of --detail network, in pixels (default: auto, as "
        "large as memory allows)",
    )
    parser.add_argument(
        "--keep-colors",
        action="store_true",
        help="translate the brightness only, and keep the colors of the image",
    )
    parser.add_argument(
        "--side-by-side",
        action="store_true",
        help="put the image on the left of its translation, into one file",
    )
    latent_flags.add_translation_flags(parser)
    there = parser.add_mutually_exclusive_group()
    there.add_argument("--overwrite", action="store_true", help="replace files that exist")
    there.add_argument(
        "--skip-existing",
        action="store_true",
        help="skip images whose translation exists, to continue an interrupted batch",
    )
    parser.add_argument(
        "--continue-on-error",
        action="store_true",
        help="skip images that cannot be read or written, list them at the end, and exit with "
        "status 1",
    )
    parser.add_argument(
        "--strip-metadata",
        action="store_true",
        help="leave out EXIF (place and time, for two), XMP, texts, comments and resolution",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=BATCH_SIZE,
        metavar="N",
        help=f"images per batch (default: {BATCH_SIZE})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Translates images.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status: 0, or 1 if `--continue-on-error` skipped an image.

    Raises:
        FileExistsError: If a translation exists already.
        FileNotFoundError: If the model or an image does not exist.
        OSError: If a translation cannot be written.
        ValueError: If the model or an image cannot be read, or the batch size is not at least 1.
    """
    if arguments.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1. Received: {arguments.batch_size}")
    latent_flags.check(arguments)
    model, *paths = [arguments.model, *arguments.paths] if arguments.model else arguments.paths
    if not paths:
        raise ValueError(
            f"Give the generator and then images or folders of images. Received: {model!r} only"
        )
    model = generator_file(model, arguments.way)
    with without_startup_notes():
        from cyclegan_keras.inference import files, planning, translate, video

    manner = translate.Manner(
        detail=arguments.detail,
        size=arguments.size,
        tile=_tile(arguments.tile),
        keep_colors=arguments.keep_colors,
        side_by_side=arguments.side_by_side,
    )
    asked = {
        "output": arguments.output,
        "overwrite": arguments.overwrite,
        "skip_existing": arguments.skip_existing,
        "check": not arguments.continue_on_error,
    }
    videos, pictures = video.plan_videos(paths, **asked)
    if videos and arguments.side_by_side:
        raise ValueError("--side-by-side is for images. Received: a video")
    if videos and arguments.samples is not None:
        raise ValueError("--samples is for images. Received: a video")
    jobs: list[list[planning.Job]] = [[]]
    if pictures and arguments.samples is None:
        jobs = [translate.plan(pictures, file_format=arguments.format, **asked)]
    elif pictures:
        jobs = planning.plan_samples(
            pictures, num_samples=arguments.samples, file_format=arguments.format, **asked
        )
    ranges = files.Ranges(*_ranges(arguments, model))
    generators = latent_flags.fixed(arguments, model, translate.load_generator(model))
    if of_scale := _warning_of_scale(model):
        print(f"Warning: {of_scale}", file=sys.stderr, flush=True)
    if left_out := planning.left_out(paths, arguments.output, video.SUFFIXES):
        print(f"Not translated: {'; '.join(left_out)}.", flush=True)
    outcome = translate.Outcome.of_all(
        translate.translate_files(
            generator,
            each,
            arguments.batch_size,
            continue_on_error=arguments.continue_on_error,
            ranges=ranges,
            strip_metadata=arguments.strip_metadata,
            manner=manner,
        )
        for generator, each in zip(generators, jobs, strict=True)
    )
    if pictures:
        print(f"Translated {counted(outcome.num_written, 'image')} into {arguments.output}")
    if outcome.left_out:
        parts = (counted(count, what) for what, count in sorted(outcome.left_out.items()))
        print(f"Ignored: {', '.join(parts)}.", flush=True)
    failed = {**outcome.failed}
    if videos:
        translated = video.translate_videos(
            functools.partial(
                translate.translate_image, generators[0], **dataclasses.asdict(manner)
            ),
            videos,
            overwrite=arguments.overwrite,
            continue_on_error=arguments.continue_on_error,
        )
        failed |= translated.failed
        print(f"Translated {counted(len(translated.written), 'video')} into {arguments.output}")
        for path, one in translated.written.items():
            print(f"  {path}: {video.in_words(one)}")
    if not failed:
        return 0
    sys.stdout.flush()
    what = "file" if failed.keys() - outcome.failed.keys() else "image"
    print(f"{counted(len(failed), what)} could not be translated:", file=sys.stderr)
    for path, reason in failed.items():
        print(f"  {path}: {' '.join(reason.split())}", file=sys.stderr)
    return SOME_FAILED


def _tile(text: str) -> int | None:
    try:
        return None if text == "auto" else int(text)
    except ValueError:
        raise ValueError(f"--tile must be auto or a number of pixels. Received: {text!r}") from None


def _ranges(
    arguments: argparse.Namespace, model: str
) -> tuple[value_range.ValueRange | None, value_range.ValueRange | None]:
    """Finds the values of black and white in images and translations, from flags or the run."""
    source, target = (
        None if numbers is None else value_range.ValueRange(*numbers)
        for numbers in (arguments.value_range, arguments.output_range)
    )
    if source is None:
        own, of_target = value_range.of_translator(model)
        return own, target or of_target
    return source, target or source


def _warning_of_scale(model: str) -> str | None:
    """Checks the settings beside a saved generator, if it is still in the folder of its run."""
    with contextlib.suppress(OSError, ValueError):
        config = TrainConfig.from_json(pathlib.Path(model).with_name("config.json"))
        return scale.warning(config.enlarge, config.image_size)
    return None
