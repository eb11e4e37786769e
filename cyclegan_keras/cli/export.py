"""Export generators to ONNX, LiteRT, a SavedModel or a web page, checked on pictures."""

import argparse
import contextlib
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli import generator_file
from cyclegan_keras.cli.generator_file import GeneratorFile
from cyclegan_keras.cli.latent_flags import add_latent_flag, with_seed
from cyclegan_keras.config.train_config import TrainConfig

HELP = "export generators to ONNX, LiteRT, a SavedModel or a web page"

# As in `export.exporting`, which cannot be imported without loading TensorFlow.
FORMATS = ("onnx", "litert", "saved_model", "page")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this command.

    Args:
        parser: The parser of this command.
    """
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--model", metavar="FILE", help="a generator, such as g_AB.keras")
    source.add_argument("--run-dir", metavar="DIR", help="the folder of a run; see --way")
    parser.add_argument(
        "--way",
        choices=("AB", "BA"),
        help="with --run-dir: which generator (default: AB, or the only one; for page, all)",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        required=True,
        help="the format; page is one HTML file that translates in the browser, without a server",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="the file to write, ending with .onnx, .tflite or .html; for saved_model, a folder",
    )
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument(
        "--float16",
        action="store_true",
        help="store the weights in half precision, in half the space",
    )
    precision.add_argument(
        "--int8",
        action="store_true",
        help="compute convolutions in 8 bits: onnx all but the first and the last, with ranges "
        "from pictures; litert with ranges found while running",
    )
    parser.add_argument(
        "--check",
        metavar="DIR",
        help="a folder of pictures to check the file on, and to find the ranges of --int8 "
        "(default: the test images of the run, or its training images; if there is no run, drawn "
        "pictures)",
    )
    parser.add_argument(
        "--bound",
        type=float,
        metavar="X",
        help="largest accepted difference from the Keras model in 8-bit levels: of any value "
        "(default: 0.1); with --float16 and --int8, of 99 %% of the values (default: 2 and 10)",
    )
    add_latent_flag(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")


def run(arguments: argparse.Namespace) -> int:
    """Exports a generator.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If the output exists.
        FileNotFoundError: If the model, the run or the pictures do not exist.
        OSError: If the file cannot be written.
        SetupError: If a package is missing that the format needs.
        ValueError: If the model cannot be written in this format, or the file does not compute what
            the model does.
    """
    files = _files(arguments)
    with without_startup_notes():
        from cyclegan_keras.export import exporting, page, page_exporting
        from cyclegan_keras.inference.safe_loading.model_files import load_generator

    output, first = pathlib.Path(arguments.output), next(iter(files.values()))
    settings: dict[str, Any] = {
        "float16": arguments.float16,
        "int8": arguments.int8,
        "bound": arguments.bound,
        "overwrite": arguments.overwrite,
    }
    if arguments.format == "page":
        page.check_page(output, arguments.overwrite)
    else:
        exporting.check(output, arguments.format, **settings)
    found = {way: _pictures(arguments.check, file) for way, file in files.items()}
    ranges = {way: file.ranges for way, file in files.items()}
    models = with_seed(
        {way: load_generator(file.path) for way, file in files.items()}, arguments.latent_seed
    )
    about = _about(first)
    if arguments.format == "page":
        comparisons = page_exporting.export_page(
            models,
            output,
            title=first.path.stem if first.config is None else first.path.resolve().parent.name,
            names=(about.get("domain_A", "A"), about.get("domain_B", "B")),
            size=first.size,
            pictures={way: pictures for way, (pictures, _) in found.items()},
            fit=first.fit,
            ranges=ranges,
            **settings,
        )
    else:
        (way,) = files
        source = ranges[way][0]
        checked = exporting.export_generator(
            models[way],
            output,
            arguments.format,
            pictures=found[way][0],
            size=first.size,
            value_range=None if source is None else (source.low, source.high),
            about=about,
            **settings,
        )
        comparisons = {way: checked}
    for way, each in comparisons.items():
        if arguments.format == "page":
            print(f"g_{way}:", end=" ")
        _print_comparisons(each, found[way][1])
    opened = ": open it in a browser" if arguments.format == "page" else ""
    print(f"Wrote {output} ({_megabytes(output):.1f} MB){opened}")
    return 0


def _files(arguments: argparse.Namespace) -> dict[str, GeneratorFile]:
    """Finds the generators to export, by their ways: all of a run for a page, else one."""
    if arguments.model is not None:
        if arguments.way is not None:
            raise ValueError("--way is for --run-dir. Leave it out, or give the run's folder.")
        file = generator_file.by_name(arguments.model)
        return {file.way or "AB": file}
    if arguments.way is not None:
        return generator_file.of_run(arguments.run_dir, [arguments.way])
    config = generator_file.settings_of(pathlib.Path(arguments.run_dir))
    ways = config.ways if arguments.format == "page" else config.ways[:1]
    return generator_file.of_run(arguments.run_dir, ways)


def _print_comparisons(comparisons: Sequence[Any], whose: str) -> None:
    print(f"Checked on {whose}; differences from the Keras model in 8-bit levels:")
    for each in comparisons:
        height, width = each.size
        print(
            f"  {height}×{width}: mean {each.mean_levels:.4f}, 99 % below {each.p99_levels:.4f}, "
            f"largest {each.max_levels:.4f} (of values in [-1, 1]: {each.difference:.1e}); "
            f"{1000 * each.seconds:.1f} ms per picture, Keras {1000 * each.keras_seconds:.1f} ms"
        )


def _pictures(folder: str | None, file: GeneratorFile) -> tuple[Sequence[pathlib.Path] | None, str]:
    """Finds the pictures to check on, and says what they are."""
    from cyclegan_keras.data import listing

    if folder is not None:
        found = listing.some(listing.listed(folder), folder)
        for phrase in found.in_words():
            print(f"Not used: {phrase} in {folder!r}.")
        return found.paths, f"pictures of {folder}"
    if file.config is not None and (data := _data_dir(file.config)) is not None:
        domain = (file.way or "AB")[0]
        for part in (f"test{domain}", f"train{domain}"):
            if (data / part).is_dir() and (paths := listing.listed(data / part).paths):
                return paths, f"pictures of {data / part}"
    print(
        "Warning: no pictures are known that this model was made for, so the export is checked on "
        "drawn fruit. Give a folder of such pictures with --check."
    )
    return None, "drawn pictures"


def _data_dir(config: TrainConfig) -> pathlib.Path | None:
    from cyclegan_keras.runs import run_data

    with contextlib.suppress(OSError):
        place = run_data.place(config)
        return place if place.is_dir() else None
    return None


def _about(file: GeneratorFile) -> dict[str, Any]:
    """Collects what a file says of itself: the way, what A and B are, and where it is from."""
    about: dict[str, Any] = {}
    if file.way:
        about["way"] = file.way
    if (config := file.config) is not None:
        about["data_set"] = (
            pathlib.Path(config.data_dir).name if config.data_dir else config.dataset
        )
        if data := _data_dir(config):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                described = json.loads((data / "dataset.json").read_text("utf-8"))
                for domain in "AB":
                    if isinstance(name := described.get(f"domain_{domain}"), str):
                        about[f"domain_{domain}"] = name
    return about


def _megabytes(path: pathlib.Path) -> float:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files) / 1e6
