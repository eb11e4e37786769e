"""Set runs side by side: where their settings differ, and whose translators are better."""

import argparse
import pathlib
from typing import Any

from cyclegan_keras._files import check_can_be_folder
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli import evaluate
from cyclegan_keras.runs import run_data

HELP = "set runs side by side, settings and figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's flags.

    Args:
        parser: Of this verb.
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
    """Compares.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If the page is already there, or its folder is a file.
        FileNotFoundError: If there is no such run, or its translators have not been measured.
        ValueError: If there are fewer than two runs, one is there twice, or a file is damaged.
    """
    # Not at the top, so that `--help` need not wait for NumPy.
    from cyclegan_keras.reports import comparison, measured_run

    if arguments.overwrite and arguments.output is None:
        raise ValueError("--overwrite replaces a page, which --output names. Give both, or none.")
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
        raise FileExistsError(
            f"{str(output)!r} is already there. Give another --output, or --overwrite."
        )
    check_can_be_folder(output.parent)


def _pictures(runs: list[Any]) -> tuple[list[Any], str | None]:
    """Shows what the runs make of the same images, or says why it cannot."""
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
            f"There are no pictures, for the data set {runs[0].data_set} is not in "
            f"{str(loaders[0].directory)!r}; a folder that is named without its parents is looked "
            "for from where the command is run."
        )
    measured = runs[0].figures["images"]
    found = next((loader for loader in there if _digest(loader) == measured), None)
    if found is None:
        return [], (
            f"There are no pictures, for the images in {str(there[0].directory)!r} are no longer "
            "those that were measured on; cyclegan evaluate measures anew."
        )
    files = [path for run in runs for path in run.translators.values()]
    if absent := [str(path) for path in files if not path.is_file()]:
        return [], f"There are no pictures, for a translator is missing: {absent[0]}."
    translators = [
        {
            name: evaluate.load_translator(path, run.config.img_shape)
            for name, path in run.translators.items()
        }
        for run in runs
    ]
    return comparison_page.sheets(runs, translators, found), None


def _digest(loader: Any) -> str:
    from cyclegan_keras.metrics import round_trip

    for domain in "AB":
        loader.evaluation_pixels(domain)  # Which are skipped is known only now.
    return round_trip.digest(round_trip.files(loader))
