"""The networks of Augmented CycleGAN, which take latents, find them, and judge them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from cyclegan_keras.config.augmented import (
    EdgeDiscriminatorConfig,
    LatentResNetConfig,
    LatentsConfig,
    ShoeDiscriminatorConfig,
)
from cyclegan_keras.layers import (
    ConditionalInstanceNormalization,
    LeanConv2D,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.networks.common import (
    ImgShape,
    check_img_shape,
    full_precision,
    glorot_initializers,
    normal_initializers,
    num_features,
    paper_norm,
    translation,
)

_HALVINGS = 4  # At most; so many turn 64 pixels into 4.


def latent_resnet(
    config: LatentResNetConfig,
    img_shape: ImgShape,
    seed: int | None,
    name: str | None,
    num_latents: int = 0,
) -> keras.Model:
    """Builds a generator, with or without a latent.

    In the CycleGAN paper's words c7s1-32, c3s1-64, d128, three R128, u64, c3s1-32, c7s1-3: it
    halves images once only. All norms but those that end a block depend on the latent, if there is
    one; blocks end with a ReLU.

    Args:
        config: Its settings.
        img_shape: `(height, width, channels)`; height and width divisible by 2, or by 4 with two
            halvings, at least 8 or 16. Either may be `None`: any such size.
        seed: Of the initial weights, N(0, 0.02); `None` draws other ones each time.
        name: Of the model.
        num_latents: Numbers in the latent; 0 for none.

    Returns:
        A `keras.Model` from images, `(batch, height, width, channels)`, float32 in [-1, 1], or from
        `[images, latents]`, the latter `(batch, num_latents)`, to images of the same shape.

    Raises:
        ValueError: If the images cannot be halved as often.
    """
    reason = "the network halves them and reflects the borders of what is left"
    factor = 2**config.num_halvings
    check_img_shape(img_shape, factor=factor, least=4 * factor, reason=reason, any_size=True)
    img, gf = keras.Input(img_shape, name="img"), config.gf
    latent = keras.Input((num_latents,), name="latent") if num_latents else None
    of_map = None if latent is None else layers.Reshape((1, 1, num_latents))(latent)
    parts = _Parts(config, normal_initializers(seed), of_map)

    x = parts.norm_and_relu(parts.mirrored(img, gf, 7))
    before_halving = []
    for level, filters in enumerate((2 * gf, 4 * gf)):
        if level < 2 - config.num_halvings:
            x = parts.norm_and_relu(parts.convolve(x, filters))
        else:
            before_halving.append(x)
            x = parts.norm_and_relu(parts.halve(x, filters))
    for _ in range(config.num_blocks):
        change = parts.norm_and_relu(parts.mirrored(x, 4 * gf, 3))
        change = paper_norm(affine=True)(parts.mirrored(change, 4 * gf, 3))
        x = layers.ReLU()(layers.Add()([x, change]))
    for filters in (2 * gf, gf):
        if before_halving:
            x = parts.norm_and_relu(parts.double(x, filters))
            skipped = before_halving.pop()
            x = layers.Concatenate()([x, skipped]) if config.skips else x
        else:
            x = parts.norm_and_relu(parts.convolve(x, filters))
    x = parts.convolve(x, num_features(img_shape, config), 7)
    inputs = img if latent is None else [img, latent]
    return keras.Model(inputs, translation(x, img, config), name=name)


@dataclasses.dataclass(frozen=True)
class _Parts:
    """The parts of a generator, as the settings have them.

    Attributes:
        config: The settings.
        kernels: Initializers, one for each convolution.
        latent: `(batch, 1, 1, num_latents)`; `None` for none.
    """

    config: LatentResNetConfig
    kernels: Iterator[Any]
    latent: Any

    def convolve(self, x: Any, filters: int, size: int = 3) -> Any:
        kernel = next(self.kernels)
        return LeanConv2D(filters, size, padding="same", kernel_initializer=kernel)(x)

    def mirrored(self, x: Any, filters: int, size: int) -> Any:
        x = ReflectionPadding2D(size // 2)(x)
        return LeanConv2D(filters, size, kernel_initializer=next(self.kernels))(x)

    def halve(self, x: Any, filters: int) -> Any:
        kernel = next(self.kernels)
        # PyTorch pads all sides, and then the first row and column are used.
        x = layers.ZeroPadding2D(1)(x)
        return layers.Conv2D(filters, 3, strides=2, kernel_initializer=kernel)(x)

    def double(self, x: Any, filters: int) -> Any:
        kernel = next(self.kernels)
        if self.config.upsampling == "transposed":
            return TransposedConv2D(filters, kernel_initializer=kernel)(x)
        return UpsampleConv2D(filters, 3, kernel_initializer=kernel)(x)

    def norm_and_relu(self, x: Any) -> Any:
        if self.latent is None:
            return layers.ReLU()(paper_norm(affine=True)(x))
        # 1 + linear(z) and linear(z): the 1 is the initial bias.
        scale, shift = (
            layers.Conv2D(
                x.shape[-1],
                1,
                kernel_initializer=next(self.kernels),
                bias_initializer=bias,
            )(self.latent)
            for bias in ("ones", "zeros")
        )
        return layers.ReLU()(ConditionalInstanceNormalization()([x, scale, shift]))


def encoder(
    config: LatentsConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds an encoder, which finds the latent of an image from a pair.

    The authors' has a second output, the logarithm of a variance, which counts only with an option
    that their experiments leave off. At other sizes than 64 pixels, the features of all places are
    averaged.

    Args:
        config: Its settings.
        img_shape: `(height, width, channels)` of the images, known and at least 16 pixels.
        seed: As for `latent_resnet`.
        name: Of the model.

    Returns:
        A `keras.Model` from `[imgs_A, imgs_B]` to latents, `(batch, num_latents)`.

    Raises:
        ValueError: If the images are too small.
    """
    _check_halvable(img_shape)
    kernels = _initializers(config, seed)
    pair = [keras.Input(img_shape, name=f"img_{domain}") for domain in "AB"]
    x = layers.Concatenate()(pair)
    is_normalized = config.norm == "batch"
    for level in range(num_halvings(img_shape)):
        is_first = level == 0
        x = _halve(x, config.ef * 2**level, next(kernels), use_bias=is_first or not is_normalized)
        x = _batch_norm(x) if is_normalized and not is_first else x
        x = layers.ReLU()(x)
    kernel = next(kernels)
    x = layers.Conv2D(x.shape[-1], 4, use_bias=not is_normalized, kernel_initializer=kernel)(x)
    x = layers.ReLU()(_batch_norm(x) if is_normalized else x)
    x = layers.Conv2D(config.size, 1, kernel_initializer=next(kernels))(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pair, full_precision("linear", "latent")(x), name=name)


