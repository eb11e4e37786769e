"""Train with parts of the losses left out, for as many steps each, and compare."""

import argparse
import pathlib
from collections.abc import Collection

from cyclegan_keras.cli import train
from cyclegan_keras.config.fields import Setting
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.config.models import MODELS, ModelInfo, Variant
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import run_data, trainer

HELP = "train with parts of the losses left out, and compare"
# What all have alike, so that they see the same images for as many steps.
SHARED = ("image_size", "flip", "epoch_length", "batch_size", "epochs", "decay_epochs")
# Whoever trains the baseline of a recipe means its networks, its losses, and its way of playing.
GROUPS_OF_A_RECIPE = ("model", "networks", "losses")
GAME: tuple[str, ...] = ("update_first", "discriminator_update", "pool_size", "source_negatives")
GAME += ("diffaugment_translation", "diffaugment_color")
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
        choices=[*dict.fromkeys(name for info in MODELS.values() for name in _variants(info))],
        help="the losses or baselines to train with (default: the five of the ablation table)",
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
    ablations = base.info.ablations
    if not ablations:
        able = " or ".join(info.title for info in MODELS.values() if info.ablations)
        raise ValueError(
            f"What is ablated is a {able}; for {base.info.title} beside it, give --settings "
            f"{' '.join(base.info.baselines) or 'of it'}. Received: model={base.info.name!r}"
        )
    names = arguments.settings or list(ablations)
    parent = pathlib.Path(base.run_dir or "runs/ablation")
    # One that somebody asked for, and not that of a recipe.
    without = {
        name: value for name, value in base.info.ablated_without.items() if name not in base.chosen
    }
    found = {}
    for name in names:
        place = {"run_dir": str(parent / name)}
        if name in ablations:
            changes = {**without, **ablations[name].settings, **place}
            found[name] = base.replace(**changes)
            continue
        info = _of_baseline(name)
        taken = {key: getattr(base, key) for key in _shared(base, info)}
        if info.data == "paired" and base.data_dir is None and base.dataset == "fruit":
            taken["dataset"] = "fruit_pairs"
        settings = {"model": info.name, **info.baselines[name].settings}
        found[name] = TrainConfig(**{**settings, **taken, **place})
    ablated = {name: found[name] for name in found if name in ablations}
    _check_weights_count(base, set(vars(arguments)), ablated)
    return found


def _check_weights_count(
    base: TrainConfig, given: set[str], ablated: dict[str, TrainConfig]
) -> None:
    """Raises an error for a flag whose weight each of the settings takes away."""
    for name, setting in base.model.settings().items():
        value = getattr(base, name)
        if setting.about["group"] != "losses" or name not in given or not ablated:
            continue
        if all(getattr(config, name) != value for config in ablated.values()):
            raise ValueError(
                f"`{name}` does nothing here: it is no part of "
                f"{', '.join(repr(_title(each)) for each in ablated)}. Leave it out, or train "
                f"other --settings. Received: {name}={value}, --settings {' '.join(ablated)}"
            )


def _variants(info: ModelInfo) -> dict[str, Variant]:
    return {**info.ablations, **info.baselines}


def _of_baseline(name: str) -> ModelInfo:
    """The model that a baseline is of."""
    found = [info for info in MODELS.values() if name in info.baselines]
    if not found:
        able = [info.title for info in MODELS.values() if name in info.ablations]
        raise ValueError(f"{name} is a part of {' or '.join(able)} left out. Leave it out.")
    return found[0]


def _title(name: str) -> str:
    return next(_variants(i)[name].title for i in MODELS.values() if name in _variants(i))


def _shared(base: TrainConfig, info: ModelInfo) -> list[str]:
    """Names the settings that a baseline has from the command line."""
    of_both = {*info.config.settings(), *base.data.settings(), *base.run.settings()}
    return [
        name
        for name, setting in known_settings().items()
        if name in of_both
        and info.has(setting)
        and (name in SHARED or (name in base.chosen and not _is_of_recipe(setting)))
    ]


def _is_of_recipe(setting: Setting) -> bool:
    return setting.about["group"] in GROUPS_OF_A_RECIPE or setting.name in (*GAME, "ema")


def dropped(base: TrainConfig, names: Collection[str]) -> str | None:
    """Says which flags are not those of a baseline.

    Args:
        base: What the command line says.
        names: The settings that are trained.

    Returns:
        A sentence; `None` if there is nothing to say.
    """
    flags = [
        setting.flag or name
        for name, setting in known_settings().items()
        if name in base.chosen and _is_of_recipe(setting) and setting.about["group"] != "model"
    ]
    baselines = [_title(name) for name in names if name not in base.info.ablations]
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
    loader = run_data.make_loader(base)
    if not loader.test_pairs:
        raise ValueError(
            "An ablation is measured against true translations, so testA and testB must be pairs: "
            'images of equal names, and "test_pairs": true in dataset.json. '
            f"Received: {str(loader.directory)!r}"
        )
    if note := dropped(train.config_from(arguments), found):
        print(note, flush=True)
    results = {}
    for name, config in found.items():
        print(f"\n{_title(name)}", flush=True)
        results[name] = trainer.train_run(config)
        _forget_models()
    page = table(results)
    (pathlib.Path(base.run_dir or ".").parent / "ablation.md").write_text(page, "utf-8")
    print(f"\n{page}", end="")
    return 0


def _forget_models() -> None:
    import keras

    keras.utils.clear_session()


def table(results: dict[str, dict[str, float]]) -> str:
    """Sets metrics side by side.

    Args:
        results: The metrics of each training, by the name of its setting.

    Returns:
        A Markdown table of mean absolute errors on test images, in levels of 0 to 255.
    """
    rows = [["trained with", *COLUMNS.values()], ["---"] + ["---:"] * len(COLUMNS)]
    untranslated = next(iter(results.values()))["truth_untranslated"]
    rows.append(["(untranslated)", f"{untranslated:.2f}", f"{untranslated:.2f}", "", ""])
    for name, metrics in results.items():
        cells = [f"{metrics[key]:.2f}" if key in metrics else "" for key in COLUMNS]
        rows.append([_title(name), *cells])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
