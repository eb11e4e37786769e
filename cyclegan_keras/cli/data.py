"""List the known data sets, download one, or count the sizes of pictures."""

import argparse
import pathlib
import shlex
from collections.abc import Sequence

from cyclegan_keras._text import counted
from cyclegan_keras.config.fields import image_size, sides_of
from cyclegan_keras.data.known import catalog

HELP = "list the known data sets, download one, or count the sizes of pictures"
DATA_DIR = "data"
SQUARE = 128

PRESENT = {"absent": "no", "incomplete": "incomplete", "complete": "yes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `list`, `fetch` and `sizes`, with their flags.

    Args:
        parser: The parser of this command.
    """
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    lister = actions.add_parser(
        "list",
        help="list the known data sets, and which are downloaded",
        description="List the known data sets, and which are downloaded.",
    )
    lister.set_defaults(action=list_datasets)
    fetcher = actions.add_parser(
        "fetch",
        help="download, verify and unpack a data set",
        description="Download and verify a data set, and unpack it to DIR/NAME.",
    )
    fetcher.set_defaults(action=fetch)
    fetcher.add_argument(
        "name", metavar="NAME", choices=catalog.DATASETS, help="a data set that `list` shows"
    )
    sizer = actions.add_parser(
        "sizes",
        help="count the pictures of a data set that are not square",
        description="Count the pictures of a data set that are not square, or far from the "
        "proportions of the training size, which `train --fit` is about.",
    )
    sizer.set_defaults(action=sizes)
    sizer.add_argument("directory", metavar="DIR", help="a folder as for `train --data-dir`")
    sizer.add_argument(
        "--image-size",
        type=image_size,
        default=SQUARE,
        metavar="N|HxW",
        help="the training size (default: squares)",
    )
    sizer.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    for action in (lister, fetcher):
        action.add_argument(
            "--data-dir",
            default=DATA_DIR,
            metavar="DIR",
            help=f"folder of data sets (default: {DATA_DIR}, where `train --dataset NAME` looks)",
        )
        # The command's own flag would have to stand before the action.
        action.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def run(arguments: argparse.Namespace) -> int:
    """Lists or downloads data sets, or counts the sizes of pictures.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status.

    Raises:
        OSError: If a data set cannot be downloaded, or its folder is in use for something else.
        ValueError: If its archive is not the expected one, or a folder has no pictures.
    """
    return arguments.action(arguments)


def list_datasets(arguments: argparse.Namespace) -> int:
    """Prints a table of the known data sets, without using the network.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.
    """
    rows = [("name", "A", "B", "MB", f"in {arguments.data_dir}")]
    for dataset in catalog.DATASETS.values():
        present = PRESENT[catalog.state(dataset, arguments.data_dir)]
        size = f"{dataset.num_bytes / 1e6:.0f}"
        rows.append((dataset.name, *dataset.domains, size, present))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)]
        cells[3] = f"{row[3]:>{widths[3]}}"
        print("  ".join(cells).rstrip())
    return 0


def fetch(arguments: argparse.Namespace) -> int:
    """Downloads a data set, and prints what it contains.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.

    Raises:
        OSError: If it cannot be downloaded, or its folder is in use for something else.
        ValueError: If its archive is not the expected one.
    """
    dataset = catalog.DATASETS[arguments.name]
    was_there = catalog.state(dataset, arguments.data_dir) == "complete"
    directory = catalog.fetch(dataset, arguments.data_dir)
    counts = [
        f"{sum(1 for _ in (directory / folder).iterdir())} in {folder}"
        for folder in catalog.FOLDERS
    ]
    print(f"{directory}{' exists already' if was_there else ''}: {', '.join(counts)}")
    print(f"To train on it: cyclegan train {_place(directory)}")
    return 0


def sizes(arguments: argparse.Namespace) -> int:
    """Prints how many pictures of a data set are not square.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.

    Raises:
        FileNotFoundError: If there is no such data set.
        OSError: If the computer fails.
        ValueError: If a folder has no pictures.
    """
    from cyclegan_keras.data import fitting, sizes

    img_res = sides_of(arguments.image_size)
    folders = sizes.of_data_set(pathlib.Path(arguments.directory))
    for each in folders:
        total = len(each.sizes)
        words = f"{each.folder}: {counted(total, 'picture')}"
        if each.sizes:
            heights, widths = zip(*each.sizes, strict=True)
            words += f", {_span(heights)} high and {_span(widths)} wide"
            words += f"; {each.num_not_square} not square"
        if each.num_unread:
            words += f"; {each.num_unread} cannot be read"
        print(words)
    far = sum(each.num_far(img_res) for each in folders)
    total = sum(len(each.sizes) for each in folders)
    print(
        f"At {img_res[0]} × {img_res[1]}, `train` stretches {far} of {total} by more than "
        f"{fitting.FAR:g} in one direction"
        + ("; --fit crop or --fit pad keeps their proportions." if far else ".")
    )
    return 0


def _span(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"


def _place(directory: pathlib.Path) -> str:
    if directory.parent == pathlib.Path(DATA_DIR):
        return f"--dataset {directory.name}"
    return f"--data-dir {shlex.quote(str(directory))}"
