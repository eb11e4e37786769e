"""Runs through the calls that make up a network, nested networks included."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from cyclegan_keras.inference.rebuilding import as_functional, is_rebuildable, rebuilt
from cyclegan_keras.inference.stock_layers import to_fast_layers, to_stock_layers

# Called with a layer or operation, its arguments, and what Keras says of its outputs.
Called = Callable[[Any, Any, Any, list[Any]], Sequence[Any]]


def walk(model: keras.Model, inputs: Sequence[Any], called: Called) -> list[Any]:
    """Calls each layer and operation of a network in its order, on whatever stands for tensors.

    Args:
        model: A functional or sequential model.
        inputs: What stands for its inputs.
        called: What makes outputs of inputs.

    Returns:
        What stands for its outputs.
    """
    model = as_functional(model)
    values: dict[int, Any] = dict(zip(map(id, model.inputs), inputs, strict=True))
    for _, nodes in sorted(model._nodes_by_depth.items(), reverse=True):
        for node in nodes:
            if node.is_input:
                continue
            args, kwargs = node.arguments.fill_in(values)
            if is_rebuildable(node.operation):
                inner = keras.tree.flatten((args, kwargs.get("inputs")))
                found = [value for value in inner if value is not None]
                outputs: Sequence[Any] = walk(node.operation, found, called)
            else:
                outputs = called(node.operation, args, kwargs, node.outputs)
            values |= dict(zip(map(id, node.outputs), outputs, strict=True))
    return [values[id(output)] for output in model.outputs]


def check_is_writable(model: keras.Model, wanted: str) -> None:
    """Checks that a model is one whose layers are known, from images to anything.

    Args:
        model: The model.
        wanted: The name of the format.

    Raises:
        ValueError: If it is not.
    """
    is_begun = getattr(model, "built", False)  # A sequential model may have no input yet.
    if (
        not is_begun
        or not is_rebuildable(model)
        or len(model.inputs) != 1
        or len(model.outputs) != 1
    ):
        raise ValueError(
            f"To write {wanted}, the model must be a functional or sequential one with one input "
            f"and one output. Received: a {type(model).__name__}, named {model.name!r}"
        )
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or shape[3] is None:
        raise ValueError(
            f"To write {wanted}, the model must take images of shape (batch, height, width, "
            f"channels). Received: {shape}"
        )


def in_own_layers(model: keras.Model) -> keras.Model:
    """Copies a network, in float32, with this package's layers wherever they compute the same.

    Files have stock layers and operations instead, several for one. So there is one form of each
    network that formats are written from.

    Args:
        model: A functional or sequential model.

    Returns:
        The copy.

    Raises:
        ValueError: If a layer cannot be made anew, such as one with a function that is not
            registered with Keras.
    """
    try:
        return to_fast_layers(to_stock_layers(rebuilt(model, _in_float32)))
    except (TypeError, ValueError, NotImplementedError) as error:
        # Before this, Keras repeats all settings of the layer.
        reason = str(error).rpartition("Exception encountered: ")[2].strip().splitlines()[0]
        raise ValueError(
            f"A layer of the model {model.name!r} cannot be rebuilt: {reason[:300]}"
        ) from error


def _in_float32(op: Any) -> Any:
    if not isinstance(op, keras.layers.Layer) or op.compute_dtype == "float32":
        return None
    if hasattr(op, "in_full_precision"):
        return op.in_full_precision()
    return type(op).from_config({**op.get_config(), "dtype": "float32"})


def with_any_size(model: keras.Model) -> keras.Model:
    """Makes a network take images of any size that its layers can halve and double.

    Args:
        model: A functional or sequential model for images of one size.

    Returns:
        A copy for `(batch, None, None, channels)`.

    Raises:
        ValueError: If one of its layers is made for one size.
    """
    copy = rebuilt(model, lambda op: None)
    image = keras.Input((None, None, copy.inputs[0].shape[3]), name="image", dtype="float32")
    try:
        (output,) = walk(copy, [image], _called_again)
    except (TypeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"The model {model.name!r} cannot take images of any size, because a layer of it is "
            f"made for one: {reason}"
        ) from error
    fixed = [size for size in output.shape[1:3] if size is not None]
    if len(output.shape) == 4 and fixed and tuple(output.shape[1:3]) != (1, 1):
        raise ValueError(
            f"The model {model.name!r} cannot take images of any size, because a layer of it makes "
            f"images of one. Received: output shape {tuple(output.shape)}"
        )
    return keras.Model(image, output, name=model.name)


def _called_again(op: Any, args: Any, kwargs: Any, outputs: list[Any]) -> Sequence[Any]:
    return keras.tree.flatten(op(*args, **kwargs))
