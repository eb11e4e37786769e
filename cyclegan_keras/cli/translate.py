"""Translate images with a saved generator, each in its own size."""

import argparse

from cyclegan_keras.quiet import without_startup_notes
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
    translate.translate_files(generator, jobs, arguments.batch_size)
    print(f"Translated {counted(len(jobs), 'image')} into {arguments.output}")
    return 0
