"""Networks that are one convolution each: what takes time to make, trace and save is layers."""

from collections.abc import Callable

import keras

from cyclegan_keras import CycleGAN
from cyclegan_keras.models.base import GAN


def build_generator(gan: GAN) -> keras.Model:
    """With dropout, whose random numbers are a state."""
    img, seed = keras.Input(gan.img_shape), gan._next_seed()
    x = keras.layers.Dropout(0.25, seed=seed)(img)
    return keras.Model(img, convolution(gan.img_shape[-1], 1, "tanh", seed)(x))


def build_discriminator(gan: GAN) -> keras.Model:
    img = keras.Input(gan._judged_shape)
    return keras.Model(img, convolution(1, 2, None, gan._next_seed())(img))


def convolution(
    filters: int, strides: int, activation: str | None, seed: int | None
) -> keras.layers.Layer:
    """As the last layers of other networks, in full precision."""
    return keras.layers.Conv2D(
        filters,
        3,
        strides,
        "same",
        activation=activation,
        kernel_initializer=keras.initializers.GlorotUniform(seed),
        dtype=keras.config.dtype_policy().variable_dtype,
    )


class TinyGenerators(CycleGAN):
    """A CycleGAN of such generators, and the usual discriminators."""

    build_generator = build_generator


class Tiny(TinyGenerators):
    """A CycleGAN of such networks."""

    build_discriminator = build_discriminator


def use_in_all_models(put: Callable[[type, str, object], None] = setattr) -> None:
    """Has every model built of such networks, whatever its settings say.

    Args:
        put: How the methods are put in place, such as `monkeypatch.setattr`.
    """
    put(GAN, "build_generator", build_generator)
    put(GAN, "build_discriminator", build_discriminator)
