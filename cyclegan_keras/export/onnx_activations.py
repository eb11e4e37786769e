"""Activations in operators of ONNX."""

from collections.abc import Callable
from typing import Any

import keras
from keras import activations

from cyclegan_keras.export.onnx_builder import Builder, Input, Value


def activated(graph: Builder, activation: Any, x: Value, owner: str) -> str:
    """Adds an activation.

    Args:
        graph: The graph.
        activation: A function of `keras.activations`, a layer such as `LeakyReLU`, or `None`.
        x: What it is taken of.
        owner: The name of the layer whose activation it is.

    Returns:
        The name of the output.

    Raises:
        ValueError: If the activation cannot be written.
    """
    if activation is None or activation is activations.linear:
        return x.name
    if activation is activations.softmax:
        return graph.add("Softmax", x, axis=x.axis(-1))
    if isinstance(activation, keras.layers.Layer):
        from cyclegan_keras.export import onnx_layers

        return onnx_layers.written(graph, activation, x)
    for function, write in _FUNCTIONS:
        if activation is function:
            return write(graph, x)
    raise ValueError(
        f"The layer {owner!r} has the activation "
        f"{getattr(activation, '__name__', type(activation).__name__)!r}, which cannot be written "
        "as ONNX. Build the model without it, or export it as saved_model."
    )


def operator(kind: str, **attributes: Any) -> Callable[[Builder, Input], str]:
    """Makes a function that adds one operator.

    Args:
        kind: The operator.
        **attributes: Its attributes.

    Returns:
        A function of the graph and the input, which returns the name of the output.
    """
    return lambda graph, x: graph.add(kind, x, **attributes)


def silu(graph: Builder, x: Input) -> str:
    """Adds `x * sigmoid(x)`."""
    return graph.add("Mul", x, graph.add("Sigmoid", x))


def relu6(graph: Builder, x: Input) -> str:
    """Adds a `Relu` that ends at 6."""
    return graph.add("Clip", x, 0.0, 6.0)


def gelu(graph: Builder, x: Input) -> str:
    """Adds `x * Φ(x)`, Φ being the normal distribution."""
    share = graph.add(
        "Mul", graph.add("Add", graph.add("Erf", graph.add("Mul", x, 0.5**0.5)), 1.0), 0.5
    )
    return graph.add("Mul", x, share)


def mish(graph: Builder, x: Input) -> str:
    """Adds `x * tanh(softplus(x))`."""
    return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))


# Pairs, as functions of Keras may be told apart by identity alone.
_FUNCTIONS: list[tuple[Any, Callable[[Builder, Input], str]]] = [
    (activations.elu, operator("Elu")),
    (activations.exponential, operator("Exp")),
    (activations.gelu, gelu),
    (activations.hard_sigmoid, operator("HardSigmoid", alpha=1 / 6, beta=0.5)),
    (activations.leaky_relu, operator("LeakyRelu", alpha=0.2)),
    (activations.mish, mish),
    (activations.relu, operator("Relu")),
    (activations.relu6, relu6),
    (activations.selu, operator("Selu")),
    (activations.sigmoid, operator("Sigmoid")),
    (activations.silu, silu),
    (activations.softplus, operator("Softplus")),
    (activations.softsign, operator("Softsign")),
    (activations.tanh, operator("Tanh")),
]
