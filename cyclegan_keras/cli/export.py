"""Export generators to ONNX, LiteRT, a SavedModel or a web page, checked on pictures."""

import argparse
import contextlib
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli.latent_flags import add_latent_flag, with_seed
from cyclegan_keras.config import value_range
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
    if arguments.format == "page":
        return _run_page(arguments)
    model_path = _model_path(arguments)
    config = _settings(model_path)
    ranges = value_range.of_translator(model_path)[0]
    with without_startup_notes():
        from cyclegan_keras.export import exporting
        from cyclegan_keras.inference.safe_loading.model_files import load_generator

    output = pathlib.Path(arguments.output)
    settings: dict[str, Any] = {
        "float16": arguments.float16,
        "int8": arguments.int8,
        "bound": arguments.bound,
        "overwrite": arguments.overwrite,
    }
    exporting.check(output, arguments.format, **settings)
    pictures, whose = _pictures(arguments.check, config, model_path)
    model = with_seed({"": load_generator(model_path)}, arguments.latent_seed)[""]
    comparisons = exporting.export_generator(
        model,
        output,
        arguments.format,
        pictures=pictures,
        size=None if config is None else config.img_res,
        value_range=None if ranges is None else (ranges.low, ranges.high),
        about=_about(model_path, config),
        **settings,
    )
    _print_comparisons(comparisons, whose)
    print(f"Wrote {output} ({_megabytes(output):.1f} MB)")
    return 0


def _run_page(arguments: argparse.Namespace) -> int:
    """Exports all generators of a run, or one, as a page."""
    first = _model_path(arguments)
    config = _settings(first)
    if arguments.model is not None:
        paths = {_way(first) or "AB": first}
    else:
        ways = config.ways if config is not None and arguments.way is None else [first.stem[2:]]
        paths = {way: first.with_name(f"g_{way}.keras") for way in ways}
    with without_startup_notes():
        from cyclegan_keras.export import page, page_exporting
        from cyclegan_keras.inference.safe_loading.model_files import load_generator

    output = pathlib.Path(arguments.output)
    page.check_page(output, arguments.overwrite)
    about = _about(first, config)
    folder = first.resolve().parent.name if config is not None else first.stem
    found = {way: _pictures(arguments.check, config, path) for way, path in paths.items()}
    ranges = value_range.of_translator(first)[0]
    comparisons = page_exporting.export_page(
        with_seed(
            {way: load_generator(path) for way, path in paths.items()}, arguments.latent_seed
        ),
        output,
        title=folder,
        names=(about.get("domain_A", "A"), about.get("domain_B", "B")),
        size=None if config is None else config.img_res,
        pictures={way: pictures for way, (pictures, _) in found.items()},
        overwrite=arguments.overwrite,
        float16=arguments.float16,
        int8=arguments.int8,
        bound=arguments.bound,
        value_range=None if ranges is None else (ranges.low, ranges.high),
    )
    for way, each in comparisons.items():
        print(f"g_{way}:", end=" ")
        _print_comparisons(each, found[way][1])
    print(f"Wrote {output} ({_megabytes(output):.1f} MB): open it in a browser")
    return 0


def _print_comparisons(comparisons: Sequence[Any], whose: str) -> None:
    print(f"Checked on {whose}; differences from the Keras model in 8-bit levels:")
    for each in comparisons:
        height, width = each.size
        print(
            f"  {height}×{width}: mean {each.mean_levels:.4f}, 99 % below {each.p99_levels:.4f}, "
            f"largest {each.max_levels:.4f} (of values in [-1, 1]: {each.difference:.1e}); "
            f"{1000 * each.seconds:.1f} ms per picture, Keras {1000 * each.keras_seconds:.1f} ms"
        )


def _model_path(arguments: argparse.Namespace) -> pathlib.Path:
    if arguments.model is not None:
        if arguments.way is not None:
            raise ValueError("--way is for --run-dir. Leave it out, or give the run's folder.")
        return pathlib.Path(arguments.model)
    run_dir = pathlib.Path(arguments.run_dir)
    config = _settings(run_dir / "config.json")
    if config is None:
        raise FileNotFoundError(
            f"There is no run in {str(run_dir)!r}: it has no config.json that can be read. Give a "
            "folder that `cyclegan train` has written, such as runs/fruit."
        )
    way = arguments.way or config.ways[0]
    if way not in config.ways:
        raise ValueError(f"The run translates {' and '.join(config.ways)} only. Received: {way}")
    return run_dir / f"g_{way}.keras"


def _settings(path: pathlib.Path) -> TrainConfig | None:
    """Reads the settings beside a model, if it is in the folder of a run."""
    with contextlib.suppress(OSError, ValueError):
        return TrainConfig.from_json(path.with_name("config.json")).replace(
            run_dir=str(path.parent)
        )
    return None


def _pictures(
    folder: str | None, config: TrainConfig | None, model_path: pathlib.Path
) -> tuple[list[pathlib.Path] | None, str]:
    """Finds the pictures to check on, and says what they are."""
    from cyclegan_keras.data import listing

    if folder is not None:
        found = listing.some(listing.listed(folder), folder)
        for phrase in found.in_words():
            print(f"Not used: {phrase} in {folder!r}.")
        return found.paths, f"pictures of {folder}"
    if config is not None and (data := _data_dir(config)) is not None:
        domain = (_way(model_path) or "AB")[0]
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


def _way(model_path: pathlib.Path) -> str | None:
    return {"g_AB": "AB", "g_BA": "BA"}.get(model_path.name.split(".")[0])


def _about(model_path: pathlib.Path, config: TrainConfig | None) -> dict[str, Any]:
    """Collects what a file says of itself: the way, what A and B are, and where it is from."""
    about: dict[str, Any] = {}
    if way := _way(model_path):
        about["way"] = way
    if config is not None:
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
