"""Networks that are one convolution each: what takes time to make, trace and save is layers."""

from collections.abc import Callable

import keras

from cyclegan_keras import CycleGAN
from cyclegan_keras.models.base import GAN


def build_generator(gan: GAN) -> keras.Model:
    """With dropout, whose random numbers are a state."""
    img, seed = keras.Input(gan.img_shape), gan._next_seed()
    x = keras.layers.Dropout(0.25, seed=seed)(img)
    start = keras.initializers.GlorotUniform(seed)
    images = keras.layers.Conv2D(gan.img_shape[-1], 3, padding="same", kernel_initializer=start)
    return keras.Model(img, keras.ops.tanh(images(x)))


def build_discriminator(gan: GAN) -> keras.Model:
    img = keras.Input(gan._judged_shape)
    start = keras.initializers.GlorotUniform(gan._next_seed())
    return keras.Model(img, keras.layers.Conv2D(1, 3, 2, kernel_initializer=start)(img))


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
