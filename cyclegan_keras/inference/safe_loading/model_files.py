"""Loads models from untrusted files."""

import contextlib
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from cyclegan_keras import _registration
from cyclegan_keras.data import images
from cyclegan_keras.inference.latents import image_shape, latent_size
from cyclegan_keras.inference.safe_loading import archives, model_configs, weight_files
from cyclegan_keras.inference.stock_layers import to_fast_layers

# Of the images, in pixels. Beyond it, one image would take gigabytes.
MAX_SIZE = 16_384

MAX_REASON = 300

_registration.register()  # What a file may name.


def load_generator(path: images.PathLike) -> keras.Model:
    """Loads a saved generator, without running code from the file.

    Args:
        path: A `.keras` file, which need not be trusted; see `load_model`.

    Returns:
        A model from images to images of the same shape, float32 in [-1, 1], with this package's
        faster layers where they compute the same. Some take a latent beside the images: a list of
        both, the latter `(batch, size)`.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is not a Keras model, or not one from RGB images to RGB images, or from
            gray ones to gray ones, or if its weights are not finite.
    """
    name = os.fspath(path)
    try:
        model = load_model(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"No model {name!r}. Train one with `python train.py`.") from None
    _check_is_translator(model, name)
    return to_fast_layers(model)


def load_encoder(path: images.PathLike) -> keras.Model:
    """Loads a saved encoder of latents, without running code from the file.

    Args:
        path: A `.keras` file, which need not be trusted; see `load_model`.

    Returns:
        A model from `[imgs_A, imgs_B]` to latents, `(batch, size)`.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is not a Keras model, or no encoder of pairs of images.
    """
    model = load_model(path)
    taken, made = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    is_pair = isinstance(taken, list) and [len(shape) for shape in taken] == [4, 4]
    if not is_pair or not isinstance(made, tuple) or len(made) != 2:
        raise ValueError(
            f"The model {os.fspath(path)!r} is no encoder: it must turn pairs of images into "
            f"latents. Received: {_in_words(f'input shape {taken}, output shape {made}')}"
        )
    return model


def load_model(path: images.PathLike) -> keras.Model:
    """Loads any model that Keras has saved, without running code from the file.

    The file need not be trusted. Before anything is built from it, these are checked: it is a
    `.keras` file with the parts that Keras writes and no others; its description contains only
    layers of Keras for images, layers of this package, and those that the program has registered
    with `keras.saving.register_keras_serializable`; its weights are plain numbers. Loading needs
    about three times the memory of the weights, which may have up to 2 GB.

    Args:
        path: A `.keras` file.

    Returns:
        The model, not compiled.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is not a Keras model, or if its weights are not finite.
    """
    name = os.fspath(path)
    try:
        model = _load(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"No model {name!r}. Give a .keras file.") from None
    except OSError as error:
        raise OSError(f"Cannot read the model {name!r}: {_in_words(error)}.") from error
    except Exception as error:  # Keras raises whatever the damage led to.
        raise ValueError(
            f"Cannot load the model {name!r}: {_in_words(error)}. Give a .keras file, as "
            "training or `model.save` writes it."
        ) from error
    _check_is_finite(model, name)
    return model


def _load(path: images.PathLike) -> keras.Model:
    with tempfile.TemporaryDirectory(prefix="cyclegan-") as temporary:
        folder = pathlib.Path(temporary)
        parts = archives.unpack(path, folder)
        config = model_configs.checked(parts.config)
        num_weights = weight_files.count_weights(parts.weights)
        # What was checked is what Keras gets, whoever changes the file meanwhile.
        archives.pack(config, parts.weights, folder / "model.keras")
        return _build(folder / "model.keras", num_weights)


def _build(path: pathlib.Path, num_weights: int) -> keras.Model:
    try:
        with no_more_weights_than(num_weights), warnings.catch_warnings():
            # Keras goes on with random weights then, or with numbers that are too large.
            warnings.filterwarnings("error", "Skipping nested container")
            warnings.filterwarnings("error", category=RuntimeWarning)
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except OSError as error:
        # Of damaged weights, and not of a disk.
        raise ValueError(str(error)) from error
    if not isinstance(model, keras.Model):
        # Whatever else has a name that is known: a layer by itself, an initializer.
        raise ValueError(f"it describes a {type(model).__name__}, and no model")
    return model


def _in_words(said: object) -> str:
    """Returns the first line of a message, shortened, without control characters."""
    # Before this, Keras repeats the whole description.
    reason = str(said).rpartition("Exception encountered: ")[2]
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    text = lines[0].rstrip(".") if lines else type(said).__name__
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}…"


@contextlib.contextmanager
def no_more_weights_than(num_weights: int) -> Iterator[None]:
    """Allows only as many weights to be created as the file has, plus a few temporary ones.

    Otherwise, a single large number in a description could exhaust the memory.
    """
    limit = 2 * num_weights + 1000
    made = 0

    def create(make: Callable[..., Any], **settings: Any) -> Any:
        nonlocal made
        made += _num_elements(settings["initial_value"])
        if made > limit:
            raise ValueError(
                f"its description asks for {made} weights or more, and it has {num_weights}"
            )
        return make(**settings)

    with tf.variable_creator_scope(create):
        yield


def _num_elements(initial_value: Any) -> int:
    if not callable(initial_value):
        return np.size(initial_value)
    # Traced, values are only spoken of.
    traced = tf.function(lambda: initial_value(), autograph=False).get_concrete_function()
    return traced.output_shapes.num_elements()


def _check_is_translator(model: Any, name: str | bytes) -> None:
    shapes: list[Any] = [getattr(model, f"{end}_shape", None) for end in ("input", "output")]
    if latent_size(model):
        shapes[0] = image_shape(model)
    if not all(isinstance(shape, tuple) and len(shape) == 4 for shape in shapes) or (
        shapes[0] != shapes[1] or shapes[0][3] not in (1, 3)
    ):
        received = _in_words(f"input shape {shapes[0]}, output shape {shapes[1]}")
        raise ValueError(
            f"The model {name!r} is no translator: it must turn RGB images into RGB images of the "
            "same size, or gray ones into gray ones, and may take a latent with them. "
            f"Received: {received}"
        )
    if any(size is not None and not 1 <= size <= MAX_SIZE for size in shapes[0][1:3]):
        raise ValueError(
            f"The model {name!r} must take images with a height and width of 1 to {MAX_SIZE} "
            f"pixels. Received: input shape {shapes[0]}"
        )


def _check_is_finite(model: keras.Model, name: str | bytes) -> None:
    for weight in model.weights:
        is_float = keras.backend.is_float_dtype(weight.dtype)
        if is_float and not bool(ops.all(ops.isfinite(ops.convert_to_tensor(weight)))):
            raise ValueError(
                f"The model {name!r} has weights that are not finite numbers, as after a training "
                f"that diverged. Give one from before. Received: {_in_words(repr(weight.path))}"
            )
