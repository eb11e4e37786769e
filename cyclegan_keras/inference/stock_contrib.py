"""Converts `ContribNormalization` to operations of Keras, and back."""

import functools
from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from cyclegan_keras.layers import ContribNormalization

_ALL_OF_AN_IMAGE = (1, 2, 3)
# Settings that do not affect what a layer computes.
_MUTE = ("name", "dtype", "trainable", "kernel_initializer", "bias_initializer")


def to_stock(op: Any) -> Callable[[Any], Any]:
    """Returns the equivalent of a `ContribNormalization`, with operations of Keras.

    Its one factor and its one offset are kernel and bias of a dense layer with one feature.

    Args:
        op: The layer.

    Returns:
        A function of a batch of images.
    """
    scale = layers.Dense(1, name=op.name, dtype=op.variable_dtype)

    def normalize(x: Any) -> Any:
        x = ops.cast(x, op.variable_dtype)
        centred = ops.subtract(x, ops.mean(x, axis=_ALL_OF_AN_IMAGE, keepdims=True))
        variance = ops.mean(ops.square(centred), axis=_ALL_OF_AN_IMAGE, keepdims=True)
        normalized = ops.divide(centred, ops.add(ops.sqrt(variance), op.epsilon))
        return ops.squeeze(scale(ops.expand_dims(normalized, axis=-1)), axis=-1)

    return normalize


def found(squeeze: Any) -> dict[int, Callable[..., Any]]:
    """Recognizes a `ContribNormalization` by the last operation that `to_stock` makes of it.

    Args:
        squeeze: Any operation of a functional model.

    Returns:
        What is to be in the place of its operations, by their ids: the layer, and for the others
        what hands its input on. Empty if it is something else.
    """
    if type(squeeze).__name__ != "Squeeze":
        return {}
    alike: list[tuple[Any, Any]] = []
    constants: list[float] = []
    if not _is_like(squeeze, _example(), alike, constants):
        return {}
    parts = {id(op): op for op, _ in alike}
    if any(
        id(node.operation) not in parts
        for op in parts.values()
        if op is not squeeze
        for node in op._outbound_nodes
    ):
        return {}  # Something else uses an intermediate result.
    (epsilon,) = constants
    forms: dict[int, Callable[..., Any]] = dict.fromkeys(parts, handed_on)
    (dense,) = (op for op in parts.values() if type(op) is layers.Dense)
    forms[id(dense)] = ContribNormalization(epsilon, dtype=dense.variable_dtype, name=dense.name)
    return forms


def handed_on(x: Any, *others: Any) -> Any:
    """Stands for an operation whose work another one does."""
    return x


@functools.cache
def _example() -> Any:
    """The last operation of a `ContribNormalization` in operations of Keras."""
    made = to_stock(ContribNormalization(dtype="float32"))(keras.Input((None, None, 1)))
    return made._keras_history.operation


def _is_like(op: Any, example: Any, alike: list[tuple[Any, Any]], constants: list[float]) -> bool:
    """Compares two operations back to their inputs; the epsilon may differ."""
    for one, other in alike:
        if one is op or other is example:
            return one is op and other is example
    if type(op) is not type(example) or len(op._inbound_nodes) != 1:
        return False
    if _settings(op) != _settings(example):
        return False
    alike.append((op, example))
    given, wanted = (one._inbound_nodes[0].arguments for one in (op, example))
    if len(given.args) != len(wanted.args) or given.kwargs or wanted.kwargs:
        return False
    for value, other in zip(given.args, wanted.args, strict=True):
        if isinstance(other, float):
            constants.append(value)
            is_like = isinstance(value, float)
        elif not isinstance(value, keras.KerasTensor):
            is_like = False
        elif type(before := other._keras_history.operation) is layers.InputLayer:
            is_like = len(value.shape) == 4
        else:
            is_like = _is_like(value._keras_history.operation, before, alike, constants)
        if not is_like:
            return False
    return True


def _settings(op: Any) -> dict[str, Any]:
    config = {name: value for name, value in op.get_config().items() if name not in _MUTE}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in config.items()
    }
