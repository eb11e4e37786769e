"""Converts `ConditionalInstanceNormalization` to layers and operations of Keras, and back."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from cyclegan_keras.inference.stock_contrib import handed_on
from cyclegan_keras.layers import ConditionalInstanceNormalization


def to_stock(op: Any) -> Callable[[Any], Any]:
    """Returns the equivalent of a `ConditionalInstanceNormalization`, with what Keras has.

    Args:
        op: The layer.

    Returns:
        A function of the list that the layer takes.
    """
    norm = layers.GroupNormalization(
        groups=-1,
        epsilon=op.epsilon,
        center=False,
        scale=False,
        dtype=op.variable_dtype,
        name=op.name,
    )

    def normalize(inputs: Any) -> Any:
        x, scale, shift = inputs
        return ops.add(ops.multiply(norm(x), scale), shift)

    return normalize


def found(add: Any) -> dict[int, Callable[..., Any]]:
    """Recognizes a `ConditionalInstanceNormalization` by the addition that `to_stock` ends with.

    Args:
        add: Any operation of a functional model.

    Returns:
        What is to be in the place of its operations, by their ids. Empty if it is something else.
    """
    if type(add).__name__ != "Add" or isinstance(add, keras.layers.Layer):
        return {}
    multiply = _operand(add, "Multiply")
    norm = None if multiply is None else _operand(multiply, "GroupNormalization")
    if norm is None or norm.center or norm.scale or norm.axis not in (-1, 3):
        return {}
    if len(norm.input.shape) != 4 or norm.groups not in (-1, norm.input.shape[-1]):
        return {}
    whole = ConditionalInstanceNormalization(
        norm.epsilon, dtype=norm.variable_dtype, name=norm.name
    )
    scales: list[Any] = []

    def keep_scale(x: Any, scale: Any) -> Any:
        scales.append(scale)
        return x

    return {
        id(norm): handed_on,
        id(multiply): keep_scale,
        id(add): lambda x, shift: whole([x, scales.pop(), shift]),
    }


def _operand(op: Any, kind: str) -> Any:
    """The operation of a kind that makes the first operand, if the second is a number a channel."""
    if len(op._inbound_nodes) != 1:
        return None
    arguments = op._inbound_nodes[0].arguments
    if arguments.kwargs or len(arguments.args) != 2:
        return None
    first, second = arguments.args
    if not all(isinstance(each, keras.KerasTensor) for each in (first, second)):
        return None
    if len(second.shape) != 4 or tuple(second.shape[1:3]) != (1, 1):
        return None
    before = first._keras_history.operation
    is_used_once = len(before._outbound_nodes) == 1
    return before if type(before).__name__ == kind and is_used_once else None
