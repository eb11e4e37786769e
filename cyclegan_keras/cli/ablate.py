"""Train with parts of the losses left out, and other models, and compare.

All get as many steps, or as much time, or first the one and then the other.
"""

import argparse
import os
import pathlib
from typing import Any

from cyclegan_keras._files import check_can_be_folder, write_text
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli import ablate_settings, evaluate, generator_file, train
from cyclegan_keras.cli.ablate_settings import Part
from cyclegan_keras.cluster import of_environment
from cyclegan_keras.config.models import MODELS
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import run_data, run_folder, trainer

HELP = "train with parts of the losses left out, and other models, and compare"
COLUMNS = {"truth_AB": "A → B", "truth_BA": "B → A", "cycle_A": "cycle A", "cycle_B": "cycle B"}
TABLE, PAGE = "ablation.md", "ablation.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes the flags of `train`, which hold for every setting, and the choice of settings.

    Args:
        parser: Of this verb.
    """
    train.add_arguments(parser)
    every = (name for info in MODELS.values() for name in ablate_settings.variants(info))
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=[*dict.fromkeys(every)],
        help="the losses or baselines to train with (default: the five of the ablation table)",
    )
    parser.add_argument(
        "--label-colors",
        metavar="FILE",
        help='the colors of classes, as JSON such as {"B": [[0, 0, 224], [255, 0, 0]]}, if the '
        "images of B are label maps; by default those of dataset.json",
    )
    parser.add_argument(
        "--segmentation-steps",
        type=int,
        metavar="N",
        help="training steps of the network that looks at photos made from label maps (default: "
        "1500)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains each setting, and writes the tables and a page.

    The same command goes on where it was interrupted.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If a folder is in use.
        FileNotFoundError: If there is no such data.
        KeyboardInterrupt: If SIGINT or SIGTERM asked to stop.
        ValueError: If a setting or an image is wrong, a folder has a run of other settings, or
            there is nothing to compare by.
    """
    parts = ablate_settings.parts(arguments)
    base = train.config_from(arguments)
    folder = pathlib.Path(base.run_dir or ablate_settings.DEFAULT_DIR)
    check_can_be_folder(folder)
    labels = None
    if arguments.label_colors is not None:
        labels = evaluate.read_labels(arguments.label_colors, "--label-colors")
    steps = evaluate.segmentation_steps(arguments)
    _check_alone(arguments)
    for config in parts[0].configs.values():
        _check_data(config)
    parts = [_with_length(part) for part in parts]
    if note := ablate_settings.dropped(base, parts[0].configs):
        print(note, flush=True)
    print("Loading TensorFlow …", flush=True)
    with without_startup_notes():
        from cyclegan_keras.metrics import segmenter
        from cyclegan_keras.reports import ablation
        from cyclegan_keras.runs import every_figure

        # The judges are the first to compute.
        trainer.prepare_tensorflow(base)
    how = segmenter.Settings(**({} if steps is None else {"steps": steps}))
    # Made now, so that errors come before the trainings.
    judges = every_figure.Judges(
        parts[0].configs.values(), every_figure.choose(base.extractor), labels, how, folder
    )
    trained = [_train(part) for part in parts]
    sections = [
        _section(part, metrics, judges) for part, metrics in zip(parts, trained, strict=True)
    ]
    text = "\n".join([*map(errors, parts, trained), ablation.markdown(sections)])
    write_text(folder / TABLE, text)
    print(f"\n{text}", end="", flush=True)
    first = next(iter(parts[0].configs.values()))
    ablation.write(folder / PAGE, run_data.make_loader(first).directory.name, sections)
    print(f"Page    {folder / PAGE}")
    return 0


def _check_alone(arguments: argparse.Namespace) -> None:
    """Raises an error if several processes are to train together."""
    cluster = of_environment(os.environ)
    given = arguments.launcher or arguments.workers or (cluster and cluster.num_workers > 1)
    if given:
        raise ValueError(
            "An ablation trains one run after the other in one process, on all devices that it "
            "finds. Leave --launcher, --workers and descriptions of a cluster in the environment "
            "out, or train each run by `cyclegan train` and compare them by `cyclegan compare`."
        )


def _check_data(config: TrainConfig) -> None:
    if config.data_dir is not None and not pathlib.Path(config.data_dir).is_dir():
        raise FileNotFoundError(
            f"No folder {config.data_dir!r}. --data-dir must name a folder that contains trainA "
            "and trainB."
        )


