"""What a run leaves behind: its folder, its translators, its figures."""

import json
import os
import pathlib
from typing import Any

import keras

from cyclegan_keras.config import TrainConfig
from cyclegan_keras.data.images import PathLike


def free_name(path: PathLike) -> pathlib.Path:
    """Finds a name that is not taken, so that nothing is overwritten.

    Args:
        path: The name that is wanted.

    Returns:
        `path`, or `path-2`, `path-3`, … if there is one of that name already.
    """
    wanted = pathlib.Path(path)
    name, number = wanted, 1
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


def make_run_dir(config: TrainConfig, dataset_name: str) -> pathlib.Path:
    """Makes the folder of a run and writes the settings into it.

    Args:
        config: The settings. Without a `run_dir`, the folder is `runs/<dataset>`, or the first of
            `runs/<dataset>-2`, `-3`, … that is free.
        dataset_name: Of the data set.

    Returns:
        The folder.

    Raises:
        FileExistsError: If a folder was asked for and there is something in it.
    """
    if config.run_dir is None:
        folder = free_name(pathlib.Path("runs") / dataset_name)
    else:
        folder = pathlib.Path(config.run_dir)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise FileExistsError(
                f"There is something in {str(folder)!r} already, and a run overwrites nothing. "
                "Give another --run-dir, or move the old one away."
            )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(config.to_json(), "utf-8")
    return folder


def in_full_precision(model: keras.Model) -> keras.Model:
    """Copies a model that computes in 16 bits to one that computes in float32.

    So that a translator is as fast and as exact where there are no 16-bit units.

    Args:
        model: A model of inputs and outputs, trained in any precision.

    Returns:
        The copy, with the same name and weights; `model` itself if it computes in float32.
    """
    if all(layer.compute_dtype == layer.variable_dtype for layer in model.layers):
        return model
    copy = keras.models.clone_model(
        model,
        clone_function=lambda layer: type(layer).from_config(
            {**layer.get_config(), "dtype": layer.variable_dtype}
        ),
    )
    copy.set_weights(model.get_weights())
    copy.name = model.name
    return copy


def save_whole(model: Any, path: PathLike) -> None:
    """Saves a model as a `.keras` file, whole or not at all.

    Args:
        model: A Keras model.
        path: Ends with `.keras`; an existing file is replaced.
    """
    target = pathlib.Path(path)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.keras")
    try:
        model.save(partial)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def save_figures(figures: dict[str, float], path: PathLike) -> None:
    """Writes the figures of a run as JSON.

    Args:
        figures: Numbers by name.
        path: Of the file.
    """
    pathlib.Path(path).write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
