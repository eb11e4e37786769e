"""Does once what layers would do with their kernels at each call."""

import contextlib
from collections.abc import Iterator

import keras

from cyclegan_keras.layers.convolution import LeanConv2D
from cyclegan_keras.layers.upsampling import UpsampleConv2D


@contextlib.contextmanager
def kernels_prepared_once(*models: keras.Model) -> Iterator[None]:
    """Lets each convolution prepare its kernel once, however often it is called.

    Args:
        *models: Models with such layers in them, or without. Their weights must not change inside.

    Yields:
        Nothing; call the models inside, in the same function or gradient tape.
    """
    prepared = [
        layer
        for model in models
        for layer in model._flatten_layers()
        if isinstance(layer, LeanConv2D | UpsampleConv2D) and layer.built
    ]
    try:
        for layer in prepared:
            layer.prepare()
        yield
    finally:
        for layer in prepared:
            layer.forget()
