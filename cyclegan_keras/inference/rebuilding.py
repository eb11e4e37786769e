"""Copies of networks, with other layers in the place of some."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

# Called on tensors, as a layer is.
Call = Callable[..., Any]


def is_rebuildable(model: Any) -> bool:
    """Whether a network's parts are known to Keras, and not hidden in the `call` of a subclass."""
    is_kerass_own = type(model).__name__ in ("Functional", "Sequential")
    return isinstance(model, keras.Model) and is_kerass_own and bool(model.outputs)


def operations_of(model: keras.Model) -> Iterator[Any]:
    """Yields a network's layers and operations, and those of the networks in it.

    Args:
        model: A functional or sequential model.

    Yields:
        Each of them.
    """
    for op in _as_functional(model).operations:
        if is_rebuildable(op):
            yield from operations_of(op)
        else:
            yield op


def rebuilt(model: keras.Model, form_of: Callable[[Any], Call | None]) -> keras.Model:
    """Copies a network, and the networks in it, with other forms of some of its operations.

    Args:
        model: A functional or sequential model.
        form_of: Called with a layer or an operation. Returns what is to be in its place: another
            layer with as many weights, or a function of tensors; `None` for a plain copy.

    Returns:
        A functional model of the same name and weights, not compiled; a model of any other kind is
        returned as it is.
    """
    return _rebuilt(model, form_of, {}) if is_rebuildable(model) else model


def _rebuilt(
    model: keras.Model, form_of: Callable[[Any], Call | None], made: dict[int, Call]
) -> keras.Model:
    model = _as_functional(model)

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
        if layer.weights:
            weights = by_name[layer.name].weights
            values = zip(weights, layer.get_weights(), strict=True)
            by_name[layer.name].set_weights([value.reshape(w.shape) for w, value in values])
    return copy


def _as_functional(model: keras.Model) -> keras.Model:
    """The same layers, in a model that is not compiled: its losses are no part of a copy."""
    if type(model).__name__ == "Sequential":
        return keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    return keras.Model(model.input, model.output, name=model.name)


def _copy(op: Any) -> Call:
    return type(op).from_config(op.get_config())


def _call(call: Call, *args: Any, **kwargs: Any) -> Any:
    if isinstance(call, keras.Operation):  # With whatever it was called with, such as `training`.
        return call(*args, **kwargs)
    return call(args[0] if args else kwargs["inputs"])
