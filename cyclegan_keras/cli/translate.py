"""Translate images with a saved generator, each in its own size."""

import argparse
import contextlib
import pathlib
import sys

from cyclegan_keras import scale
from cyclegan_keras.cli.quiet import without_startup_notes
from cyclegan_keras.config import TrainConfig
from cyclegan_keras.words import counted

HELP = "translate images with a saved generator"

# That of `inference.files`, which cannot be asked without loading TensorFlow.
BATCH_SIZE = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's flags.

    Args:
        parser: Of this verb.
    """
    parser.add_argument("--model", required=True, metavar="FILE", help="such as g_AB.keras")
    parser.add_argument("paths", nargs="+", metavar="PATH", help="images, or folders of images")
    parser.add_argument(
        "--output", required=True, metavar="DIR", help="folder for the translations, made if absent"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace files that are already there"
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=BATCH_SIZE,
        metavar="N",
        help=f"images that the generator gets at a time (default: {BATCH_SIZE})",
    )


def run(arguments: argparse.Namespace) -> int:
    """Translates.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If a translation is already there.
        FileNotFoundError: If there is no such model or image.
        ValueError: If the model or an image cannot be read, or the batch size is not at least 1.
    """
    if arguments.batch_size < 1:
        raise ValueError(f"--batch-size must be at least 1. Received: {arguments.batch_size}")
    with without_startup_notes():
        from cyclegan_keras.inference import translate

    jobs = translate.plan(arguments.paths, arguments.output, arguments.overwrite)
    generator = translate.load_generator(arguments.model)
    if of_scale := _warning_of_scale(arguments.model):
        print(f"Warning: {of_scale}", file=sys.stderr, flush=True)
    translate.translate_files(generator, jobs, arguments.batch_size)
    print(f"Translated {counted(len(jobs), 'image')} into {arguments.output}")
    return 0


def _warning_of_scale(model: str) -> str | None:
    """Asks the settings beside a translator, if it still lies in its run's folder."""
    with contextlib.suppress(OSError, ValueError):
        config = TrainConfig.from_json(pathlib.Path(model).with_name("config.json"))
        return scale.warning(config.enlarge, config.image_size)
    return None
