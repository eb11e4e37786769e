"""Saving the results of a run: its generators and its metrics."""

import contextlib
import json
import pathlib
from typing import Any

import keras
import numpy as np

from cyclegan_keras._files import PathLike, write_text, written_whole
from cyclegan_keras.inference.rebuilding import rebuilt
from cyclegan_keras.inference.stock_layers import to_stock_layers


def in_full_precision(model: keras.Model) -> keras.Model:
    """Copies a model that computes in 16 bits to one that computes in float32.

    So that a saved generator is as fast and as exact on machines without 16-bit units.

    Args:
        model: A functional or sequential model, possibly nested, trained in any precision; a model
            of any other kind is returned unchanged.

    Returns:
        The copy, with the same name and weights; `model` itself if it computes in float32.
    """
    if all(layer.compute_dtype == layer.variable_dtype for layer in model._flatten_layers()):
        return model
    return rebuilt(model, _in_full_precision)


def _in_full_precision(op: Any) -> Any:
    if not isinstance(op, keras.layers.Layer):
        return None
    if hasattr(op, "in_full_precision"):  # It holds networks of its own.
        return op.in_full_precision()
    return type(op).from_config({**op.get_config(), "dtype": op.variable_dtype})


def save_whole(model: Any, path: PathLike) -> None:
    """Saves a model as a `.keras` file, atomically.

    Args:
        model: A Keras model.
        path: Ends with `.keras`; an existing file is replaced.

    Raises:
        OSError: If it cannot be written.
        ValueError: If one of its weights is infinite or NaN.
    """
    for variable in model.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(
                f"{model.name} is not saved, because its weights {variable.path!r} are not finite."
            )
    with written_whole(path) as partial:
        model.save(partial)


def save_generator(generator: keras.Model, path: PathLike) -> None:
    """Saves a generator as a `.keras` file that Keras alone can load.

    The file contains layers and operations of Keras only, in float32, so that
    `keras.models.load_model` needs no other package. `load_generator` replaces them by this
    package's faster layers.

    Args:
        generator: A model from images to images, trained in any precision.
        path: Ends with `.keras`; an existing file is replaced.

    Raises:
        OSError: If it cannot be written.
        ValueError: If one of its weights is infinite or NaN.
    """
    save_whole(to_stock_layers(in_full_precision(generator)), path)


def networks_to_save(model: Any) -> dict[str, keras.Model]:
    """Finds what a run saves of a model, and is evaluated by.

    Args:
        model: A model with `translators` and, if there is more to save, `saved_networks`.

    Returns:
        The networks by name: generators, and what is saved beside them.
    """
    found: dict[str, keras.Model] | None = getattr(model, "saved_networks", None)
    return model.translators if found is None else found


def save_translators(
    translators: dict[str, keras.Model], directory: PathLike
) -> list[pathlib.Path]:
    """Saves trained generators, in float32 whatever they were trained in.

    No file replaces an earlier one before all are written, so that files of different times never
    look like a pair.

    Args:
        translators: Generators by name.
        directory: The folder.

    Returns:
        The files, `<name>.keras` each.

    Raises:
        OSError: If one cannot be written.
        ValueError: If a weight is infinite or NaN.
    """
    paths = [pathlib.Path(directory) / f"{name}.keras" for name in translators]
    with contextlib.ExitStack() as stack:
        for translator, path in zip(translators.values(), paths, strict=True):
            save_generator(translator, stack.enter_context(written_whole(path)))
    return paths


def save_metrics(metrics: dict[str, float], path: PathLike) -> None:
    """Writes the metrics of a run as JSON.

    Args:
        metrics: Values by name.
        path: The file.
    """
    write_text(path, json.dumps(metrics, indent=2) + "\n")
