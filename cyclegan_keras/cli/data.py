"""List the known data sets, or fetch one."""

import argparse
import pathlib
import shlex

from cyclegan_keras.data.known import catalog

HELP = "list the known data sets, or fetch one"
DATA_DIR = "data"

PRESENT = {"absent": "no", "incomplete": "incomplete", "complete": "yes"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `list` and `fetch`, with their flags.

    Args:
        parser: Of this verb.
    """
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    lister = actions.add_parser(
        "list",
        help="show the known data sets, and which are there",
        description="Show the known data sets, and which are there.",
    )
    lister.set_defaults(action=list_datasets)
    fetcher = actions.add_parser(
        "fetch",
        help="download a data set, check it, and unpack it",
        description="Download a data set, check it, and unpack it to DIR/NAME.",
    )
    fetcher.set_defaults(action=fetch)
    fetcher.add_argument(
        "name", metavar="NAME", choices=catalog.DATASETS, help="one of those that `list` shows"
    )
    for action in (lister, fetcher):
        action.add_argument(
            "--data-dir",
            default=DATA_DIR,
            metavar="DIR",
            help=f"where the sets lie (default: {DATA_DIR}, where `train --dataset NAME` looks)",
        )
        # As the verb's own flag, which would have to stand before the action.
        action.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def run(arguments: argparse.Namespace) -> int:
    """Lists or fetches.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        OSError: If a set cannot be had, or something else has its place.
        ValueError: If its archive is not the right one.
    """
    return arguments.action(arguments)


def list_datasets(arguments: argparse.Namespace) -> int:
    """Prints a table of the known sets. Uses no network.

    Args:
        arguments: What the parser made of the command line.

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
    """Fetches one set, and says what there is of it.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status, 0.

    Raises:
        OSError: If the set cannot be had, or something else has its place.
        ValueError: If its archive is not the right one.
    """
    dataset = catalog.DATASETS[arguments.name]
    was_there = catalog.state(dataset, arguments.data_dir) == "complete"
    directory = catalog.fetch(dataset, arguments.data_dir)
    counts = [
        f"{sum(1 for _ in (directory / folder).iterdir())} in {folder}"
        for folder in catalog.FOLDERS
    ]
    print(f"{directory}{' is there already' if was_there else ''}: {', '.join(counts)}")
    print(f"To train on it: cyclegan train {_place(directory)}")
    return 0


def _place(directory: pathlib.Path) -> str:
    if directory.parent == pathlib.Path(DATA_DIR):
        return f"--dataset {directory.name}"
    return f"--data-dir {shlex.quote(str(directory))}"
