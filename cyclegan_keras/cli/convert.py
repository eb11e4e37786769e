"""Convert a generator of Keras 2, PyTorch or TensorFlow to a .keras file; none of its code runs."""

import argparse

from cyclegan_keras._quiet import without_startup_notes

HELP = "convert a generator of an older Keras, of PyTorch, or in a TensorFlow checkpoint"

# As in `convert`, which cannot be imported without loading TensorFlow.
NORMS = ("instance", "contrib", "contrib-channel", "batch")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this command.

    Args:
        parser: The parser of this command.
    """
    parser.add_argument(
        "file",
        metavar="FILE",
        help=".h5 of Keras 2, a state dict of PyTorch (.pth, .pt), or the .index of a TensorFlow "
        "checkpoint",
    )
    parser.add_argument("--output", required=True, metavar="FILE", help="such as g_AB.keras")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="JSON description of the model, from model.to_json(), for an .h5 of weights alone",
    )
    parser.add_argument(
        "--part", metavar="NAME", help="which generator, if there are several, such as g_AB"
    )
    parser.add_argument(
        "--norm", choices=NORMS, help="the normalization, if the file does not tell which it is"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it exists")


def run(arguments: argparse.Namespace) -> int:
    """Converts a generator.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.

    Raises:
        FileExistsError: If the output exists already.
        FileNotFoundError: If there is no such file.
        OSError: If a file cannot be read or written.
        ValueError: If it is no generator that is known, or leaves its part or norm open.
    """
    with without_startup_notes():
        from cyclegan_keras.convert.conversion import convert_generator

    what = convert_generator(
        arguments.file,
        arguments.output,
        config=arguments.config,
        part=arguments.part,
        norm=arguments.norm,
        overwrite=arguments.overwrite,
    )
    print(f"Converted {arguments.file} to {arguments.output}: {what}")
    return 0
