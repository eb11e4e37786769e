"""Measure how good the translators of a run are, and write a report."""

import argparse
import dataclasses
import json
import pathlib
from typing import Any

from cyclegan_keras._files import check_can_be_folder
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data import palettes
from cyclegan_keras.runs import record, run_data, run_folder

HELP = "measure how good the translators of a run are, and write a report"

# What in metrics.json says how far a training came. Evaluating adds nothing to it and takes nothing
# away: a run must not look finished because it was looked at.
KEPT = ("epochs", "stopped_at_step")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's flags.

    Args:
        parser: Of this verb.
    """
    parser.add_argument("--run-dir", required=True, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="the data set, if it is not where it was during training, or to evaluate on another "
        "one",
    )
    parser.add_argument(
        "--skip-bad-images",
        action="store_true",
        help="leave out images that cannot be read, as the run did if it was told to",
    )
    parser.add_argument(
        "--extractor",
        default="auto",
        metavar="NAME",
        help="the network whose features the metrics compare: inception, efficientnet (Lite0), "
        "efficientnet-lite1, or a .keras file; none leaves out metrics that need features; auto "
        "takes what is installed (default: auto)",
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help="evaluate the best generators, which --evaluate-every has kept, instead of the last "
        "ones",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help='the colors of classes, as JSON such as {"B": [[0, 0, 224], [255, 0, 0]]}, if the '
        "images of B are label maps; by default those of dataset.json",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="folder for metrics.json and report.html, created if it does not exist (default: the "
        "run's folder)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluates.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If `--output` is the folder of another run, or a file.
        FileNotFoundError: If there is no such run, translator, data set, extractor or file.
        ValueError: If a file is damaged, the data cannot be measured on, or the translators are
            replaced meanwhile.
    """
    run_dir = pathlib.Path(arguments.run_dir)
    output = run_dir if arguments.output is None else pathlib.Path(arguments.output)
    config = _settings(run_dir)
    if arguments.skip_bad_images:
        config = dataclasses.replace(config, skip_bad_images=True)
    files = _translators(run_dir, config, arguments.best)
    _check_output(output, run_dir)
    _kept(run_dir)  # Damage is told at once; it is read again at the end.
    labels = None if arguments.labels is None else _read_labels(arguments.labels)
    print("Loading TensorFlow …", flush=True)
    with without_startup_notes():
        from cyclegan_keras.inference import saving
        from cyclegan_keras.metrics import diagnostics, evaluator
        from cyclegan_keras.reports import curves, pictures, report
        from cyclegan_keras.training import devices

        found = devices.devices_in_words()

    print(f"Device  {found}", flush=True)
    history = curves.read(run_dir / run_folder.HISTORY)
    # Before they are loaded: a training may replace them meanwhile.
    weights = record.weights_of(files.values())
    translators = {name: load_translator(path, config.img_shape) for name, path in files.items()}
    loader = _data(config, arguments.data_dir, labels)
    judge = evaluator.Judge(loader, _extractor(arguments.extractor), labels)
    measured = judge.measure(translators)
    # Not always that of config.json: --data-dir may name another.
    measured.figures["data_set"] = loader.directory.name
    measured.figures["translators"] = [path.name for path in files.values()]
    measured.figures["weights"] = weights
    seen = pictures.Seen(translators, loader, judge, measured)

    if record.weights_of(files.values()) != weights:
        raise ValueError(
            f"The translators in {str(run_dir)!r} were replaced while they were measured, probably "
            "by a training. Nothing is written; evaluate again."
        )
    output.mkdir(parents=True, exist_ok=True)
    name = run_dir.resolve().name
    is_own = arguments.data_dir is None
    report.write(output / report.FILE, name, config, seen, history, is_own)
    figures = {**_kept(run_dir), **measured.figures}
    saving.save_figures(figures, output / record.FIGURES)
    for words in loader.left_out():
        print(words)
    print(diagnostics.in_words(figures))
    for words in diagnostics.left_out(figures):
        print(words)
    for fault in report.faults(figures, history, config):
        print(fault)
    print(f"Report  {output / report.FILE}")
    return 0


