"""Copies networks and replaces some of their layers."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

# Called on tensors, as a layer is.
Call = Callable[..., Any]


def is_rebuildable(model: Any) -> bool:
    """Whether Keras knows all layers of a network, and no subclass hides any in its `call`."""
    is_kerass_own = type(model).__name__ in ("Functional", "Sequential")
    return isinstance(model, keras.Model) and is_kerass_own and bool(model.outputs)


def operations_of(model: keras.Model) -> Iterator[Any]:
    """Yields the layers and operations of a network, including those of nested networks.

    Args:
        model: A functional or sequential model.

    Yields:
        Each of them.
    """
    for op in as_functional(model).operations:
        if is_rebuildable(op):
            yield from operations_of(op)
        else:
            yield op


def rebuilt(model: keras.Model, form_of: Callable[[Any], Call | None]) -> keras.Model:
    """Copies a network, including nested networks, and replaces some of its operations.

    Args:
        model: A functional or sequential model.
        form_of: Called with each layer or operation. Returns its replacement, either a layer with
            the same name and number of weights or a function of tensors; `None` copies it.

    Returns:
        A functional model of the same name and weights, not compiled; a model of any other kind is
        returned unchanged.
    """
    return _rebuilt(model, form_of, {}) if is_rebuildable(model) else model


def with_size(model: keras.Model, size: tuple[int, int]) -> keras.Model:
    """Copies a network for images of another size.

    Args:
        model: A functional or sequential model from images to images.
        size: `(height, width)`, in pixels.

    Returns:
        A functional model with the same weights, not compiled.

    Raises:
        ValueError: If the network is of another kind, or its layers do not take this size.
    """
    try:
        if not is_rebuildable(model):
            raise ValueError(f"a {type(model).__name__} of its own is not made of known layers")
        copies: dict[int, tuple[Any, Any]] = {}
        copy = _with_size(model, size, copies)
        for original, own in copies.values():
            if getattr(original, "weights", None):  # Operations have none.
                own.set_weights(original.get_weights())
    except (ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ValueError(
            f"The network does not take images of {size[0]} × {size[1]} pixels: {reason}."
        ) from error
    if copy.output_shape != copy.input_shape:
        raise ValueError(
            f"The network does not take images of {size[0]} × {size[1]} pixels: it makes "
            f"{copy.output_shape[1]} × {copy.output_shape[2]} of them."
        )
    return copy


def _with_size(
    model: keras.Model, size: tuple[int, int], copies: dict[int, tuple[Any, Any]]
) -> keras.Model:
    model = as_functional(model)

    def form(op: Any) -> Call:
        if is_rebuildable(op):  # Its size is that of what it is called on.
            return lambda x: _with_size(op, x.shape[1:3], copies)(x)
        if id(op) not in copies:
            copies[id(op)] = (op, _copy(op))
        return copies[id(op)][1]

    img = keras.Input((*size, model.input_shape[3]), dtype=model.inputs[0].dtype)
    return keras.models.clone_model(
        model, input_tensors=img, clone_function=form, call_function=_call
    )


def _rebuilt(
    model: keras.Model, form_of: Callable[[Any], Call | None], made: dict[int, Call]
) -> keras.Model:
    model = as_functional(model)

    def form(op: Any) -> Call:
        if id(op) not in made:  # A layer that is called twice stays one layer.
            if is_rebuildable(op):
                made[id(op)] = _rebuilt(op, form_of, made)
            else:
                replacement = form_of(op)
                made[id(op)] = _copy(op) if replacement is None else replacement
        return made[id(op)]

    copy = keras.models.clone_model(model, clone_function=form, call_function=_call)
    by_name = {layer.name: layer for layer in copy.layers}
    for layer in model.layers:
        # What no replacement uses any more is not in the copy.
        if layer.weights and layer.name in by_name:
            weights = by_name[layer.name].weights
            values = zip(weights, layer.get_weights(), strict=True)
            by_name[layer.name].set_weights([value.reshape(w.shape) for w, value in values])
    return copy


def as_functional(model: keras.Model) -> keras.Model:
    """Makes a functional model of the same layers, without the losses that it is compiled with.

    Args:
        model: A functional or sequential model.

    Returns:
        Another model; layers and weights are shared.
    """
    if type(model).__name__ == "Sequential":
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def _copy(op: Any) -> Call:
    return type(op).from_config(op.get_config())


def _call(call: Call, *args: Any, **kwargs: Any) -> Any:
    if isinstance(call, keras.Operation):  # With its arguments, such as `training`.
        return call(*args, **kwargs)
    return call(*args) if args else call(kwargs["inputs"])