def latent_discriminator(config: LatentsConfig, seed: int | None, name: str | None) -> keras.Model:
    """Builds a discriminator of latents: three layers of features, and a score.

    Args:
        config: Its settings.
        seed: Of the initial weights: N(0, 0.02) or, without norms, Glorot's.
        name: Of the model.

    Returns:
        A `keras.Model` from latents, `(batch, num_latents)`, to scores, `(batch, 1)`.
    """
    kernels = _initializers(config, seed)
    x = latent = keras.Input((config.size,), name="latent")
    for _ in range(3):
        x = layers.Dense(config.zf, kernel_initializer=next(kernels))(x)
        x = _batch_norm(x) if config.norm == "batch" else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Dense(1, kernel_initializer=next(kernels))(x)
    return keras.Model(latent, full_precision("linear", "validity")(x), name=name)


def shoe_discriminator(
    config: ShoeDiscriminatorConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds the paper's discriminator of domain B, which scores patches.

    Args:
        config: Its settings.
        img_shape: `(height, width, channels)`, at least 16 pixels. Height and width may be `None`.
        seed: Of the initial weights, N(0, 0.02).
        name: Of the model.

    Returns:
        A `keras.Model` from images to scores, `(batch, 13, 13, 1)` at 64 pixels.
    """
    _check_halvable(img_shape, any_size=True)
    kernels, df = normal_initializers(seed), config.df
    x = img = keras.Input(img_shape, name="img")
    for index, (filters, strides) in enumerate(((df, 2), (2 * df, 2), (4 * df, 1), (4 * df, 1))):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(filters, 4, strides=strides, kernel_initializer=next(kernels))(x)
        x = paper_norm(affine=True)(x) if index else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(1, 4, kernel_initializer=next(kernels))(x)
    return keras.Model(img, full_precision("linear", "validity")(x), name=name)


def edge_discriminator(
    config: EdgeDiscriminatorConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds the paper's discriminator of domain A, which scores images of 64 pixels as a whole.

    Args:
        config: Its settings.
        img_shape: `(height, width, channels)`, at least 16 pixels.
        seed: Of the initial weights, N(0, 0.02).
        name: Of the model.

    Returns:
        A `keras.Model` from images to scores, `(batch, 1, 1, 1)` up to 64 pixels, and more for
        larger images.
    """
    _check_halvable(img_shape)
    kernels = normal_initializers(seed)
    x = img = keras.Input(img_shape, name="img")
    for level in range(num_halvings(img_shape)):
        x = _halve(x, config.df * 2 ** min(level, 2), next(kernels))
        x = paper_norm(affine=True)(x) if level else x
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2D(1, 4, kernel_initializer=next(kernels))(x)
    return keras.Model(img, full_precision("linear", "validity")(x), name=name)


def num_halvings(img_shape: ImgShape) -> int:
    """How often images are halved: until 4 pixels of the shorter side are left, or four times."""
    shorter = min(size for size in img_shape[:2] if size is not None)
    count = 0
    while count < _HALVINGS and -(-shorter // 2) >= 4:
        shorter, count = -(-shorter // 2), count + 1
    return count


def _check_halvable(img_shape: ImgShape, any_size: bool = False) -> None:
    reason = "the networks of latents and their discriminators halve them"
    check_img_shape(img_shape, factor=1, least=16, reason=reason, any_size=any_size)


def _halve(x: Any, filters: int, kernel: Any, use_bias: bool = True) -> Any:
    x = layers.ZeroPadding2D(1)(x)
    convolve = layers.Conv2D(filters, 3, strides=2, use_bias=use_bias, kernel_initializer=kernel)
    return convolve(x)


def _initializers(config: LatentsConfig, seed: int | None) -> Iterator[Any]:
    """Without norms, features of the paper's small weights would vanish from layer to layer."""
    return normal_initializers(seed) if config.norm == "batch" else glorot_initializers(seed)


def _batch_norm(x: Any) -> Any:
    # The numbers of PyTorch's.
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)
