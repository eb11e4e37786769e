"""Normalization with statistics that are taken beforehand, so that a network can work in tiles.

Instance normalization takes means and variances over the whole image, so a tile alone would get
others, and its neighbors would not match. With the statistics of a smaller copy of the image in
their place, a pixel depends on its neighborhood only.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from PIL import Image

from cyclegan_keras.data import images
from cyclegan_keras.inference.rebuilding import is_rebuildable, operations_of
from cyclegan_keras.layers import ContribNormalization, InstanceNormalization

# What a layer subtracts from each channel, and the square of what it divides it by.
Statistics = list[tuple[np.ndarray, np.ndarray]]

# Of the layers that hold statistics, in the order of their place in the network.
_NAME = "frozen_normalization_"


class FrozenNormalization(keras.layers.Layer):
    """Normalizes each channel by numbers that are set.

    `BatchNormalization` subtracts the mean after the multiplication, which loses digits where it is
    large against the contrast.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input's.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Keras must not round a float32 input to half precision before it is normalized.
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `mean`, `square`, `gamma` and `beta`, one value per channel."""
        self.mean, self.square, self.gamma, self.beta = (
            self.add_weight(
                shape=(input_shape[-1],),
                initializer=initializer,
                name=name,
                trainable=False,
                autocast=False,
            )
            for name, initializer in (
                ("mean", "zeros"),
                ("square", "ones"),
                ("gamma", "ones"),
                ("beta", "zeros"),
            )
        )

    def call(self, inputs: Any) -> Any:
        """Returns the normalized images in the layer's compute dtype."""
        x = ops.cast(inputs, self.variable_dtype)
        factor = ops.convert_to_tensor(self.gamma) * ops.rsqrt(ops.convert_to_tensor(self.square))
        return ops.cast((x - self.mean) * factor + self.beta, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return super().get_config()


class Norm(NamedTuple):
    """What a layer normalizes by.

    Attributes:
        groups: Into how many groups of equal size it divides the channels.
        epsilon: What it adds.
        is_of_deviation: Whether that is added to the deviation; otherwise, to the variance.
    """

    groups: int
    epsilon: float
    is_of_deviation: bool = False

    def square_of_divisor(self, variance: Any) -> Any:
        """Gives the square of what a layer divides by."""
        if self.is_of_deviation:
            return (variance**0.5 + self.epsilon) ** 2
        return variance + self.epsilon


def can_be_frozen(network: keras.Model) -> bool:
    """Whether `frozen` replaces anything in a network.

    Args:
        network: Any model.

    Returns:
        Whether it has layers that normalize by the whole image, and uses each in one place.
    """
    if not is_rebuildable(network):
        return False
    norms = [op for op in operations_of(network) if norm_of(op) is not None]
    is_used_once = len({id(op) for op in norms}) == len(norms) and all(
        len(op._inbound_nodes) == 1 for op in norms
    )
    return bool(norms) and is_used_once


def frozen(network: keras.Model) -> keras.Model:
    """Copies a network, with statistics to set in place of those of the image.

    Args:
        network: One that `can_be_frozen`.

    Returns:
        A functional model with the same weights, not compiled. It gives the same result as
        `network` once `set_statistics` has given it those of the same image. Networks inside it are
        taken apart.
    """
    count = iter(range(len([*operations_of(network)])))

    def replaced(op: Any, x: Any) -> Any:
        if norm_of(op) is None:
            return None
        channels = x.shape[-1]
        return fixed(op, np.zeros(channels), np.ones(channels), f"{_NAME}{next(count)}")(x)

    return _copied(network, replaced)


def fixed(op: Any, mean: Any, square: Any, name: str | None = None) -> FrozenNormalization:
    """Makes a layer of the same factors and offsets, with statistics that are set.

    Args:
        op: A layer of which `norm_of` knows what it normalizes by.
        mean: What is subtracted from each channel.
        square: The square of what it is divided by.
        name: Of the layer.

    Returns:
        The layer.
    """
    layer = FrozenNormalization(dtype=op.dtype_policy, name=name)
    channels = len(mean)
    layer.build((None, None, None, channels))
    layer.mean.assign(mean)
    layer.square.assign(square)
    for which in ("gamma", "beta"):
        getattr(layer, which).assign(_of_each_channel(op, which, channels))
    return layer


def measuring(network: keras.Model) -> Callable[[np.ndarray], Statistics]:
    """Makes a function that measures the statistics of an image.

    Args:
        network: One that `can_be_frozen`, for the size of the images.

    Returns:
        A function of an image, `(height, width, channels)`, float32 in [-1, 1].
    """
    moments: list[Any] = []

    def recorded(op: Any, x: Any) -> Any:
        norm = norm_of(op)
        if norm is not None:
            moments.append(_moments(x, norm))
        return None

    copy = _copied(network, recorded)
    # What is behind the last of them is not computed.
    function = keras.Function(copy.inputs, moments)

    # Traced, because line by line the results of all layers would be in memory at the same time.
    @tf.function(input_signature=[tf.TensorSpec((1, *copy.input_shape[1:]))], autograph=False)
    def measure(batch: tf.Tensor) -> Any:
        return function([batch])

    def statistics(pixels: np.ndarray) -> Statistics:
        found = measure(pixels[np.newaxis])
        return [(mean.numpy()[0], square.numpy()[0]) for mean, square in found]

    return statistics


def set_statistics(network: keras.Model, statistics: Sequence[Any]) -> None:
    """Sets the statistics of a network, without tracing it anew.

    Args:
        network: From `frozen`, or a copy of it for another size.
        statistics: From a function that `measuring` made of the network before it was frozen.

    Raises:
        ValueError: If the network has another number of layers that normalize.
    """
    by_name = {layer.name: layer for layer in network.layers if layer.name.startswith(_NAME)}
    if len(by_name) != len(statistics):
        raise ValueError(
            f"`statistics` must be of {len(by_name)} layers, as many as `network` freezes. "
            f"Received: {len(statistics)}"
        )
    for i, (mean, square) in enumerate(statistics):
        layer = by_name[f"{_NAME}{i}"]
        layer.mean.assign(mean)
        layer.square.assign(square)


def thumbnail_size(size: tuple[int, int], max_pixels: float) -> tuple[int, int]:
    """Finds the size in which the statistics of an image are measured.

    Args:
        size: `(height, width)` of the image.
        max_pixels: What fits into memory.

    Returns:
        Half of `size` or, if that has more than `max_pixels`, as much as fits; at least one pixel.
    """
    scale = min(0.5, math.sqrt(max_pixels / (size[0] * size[1])))
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def thumbnail(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Makes a smaller copy of an image.

    Args:
        pixels: `(height, width, channels)`, float32 in [-1, 1].
        size: `(height, width)` of the copy.

    Returns:
        `(height, width, channels)`, float32 in [-1, 1].
    """
    channels = [
        np.asarray(images.resize(Image.fromarray(np.ascontiguousarray(channel)), size))
        for channel in np.moveaxis(pixels, 2, 0)
    ]
    return np.clip(np.stack(channels, axis=2), -1, 1)


def norm_of(op: Any) -> Norm | None:
    """Tells what a layer normalizes by, if it is one that takes statistics of the whole image."""
    if type(op) is InstanceNormalization:
        return Norm(op.input.shape[-1], op.epsilon)
    if type(op) is ContribNormalization:
        return Norm(1, op.epsilon, is_of_deviation=True)
    if type(op) is layers.GroupNormalization and op.axis in (-1, 3) and len(op.input.shape) == 4:
        return Norm(op.input.shape[-1] if op.groups == -1 else op.groups, op.epsilon)
    return None


def _moments(x: Any, norm: Norm) -> tuple[Any, Any]:
    """The mean and the square of the divisor of each channel, `(1, channels)` each."""
    channels = x.shape[-1]
    x = ops.cast(x, keras.backend.result_type(x.dtype, "float32"))
    # Row by row: a single sum over millions of pixels would lose digits.
    mean = _of_groups(ops.mean(ops.mean(x, axis=2), axis=1), norm.groups)
    squares = ops.square(x - ops.reshape(mean, (-1, 1, 1, channels)))
    variance = _of_groups(ops.mean(ops.mean(squares, axis=2), axis=1), norm.groups)
    return mean, norm.square_of_divisor(variance)


def _of_groups(values: Any, groups: int) -> Any:
    """Gives each channel the mean of its group."""
    size = values.shape[-1] // groups
    means = ops.mean(ops.reshape(values, (-1, groups, size)), axis=2)
    return ops.repeat(means, size, axis=1)


def _of_each_channel(op: Any, which: str, channels: int) -> Any:
    """The factors or offsets of a layer; contrib has one for all channels."""
    weight = getattr(op, which)
    if weight is None:
        return np.full(channels, which == "gamma", "float32")
    return np.broadcast_to(ops.convert_to_numpy(weight), (channels,))


def _copied(network: keras.Model, replaced: Callable[[Any, Any], Any]) -> keras.Model:
    """Copies a network into one graph, with those inside it.

    Args:
        network: Functional or sequential.
        replaced: Called with each operation and what the copy gets as its first input. Returns the
            result in the copy, or `None` if the operation is to be copied.

    Returns:
        A functional model.
    """
    copies: dict[int, Any] = {}

    def call(op: Any, *args: Any, **kwargs: Any) -> Any:
        if is_rebuildable(op):
            return inlined(op, args[0])
        result = replaced(op, args[0]) if args else None
        if result is not None:
            return result
        if id(op) not in copies:
            # Names must be unique, also among networks inside and what `replaced` adds.
            name = f"copy_{len(copies)}_{op.name}"
            copies[id(op)] = type(op).from_config({**op.get_config(), "name": name})
        copy = copies[id(op)]
        result = copy(*args, **kwargs)
        if getattr(op, "weights", None):
            copy.set_weights(op.get_weights())
        return result

    def inlined(model: keras.Model, x: Any) -> Any:
        model = keras.Model(model.inputs[0], model.outputs[0])
        # As `clone_model` does, which would begin another graph at a tensor that is not an input.
        return model._run_through_graph(x, operation_fn=lambda op: op, call_fn=call)

    img = keras.Input(network.input_shape[1:], dtype=network.inputs[0].dtype)
    return keras.Model(img, inlined(network, img), name=network.name)
