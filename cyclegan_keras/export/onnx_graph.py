"""Writes Keras networks as ONNX graphs, without going by way of TensorFlow's."""

import functools
from typing import Any

import keras
import onnx
from onnx import helper

from cyclegan_keras.export import onnx_layers, onnx_operations
from cyclegan_keras.export.onnx_builder import Builder, Value
from cyclegan_keras.export.walking import check_is_writable, in_own_layers, walk
from cyclegan_keras.inference.rebuilding import as_functional

# Of 2021; all that the networks need is in it, and old runtimes read it.
OPSET = 17
IR_VERSION = 8

# Names of the graph's input and output.
IMAGE = "image"
TRANSLATION = "translation"


def to_onnx(model: keras.Model, *, float16: bool = False) -> onnx.ModelProto:
    """Writes a network as an ONNX model for images of any size.

    Every layer is written as the operators of ONNX that compute the same, so that nothing of
    TensorFlow's graph, and none of its paddings, needs to be guessed.

    Args:
        model: A functional or sequential model from images to images, or to scores, such as a
            generator from `load_generator`. Its layers are Keras's or this package's.
        float16: Whether large weights are stored in half precision, which halves the file. They are
            computed with in float32.

    Returns:
        A model with an input "image" and an output "translation": `(batch, height, width,
        channels)`, float32 in [-1, 1], as in Keras. Batch, height and width are any, even if the
        size of `model` is fixed, as long as the network can halve them.

    Raises:
        ValueError: If the model is not of such a kind, or has a layer that cannot be written; the
            message names it.
    """
    check_is_writable(model, "ONNX")
    model = as_functional(in_own_layers(model))
    (first,), (last,) = model.inputs, model.outputs
    graph = Builder(float16)
    image = Value(graph.add("Transpose", IMAGE, perm=(0, 3, 1, 2)), tuple(first.shape))
    (result,) = walk(model, [image], functools.partial(_called, graph))
    is_image = result.rank == 4
    graph.add(
        "Transpose" if is_image else "Identity",
        result,
        name=TRANSLATION,
        perm=(0, 2, 3, 1) if is_image else None,
    )
    return _model_of(graph, first.shape[3], tuple(last.shape), _keeps_size(model))


def _called(graph: Builder, op: Any, args: Any, kwargs: Any, outputs: list[Any]) -> list[Value]:
    if kwargs.pop("training", None):
        raise ValueError(
            f"The layer {op.name!r} is called with training=True, so that its result depends on "
            "chance or on the batch. Build the model without it, then export that."
        )
    if kwargs.pop("mask", None) is not None:
        raise ValueError(f"The layer {op.name!r} is called with a mask. Build the model without.")
    if isinstance(op, keras.layers.Layer):
        if kwargs and not args:  # Given by its name.
            args, kwargs = tuple(kwargs.values()), {}
        name = onnx_layers.written(graph, op, *args, **kwargs)
    else:
        name = onnx_operations.written(graph, op, *args, **kwargs)
    return [Value(name, tuple(outputs[0].shape))]


def _keeps_size(model: keras.Model) -> bool:
    return tuple(model.inputs[0].shape[1:3]) == tuple(model.outputs[0].shape[1:3])


def _model_of(
    graph: Builder, channels: int, shape: tuple[int | None, ...], keeps_size: bool
) -> onnx.ModelProto:
    sides = ["height", "width"]
    if len(shape) == 4:
        out = ["batch", *(sides if keeps_size else ["rows", "columns"]), shape[3]]
    else:
        out = ["batch", *shape[1:]]
    tensor = onnx.TensorProto.FLOAT
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "cyclegan_keras",
            [helper.make_tensor_value_info(IMAGE, tensor, ["batch", *sides, channels])],
            [helper.make_tensor_value_info(TRANSLATION, tensor, out)],
            graph.initializers,
        ),
        producer_name="cyclegan_keras",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    return model
