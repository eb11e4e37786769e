"""Compare the settings and metrics of runs."""

import argparse
import pathlib
from typing import Any

from cyclegan_keras._files import check_can_be_folder
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli import evaluate
from cyclegan_keras.runs import run_data

HELP = "compare the settings and metrics of runs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this command.

    Args:
        parser: The parser of this command.
    """
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="folders of runs that have a metrics.json"
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="also write a page, such as comparison.html, with curves and images",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the page if it exists")


def run(arguments: argparse.Namespace) -> int:
    """Compares runs.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If the page exists, or its folder is a file.
        FileNotFoundError: If a run does not exist or was not evaluated.
        ValueError: If there are fewer than two runs, a run is given twice, or a file is damaged.
    """
    # Imported here, so that `--help` does not wait for NumPy.
    from cyclegan_keras.reports import comparison, measured_run

    if arguments.overwrite and arguments.output is None:
        raise ValueError(
            "--overwrite needs --output, which names the page to replace. Give both, or neither."
        )
    output = None if arguments.output is None else pathlib.Path(arguments.output)
    if output is not None:
        _check_output(output, arguments.overwrite)
    runs = measured_run.read(arguments.runs)
    print(comparison.markdown(runs), end="", flush=True)
    if output is None:
        return 0
    print("\nLoading TensorFlow …", flush=True)
    with without_startup_notes():
        from cyclegan_keras.reports import comparison_page
        from cyclegan_keras.training import devices

        found = devices.devices_in_words()

    print(f"Device  {found}", flush=True)
    sheets, why_none = _pictures(runs)
    output.parent.mkdir(parents=True, exist_ok=True)
    comparison_page.write(output, runs, sheets, why_none)
    print(f"Page    {output}")
    return 0


def _check_output(output: pathlib.Path, overwrite: bool) -> None:
    if output.is_dir():
        raise FileExistsError(
            f"{str(output)!r} is a folder. Give --output a file, such as "
            f"{str(output / 'comparison.html')!r}."
        )
    if output.exists() and not overwrite:
        raise FileExistsError(f"{str(output)!r} exists. Give another --output, or --overwrite.")
    check_can_be_folder(output.parent)


def _pictures(runs: list[Any]) -> tuple[list[Any], str | None]:
    """Shows how the runs translate the same images, or explains why it cannot."""
    from cyclegan_keras.reports import comparison, comparison_page

    if (why_none := comparison.why_no_pictures(runs)) is not None:
        return [], why_none
    loaders = [run_data.make_loader(run.config) for run in runs]
    there = [
        loader
        for loader in loaders
        if loader.directory.is_dir() and loader.directory.name == runs[0].data_set
    ]
    if not there:
        return [], (
            f"No pictures are shown, because the data set {runs[0].data_set} is not in "
            f"{str(loaders[0].directory)!r}. Relative paths start from the current folder; change "
            "to the one in which the training was started."
        )
    measured = runs[0].metrics["images"]
    found = next((loader for loader in there if _digest(loader) == measured), None)
    if found is None:
        return [], (
            f"No pictures are shown, because the images in {str(there[0].directory)!r} are no "
            "longer those that the runs were evaluated on. Evaluate again with cyclegan evaluate."
        )
    files = [path for run in runs for path in run.translators.values()]
    if absent := [str(path) for path in files if not path.is_file()]:
        return [], f"No pictures are shown, because a generator is missing: {absent[0]}."
    generators = [
        {
            name: evaluate.load_network(path, run.config.img_shape)
            for name, path in run.translators.items()
        }
        for run in runs
    ]
    return comparison_page.sheets(runs, generators, found), None


def _digest(loader: Any) -> str:
    from cyclegan_keras.metrics import round_trip

    for domain in "AB":
        loader.evaluation_pixels(domain)  # Bad images are skipped only when they are read.
    return round_trip.digest(round_trip.files(loader))
