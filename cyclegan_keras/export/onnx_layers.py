"""What each layer is in operators of ONNX."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from cyclegan_keras.export import onnx_convolutions as convolutions
from cyclegan_keras.export import onnx_norms as norms
from cyclegan_keras.export.onnx_activations import activated
from cyclegan_keras.export.onnx_builder import Builder, Value
from cyclegan_keras.layers import (
    ContribNormalization,
    InstanceNormalization,
    LeanConv2D,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)


def written(graph: Builder, layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> str:
    """Adds a layer to a graph.

    Args:
        graph: The graph.
        layer: Of one of the types that are known here, not of a subclass.
        *args: What it is called on.
        **kwargs: Likewise.

    Returns:
        The name of its output.

    Raises:
        ValueError: If the layer cannot be written.
    """
    write = _LAYERS.get(type(layer))
    if write is None:
        raise ValueError(
            f"The layer {layer.name!r} is a {type(layer).__name__}, which cannot be written as "
            "ONNX. Build the model without it, or export it as saved_model."
        )
    if getattr(layer, "data_format", None) == "channels_first":
        raise ValueError(
            f"The layer {layer.name!r} wants channels first. Build the model with channels last."
        )
    return write(graph, layer, *args, **kwargs)


def array(weight: Any) -> np.ndarray:
    """Returns a weight of a layer as float32."""
    return np.asarray(ops.convert_to_numpy(weight), np.float32)


def _nothing(graph: Builder, layer: Any, x: Value) -> str:
    """What regularises in training does nothing afterwards."""
    return x.name


def _activation(graph: Builder, layer: Any, x: Value) -> str:
    return activated(graph, layer.activation, x, layer.name)


def _relu(graph: Builder, layer: Any, x: Value) -> str:
    slope, threshold, top = layer.negative_slope, layer.threshold, layer.max_value
    if threshold:
        raise ValueError(f"The layer {layer.name!r} has a threshold. Build the model without it.")
    name = graph.add("LeakyRelu", x, alpha=float(slope)) if slope else graph.add("Relu", x)
    return name if top is None else graph.add("Min", name, float(top))


def _leaky_relu(graph: Builder, layer: Any, x: Value) -> str:
    return graph.add("LeakyRelu", x, alpha=float(layer.negative_slope))


def _elu(graph: Builder, layer: Any, x: Value) -> str:
    return graph.add("Elu", x, alpha=float(layer.alpha))


def _prelu(graph: Builder, layer: Any, x: Value) -> str:
    slopes = array(layer.alpha)
    if slopes.ndim == 3 and slopes.shape[:2] != (1, 1):
        raise ValueError(
            f"The layer {layer.name!r} has slopes for each pixel of one size. Build the model "
            "with shared_axes=[1, 2]."
        )
    return graph.add("PRelu", x, x.along_channels(slopes))


def _softmax(graph: Builder, layer: Any, x: Value) -> str:
    (axis,) = x.axes(layer.axis)
    return graph.add("Softmax", x, axis=axis)


def _upsampling(graph: Builder, layer: Any, x: Value) -> str:
    scales = np.asarray([1, 1, *layer.size], np.float32)
    if layer.interpolation == "nearest":
        settings = {"mode": "nearest", "nearest_mode": "floor"}
        return graph.add(
            "Resize", x, "", scales, coordinate_transformation_mode="asymmetric", **settings
        )
    if layer.interpolation == "bilinear":
        return graph.add(
            "Resize", x, "", scales, coordinate_transformation_mode="half_pixel", mode="linear"
        )
    raise ValueError(
        f"The layer {layer.name!r} enlarges by {layer.interpolation!r}. For ONNX, it must be "
        "nearest or bilinear."
    )


def _zero_padding(graph: Builder, layer: Any, x: Value) -> str:
    return padded(graph, x, [(0, 0), *layer.padding, (0, 0)], "constant")


def _reflection_padding(graph: Builder, layer: Any, x: Value) -> str:
    return padded(graph, x, [(0, 0), *layer.padding, (0, 0)], "reflect")


def padded(graph: Builder, x: Value, widths: Any, mode: str, constant: float = 0) -> str:
    """Pads a tensor.

    Args:
        graph: The graph.
        x: The tensor.
        widths: Before and after each dimension, as Keras has them.
        mode: "constant" or "reflect".
        constant: What is put there, for "constant".

    Returns:
        The name of the output.
    """
    before, after = [0] * x.rank, [0] * x.rank
    for axis, (first, last) in enumerate(widths):
        before[x.axis(axis)], after[x.axis(axis)] = int(first), int(last)
    inputs = (np.float32(constant),) if mode == "constant" and constant else ()
    return graph.add("Pad", x, graph.integers(*before, *after), *inputs, mode=mode)


def _cropping(graph: Builder, layer: Any, x: Value) -> str:
    (top, bottom), (left, right) = layer.cropping
    end = np.iinfo(np.int64).max
    return graph.add(
        "Slice",
        x,
        graph.integers(top, left),
        graph.integers(-bottom or end, -right or end),
        graph.integers(2, 3),
    )


def _pooling(kind: str) -> Callable[..., str]:
    def write(graph: Builder, layer: Any, x: Value) -> str:
        auto_pad = "SAME_UPPER" if layer.padding == "same" else None
        return graph.add(
            kind, x, kernel_shape=layer.pool_size, strides=layer.strides, auto_pad=auto_pad
        )

    return write


def _global_pooling(kind: str) -> Callable[..., str]:
    def write(graph: Builder, layer: Any, x: Value) -> str:
        return graph.add(kind, x, axes=(2, 3), keepdims=int(layer.keepdims))

    return write


def _merging(kind: str) -> Callable[..., str]:
    def write(graph: Builder, layer: Any, values: list[Value]) -> str:
        return graph.add(kind, *_of_equal_rank(layer, values))

    return write


def _subtract(graph: Builder, layer: Any, values: list[Value]) -> str:
    return graph.add("Sub", *_of_equal_rank(layer, values))


def _multiply(graph: Builder, layer: Any, values: list[Value]) -> str:
    name, *others = (value.name for value in _of_equal_rank(layer, values))
    for other in others:
        name = graph.add("Mul", name, other)
    return name


def _add(graph: Builder, layer: Any, values: list[Value]) -> str:
    name, *others = (value.name for value in _of_equal_rank(layer, values))
    for other in others:
        name = graph.add("Add", name, other)
    return name


def _of_equal_rank(layer: Any, values: list[Value]) -> list[Value]:
    if len({value.rank for value in values}) != 1:
        shapes = ", ".join(str(value.shape) for value in values)
        raise ValueError(
            f"The layer {layer.name!r} takes tensors of several ranks, {shapes}, which cannot be "
            "written as ONNX. Reshape them to the same rank."
        )
    return values


def _concatenate(graph: Builder, layer: Any, values: list[Value]) -> str:
    return graph.add("Concat", *values, axis=values[0].axis(layer.axis))


def _rescaling(graph: Builder, layer: Any, x: Value) -> str:
    def numbers(setting: Any) -> Any:
        values = np.asarray(setting, np.float32)
        return x.along_channels(values) if values.size > 1 else values.reshape(())

    return graph.add("Add", graph.add("Mul", x, numbers(layer.scale)), numbers(layer.offset))


def _dense(graph: Builder, layer: Any, x: Value) -> str:
    if x.rank == 4:  # The same at each pixel.
        kernel = array(layer.kernel).T[:, :, None, None]
        inputs = [kernel, array(layer.bias)] if layer.use_bias else [kernel]
        name = graph.add("Conv", x, *inputs)
    else:
        name = graph.add("MatMul", x, array(layer.kernel))
        name = graph.add("Add", name, array(layer.bias)) if layer.use_bias else name
    return activated(graph, layer.activation, Value(name, x.shape), layer.name)


def _reshape(graph: Builder, layer: Any, x: Value) -> str:
    if x.rank == 2 and tuple(layer.target_shape[:2]) == (1, 1):
        return graph.add("Unsqueeze", x, graph.integers(2, 3))
    raise ValueError(
        f"The layer {layer.name!r} reshapes {x.shape} to {layer.target_shape}, which cannot be "
        "written as ONNX for images of any size. Build the model without it."
    )


def _spectral_normalization(graph: Builder, layer: Any, x: Value) -> str:
    return written(graph, layer.layer, x)  # Its kernel has been divided, after each step.


_LAYERS: dict[type, Callable[..., str]] = {
    ContribNormalization: norms.contrib,
    PixelNormalization: norms.rms,
    InstanceNormalization: norms.instance,
    LeanConv2D: convolutions.convolution,
    ReflectionPadding2D: _reflection_padding,
    TransposedConv2D: convolutions.aligned_transposed,
    UpsampleConv2D: convolutions.doubling,
    layers.Activation: _activation,
    layers.ActivityRegularization: _nothing,
    layers.Add: _add,
    layers.AlphaDropout: _nothing,
    layers.Average: _merging("Mean"),
    layers.AveragePooling2D: _pooling("AveragePool"),
    layers.BatchNormalization: norms.batch,
    layers.Concatenate: _concatenate,
    layers.Conv2D: convolutions.convolution,
    layers.Conv2DTranspose: convolutions.transposed,
    layers.Cropping2D: _cropping,
    layers.Dense: _dense,
    layers.DepthwiseConv2D: convolutions.depthwise,
    layers.Dropout: _nothing,
    layers.ELU: _elu,
    layers.GaussianDropout: _nothing,
    layers.GaussianNoise: _nothing,
    layers.GlobalAveragePooling2D: _global_pooling("ReduceMean"),
    layers.GlobalMaxPooling2D: _global_pooling("ReduceMax"),
    layers.GroupNormalization: norms.group,
    layers.Identity: _nothing,
    layers.LayerNormalization: norms.layer,
    layers.LeakyReLU: _leaky_relu,
    layers.MaxPooling2D: _pooling("MaxPool"),
    layers.Maximum: _merging("Max"),
    layers.Minimum: _merging("Min"),
    layers.Multiply: _multiply,
    layers.PReLU: _prelu,
    layers.RMSNormalization: norms.rms,
    layers.ReLU: _relu,
    layers.Rescaling: _rescaling,
    layers.Reshape: _reshape,
    layers.SeparableConv2D: convolutions.separable,
    layers.Softmax: _softmax,
    layers.SpatialDropout2D: _nothing,
    layers.SpectralNormalization: _spectral_normalization,
    layers.Subtract: _subtract,
    layers.UpSampling2D: _upsampling,
    layers.ZeroPadding2D: _zero_padding,
}