def _settings(run_dir: pathlib.Path) -> TrainConfig:
    if not (run_dir / run_folder.CONFIG).is_file():
        raise FileNotFoundError(
            f"There is no run in {str(run_dir)!r}: it has no {run_folder.CONFIG}. Give the folder "
            "that training has made, such as runs/fruit."
        )
    return run_folder.settings_in(run_dir)


def _translators(run_dir: pathlib.Path, config: TrainConfig, best: bool) -> dict[str, pathlib.Path]:
    """Finds the files of a run's translators, all that its model has."""
    names = [f"g_{way}" for way in config.ways]
    files = {name: run_dir / f"{name}{'.best' if best else ''}.keras" for name in names}
    for path in files.values():
        if not path.is_file():
            when = (
                "The best ones are kept by training with --evaluate-every; leave --best out to "
                "take the last ones."
                if best
                else "Training writes them when it ends or is stopped; to go on with it: "
                "python train.py --resume --run-dir …"
            )
            raise FileNotFoundError(
                f"The run in {str(run_dir)!r} has no translators yet: there is no {path.name}. "
                f"{when}"
            )
    return files


def _check_output(output: pathlib.Path, run_dir: pathlib.Path) -> None:
    is_run = (output / run_folder.CONFIG).exists()
    if is_run and not output.samefile(run_dir):
        raise FileExistsError(
            f"{str(output)!r} is the folder of another run, whose figures would be replaced. Give "
            "another --output."
        )
    check_can_be_folder(output)


def _read_labels(path: str) -> dict[str, palettes.Palette]:
    try:
        return palettes.checked(json.loads(pathlib.Path(path).read_text("utf-8")))
    except FileNotFoundError:
        raise FileNotFoundError(f"No file {path!r} with --labels.") from None
    except ValueError as error:
        raise ValueError(f"Cannot take labels from {path!r}: {error}") from None


def load_translator(path: pathlib.Path, img_shape: tuple[int, int, int]) -> Any:
    """Loads a translator of a run.

    Args:
        path: Of the file.
        img_shape: What the run's settings say.

    Returns:
        The generator.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or takes images of another shape.
    """
    from cyclegan_keras.inference.safe_loading.model_files import load_generator

    generator = load_generator(path)
    taken = generator.input_shape[1:]
    if any(have not in (None, want) for have, want in zip(taken, img_shape, strict=True)):
        raise ValueError(
            f"{str(path)!r} must take images of (height, width, channels) {img_shape}, as "
            f"{run_folder.CONFIG} beside it says; it is of another run. "
            f"Received: input shape {taken}"
        )
    return generator


def _data(
    config: TrainConfig, data_dir: str | None, labels: dict[str, palettes.Palette] | None
) -> Any:
    """Finds the run's data set; where it is named by a relative path, it may be elsewhere now."""
    targets = {way[1] for way in config.ways}
    if data_dir is not None:
        config = dataclasses.replace(config, data_dir=data_dir)
    loader = run_data.make_loader(config)
    is_drawn = config.data_dir is None and config.dataset in ("fruit", "fruit_pairs")
    if is_drawn and not loader.directory.exists():
        print(f"Drawing the data set {config.dataset} into {loader.directory} …", flush=True)
    elif not loader.directory.is_dir():
        raise FileNotFoundError(
            f"The run's data set is not in {str(loader.directory)!r}. Go to the folder that the "
            "run was begun in, or say with --data-dir where it is."
        )
    if odd := set(labels or {}) - targets:
        raise ValueError(
            f"--labels have colours of {' and '.join(sorted(odd))}, but the run translates to "
            f"{' and '.join(sorted(targets))} only. Leave them out of the file."
        )
    if labels and not loader.test_pairs:
        raise ValueError(
            "--labels are held against the truth, and it is not known here: the test images of "
            f"{str(loader.directory)!r} are no pairs. Leave it out, or add "
            '"test_pairs": true to its dataset.json if they are.'
        )
    return loader


def _extractor(name: str) -> Any:
    from cyclegan_keras.metrics import features

    if name == "none":
        return None
    try:
        return features.choose(name)
    except FileNotFoundError as error:
        if name != "auto":
            raise
        print(f"{error} Going on without distance, strength and diversity.", flush=True)
        return None


def _kept(run_dir: pathlib.Path) -> dict[str, Any]:
    """Reads how far the training came, if it is known."""
    figures = record.read_figures(run_dir)
    return {key: figures[key] for key in KEPT if key in figures}
