"""Ask people which images are real, or which run's look more real."""

import argparse
import json
import os
import pathlib
from typing import Any

from cyclegan_keras._files import check_can_be_folder, write_text
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras._text import counted
from cyclegan_keras.cli import evaluate, generator_file

HELP = "ask people which images are real: make a page, or score their answers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `make` and `score`, with their flags.

    Args:
        parser: The parser of this command.
    """
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    maker = actions.add_parser(
        "make",
        help="make the page of a study, and its key",
        description="Make a page that shows pairs of a real and a translated image and asks which "
        "is real, and the key that tells which is.",
    )
    maker.set_defaults(action=make)
    _add_what(maker)
    maker.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help="pairs that count (default: 40, or as many as there are images)",
    )
    maker.add_argument(
        "--practice",
        type=int,
        metavar="N",
        help="pairs before these, for practice, with feedback (default: 10, or 3 with --against; "
        "at most a fifth of all)",
    )
    maker.add_argument(
        "--subject",
        metavar="WORDS",
        help='what the images show, for the instructions, such as "oranges"',
    )
    maker.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="the page, such as study.html; the key is written beside it, as study.key.json",
    )
    scorer = actions.add_parser(
        "score",
        help="score the answers of the participants",
        description="Compute how often people were fooled, from the files that their browsers "
        "have saved.",
    )
    scorer.set_defaults(action=score)
    scorer.add_argument("results", nargs="+", metavar="FILE", help="files of participants")
    scorer.add_argument(
        "--key",
        metavar="FILE",
        help="the study's key (default: the one beside the results or in the current folder)",
    )
    scorer.add_argument("--output", metavar="FILE", help="also write the figures, as JSON")
    for action in (maker, scorer):
        # The command's own flag would have to stand before the action.
        action.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )


def _add_what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run-dir", required=True, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--way",
        choices=("AB", "BA"),
        help="which translations to show (default: AB, or the only way of the run)",
    )
    parser.add_argument(
        "--against",
        metavar="DIR",
        help="folder of another run: its translation of the same image takes the place of the real "
        "one, and the question is which looks more real",
    )
    parser.add_argument(
        "--best",
        action="store_true",
        help="take the best generators, which --evaluate-every has kept, instead of the last ones",
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="the data set, if it is not where it was during training, or to take another one",
    )
    parser.add_argument(
        "--skip-bad-images", action="store_true", help="leave out images that cannot be read"
    )


def run(arguments: argparse.Namespace) -> int:
    """Makes or scores a study.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status.

    Raises:
        OSError: If a file is missing, exists already, or cannot be read or written.
        ValueError: If the data is not suitable, or a file is damaged or of another study.
    """
    return arguments.action(arguments)


def make(arguments: argparse.Namespace) -> int:
    """Makes a study.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.

    Raises:
        FileExistsError: If the page or its key exists.
        FileNotFoundError: If a run, a generator or the data set is missing.
        ValueError: If there are too few images, or the runs cannot be compared.
    """
    folders = [pathlib.Path(arguments.run_dir)]
    if arguments.against is not None:
        folders.append(pathlib.Path(arguments.against))
    output = _checked_output(arguments.output)
    configs = [generator_file.settings_of(folder) for folder in folders]
    if arguments.skip_bad_images:
        configs = [config.replace(skip_bad_images=True) for config in configs]
    way = arguments.way or ("AB" if "AB" in configs[0].ways else configs[0].ways[0])
    for folder, config in zip(folders, configs, strict=True):
        if way not in config.ways:
            raise ValueError(
                f"The run in {str(folder)!r} translates {' and '.join(config.ways)} only. Give "
                f"another --way or run. Received: {way}"
            )
    found = [generator_file.of_run(folder, [way], arguments.best)[way] for folder in folders]
    files = [file.path for file in found]
    if len(files) == 2 and files[0].samefile(files[1]):
        raise ValueError(
            f"--against needs another run than --run-dir. Received: {str(folders[1])!r} for both"
        )
    print("Loading TensorFlow …", flush=True)
    with without_startup_notes():
        from cyclegan_keras.study import making
        from cyclegan_keras.training import devices

        in_words = devices.devices_in_words()

    print(f"Device  {in_words}", flush=True)
    loaders = [evaluate.find_data(config, arguments.data_dir) for config in configs]
    generators = [file.load() for file in found]
    material, num_practice = _material(arguments, generators, loaders, way)
    output.parent.mkdir(parents=True, exist_ok=True)
    making.write(
        output,
        material,
        num_practice,
        way=way,
        runs=_names(folders),
        subject=arguments.subject,
        about=_about(files, loaders[0]),
    )
    _tell(output, material, num_practice, loaders[0])
    return 0


def _checked_output(name: str) -> pathlib.Path:
    from cyclegan_keras.study import key

    output = pathlib.Path(name)
    if output.is_dir():
        raise FileExistsError(
            f"{str(output)!r} is a folder. Give --output a file, such as "
            f"{str(output / 'study.html')!r}."
        )
    key.check_free(output)
    check_can_be_folder(output.parent)
    return output


def _material(
    arguments: argparse.Namespace, generators: list[Any], loaders: list[Any], way: str
) -> tuple[Any, int]:
    import random

    from cyclegan_keras.study import making, material

    has_real = len(loaders) == 1
    available = material.num_pairs(loaders[0], way, has_real)
    trials, practice = making.numbers(available, arguments.trials, arguments.practice, has_real)
    rng, count = random.SystemRandom(), trials + practice
    if has_real:
        return material.against_real(generators[0], loaders[0], way, count, rng), practice
    return material.of_two_runs(generators, loaders, way, count, rng), practice


def _names(folders: list[pathlib.Path]) -> tuple[str, ...]:
    names = [folder.resolve().name for folder in folders]
    # Unprintable names cannot be written, and some control the terminal.
    shown = names if len(set(names)) == len(names) else [str(folder) for folder in folders]
    return tuple(
        "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name) for name in shown
    )


def _about(files: list[pathlib.Path], loader: Any) -> dict[str, Any]:
    from cyclegan_keras.metrics import round_trip
    from cyclegan_keras.runs import record

    return {
        "data_set": loader.directory.name,
        "images": round_trip.digest(round_trip.files(loader)),
        "on_test_images": loader.has_test_images,
        "generators": [
            {"file": str(path), "weights": record.weights_of([path])[path.name]} for path in files
        ],
    }


def _tell(output: pathlib.Path, material: Any, num_practice: int, loader: Any) -> None:
    from cyclegan_keras.study import key

    for words in loader.left_out():
        print(words)
    num_trials = len(material.files) - num_practice
    if not loader.has_test_images:
        print("There are no test images: these are training images, which a generator knows.")
    size = output.stat().st_size / 1e6
    print(
        f"Page    {output}, {counted(num_trials, 'trial')} after {num_practice} for practice, "
        f"{size:.1f} MB"
    )
    print(f"Key     {key.place(output)}; participants must not see it")


def score(arguments: argparse.Namespace) -> int:
    """Scores a study.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.

    Raises:
        FileExistsError: If `--output` exists.
        FileNotFoundError: If a result or the key is missing.
        ValueError: If a file is damaged, given twice or of another study.
    """
    from cyclegan_keras.study import key, results, scores

    if arguments.output is not None and os.path.lexists(arguments.output):
        raise FileExistsError(f"{arguments.output!r} exists. Give another --output.")
    if arguments.key is None:
        folders = [pathlib.Path(path).parent for path in arguments.results]
        place = key.find(results.study_of(arguments.results[0]), [*folders, pathlib.Path()])
    else:
        place = pathlib.Path(arguments.key)
    truth = key.read(place)
    found = scores.score(results.read(arguments.results, truth))
    for line in scores.summary(found, truth):
        print(line)
    if arguments.output is not None:
        output = pathlib.Path(arguments.output)
        check_can_be_folder(output.parent)
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, json.dumps(scores.as_json(found, truth), indent=1) + "\n")
        print(f"Figures    {output}")
    return 0
