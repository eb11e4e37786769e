"""Reads what Keras 2 writes to HDF5 files, with h5py alone: arrays and descriptions, no code."""

import json
import pathlib
from typing import Any, NamedTuple

import h5py
import numpy as np

from cyclegan_keras.inference.safe_loading.weight_files import count_weights

# Of a description; that of a large generator has some 50 KB.
MAX_TEXT = 16 * 2**20


class KerasFile(NamedTuple):
    """The content of a file.

    Attributes:
        description: Of the model, or `None` if there are weights alone.
        weights: For each layer or nested network, by its name: arrays, in Keras's order.
    """

    description: dict[str, Any] | None
    weights: dict[str, list[np.ndarray]]


def read(path: pathlib.Path) -> KerasFile:
    """Reads a model or the weights of one.

    Args:
        path: Of an `.h5` file by `model.save` or `model.save_weights` of Keras 2.

    Returns:
        What is in it.

    Raises:
        ValueError: If it is damaged, has links or compressed parts, or is no such file.
    """
    count_weights(path)  # And that there are no links, and no more numbers than bytes.
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
        description = None if text is None else parsed(text)
        group = file.get("model_weights", file)
        if not isinstance(group, h5py.Group) or not any(
            name.startswith("layer_names") for name in group.attrs
        ):
            what = "it has no layer_names, as Keras 2 writes them"
            if "layers" in group or "_layer_checkpoint_dependencies" in group:
                what = (
                    "it is a .weights.h5 of Keras 3, which a network must be there for: load it "
                    "with Keras, and save the model as .keras"
                )
            raise ValueError(what)
        weights = {
            name: [_array(group, name, each) for each in _names(group[name], "weight_names")]
            for name in _names(group, "layer_names")
        }
    return KerasFile(description, {name: arrays for name, arrays in weights.items() if arrays})


def parsed(text: Any) -> dict[str, Any]:
    """Parses the JSON description of a model.

    Args:
        text: Text or bytes.

    Returns:
        The description, with "class_name" and "config".

    Raises:
        ValueError: If it is none.
    """
    try:
        if not isinstance(text, str | bytes) or len(text) > MAX_TEXT:
            raise ValueError
        description = json.loads(text)
        if not isinstance(description["config"], dict | list):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("its description is not what `model.to_json()` writes") from None
    return description


def _names(group: Any, attribute: str) -> list[str]:
    """Lists names, which Keras splits into several attributes if there are many."""
    found: list[Any] = []
    if attribute in group.attrs:
        found = [*np.ravel(group.attrs[attribute])]
    else:
        part = 0
        while f"{attribute}{part}" in group.attrs:
            found += [*np.ravel(group.attrs[f"{attribute}{part}"])]
            part += 1
    return [name.decode() if isinstance(name, bytes) else str(name) for name in found]


def _array(group: Any, layer: str, name: str) -> np.ndarray:
    dataset = group[layer][name]
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name!r} in it is no array")
    return np.asarray(dataset)
