"""Translate images and videos with a saved generator, keeping their size, depth and format."""

import argparse
import dataclasses
import os
import pathlib
import sys
from typing import Any

from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras._text import counted
from cyclegan_keras.cli import generator_file, latent_flags
from cyclegan_keras.cli.generator_file import GeneratorFile
from cyclegan_keras.config import scale, value_range

HELP = "translate images and videos with a saved generator"

# As in `inference.files`, which cannot be imported without loading TensorFlow.
BATCH_SIZE = 16
# As in `inference.manner`, likewise.
DETAILS = ("guided", "network", "plain")
# As in `data.fitting`, likewise.
FITS = ("stretch", "crop", "pad")
# As in `inference.formats`, likewise.
FORMATS = ("png", "jpg", "webp", "tiff", "bmp", "gif", "avif", "jp2")

LAUNCHERS = ("ray",)
WORKERS = 2

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
        choices=generator_file.WAYS,
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
        "--fit",
        choices=FITS,
        help="how the small copy of an image of other proportions is made: stretch it to the "
        "generator's size; crop, scale it as in training by crop, and see all of it; or pad it "
        "with mirrored margins, which are cut off again (default: as the run was trained in whose "
        "folder the model is; else stretch)",
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
        "--shard",
        metavar="I/N",
        help="translate the I-th of N parts only, by a hash of each path, and note what became of "
        "each image in OUTPUT/shard-I-of-N.jsonl; each part may run on another computer, and again "
        "with --skip-existing if it was killed",
    )
    parser.add_argument(
        "--launcher",
        choices=LAUNCHERS,
        help="ray: translate by --workers processes that Ray starts, here or on the cluster of "
        "RAY_ADDRESS, and starts again if one dies (default: in this process)",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="how many processes --launcher starts (default: 2)"
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
    model = generator_file.by_name(model, arguments.way)
    shard = _shard(arguments)
    workers = _workers(arguments)
    with without_startup_notes():
        from cyclegan_keras.inference import pictures, planning, request, translate, video

    asked = request.Request(
        model=str(model.path),
        paths=tuple(paths),
        output=arguments.output,
        overwrite=arguments.overwrite,
        skip_existing=arguments.skip_existing,
        continue_on_error=arguments.continue_on_error,
        file_format=arguments.format,
        batch_size=arguments.batch_size,
        ranges=pictures.Ranges(*_ranges(arguments, model)),
        strip_metadata=arguments.strip_metadata,
        manner=translate.Manner(
            detail=arguments.detail,
            size=arguments.size,
            tile=_tile(arguments.tile),
            keep_colors=arguments.keep_colors,
            side_by_side=arguments.side_by_side,
            fit=_fit(arguments, model),
        ),
    )
    requests = _samples(asked, arguments.samples)
    planned = [each.planned(shard) for each in requests]
    if arguments.samples is not None and any(each.videos for each in planned):
        raise ValueError("--samples is for images. Received: a video")
    generator = translate.load_generator(model.path)
    latents = latent_flags.chosen(arguments, model.path, generator)
    config = model.config
    if config is not None and (of_scale := scale.warning(config.enlarge, config.image_size)):
        print(f"Warning: {of_scale}", file=sys.stderr, flush=True)
    if left_out := planning.left_out(paths, arguments.output, video.SUFFIXES):
        print(f"Not translated: {'; '.join(left_out)}.", flush=True)
    found = []
    for plan, latent in zip(planned, latents, strict=True):
        with_latent = dataclasses.replace(plan.request, latent=latent)
        if arguments.launcher == "ray":
            from cyclegan_keras.inference import ray_pool

            found.append(ray_pool.run(with_latent, workers))
        else:
            found.append(dataclasses.replace(plan, request=with_latent).run(generator))
    return _told(request.Result.of_all(found), arguments.output)


def _samples(asked: Any, count: int | None) -> list[Any]:
    """Makes a request for each sample, with an output folder of its own."""
    if count is None:
        return [asked]
    from cyclegan_keras.inference import targets

    if targets.is_file(asked.output):
        raise ValueError(
            "--samples takes a folder as --output, in which each sample has one of its own. "
            f"Received: {asked.output!r}"
        )
    return [
        dataclasses.replace(asked, output=os.path.join(asked.output, f"sample{number}"))
        for number in range(1, count + 1)
    ]


def _workers(arguments: argparse.Namespace) -> int:
    if arguments.launcher is None:
        if arguments.workers is not None:
            raise ValueError("--workers needs --launcher. Leave --workers out, or give both.")
    elif arguments.shard is not None:
        raise ValueError("--launcher deals the shards itself. Leave --shard out.")
    workers = WORKERS if arguments.workers is None else arguments.workers
    if workers < 1:
        raise ValueError(f"--workers must be at least 1. Received: {workers}")
    return workers


def _shard(arguments: argparse.Namespace) -> Any:
    if arguments.shard is None:
        return None
    # A module without TensorFlow, in a package with it.
    with without_startup_notes():
        from cyclegan_keras.inference.sharding import Shard
    return Shard.parse(arguments.shard)


def _told(result: Any, output: str) -> int:
    """Prints what came of a request, and returns the exit status."""
    from cyclegan_keras.inference import video

    failed: dict[pathlib.Path, str] = {}
    if (outcome := result.pictures) is not None:
        failed |= outcome.failed
        print(f"Translated {counted(outcome.num_written, 'image')} into {output}")
        if outcome.left_out:
            parts = (counted(count, what) for what, count in sorted(outcome.left_out.items()))
            print(f"Ignored: {', '.join(parts)}.", flush=True)
    if (translated := result.videos) is not None:
        failed |= translated.failed
        print(f"Translated {counted(len(translated.written), 'video')} into {output}")
        for path, one in translated.written.items():
            print(f"  {path}: {video.in_words(one)}")
    if not failed:
        return 0
    sys.stdout.flush()
    what = "file" if translated is not None and translated.failed else "image"
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
    arguments: argparse.Namespace, model: GeneratorFile
) -> tuple[value_range.ValueRange | None, value_range.ValueRange | None]:
    """Finds the values of black and white in images and translations, from flags or the run."""
    source, target = (
        None if numbers is None else value_range.ValueRange(*numbers)
        for numbers in (arguments.value_range, arguments.output_range)
    )
    if source is None:
        own, of_target = model.ranges
        return own, target or of_target
    return source, target or source


def _fit(arguments: argparse.Namespace, model: GeneratorFile) -> Any:
    """Takes the flag or what the run was trained with, unless pictures keep their proportions."""
    if arguments.fit is not None:
        return arguments.fit
    keeps = arguments.size is not None or arguments.detail == "network"
    return FITS[0] if keeps else model.fit
