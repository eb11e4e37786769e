"""Converts a generator from a file of an older library to a `.keras` file."""

import os
import pathlib
import zipfile
from typing import Any, NamedTuple

import h5py
import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras._files import PathLike, written_whole
from cyclegan_keras._text import counted
from cyclegan_keras.convert import (
    keras_networks,
    keras_weights,
    tensorflow_checkpoints,
    torch_generators,
)
from cyclegan_keras.inference.safe_loading.model_files import (
    load_generator,
    no_more_weights_than,
)
from cyclegan_keras.inference.saving import save_generator
from cyclegan_keras.metrics.backbones.torch_weights import read_checkpoint

# Between the converted network and its file, of values in [-1, 1].
TOLERANCE = 1e-3
SUPPORTED = ".h5 of Keras 2, a state dict of PyTorch (.pth, .pt), or a checkpoint's .index"


class Converted(NamedTuple):
    """A generator, and what it is.

    Attributes:
        generator: From images in [-1, 1] to the same.
        description: Its kind, size and norm, in words.
    """

    generator: keras.Model
    description: str


def convert_generator(
    path: PathLike,
    output: PathLike,
    *,
    config: PathLike | None = None,
    part: str | None = None,
    norm: str | None = None,
    overwrite: bool = False,
) -> str:
    """Converts a generator to a `.keras` file, without running code from the file.

    Args:
        path: An `.h5` file of Keras 2, a state dict of PyTorch, or a TensorFlow checkpoint, by one
            of its files or the name that they share. None need be trusted.
        output: Ends with `.keras`.
        config: A JSON file with the description of the model, where the file has weights alone.
        part: The name of the generator, if there are several.
        norm: The kind of norm, if the file does not tell: "instance", "contrib" or
            "contrib-channel" for Keras, "instance" or "batch" for PyTorch and checkpoints.
        overwrite: Whether `output` may be replaced.

    Returns:
        What was converted, in words.

    Raises:
        FileExistsError: If there is an `output`.
        FileNotFoundError: If there is no such file.
        OSError: If a file cannot be read or written.
        ValueError: If it is no such file, is damaged, or leaves open which part or norm to take.
    """
    target = pathlib.Path(output)
    if target.suffix != ".keras":
        raise ValueError(f"--output must end with .keras. Received: {str(target)!r}")
    if os.path.lexists(target) and not overwrite:
        raise FileExistsError(f"{str(target)!r} exists already. Give --overwrite to replace it.")
    generator, description = read_generator(path, config=config, part=part, norm=norm)
    image, translation = _translated(generator, path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(target) as partial:
        save_generator(generator, partial)
        again = np.asarray(load_generator(partial)(image))
        if not np.abs(again - translation).max() <= TOLERANCE:
            raise ValueError(f"{str(path)!r} is not converted: its file computes something else.")
    return f"{description}, {counted(generator.count_params(), 'parameter')}"


def read_generator(
    path: PathLike,
    *,
    config: PathLike | None = None,
    part: str | None = None,
    norm: str | None = None,
) -> Converted:
    """Reads a generator from a file of an older library, without running code from the file.

    Args:
        path: As for `convert_generator`.
        config: Likewise.
        part: Likewise.
        norm: Likewise.

    Returns:
        The generator and what it is.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If a file cannot be read.
        ValueError: As for `convert_generator`.
    """
    source = pathlib.Path(path)
    checkpoint = tensorflow_checkpoints.prefix_of(source)
    sources = [source] if checkpoint is None else []
    for each in (*sources, *([pathlib.Path(config)] if config is not None else [])):
        if not each.exists():
            raise FileNotFoundError(f"No file {str(each)!r} to convert.")
    try:
        if checkpoint is not None:
            return _from_checkpoint(checkpoint, config, part, norm)
        _check_kind(source)
        if h5py.is_hdf5(source):
            return _from_keras(source, config, part, norm)
        if config is not None:
            raise ValueError("--config is for .h5 files of Keras, and it is none")
        return _from_torch(source, part, norm)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # A damaged description leads to errors of many kinds.
        reason = " ".join(str(error).split())[:400].rstrip(".") or type(error).__name__
        prefix = f"Cannot convert {str(path)!r}: "
        raise ValueError(f"{prefix}{reason}.") from error


def _check_kind(source: pathlib.Path) -> None:
    if source.is_dir():
        raise ValueError(f"it is a folder; give one file, {SUPPORTED}")
    if source.suffix == ".index" or ".data-0" in source.name or source.name == "checkpoint":
        raise ValueError(
            "it is a part of a TensorFlow checkpoint; give its .index, with its data beside it"
        )
    if source.suffix in (".pb", ".onnx", ".tflite"):
        raise ValueError(f"a {source.suffix} file is not supported; give {SUPPORTED}")
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            if "config.json" in archive.namelist():
                raise ValueError("it is a .keras file already")


def _from_checkpoint(
    prefix: pathlib.Path, config: PathLike | None, part: str | None, norm: str | None
) -> Converted:
    if config is not None:
        raise ValueError("--config is for .h5 files of Keras, and it is none")
    networks = tensorflow_checkpoints.read(prefix)
    names = [name for name, each in networks.items() if tensorflow_checkpoints.is_generator(each)]
    if not names:
        raise ValueError(
            f"it has no generator that is known, as Keras 2 saves {tensorflow_checkpoints.KNOWN}"
        )
    weights = networks[_chosen(sorted(names), part)]
    return Converted(*tensorflow_checkpoints.build(weights, norm))


def _from_torch(source: pathlib.Path, part: str | None, norm: str | None) -> Converted:
    parts = {name: s for name, s in read_checkpoint(source).items() if name == part or _is(s)}
    if not parts:
        raise ValueError(f"it has no generator that is known: {torch_generators.KNOWN}")
    name = _chosen([*parts], part)
    generator, description = torch_generators.build(parts[name], norm)
    return Converted(generator, description)


def _is(state: dict[str, np.ndarray]) -> bool:
    return torch_generators.is_generator(state)


def _chosen(names: list[str], part: str | None) -> str:
    listed = ", ".join(names)
    if part is not None:
        if part not in names:
            raise ValueError(f"it has no part {part!r}; its generators are: {listed}")
        return part
    if len(names) > 1:
        raise ValueError(f"it has several generators; give --part, one of: {listed}")
    return names[0]


def _from_keras(
    source: pathlib.Path, config: PathLike | None, part: str | None, norm: str | None
) -> Converted:
    file = keras_weights.read(source)
    description = file.description
    if config is not None:
        description = keras_weights.parsed(pathlib.Path(config).read_bytes())
    if description is None:
        return _from_weights_alone(file.weights, part, norm)
    total = sum(array.size for arrays in file.weights.values() for array in arrays)
    with no_more_weights_than(total):
        inner = _generators_in(description)
        if inner:
            aliases = _aliases(description, [*inner])
            wanted = aliases.get(part or "", part)
            name = _chosen([*inner], wanted)
            network = keras_networks.Network(inner[name], norm)
            keras_networks.set_weights(network.layers_in_order(), file.weights[name])
        else:
            if part is not None:
                raise ValueError("it has one generator only, so leave --part out")
            network = keras_networks.Network(description, norm)
            for name, made in network.weighted.items():
                keras_networks.set_weights(made, file.weights.get(name, []))
    return Converted(network.model, _in_words(network))


def _generators_in(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Finds the networks in a combined model that have as many channels as they take."""
    config = description["config"]
    if isinstance(config, list) or len([*keras_networks.sources(config["output_layers"])]) < 2:
        return {}
    found = {}
    for each in config["layers"]:
        if each["class_name"] in keras_networks.NETWORKS and _is_translator(each["config"]):
            found[str(each.get("name") or each["config"]["name"])] = each
    if not found:
        raise ValueError("it has several outputs, and no generator in it")
    return found


def _is_translator(config: Any) -> bool:
    listed = config if isinstance(config, list) else config["layers"]
    shapes = (
        each["config"].get("batch_input_shape") or each["config"].get("batch_shape")
        for each in listed
    )
    shape = next((shape for shape in shapes if shape), None)
    kernels = [each["config"] for each in listed if "filters" in each["config"]]
    if shape is None or not kernels:
        return False
    return kernels[-1]["filters"] == shape[-1] and kernels[-1].get("strides") in (1, [1, 1], (1, 1))


def _aliases(description: dict[str, Any], names: list[str]) -> dict[str, str]:
    """Tells which generator of two takes the first image: the book's g_AB."""
    config = description["config"]
    inputs = [*keras_networks.sources(config["input_layers"])]
    if len(names) != 2 or len(inputs) != 2 or {"g_AB", "g_BA"} & {*names}:
        return {}
    first = {}
    for each in config["layers"]:
        name = str(each.get("name") or each["config"]["name"])
        if name in names:
            first[name] = next(keras_networks.sources(each["inbound_nodes"][0]))
    for name in names:
        (other,) = {*names} - {name}
        if first[name] == inputs[0] and first[other] == inputs[1]:
            return {"g_AB": name, "g_BA": other}
    return {}


def _from_weights_alone(
    weights: dict[str, list[np.ndarray]], part: str | None, norm: str | None
) -> Converted:
    # In a combined model, each network has all of its weights under its name.
    networks = {name: arrays for name, arrays in weights.items() if len(arrays) > 20}
    if networks:
        arrays = networks[_chosen([*networks], part)]
    else:
        arrays = [array for each in weights.values() for array in each]
        if part is not None:
            raise ValueError("it has one network only, so leave --part out")
    description = keras_networks.book_description(arrays, norm)
    network = keras_networks.Network(description, description["norm"])
    keras_networks.set_weights(network.layers_in_order(), arrays)
    return Converted(network.model, _in_words(network))


def _in_words(network: keras_networks.Network) -> str:
    shape = network.model.input_shape
    kernels = [w for w in network.model.weights if len(w.shape) == 4]
    height, width = ("any" if size is None else size for size in shape[1:3])
    norms = " and ".join(sorted(network.norms)) or "none of instances"
    return (
        f"a network of {counted(len(kernels), 'kernel')}, {kernels[0].shape[-1]} filters in the "
        f"first layer, {height}x{width} pixels, norm {norms}"
    )


def _translated(generator: keras.Model, path: PathLike) -> tuple[np.ndarray, np.ndarray]:
    """Translates noise, to see that the values are those of an image."""
    shape = generator.input_shape
    size = [64 if length is None else length for length in shape[1:3]]
    image = np.random.default_rng(0).uniform(-1, 1, (1, *size, shape[3])).astype(np.float32)
    try:
        translation = np.asarray(generator(image))
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(f"Cannot convert {str(path)!r}: it translates no {size} image.") from error
    if not (np.isfinite(translation).all() and np.abs(translation).max() <= 1 + 1e-6):
        raise ValueError(
            f"Cannot convert {str(path)!r}: its translations must be finite numbers in [-1, 1], as "
            "tanh makes them, and they are not."
        )
    return image, translation