def _with_length(part: Part) -> Part:
    loaders = {name: run_data.make_loader(config) for name, config in part.configs.items()}
    return ablate_settings.with_length(part, run_data.make_loader(part.base), loaders)


def _train(part: Part) -> dict[str, dict[str, Any]]:
    """Trains what is not trained yet."""
    titles, found = ablate_settings.titles(part), {}
    for name, config in part.configs.items():
        print(f"\n{titles[name]}, {part.title}", flush=True)
        found[name] = trainer.train_run(config, advises=False)
        _check_length(config, found[name])
        _forget_models()
    return found


def _check_length(config: TrainConfig, metrics: dict[str, Any]) -> None:
    """Raises an error if a run was finished before, after another number of steps."""
    folder = pathlib.Path(config.run_dir or ".")
    if config.steps is None or config.minutes is not None or "stopped_at_step" in metrics:
        return
    steps = run_folder.settings_in(folder).steps
    if steps != config.steps:
        raise ValueError(
            f"The run in {str(folder)!r} is finished with steps={steps}. Give another --run-dir, "
            f"or as many --steps. Received: steps={config.steps}"
        )


def _forget_models() -> None:
    import keras

    keras.utils.clear_session()


def _section(part: Part, trained: dict[str, dict[str, Any]], judges: Any) -> Any:
    """Measures the runs of a part, and shows what they make of the same images."""
    from cyclegan_keras.reports import ablation, curves

    titles, entries = ablate_settings.titles(part), []
    for name, config in part.configs.items():
        print(f"Measuring {titles[name]} …", flush=True)
        figures = judges.of(config)
        history = curves.read(pathlib.Path(config.run_dir or ".") / run_folder.HISTORY)
        step, seconds = next(reversed(history.seconds.items()), (None, None))
        metrics = {**trained[name], **figures.scores}
        entries.append(
            ablation.Entry(
                titles[name], metrics, figures.features, step, config.batch_size, seconds
            )
        )
    return ablation.Section(part.title, entries, _notes(part, trained), _sheets(part, titles))


def _notes(part: Part, trained: dict[str, dict[str, Any]]) -> list[str]:
    """Says what is not the same for all."""
    titles, found = ablate_settings.titles(part), []
    sizes = {titles[name]: config.batch_size for name, config in part.configs.items()}
    usual = min(sizes.values())
    for title, size in sizes.items():
        if size != usual:
            found.append(
                f"A step of {title} takes {size} images of each domain, and so sees "
                f"{size / usual:g} times as many as a step with {usual}."
            )
    for name, config in part.configs.items():
        if config.info.judge != "auto":
            found.append(
                f"{titles[name]} is trained with features of a network; compare it by those of "
                f"another one, {config.info.judge}."
            )
    if len({metrics["images"] for metrics in trained.values()}) > 1:
        found.append("Not all trainings have the same test images: compare rows with care.")
    return found


def _sheets(part: Part, titles: dict[str, str]) -> list[Any]:
    """Shows how all translate the same images."""
    from cyclegan_keras.metrics.round_trip import WAYS
    from cyclegan_keras.reports import comparison_page

    generators = [
        {
            name: file.load()
            for name, file in generator_file.networks_of_run(config.run_dir or ".").items()
        }
        for config in part.configs.values()
    ]
    loader = run_data.make_judging_loader(next(iter(part.configs.values())))
    ways = [way for way in WAYS if any(f"g_{way}" in known for known in generators)]
    return [comparison_page.sheet(list(titles.values()), generators, loader, way) for way in ways]


def errors(part: Part, trained: dict[str, dict[str, Any]]) -> str:
    """Sets the errors to the ground truth side by side, and those of cycles.

    Args:
        part: The trainings.
        trained: The metrics of each, by name.

    Returns:
        A Markdown table of mean absolute errors on test images, in levels of 0 to 255; nothing
        where no ground truth is known.
    """
    untranslated = next(iter(trained.values())).get("truth_untranslated")
    if untranslated is None:
        return ""
    titles = ablate_settings.titles(part)
    rows = [["trained with", *COLUMNS.values()], ["---"] + ["---:"] * len(COLUMNS)]
    rows.append(["(untranslated)", f"{untranslated:.2f}", f"{untranslated:.2f}", "", ""])
    for name, metrics in trained.items():
        cells = [f"{metrics[key]:.2f}" if key in metrics else "" for key in COLUMNS]
        rows.append([titles[name], *cells])
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return f"{table}\nMean absolute errors, {part.title}.\n"
