"""What each operation of Keras on tensors is in operators of ONNX."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from keras import ops

from cyclegan_keras.export.onnx_activations import operator, silu
from cyclegan_keras.export.onnx_builder import Builder, Input, Value

# Behind all there is.
_END = np.iinfo(np.int64).max


def written(graph: Builder, op: Any, *args: Any, **kwargs: Any) -> str:
    """Adds an operation to a graph.

    Args:
        graph: The graph.
        op: One of Keras's operations.
        *args: What it is called on: tensors of the graph and numbers.
        **kwargs: Likewise.

    Returns:
        The name of its output.

    Raises:
        ValueError: If it cannot be written.
    """
    name = type(op).__name__
    write = _OPERATIONS.get(name) if type(op).__module__.startswith("keras.src.ops") else None
    if write is None:
        raise ValueError(
            f"The model has the operation {name!r}, which cannot be written as ONNX. Build the "
            "model without it, or export it as saved_model."
        )
    return write(graph, op, *args, **kwargs)


def _elementwise(kind: str) -> Callable[..., str]:
    def write(graph: Builder, op: Any, *inputs: Any, **named: Any) -> str:
        return graph.add(kind, *_aligned([*inputs, *named.values()]))

    return write


def _of_one(write_one: Callable[[Builder, Input], str]) -> Callable[..., str]:
    return lambda graph, op, x: write_one(graph, x)


def _aligned(inputs: list[Any]) -> list[Input]:
    """Lays constants out as the tensors are, and checks that they have the same rank."""
    tensors = [value for value in inputs if isinstance(value, Value)]
    if len({value.rank for value in tensors}) != 1:
        shapes = ", ".join(str(value.shape) for value in tensors)
        raise ValueError(
            f"The model combines tensors of several ranks, {shapes}, which cannot be written as "
            "ONNX. Reshape them to the same rank."
        )
    return [value if isinstance(value, Value) else _constant(value, tensors[0]) for value in inputs]


def _constant(value: Any, beside: Value) -> np.ndarray:
    array = np.asarray(ops.convert_to_numpy(value), np.float32)
    if beside.rank != 4 or not array.ndim:
        return array
    array = array.reshape((1,) * (4 - array.ndim) + array.shape)
    return array.transpose(0, 3, 1, 2)


def _clip(graph: Builder, op: Any, x: Value) -> str:
    return graph.add("Clip", x, float(op.x_min), float(op.x_max))


def _mean(graph: Builder, op: Any, x: Value) -> str:
    if x.rank == 4 and not op.keepdims and x.axes(op.axis) != [2, 3]:
        raise ValueError(
            "The model takes a mean that is no image and no vector. Give it keepdims=True."
        )
    return graph.add("ReduceMean", x, axes=x.axes(op.axis), keepdims=int(op.keepdims))


def _cast(graph: Builder, op: Any, x: Value) -> str:
    if op.dtype in ("float16", "bfloat16", "float32", "float64"):
        # From bool to numbers; between numbers, all is float32 here, and it costs nothing.
        return graph.add("Cast", x, to=onnx.TensorProto.FLOAT)
    if op.dtype == "int32":
        return graph.add("Cast", x, to=onnx.TensorProto.INT32)
    raise ValueError(f"The model casts to {op.dtype}, which cannot be written as ONNX here.")


def _concatenate(graph: Builder, op: Any, values: list[Value]) -> str:
    return graph.add("Concat", *values, axis=values[0].axis(op.axis))


def _get_item(graph: Builder, op: Any, x: Value, key: Any) -> str:
    parts = list(key) if isinstance(key, tuple | list) else [key]
    if Ellipsis in parts:
        place = parts.index(Ellipsis)
        parts[place : place + 1] = [slice(None)] * (x.rank - len(parts) + 1)
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        raise ValueError(
            f"The model takes the part {key} of a tensor, which cannot be written as ONNX here. "
            "Take slices without steps."
        )
    cut = [(i, part) for i, part in enumerate(parts) if part not in (slice(None), slice(0, None))]
    if not cut:
        return graph.add("Identity", x)
    axes = [x.axis(i) for i, _ in cut]
    starts = [part.start or 0 for _, part in cut]
    ends = [_END if part.stop is None else part.stop for _, part in cut]
    return graph.add("Slice", x, *(graph.integers(*n) for n in (starts, ends, axes)))


def _pad(graph: Builder, op: Any, x: Value, constant_values: Any = None) -> str:
    from cyclegan_keras.export.onnx_layers import padded

    if op.mode not in ("constant", "reflect"):
        raise ValueError(f"The model pads by {op.mode!r}, which cannot be written as ONNX.")
    return padded(graph, x, op.pad_width, op.mode, float(constant_values or 0))


def _argmin(graph: Builder, op: Any, x: Value) -> str:
    if op.axis is None:
        raise ValueError("The model takes the argmin of a whole tensor. Give it an axis.")
    return graph.add("ArgMin", x, axis=x.axis(op.axis), keepdims=int(op.keepdims))


def _one_hot(graph: Builder, op: Any, x: Value) -> str:
    # Of the places of an image's channels, it makes these channels, which stand second.
    axis = 1 if x.rank == 3 and op.axis in (-1, 3) else op.axis
    depth = graph.integers(op.num_classes)
    return graph.add("OneHot", x, depth, np.asarray([0, 1], np.float32), axis=axis)


def _round(graph: Builder, op: Any, x: Value) -> str:
    if op.decimals:
        raise ValueError("The model rounds to decimals, which cannot be written as ONNX.")
    return graph.add("Round", x)


def _square(graph: Builder, op: Any, x: Value) -> str:
    return graph.add("Mul", x, x)


def _leaky_relu(graph: Builder, op: Any, x: Value) -> str:
    return graph.add("LeakyRelu", x, alpha=float(op.negative_slope))


def _arctanh(graph: Builder, op: Any, x: Value) -> str:
    return graph.add("Atanh", x)


_OPERATIONS: dict[str, Callable[..., str]] = {
    "Absolute": _elementwise("Abs"),
    "Add": _elementwise("Add"),
    "Arctanh": _arctanh,
    "Argmin": _argmin,
    "Cast": _cast,
    "Clip": _clip,
    "Concatenate": _concatenate,
    "Divide": _elementwise("Div"),
    "Exp": _elementwise("Exp"),
    "GetItem": _get_item,
    "Greater": _elementwise("Greater"),
    "LeakyRelu": _leaky_relu,
    "Less": _elementwise("Less"),
    "Log": _elementwise("Log"),
    "Maximum": _elementwise("Max"),
    "Mean": _mean,
    "Minimum": _elementwise("Min"),
    "Multiply": _elementwise("Mul"),
    "Negative": _elementwise("Neg"),
    "OneHot": _one_hot,
    "Pad": _pad,
    "Power": _elementwise("Pow"),
    "Relu": _elementwise("Relu"),
    "Round": _round,
    "Sigmoid": _elementwise("Sigmoid"),
    "Silu": _of_one(silu),
    "Softplus": _of_one(operator("Softplus")),
    "Sqrt": _elementwise("Sqrt"),
    "Square": _square,
    "Subtract": _elementwise("Sub"),
    "Tanh": _elementwise("Tanh"),
    "TrueDivide": _elementwise("Div"),
    "Where": _elementwise("Where"),
}
