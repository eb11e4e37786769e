"""Normalisations in operators of ONNX.

They are written out, mean and variance one after the other: the operators of ONNX for them lose
digits as images grow, and so does a mean that is taken over height and width at once.
"""

from typing import Any

import numpy as np
from keras import ops

from cyclegan_keras.export.onnx_builder import Builder, Value


def instance(graph: Builder, layer: Any, x: Value) -> str:
    """Writes an `InstanceNormalization`."""
    centred, variance = _moments(graph, x, (2, 3))
    gamma, beta = _factors(layer, x)
    return _scaled(graph, centred, variance, layer.epsilon, gamma, beta)


def group(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `GroupNormalization` over height, width and the channels of a group."""
    if x.rank != 4 or x.axis(layer.axis) != 1:
        raise ValueError(
            f"The layer {layer.name!r} normalises along another axis than the channels of images. "
            "Build the model without it."
        )
    channels: Any = x.shape[-1]
    groups = channels if layer.groups == -1 else layer.groups
    gamma, beta = _factors(layer, x)
    if groups == channels:
        return _scaled(graph, *_moments(graph, x, (2, 3)), layer.epsilon, gamma, beta)
    # 0 is the size as it is; the rest of a group's numbers lie one after the other.
    name = graph.add("Reshape", x, graph.integers(0, groups, -1))
    centred, variance = _moments(graph, name, (2,))
    name = _scaled(graph, centred, variance, layer.epsilon, None, None)
    name = graph.add("Reshape", name, graph.add("Shape", x))
    name = name if gamma is None else graph.add("Mul", name, gamma)
    return name if beta is None else graph.add("Add", name, beta)


def layer(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `LayerNormalization` over the channels."""
    axes = x.axes(layer.axis)
    if axes != x.axes(-1) or getattr(layer, "rms_scaling", False):
        raise ValueError(
            f"The layer {layer.name!r} must normalise over the channels alone to be written as "
            f"ONNX for images of any size. Received: axis={layer.axis}"
        )
    gamma, beta = _factors(layer, x)
    return _scaled(graph, *_moments(graph, x, axes), layer.epsilon, gamma, beta)


def rms(graph: Builder, layer: Any, x: Value) -> str:
    """Writes an `RMSNormalization` over the channels, which is what "pixel" is."""
    axes = x.axes(layer.axis)
    if axes != x.axes(-1):
        raise ValueError(
            f"The layer {layer.name!r} must normalise over the channels alone to be written as "
            f"ONNX for images of any size. Received: axis={layer.axis}"
        )
    mean = _mean(graph, graph.add("Mul", x, x), axes)
    scale = x.along_channels(ops.convert_to_numpy(layer.scale))
    return _scaled(graph, x, mean, layer.epsilon, scale, None)


def contrib(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `ContribNormalization`: over all of an image, epsilon beside the deviation."""
    centred, variance = _moments(graph, x, (1, 2, 3))
    deviation = graph.add("Add", graph.add("Sqrt", variance), layer.epsilon)
    gamma, beta = (_array(weight).reshape(1, 1, 1) for weight in (layer.gamma, layer.beta))
    name = graph.add("Mul", centred, graph.add("Div", gamma, deviation))
    return graph.add("Add", name, beta)


def batch(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `BatchNormalization` as it is after training: a factor and an offset."""
    if x.axis(layer.axis) != 1:
        raise ValueError(f"The layer {layer.name!r} must normalise the channels.")
    gamma, beta = _factors(layer, x)
    mean, variance = (
        x.along_channels(ops.convert_to_numpy(weight))
        for weight in (layer.moving_mean, layer.moving_variance)
    )
    factor = (1 if gamma is None else gamma) / np.sqrt(variance + np.float32(layer.epsilon))
    name = graph.add("Mul", graph.add("Sub", x, mean), factor)
    return name if beta is None else graph.add("Add", name, beta)


def _moments(graph: Builder, x: Value | str, axes: Any) -> tuple[str, str]:
    """Adds `x` without its mean, and its variance."""
    centred = graph.add("Sub", x, _mean(graph, x, axes))
    return centred, _mean(graph, graph.add("Mul", centred, centred), axes)


def _mean(graph: Builder, x: Value | str, axes: Any) -> str:
    """Adds a mean, taken along one axis after the other.

    A sum over a whole picture, one number after the other, loses digits in float32; sums of rows,
    and then of these, do not.
    """
    name = x.name if isinstance(x, Value) else x
    for axis in sorted(axes, reverse=True):
        name = graph.add("ReduceMean", name, axes=(axis,))
    return name


def _factors(layer: Any, x: Value) -> tuple[np.ndarray | None, np.ndarray | None]:
    gamma = x.along_channels(ops.convert_to_numpy(layer.gamma)) if layer.scale else None
    beta = x.along_channels(ops.convert_to_numpy(layer.beta)) if layer.center else None
    return gamma, beta


def _scaled(
    graph: Builder, centred: Value | str, variance: str, epsilon: float, gamma: Any, beta: Any
) -> str:
    """Divides by the deviation, in one pass over the images together with the factor."""
    deviation = graph.add("Sqrt", graph.add("Add", variance, epsilon))
    if gamma is None:
        name = graph.add("Div", centred, deviation)
    else:
        name = graph.add("Mul", centred, graph.add("Div", gamma, deviation))
    return name if beta is None else graph.add("Add", name, beta)


def _array(weight: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(weight), np.float32)
