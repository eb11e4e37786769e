"""Evaluate the generators of a run, and write a report."""

import argparse
import json
import pathlib
from typing import Any

from cyclegan_keras._files import check_can_be_folder
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli import generator_file
from cyclegan_keras.config.data import DRAWN
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data import palettes
from cyclegan_keras.runs import record, run_data, run_folder

HELP = "evaluate the generators of a run, and write a report"

# The entries of metrics.json that record how long a run was trained. An evaluation keeps them as
# they are, so that a run never looks finished because it was evaluated.
KEPT = ("epochs", "stopped_at_step")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this command.

    Args:
        parser: The parser of this command.
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
        "--segmentation",
        action="store_true",
        help="also train a small segmentation network on the real photos of the data set's "
        "training pairs, and score the photos that generators make from label maps; the network "
        "is kept beside the run's folder",
    )
    parser.add_argument(
        "--segmentation-steps",
        type=int,
        metavar="N",
        help="training steps of that network (default: 1500)",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="folder for metrics.json and report.html, created if it does not exist (default: the "
        "run's folder)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluates a run.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If `--output` is the folder of another run, or a file.
        FileNotFoundError: If the run, a generator, the data set, extractor or a file is missing.
        ValueError: If a file is damaged, the data is not suitable, or the generators are replaced
            during the evaluation.
    """
    run_dir = pathlib.Path(arguments.run_dir)
    output = run_dir if arguments.output is None else pathlib.Path(arguments.output)
    config = generator_file.settings_of(run_dir)
    if arguments.skip_bad_images:
        config = config.replace(skip_bad_images=True)
    files = generator_file.networks_of_run(run_dir, arguments.best)
    _check_output(output, run_dir)
    _kept(run_dir)  # Reports damage at once; it is read again at the end.
    labels = None if arguments.labels is None else read_labels(arguments.labels)
    _check_segmentation(arguments)
    steps = segmentation_steps(arguments)
    print("Loading TensorFlow …", flush=True)
    with without_startup_notes():
        from cyclegan_keras.inference import saving
        from cyclegan_keras.metrics import diagnostics, segmenter
        from cyclegan_keras.metrics.evaluator import Evaluator
        from cyclegan_keras.reports import curves, pictures, report
        from cyclegan_keras.training import devices

        found = devices.devices_in_words()

    print(f"Device  {found}", flush=True)
    history = curves.read(run_dir / run_folder.HISTORY)
    # Before they are loaded, since a training may replace them meanwhile.
    paths = [file.path for file in files.values()]
    weights = record.weights_of(paths)
    generators = {name: file.load() for name, file in files.items()}
    loader = _data(config, arguments.data_dir, labels, arguments.segmentation)
    # Before the rest is computed, since it may be that nothing can be scored.
    planned = segmenter.plans(loader, config.ways, labels) if arguments.segmentation else []
    extractor = _extractor(arguments.extractor, config.info.judge)
    evaluator = Evaluator(loader, extractor, labels, config.classifiers)
    results = evaluator.evaluate_thoroughly(generators)
    how = segmenter.Settings(**({} if steps is None else {"steps": steps}))
    beside = run_dir.resolve().parent
    results.metrics.update(segmenter.measure(generators, loader, planned, how, beside))
    # Not always the data set in config.json, since --data-dir may name another.
    results.metrics["data_set"] = loader.directory.name
    results.metrics["translators"] = [
        file.path.name for file in files.values() if not file.is_classifier
    ]
    results.metrics["weights"] = weights
    evaluated = pictures.Evaluated(generators, loader, evaluator, results)

    if record.weights_of(paths) != weights:
        raise ValueError(
            f"The generators in {str(run_dir)!r} were replaced during the evaluation, probably by "
            "a training. Nothing was written; evaluate again."
        )
    output.mkdir(parents=True, exist_ok=True)
    name = run_dir.resolve().name
    is_own = arguments.data_dir is None
    report.write(output / report.FILE, name, config, evaluated, history, is_own)
    metrics = {**_kept(run_dir), **results.metrics}
    saving.save_metrics(metrics, output / record.METRICS)
    for words in loader.left_out():
        print(words)
    print(diagnostics.summary(metrics))
    for words in [*segmenter.summary(metrics), *diagnostics.not_measured(metrics)]:
        print(words)
    for problem in report.problems(metrics, history, config):
        print(problem)
    print(f"Report  {output / report.FILE}")
    return 0


def _check_output(output: pathlib.Path, run_dir: pathlib.Path) -> None:
    is_run = (output / run_folder.CONFIG).exists()
    if is_run and not output.samefile(run_dir):
        raise FileExistsError(
            f"{str(output)!r} is the folder of another run, whose metrics would be replaced. Give "
            "another --output."
        )
    check_can_be_folder(output)


def _check_segmentation(arguments: argparse.Namespace) -> None:
    steps = arguments.segmentation_steps
    if steps is not None and not arguments.segmentation:
        raise ValueError(
            "--segmentation-steps does nothing without --segmentation. Give both or neither. "
            f"Received: --segmentation-steps {steps}"
        )


def segmentation_steps(arguments: argparse.Namespace) -> int | None:
    """Says for how many steps the segmentation network is trained, if somebody chose.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The number; `None` if nobody did.

    Raises:
        ValueError: If it is less than one.
    """
    steps = arguments.segmentation_steps
    if steps is not None and steps < 1:
        raise ValueError(
            f"--segmentation-steps must be at least 1. Received: --segmentation-steps {steps}"
        )
    return steps


def read_labels(path: str, flag: str = "--labels") -> dict[str, palettes.Palette]:
    """Reads the colors of classes from a file.

    Args:
        path: Of JSON, as `--labels` takes it.
        flag: The flag that names it.

    Returns:
        The colors by domain.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no colors.
    """
    try:
        return palettes.checked(json.loads(pathlib.Path(path).read_text("utf-8")))
    except FileNotFoundError:
        raise FileNotFoundError(f"No file {path!r} for {flag}.") from None
    except ValueError as error:
        raise ValueError(f"Cannot read labels from {path!r}: {error}") from None


def _data(
    config: TrainConfig,
    data_dir: str | None,
    labels: dict[str, palettes.Palette] | None,
    with_sources: bool,
) -> Any:
    loader = find_data(config, data_dir)
    targets = {way[1] for way in config.ways}
    # Segmentation scores photos that are made of labels.
    sources = {way[0] for way in config.ways if with_sources}
    if odd := set(labels or {}) - targets - sources:
        raise ValueError(
            f"--labels has colors of {' and '.join(sorted(odd))}, but the run translates to "
            f"{' and '.join(sorted(targets))} only. Remove them from the file, or, if photos made "
            "from them are to be scored, give --segmentation."
        )
    if labels and not loader.test_pairs:
        raise ValueError(
            "--labels needs the ground truth, which is not known: the test images of "
            f"{str(loader.directory)!r} are not pairs. Leave it out, or add "
            '"test_pairs": true to its dataset.json if they are.'
        )
    return loader


def find_data(config: TrainConfig, data_dir: str | None) -> Any:
    """Finds the data set of a run, which may have moved since the training.

    Args:
        config: The run's settings.
        data_dir: Another folder, if it has moved.

    Returns:
        The `DataLoader`.

    Raises:
        FileNotFoundError: If the folder does not exist.
    """
    if data_dir is not None:
        config = config.replace(data_dir=data_dir)
    loader = run_data.make_loader(config)
    if config.info.labels and loader.directory.is_dir():
        run_data.check_classes(loader, config)
    is_drawn = config.data_dir is None and config.dataset in DRAWN
    if is_drawn and not loader.directory.exists():
        print(f"Drawing the data set {config.dataset} into {loader.directory} …", flush=True)
    elif not loader.directory.is_dir():
        raise FileNotFoundError(
            f"The run's data set is not in {str(loader.directory)!r}. Change to the folder in "
            "which the training was started, or give the data set's folder with --data-dir."
        )
    return loader


def _extractor(name: str, judge: str) -> Any:
    from cyclegan_keras.metrics import features, from_settings

    if name == "none":
        return None
    try:
        return features.choose(judge if name == "auto" else name)
    except FileNotFoundError as error:
        if name != "auto":
            raise
        print(f"{error} {from_settings.WITHOUT_FEATURES}", flush=True)
        return None


def _kept(run_dir: pathlib.Path) -> dict[str, Any]:
    """Reads how long the run was trained, if it is known."""
    metrics = record.read_metrics(run_dir)
    return {key: metrics[key] for key in KEPT if key in metrics}
