"""Builds networks from the descriptions that Keras 2 writes, of known layers only."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cyclegan_keras.layers import InstanceNormalization
from cyclegan_keras.layers.contrib_norm import ContribNormalization

NORMS = ("instance", "contrib", "contrib-channel")
ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "elu", "selu", "leaky_relu", "swish")
# Of kernels, strides, paddings and the like.
MAX_SIZE = 64
NETWORKS = ("Model", "Functional", "Sequential")

# Of each known layer, the settings that affect what it computes.
_SETTINGS: dict[str, tuple[Any, str]] = {
    "Conv2D": (layers.Conv2D, "filters kernel_size strides padding dilation_rate groups use_bias"),
    "Conv2DTranspose": (
        layers.Conv2DTranspose,
        "filters kernel_size strides padding output_padding dilation_rate use_bias",
    ),
    "UpSampling2D": (layers.UpSampling2D, "size interpolation"),
    "ZeroPadding2D": (layers.ZeroPadding2D, "padding"),
    "Cropping2D": (layers.Cropping2D, "cropping"),
    "Dropout": (layers.Dropout, "rate"),
    "Activation": (layers.Activation, ""),
    "ReLU": (layers.ReLU, "max_value negative_slope threshold"),
    "Add": (layers.Add, ""),
    "Concatenate": (layers.Concatenate, "axis"),
    "BatchNormalization": (layers.BatchNormalization, "axis epsilon center scale"),
    "GroupNormalization": (layers.GroupNormalization, "groups axis epsilon center scale"),
}


class Network:
    """A network in the making, with the layers that take weights, in the file's order.

    Args:
        description: With "class_name" and "config".
        norm: What an `InstanceNormalization` is of which the description does not tell it.

    Raises:
        ValueError: If it has other layers than the known ones.
    """

    def __init__(self, description: dict[str, Any], norm: str | None, depth: int = 0) -> None:
        self.weighted: dict[str, list[Any]] = {}
        self.norms: set[str] = set()
        self._norm, self._depth = norm, depth
        if depth > 8:
            raise ValueError("its networks are nested too deep")
        config = description["config"]
        listed = config if isinstance(config, list) else config["layers"]
        self.made: dict[tuple[str, int], Any] = {}
        if description["class_name"] == "Sequential":
            self.model = self._chain(listed)
        else:
            self.model = self._graph(listed, config)

    def layers_in_order(self) -> list[Any]:
        """The layers with weights, as they stand in the description."""
        return [layer for each in self.weighted.values() for layer in each]

    def _chain(self, listed: list[dict[str, Any]]) -> keras.Model:
        shape = next(
            (s for each in listed if (s := _shape_of(each["config"])) is not None),
            None,
        )
        if shape is None:
            raise ValueError("its description does not tell the shape of the images")
        img = x = keras.Input(shape[1:])
        for each in listed:
            if each["class_name"] != "InputLayer":
                x = self._layer(each, str(each["config"]["name"]))(x)
        return keras.Model(img, x)

    def _graph(self, listed: list[dict[str, Any]], config: Any) -> keras.Model:
        for each in listed:
            name = str(each.get("name") or each["config"]["name"])
            if each["class_name"] == "InputLayer":
                shape = _shape_of(each["config"])
                if shape is None:
                    raise ValueError("its description does not tell the shape of the images")
                self.made[name, 0] = keras.Input(shape[1:])
                continue
            call = self._layer(each, name)
            for index, node in enumerate(each["inbound_nodes"]):
                tensors = [self.made[source] for source in sources(node)]
                self.made[name, index] = call(tensors[0] if len(tensors) == 1 else tensors)
        ends = [
            [self.made[end] for end in _ends(config[f"{e}_layers"])] for e in ("input", "output")
        ]
        if any(len(end) != 1 for end in ends):
            raise ValueError("it has several inputs or outputs")
        return keras.Model(ends[0][0], ends[1][0])

    def _layer(self, each: dict[str, Any], name: str) -> Any:
        kind, config = str(each["class_name"]), each["config"]
        if kind in NETWORKS:
            inner = Network(each, self._norm, self._depth + 1)
            self.weighted[name] = inner.layers_in_order()
            self.norms |= inner.norms
            return inner.model
        if config.get("data_format", "channels_last") != "channels_last":
            raise ValueError(f"its layer {name!r} has channels first, which is not supported")
        if kind.rpartition(">")[2] == "InstanceNormalization":
            return self._instance_norm(each, name)
        if kind == "LeakyReLU":
            slope = config.get("alpha", config.get("negative_slope", 0.3))
            return layers.LeakyReLU(negative_slope=_number(slope))
        if kind not in _SETTINGS:
            raise ValueError(
                f"its layer {name!r} is a {kind}, which is not among the known ones, and no code "
                "of a file is run"
            )
        make, names = _SETTINGS[kind]
        settings = {key: config[key] for key in names.split() if config.get(key) is not None}
        if "activation" in config:
            activation = config["activation"] or "linear"
            if activation not in ACTIVATIONS:
                raise ValueError(f"its layer {name!r} has an unknown activation, {activation!r}")
            settings["activation"] = activation
        if "axis" in settings:
            settings["axis"] = int(np.ravel(settings["axis"])[0])
        for key, value in settings.items():
            # A convolution's filters are limited by the weights that the file has.
            if key != "filters" and np.max(np.abs(_numbers(value)), initial=0) > MAX_SIZE:
                raise ValueError(f"its layer {name!r} has {key}={value}, more than {MAX_SIZE}")
        layer = make(**settings)
        self.weighted[name] = [layer]
        return layer

    def _instance_norm(self, each: dict[str, Any], name: str) -> Any:
        config = each["config"]
        registered = str(each.get("registered_name") or each["class_name"])
        is_addons = registered.startswith("Addons>") or "groups" in config
        if is_addons:
            norm = "instance"
        elif "axis" in config and "beta_regularizer" in config:
            norm = "contrib" if config["axis"] is None else "contrib-channel"
        elif self._norm is None:
            raise ValueError(_ask())
        else:
            norm = self._norm
        if self._norm not in (None, norm):
            raise ValueError(f"its norms are {norm}, so --norm {self._norm} cannot be")
        if norm not in NORMS:
            raise ValueError(f"--norm must be one of {', '.join(NORMS)}. Received: --norm {norm}")
        if config.get("axis") not in (None, -1, 3):
            raise ValueError(f"its layer {name!r} has another axis than the channels")
        epsilon = _number(config.get("epsilon", 1e-3))
        center, scale = config.get("center", True), config.get("scale", True)
        self.norms.add(norm)
        if norm == "instance":
            layer = InstanceNormalization(epsilon, center=bool(center), scale=bool(scale))
        elif center is not True or scale is not True:
            raise ValueError(f"its layer {name!r} has no factor or no offset: not supported")
        elif norm == "contrib":
            layer = ContribNormalization(epsilon)
        else:
            # Its factors and offsets are kernels and biases of one pixel.
            layer = layers.DepthwiseConv2D(1)
            self.weighted[name] = [layer]
            return lambda x: layer(_per_channel(x, epsilon))
        self.weighted[name] = [layer]
        return layer


def _per_channel(x: Any, epsilon: float) -> Any:
    centred = ops.subtract(x, ops.mean(x, axis=(1, 2), keepdims=True))
    variance = ops.mean(ops.square(centred), axis=(1, 2), keepdims=True)
    return ops.divide(centred, ops.add(ops.sqrt(variance), epsilon))


def set_weights(made: list[Any], arrays: list[np.ndarray]) -> None:
    """Gives layers their weights, all that are trained first, as Keras 2 saves them.

    Args:
        made: Layers in the file's order.
        arrays: All weights of theirs.

    Raises:
        ValueError: If they do not fit.
    """
    variables = [v for layer in made for v in layer.trainable_weights]
    variables += [v for layer in made for v in layer.non_trainable_weights]
    if len(variables) != len(arrays):
        raise ValueError(f"it has {len(arrays)} weights where {len(variables)} are wanted")
    for variable, array in zip(variables, arrays, strict=True):
        shape = tuple(variable.shape)
        if len(shape) == 4 and shape[:2] == (1, 1) and array.shape == (shape[2],):
            array = array.reshape(shape)  # A factor per channel.
        if shape != array.shape:
            raise ValueError(f"its weights of shape {array.shape} do not fit in {shape}")
        variable.assign(array)


def _ask() -> str:
    return (
        "it does not tell which instance normalization it has: give --norm instance for that of "
        "tensorflow-addons, contrib for keras_contrib's over all channels together, or "
        "contrib-channel for keras_contrib's with axis=-1"
    )


def _number(value: Any) -> float:
    if isinstance(value, dict):  # Of an array: {"class_name": "__numpy__", "value": …}
        value = value.get("value", value.get("config", {}).get("value"))
    return float(np.ravel(value)[0])


def _numbers(value: Any) -> list[float]:
    if isinstance(value, list | tuple):
        return [number for part in value for number in _numbers(part)]
    return [float(value)] if isinstance(value, int | float) else []


def _shape_of(config: dict[str, Any]) -> list[Any] | None:
    return config.get("batch_input_shape") or config.get("batch_shape")


def sources(node: Any) -> Iterator[tuple[str, int]]:
    """Yields the layers, and their calls, whose outputs a call takes; of Keras 2 and 3."""
    if isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            name, index, _ = node["config"]["keras_history"]
            yield str(name), int(index)
        else:
            yield from sources(node.get("args", []))
    elif isinstance(node, list) and len(node) >= 3 and isinstance(node[0], str):
        yield str(node[0]), int(node[1])
    elif isinstance(node, list):
        for part in node:
            yield from sources(part)


def _ends(listed: Any) -> list[tuple[str, int]]:
    return [*sources(listed)]


def book_description(arrays: list[np.ndarray], norm: str | None) -> dict[str, Any]:
    """Describes the book's U-Net that weights are of.

    Args:
        arrays: All weights: kernel and bias, then factor and offset, of each of seven layers; and
            kernel and bias of the last one.
        norm: "instance" or "contrib-channel" where factors are per channel.

    Returns:
        A description as Keras 2 would have written it.

    Raises:
        ValueError: If they are of another network, or the norm is ambiguous.
    """
    shapes = [array.shape for array in arrays]
    try:
        size, _, channels, gf = shapes[0]
        filters = [gf, 2 * gf, 4 * gf, 8 * gf, 4 * gf, 2 * gf, gf, channels]
        inputs = [channels, gf, 2 * gf, 4 * gf, 8 * gf, 8 * gf, 4 * gf, 2 * gf]
        is_book = shapes[::4] == [(size, size, i, o) for i, o in zip(inputs, filters, strict=True)]
        is_book = (
            is_book
            and len(shapes) == 30
            and shapes[2::4] in ([(1,)] * 7, [(f,) for f in filters[:7]])
        )
    except (ValueError, IndexError):
        is_book = False
    if not is_book:
        raise ValueError(
            "its weights alone are not those of the book's U-Net; give --config FILE.json with "
            "what `model.to_json()` wrote"
        )
    if shapes[2] == (1,) and gf > 1:
        if norm not in (None, "contrib"):
            raise ValueError(f"its norms have one factor each, so --norm is contrib, not {norm}")
        norm = "contrib"
    elif norm is None:
        raise ValueError(_ask())
    elif norm == "contrib" and gf > 1:
        raise ValueError("its norms have a factor per channel, so --norm contrib cannot be")
    made: list[dict[str, Any]] = []

    def add(kind: str, before: list[str], **config: Any) -> str:
        name = f"layer_{len(made)}"
        nodes = [[[source, 0, 0, {}] for source in before]] if before else []
        config = {"name": name, **config}
        made.append({"class_name": kind, "name": name, "config": config, "inbound_nodes": nodes})
        return name

    same = {"kernel_size": size, "padding": "same"}
    img = x = add("InputLayer", [], batch_input_shape=[None, None, None, channels])
    skips = []
    for number in filters[:4]:
        x = add("Conv2D", [x], filters=number, strides=2, **same)
        x = add("InstanceNormalization", [add("LeakyReLU", [x], alpha=0.2)])
        skips.append(x)
    skips.pop()
    for number in filters[4:7]:
        x = add("UpSampling2D", [x], size=2)
        x = add("Conv2D", [x], filters=number, activation="relu", **same)
        x = add("InstanceNormalization", [x])
        x = add("Concatenate", [x, skips.pop()], axis=-1)
    x = add("UpSampling2D", [x], size=2)
    x = add("Conv2D", [x], filters=channels, activation="tanh", **same)
    config = {"layers": made, "input_layers": [[img, 0, 0]], "output_layers": [[x, 0, 0]]}
    return {"class_name": "Functional", "config": config, "norm": norm}
