"""Train with parts of the losses left out, for as many steps each, and compare with the truth."""

import argparse
import dataclasses
import pathlib
from collections.abc import Collection
from typing import Any

from cyclegan_keras.cli import train
from cyclegan_keras.config.train_config import TrainConfig

HELP = "train with parts of the losses left out, and compare"
FIVE: dict[str, dict[str, Any]] = {
    "cycle_alone": {"lambda_gan": 0.0},
    "gan_alone": {"lambda_cycle": 0.0, "lambda_cycle_A": 0.0, "lambda_cycle_B": 0.0},
    "gan_forward": {"lambda_cycle_B": 0.0},
    "gan_backward": {"lambda_cycle_A": 0.0},
    "all": {},
}
BASELINES: dict[str, dict[str, Any]] = {
    "book": {"recipe": "book"},
    "paper": {"recipe": "paper"},
    "pix2pix_AB": {"model": "pix2pix", "direction": "A-to-B"},
    "pix2pix_BA": {"model": "pix2pix", "direction": "B-to-A"},
}
TITLES = {
    "cycle_alone": "cycle alone",
    "gan_alone": "GAN alone",
    "gan_forward": "GAN + forward cycle",
    "gan_backward": "GAN + backward cycle",
    "all": "GAN + both cycles",
    "book": "the book's recipe",
    "paper": "the paper's recipe",
    "pix2pix_AB": "pix2pix, A to B, from true pairs",
    "pix2pix_BA": "pix2pix, B to A, from true pairs",
}
# What all have alike, so that they see the same images for as many steps.
SHARED = ("image_size", "flip", "epoch_length", "batch_size", "epochs", "decay_epochs")
# Whoever trains the baseline of a recipe means its networks, its losses, and its way of playing.
GROUPS_OF_A_RECIPE = ("model", "networks", "losses")
GAME = ("update_first", "discriminator_update", "pool_size", "d_shift", "d_colour", "d_source")
COLUMNS = {"truth_AB": "A → B", "truth_BA": "B → A", "cycle_A": "cycle A", "cycle_B": "cycle B"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Takes the flags of `train`, which hold for every setting, and the choice of settings.

    Args:
        parser: Of this verb.
    """
    train.add_arguments(parser)
    parser.add_argument(
        "--settings",
        nargs="+",
        choices=(*FIVE, *BASELINES),
        default=list(FIVE),
        help="which to train (default: the five of the ablation table)",
    )


def configs(arguments: argparse.Namespace) -> dict[str, TrainConfig]:
    """Gives the settings of each training.

    The five have no identity loss, as in the paper's table, unless `--lambda-id` asks for it.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        Settings by name, each with a `run_dir` of its own.

    Raises:
        FileNotFoundError: If there is no such settings file.
        ValueError: If a setting is wrong.
    """
    if arguments.resume:
        raise ValueError(
            "An ablation goes on by itself where it was interrupted. Leave --resume out, and give "
            "the same flags as before."
        )
    base = train.config_from(arguments)
    if base.start_from is not None:
        raise ValueError(
            "Parts of the losses are compared from random weights on. Leave --from out, and "
            f"`start_from` in the file of --config. Received: start_from={base.start_from!r}"
        )
    if base.model != "cyclegan":
        raise ValueError(
            "What is ablated is a CycleGAN; for pix2pix beside it, give --settings pix2pix_AB. "
            f"Received: model={base.model!r}"
        )
    parent = pathlib.Path(base.run_dir or "runs/ablation")
    # One that somebody asked for, and not that of a recipe.
    lambda_id = base.lambda_id if "lambda_id" in base.chosen else 0.0
    found = {}
    for name in arguments.settings:
        place = {"run_dir": str(parent / name)}
        if name in FIVE:
            # All values are known, and who zeroes a weight need not answer for those beside it.
            values = {**dataclasses.asdict(base), "lambda_id": lambda_id, **FIVE[name], **place}
            found[name] = TrainConfig(**values)
            continue
        model = BASELINES[name].get("model", "cyclegan")
        taken = {key: getattr(base, key) for key in _shared(base, model)}
        if model == "pix2pix" and base.data_dir is None and base.dataset == "fruit":
            taken["dataset"] = "fruit_pairs"
        found[name] = TrainConfig(**{**BASELINES[name], **taken, **place})
    return found


def _shared(base: TrainConfig, model: str) -> list[str]:
    """Names the settings that a baseline has from the command line."""
    return [
        field.name
        for field in dataclasses.fields(base)
        if model in field.metadata["models"]
        and (field.name in SHARED or (field.name in base.chosen and not _is_of_recipe(field)))
    ]


def _is_of_recipe(field: dataclasses.Field) -> bool:
    return field.metadata["group"] in GROUPS_OF_A_RECIPE or field.name in (*GAME, "ema")


def dropped(base: TrainConfig, names: Collection[str]) -> str | None:
    """Says which flags are not those of a baseline.

    Args:
        base: What the command line says.
        names: The settings that are trained.

    Returns:
        A sentence; `None` if there is nothing to say.
    """
    flags = [
        f"--{field.name.replace('_', '-')}"
        for field in dataclasses.fields(base)
        if field.name in base.chosen and _is_of_recipe(field) and field.metadata["group"] != "model"
    ]
    baselines = [TITLES[name] for name in names if name in BASELINES]
    if not (flags and baselines):
        return None
    return (
        f"Networks and losses of a baseline are its recipe's: {', '.join(flags)} "
        f"{'does' if len(flags) == 1 else 'do'} not change {'; '.join(baselines)}."
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains each setting and prints the table.

    The same command goes on where it was interrupted.

    Args:
        arguments: What the parser made of the command line.

    Returns:
        The exit status.

    Raises:
        FileExistsError: If a folder is in use.
        FileNotFoundError: If there is no such data.
        KeyboardInterrupt: If SIGINT or SIGTERM asked to stop.
        ValueError: If a setting or an image is wrong, a folder has a run of other settings, or no
            true translations are known.
    """
    found = configs(arguments)
    base = next(iter(found.values()))
    if not train.make_loader(base).test_pairs:
        raise ValueError(
            "An ablation is measured against true translations, so testA and testB must be pairs: "
            'images of equal names, and "test_pairs": true in dataset.json. '
            f"Received: {str(train.make_loader(base).directory)!r}"
        )
    if note := dropped(train.config_from(arguments), arguments.settings):
        print(note, flush=True)
    results = {}
    for name, config in found.items():
        print(f"\n{TITLES[name]}", flush=True)
        results[name] = train.train(config)
        _forget_models()
    page = table(results)
    (pathlib.Path(base.run_dir or ".").parent / "ablation.md").write_text(page, "utf-8")
    print(f"\n{page}", end="")
    return 0


def _forget_models() -> None:
    import keras

    keras.utils.clear_session()


def table(results: dict[str, dict[str, float]]) -> str:
    """Sets figures side by side.

    Args:
        results: The figures of each training, by the name of its setting.

    Returns:
        A Markdown table of mean absolute errors on test images, in levels of 0 to 255.
    """
    rows = [["trained with", *COLUMNS.values()], ["---"] + ["---:"] * len(COLUMNS)]
    untranslated = next(iter(results.values()))["truth_untranslated"]
    rows.append(["(untranslated)", f"{untranslated:.2f}", f"{untranslated:.2f}", "", ""])
    for name, figures in results.items():
        cells = [f"{figures[key]:.2f}" if key in figures else "" for key in COLUMNS]
        rows.append([TITLES[name], *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
