"""The generator and the discriminator of *GANs in Action*, chapter 9."""

from typing import Any

import keras
from keras import layers

from cyclegan_keras.layers import InstanceNormalization, LeanConv2D, UpsampleConv2D

NUM_HALVINGS = 4

# Layers whose result for one image does not depend on which others are in the batch.
_PER_IMAGE_LAYERS = (
    InstanceNormalization,
    LeanConv2D,
    UpsampleConv2D,
    layers.Activation,
    layers.Add,
    layers.Concatenate,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dropout,
    layers.GroupNormalization,
    layers.InputLayer,
    layers.LeakyReLU,
    layers.ReLU,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
)


def check_img_shape(img_shape: tuple[int, int, int]) -> None:
    """Raises an error that teaches if the book's networks cannot take such images.

    Args:
        img_shape: `(height, width, channels)` of the images, in pixels.

    Raises:
        ValueError: If height or width cannot be halved four times down to 2 pixels or more.
    """
    factor = 2**NUM_HALVINGS
    if (
        len(img_shape) != 3
        or any(not isinstance(size, int) or size < 1 for size in img_shape)
        or any(size % factor or size < 2 * factor for size in img_shape[:2])
    ):
        raise ValueError(
            "`img_shape` must be (height, width, channels) with height and width divisible by "
            f"{factor} and at least {2 * factor} pixels, because the networks halve them "
            f"{NUM_HALVINGS} times and normalise what is left. Received: img_shape={img_shape}"
        )


def treats_images_alone(network: Any) -> bool:
    """Whether a network makes the same of an image, whichever others are in its batch.

    Batch normalisation, for one, does not. Layers that this package does not know may not either.

    Args:
        network: A model, or one of its operations.

    Returns:
        Whether all of its operations are known to treat each image by itself.
    """
    is_kerass_own = type(network).__module__.startswith("keras.")
    if isinstance(network, keras.Model) and is_kerass_own and hasattr(network, "operations"):
        return all(treats_images_alone(operation) for operation in network.operations)
    return type(network) in _PER_IMAGE_LAYERS


def _initializers(seed: int | None) -> Any:
    """Yields Keras's default initializer, seeded differently for each layer."""
    while True:
        yield keras.initializers.GlorotUniform(seed=seed)
        seed = None if seed is None else seed + 1


def _halve(x: Any, filters: int, initializer: Any, normalize: bool = True) -> Any:
    x = LeanConv2D(filters, 4, strides=2, padding="same", kernel_initializer=initializer)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    return InstanceNormalization()(x) if normalize else x


def _double(x: Any, skip: Any, filters: int, initializer: Any, dropout: float) -> Any:
    x = UpsampleConv2D(filters, 4, activation="relu", kernel_initializer=initializer)(x)
    if dropout:
        x = layers.Dropout(dropout)(x)
    x = InstanceNormalization()(x)
    return layers.Concatenate()([x, skip])


def build_unet_generator(
    img_shape: tuple[int, int, int] = (128, 128, 3),
    gf: int = 32,
    dropout: float = 0.0,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds the book's U-Net generator.

    Four halvings, four doublings, and a skip connection between the layers of equal size.
    Normalisation stands *after* the activation.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 16, at least 32.
        gf: Filters of the first layer.
        dropout: Share of the features dropped after each doubling, in [0, 1).
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to the same.

    Raises:
        ValueError: If the images cannot be halved four times.

    Reference:
        *GANs in Action*, listing 9.4.
    """
    check_img_shape(img_shape)
    initializer = _initializers(seed)
    img = keras.Input(img_shape, name="img")

    d1 = _halve(img, gf, next(initializer))
    d2 = _halve(d1, 2 * gf, next(initializer))
    d3 = _halve(d2, 4 * gf, next(initializer))
    d4 = _halve(d3, 8 * gf, next(initializer))

    u1 = _double(d4, d3, 4 * gf, next(initializer), dropout)
    u2 = _double(u1, d2, 2 * gf, next(initializer), dropout)
    u3 = _double(u2, d1, gf, next(initializer), dropout)

    output = UpsampleConv2D(img_shape[2], 4, kernel_initializer=next(initializer))(u3)
    return keras.Model(img, _full_precision("tanh", "translation")(output), name=name)


def build_patch_discriminator(
    img_shape: tuple[int, int, int] = (128, 128, 3),
    df: int = 64,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds the book's PatchGAN discriminator.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 16, at least 32.
        df: Filters of the first layer.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to
        `(batch, height / 16, width / 16, 1)`: a score for each patch, trained towards 1 for real
        and 0 for translated images.

    Raises:
        ValueError: If the images cannot be halved four times.

    Reference:
        *GANs in Action*, listing 9.5.
    """
    check_img_shape(img_shape)
    initializer = _initializers(seed)
    img = keras.Input(img_shape, name="img")

    d1 = _halve(img, df, next(initializer), normalize=False)
    d2 = _halve(d1, 2 * df, next(initializer))
    d3 = _halve(d2, 4 * df, next(initializer))
    d4 = _halve(d3, 8 * df, next(initializer))

    scores = LeanConv2D(1, 4, padding="same", kernel_initializer=next(initializer))(d4)
    return keras.Model(img, _full_precision("linear", "validity")(scores), name=name)


def _full_precision(activation: str, name: str) -> keras.layers.Layer:
    """The last activation, in float32 under mixed precision: losses are taken of it."""
    return layers.Activation(
        activation, dtype=keras.config.dtype_policy().variable_dtype, name=name
    )
