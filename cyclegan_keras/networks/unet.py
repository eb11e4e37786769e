"""U-Net generators: the book's, and the deeper one of the pix2pix paper."""

import itertools
from typing import Any

import keras
from keras import layers

from cyclegan_keras.config.networks import DeepUNetConfig, UNetConfig
from cyclegan_keras.layers import LeanConv2D, UpsampleConv2D
from cyclegan_keras.networks.common import (
    ImgShape,
    book_norm,
    by_name,
    check_img_shape,
    dropouts,
    glorot_initializers,
    normal_initializers,
    num_features,
    paper_norm,
    translation,
)


def _halve(x: Any, filters: int, initializer: Any, norm: str) -> Any:
    x = LeanConv2D(filters, 4, strides=2, padding="same", kernel_initializer=initializer)(x)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    return book_norm(norm)(x)


def _double(
    x: Any,
    skip: Any,
    filters: int,
    initializer: Any,
    dropout: keras.layers.Layer | None,
    norm: str,
) -> Any:
    x = UpsampleConv2D(filters, 4, activation="relu", kernel_initializer=initializer)(x)
    if dropout is not None:
        x = dropout(x)
    x = book_norm(norm)(x)
    return layers.Concatenate()([x, skip])


def build_unet_generator(
    img_shape: ImgShape = (128, 128, 3),
    *args: Any,
    seed: int | None = None,
    name: str | None = None,
    **settings: Any,
) -> keras.Model:
    """Builds the book's U-Net generator: `UNetConfig(**settings).build(img_shape, seed, name)`.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 16, at least 32.
            Either may be `None`: any such size.
        *args: Settings without their names: `gf`, `dropout`, `residual`, `exact_residual`, `norm`.
        seed: Of the initial weights and of dropout; `None` draws other ones each time.
        name: Of the model.
        **settings: Those of `UNetConfig`.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to the same.

    Raises:
        ValueError: If the images cannot be halved four times, or a setting has no such value.

    Reference:
        *GANs in Action*, listing 9.4.
    """
    settings = by_name(args, "gf dropout residual exact_residual norm".split(), settings)
    return UNetConfig(**settings).build(img_shape, seed, name)


def unet(
    config: UNetConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds the book's U-Net generator.

    Four halvings, four doublings, and a skip connection between the layers of equal size.
    Normalisation stands *after* the activation.

    Args:
        config: Its settings.
        img_shape: As for `build_unet_generator`.
        seed: Likewise.
        name: Likewise.

    Returns:
        The model.
    """
    check_img_shape(img_shape, any_size=True)
    gf, norm, dropout = config.gf, config.norm, config.dropout
    initializer = glorot_initializers(seed)
    drop = dropouts(dropout, seed) if dropout else itertools.repeat(None)
    img = keras.Input(img_shape, name="img")

    d1 = _halve(img, gf, next(initializer), norm)
    d2 = _halve(d1, 2 * gf, next(initializer), norm)
    d3 = _halve(d2, 4 * gf, next(initializer), norm)
    d4 = _halve(d3, 8 * gf, next(initializer), norm)

    u1 = _double(d4, d3, 4 * gf, next(initializer), next(drop), norm)
    u2 = _double(u1, d2, 2 * gf, next(initializer), next(drop), norm)
    u3 = _double(u2, d1, gf, next(initializer), next(drop), norm)

    output = UpsampleConv2D(
        num_features(img_shape, config), 4, kernel_initializer=next(initializer)
    )(u3)
    return keras.Model(img, translation(output, img, config), name=name)


def build_deep_unet_generator(
    img_shape: ImgShape = (256, 256, 3),
    *args: Any,
    seed: int | None = None,
    name: str | None = None,
    **settings: Any,
) -> keras.Model:
    """Builds pix2pix's U-Net: `DeepUNetConfig(**settings).build(img_shape, seed, name)`.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 2 to the number of
            halvings. So the shorter side is 32, 64, 128 or a multiple of 256 pixels, and a multiple
            of it, or of 256, will do for the longer one.
        *args: Settings without their names: `gf`, `dropout`, `residual`, `exact_residual`.
        seed: Of the initial weights, N(0, 0.02), and of dropout; `None` draws other ones each time.
        name: Of the model.
        **settings: Those of `DeepUNetConfig`.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to the same.

    Raises:
        ValueError: If height or width is not known, or cannot be halved so often.

    Reference:
        [Isola et al., 2017](https://arxiv.org/abs/1611.07004), appendix 6.1.1.
    """
    settings = by_name(args, "gf dropout residual exact_residual".split(), settings)
    return DeepUNetConfig(**settings).build(img_shape, seed, name)


def deep_unet(
    config: DeepUNetConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds pix2pix's U-Net generator, which halves images down to one pixel.

    Eight halvings from 256 pixels on, seven from 128, six from 64 and five from 32, by the shorter
    side, and as many doublings; a skip connection between the layers of equal size. Normalisation
    has trained factors and offsets, and convolutions but the last have no bias: what the authors'
    batch normalisation is for a batch of one image. Where the authors leave dropout on when they
    translate, as a source of chance, here it is on in training only.

    Args:
        config: Its settings.
        img_shape: As for `build_deep_unet_generator`.
        seed: Likewise.
        name: Likewise.

    Returns:
        The model.
    """
    gf, dropout, num_halvings = config.gf, config.dropout, _num_halvings(img_shape)
    filters = [gf * min(2**level, 8) for level in range(num_halvings)]
    kernels, drop = normal_initializers(seed), dropouts(dropout, seed)
    img = keras.Input(img_shape, name="img")

    x, skips = _halve_bare(img, gf, next(kernels)), []
    for level, num_filters in enumerate(filters[1:], start=2):
        skips.append(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        x = _halve_bare(x, num_filters, next(kernels))
        if level < num_halvings:  # Normalised, a single pixel would be 0, whatever it was.
            x = paper_norm(affine=True)(x)

    for level, (num_filters, skip) in enumerate(zip(filters[-2::-1], skips[::-1], strict=True)):
        x = _double_bare(layers.ReLU()(x), num_filters, next(kernels))
        x = paper_norm(affine=True)(x)
        if dropout and 1 <= level <= num_halvings - 5:
            x = next(drop)(x)
        x = layers.Concatenate()([skip, x])

    x = _double_bare(
        layers.ReLU()(x), num_features(img_shape, config), next(kernels), use_bias=True
    )
    return keras.Model(img, translation(x, img, config), name=name)


def _num_halvings(img_shape: ImgShape) -> int:
    sizes = [size for size in img_shape[:2] if size is not None]
    if len(sizes) < len(img_shape[:2]):
        raise ValueError(
            "`img_shape` must have a known height and width, because they decide how often this "
            "network halves; `build_resnet_generator` takes images of any size. "
            f"Received: img_shape={img_shape}"
        )
    check_img_shape(img_shape, 32, least=32, reason="the network halves them 5 times or more often")
    number = min(8, min(sizes).bit_length() - 1)
    reason = f"the network halves them {number} times, as often as the shorter side takes"
    check_img_shape(img_shape, 2**number, least=2**number, reason=reason)
    return number


def _halve_bare(x: Any, filters: int, kernel: Any) -> Any:
    convolution = LeanConv2D(
        filters, 4, strides=2, padding="same", use_bias=False, kernel_initializer=kernel
    )
    return convolution(x)


def _double_bare(x: Any, filters: int, kernel: Any, use_bias: bool = False) -> Any:
    convolution = layers.Conv2DTranspose(
        filters, 4, strides=2, padding="same", use_bias=use_bias, kernel_initializer=kernel
    )
    return convolution(x)
