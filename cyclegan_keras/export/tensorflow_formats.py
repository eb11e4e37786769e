"""SavedModel and LiteRT files."""

import pathlib
import tempfile
from typing import Any

import keras
import tensorflow as tf

from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.export.twin import twin_of
from cyclegan_keras.export.walking import check_is_writable

SIGNATURE = "serving_default"


class _Served(tf.Module):
    """A network as a function of TensorFlow, with its variables."""

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        # Only what TensorFlow's other runtimes know: no Keras.
        self.weights = [variable.value for variable in network.variables]
        image = tf.TensorSpec((None, None, None, network.inputs[0].shape[3]), tf.float32, "image")
        self.serve = tf.function(
            lambda image: {"translation": network(image, training=False)}, input_signature=[image]
        )


def write_saved_model(model: keras.Model, directory: pathlib.Path) -> None:
    """Writes a network as a SavedModel, for images of any size.

    Args:
        model: A functional or sequential model.
        directory: A folder, which is made.

    Raises:
        ValueError: If the model is not of such a kind, or made for one size only.
    """
    check_is_writable(model, "a SavedModel")
    served = _Served(twin_of(model))
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(served, str(directory), {SIGNATURE: served.serve}, options)


def to_litert(model: keras.Model, *, float16: bool = False, int8: bool = False) -> bytes:
    """Converts a network to LiteRT (formerly TensorFlow Lite), for images of any size.

    Args:
        model: A functional or sequential model.
        float16: Whether weights are stored in half precision.
        int8: Whether weights are stored in 8 bits, and what they are multiplied with is rounded to
            8 bits while running ("dynamic range").

    Returns:
        The content of a `.tflite` file.

    Raises:
        ValueError: If the model is not of such a kind, or has what LiteRT cannot compute.
    """
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as temporary:
        folder = pathlib.Path(temporary) / "model"
        write_saved_model(model, folder)
        # From a folder: of a function in memory, the variables would be left unset.
        converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
        if float16 or int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if float16:
            converter.target_spec.supported_types = [tf.float16]
        return _converted(converter)


def _converted(converter: Any) -> bytes:
    try:
        with without_startup_notes():
            return converter.convert()
    except Exception as error:  # Whatever of the converter's own kinds.
        reason = next((line for line in str(error).splitlines() if "error:" in line), str(error))
        raise ValueError(
            f"LiteRT cannot compute this model: {reason.strip()[:200]}. Export it as onnx or "
            "saved_model."
        ) from error
