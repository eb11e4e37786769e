"""Runs exported files in the runtimes that they are written for."""

import os
import pathlib
from collections.abc import Callable

import numpy as np

# From a batch of images to their translations.
Run = Callable[[np.ndarray], np.ndarray]


def onnx_runtime(path: pathlib.Path) -> Run:
    """Opens an ONNX file in ONNX Runtime, on the CPU.

    Args:
        path: Of the file.

    Returns:
        A function of `(batch, height, width, channels)`, float32.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"image": images})[0]


def litert(path: pathlib.Path) -> Run:
    """Opens a LiteRT file in LiteRT's interpreter.

    Args:
        path: Of the file.

    Returns:
        A function of `(batch, height, width, channels)`, float32.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=os.cpu_count())
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    shape: tuple[int, ...] = ()

    def run(images: np.ndarray) -> np.ndarray:
        nonlocal shape
        if images.shape != shape:
            interpreter.resize_tensor_input(into["index"], images.shape)
            interpreter.allocate_tensors()
            shape = images.shape
        interpreter.set_tensor(into["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(out["index"])

    return run


def saved_model(path: pathlib.Path) -> Run:
    """Opens a SavedModel in TensorFlow.

    Args:
        path: Of the folder.

    Returns:
        A function of `(batch, height, width, channels)`, float32.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    # `loaded` owns the variables.
    return lambda images, _owner=loaded: serve(tf.constant(images))["translation"].numpy()  # type: ignore[misc]
