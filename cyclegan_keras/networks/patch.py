"""PatchGAN discriminators: the book's, and those of the pix2pix paper by receptive field."""

from typing import Any

import keras
from keras import layers

from cyclegan_keras.config.networks import BookDiscriminatorConfig, PatchGANConfig
from cyclegan_keras.layers import AddDetail, LeanConv2D
from cyclegan_keras.networks.common import (
    ImgShape,
    book_norm,
    check_img_shape,
    full_precision,
    glorot_initializers,
    norm_of,
    normal_initializers,
)

# For each receptive field, in pixels: by how much `df` is multiplied, and the stride, of each
# convolution but the last, whose stride is 1. Kernels are 4×4, but for a field of one pixel.
_STAGES = {
    1: ((1, 1), (2, 1)),
    16: ((1, 2), (2, 1)),
    34: ((1, 2), (2, 2), (4, 1)),
    70: ((1, 2), (2, 2), (4, 2), (8, 1)),
    142: ((1, 2), (2, 2), (4, 2), (8, 2), (8, 1)),
    286: ((1, 2), (2, 2), (4, 2), (8, 2), (8, 2), (8, 1)),
}


def build_patch_discriminator(
    img_shape: ImgShape = (128, 128, 3),
    df: int = 64,
    receptive_field: Any = None,
    affine: bool = False,
    norm: Any = "instance",
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds a PatchGAN discriminator: the book's, or one of the pix2pix paper's.

    The paper's pad as the authors' PyTorch code does, normalise *before* the activation, and start
    from N(0, 0.02). CycleGAN's paper has the one of 70 pixels.

    Args:
        img_shape: `(height, width, channels)`. For the book's, height and width divisible by 16, at
            least 32; for the paper's, at least 2, 6, 24 and 96 pixels in the order of their
            receptive fields. Either may be `None`: any such size.
        df: Filters of the first layer.
        receptive_field: Height and width of the patch that a score is given for, in pixels: 1, 16,
            34, 70, 142 or 286. `None` means the book's, whose patches have 94.
        affine: Whether the paper's have factors and offsets in their norms and, for that, no biases
            before them, which is what pix2pix's batch norm is at batch size 1. CycleGAN's have not;
            the book's always have both.
        norm: Of the paper's: "instance" as in the papers, "pixel" (over the channels of each
            pixel), or "none"; of the book's: "instance", or "contrib" for that of keras_contrib,
            which the listing imports.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to a score for
        each patch, trained towards 1 for real and 0 for translated images:
        `(batch, height / 16, width / 16, 1)` for the book's. The paper's make `height` scores from
        top to bottom for 1, `height / 2 - 2` for 16, `height / 4 - 2` for 34, `height / 8 - 2` for
        70 (30 at 256 pixels), and so on, divisions rounded down, and from left to right alike.

    Raises:
        ValueError: If the images are too small or cannot be halved, or there is no such receptive
            field, or none with such a norm.

    Reference:
        *GANs in Action*, listing 9.5; [Isola et al., 2017](https://arxiv.org/abs/1611.07004),
        appendix 6.1.2.
    """
    if receptive_field is None:
        return BookDiscriminatorConfig(df=df, norm=norm).build(img_shape, seed, name)
    config = PatchGANConfig(df=df, receptive_field=receptive_field, affine=affine, norm=norm)
    return config.build(img_shape, seed, name)


def book(
    config: BookDiscriminatorConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds the book's discriminator.

    Args:
        config: Its settings.
        img_shape: As for `build_patch_discriminator`.
        seed: Likewise.
        name: Likewise.

    Returns:
        The model.
    """
    check_img_shape(img_shape, any_size=True)
    img = keras.Input(img_shape, name="img")
    kernels, x = glorot_initializers(seed), img
    for filters in (config.df, 2 * config.df, 4 * config.df, 8 * config.df):
        x = LeanConv2D(filters, 4, strides=2, padding="same", kernel_initializer=next(kernels))(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
        if filters > config.df:
            x = book_norm(config.norm)(x)
    scores = LeanConv2D(1, 4, padding="same", kernel_initializer=next(kernels))(x)
    return keras.Model(img, full_precision("linear", "validity")(scores), name=name)


def patch_gan(
    config: PatchGANConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds one of the pix2pix paper's discriminators.

    Args:
        config: Its settings.
        img_shape: As for `build_patch_discriminator`.
        seed: Likewise.
        name: Likewise.

    Returns:
        The model.
    """
    check_img_shape(
        img_shape, factor=1, least=config.least, reason=config.least_because, any_size=True
    )
    img = keras.Input(img_shape, name="img")
    kernels, x = normal_initializers(seed), img
    if config.detail:
        # In full precision: a few levels are less than the rounding of a half of it.
        dtype = keras.config.dtype_policy().variable_dtype
        x = AddDetail(config.detail, config.detail_size, dtype=dtype)(x)
    size = 1 if config.receptive_field == 1 else 4
    for index, (multiple, strides) in enumerate(_STAGES[config.receptive_field]):
        is_normalized = index > 0 and config.norm != "none"
        use_bias = not (is_normalized and config.affine and config.norm == "instance")
        x = _convolve(x, multiple * config.df, size, strides, next(kernels), use_bias)
        if is_normalized:
            x = norm_of(config.norm, config.affine)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    scores = _convolve(x, 1, size, 1, next(kernels))
    return keras.Model(img, full_precision("linear", "validity")(scores), name=name)


def _convolve(
    x: Any, filters: int, size: int, strides: int, kernel: Any, use_bias: bool = True
) -> Any:
    """Convolves as PyTorch does with a padding of one pixel, or none for single pixels."""
    _, height, width, _ = x.shape
    halves_evenly = strides == 2 and None not in (height, width) and not (height % 2 or width % 2)
    if size == 1 or halves_evenly:  # then "same" pads alike, and `LeanConv2D` is faster
        padding = "same"
    else:
        padding = "valid"
        x = layers.ZeroPadding2D(1)(x)
    convolution = LeanConv2D(
        filters,
        size,
        strides=strides,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=kernel,
    )
    return convolution(x)
