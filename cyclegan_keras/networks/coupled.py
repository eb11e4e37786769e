"""The networks of CoGAN: two generators and two discriminators that share most of their layers."""

from typing import Any

import keras
from keras import layers, ops

from cyclegan_keras.config.cogan import (
    CoupledDiscriminatorConfig,
    CoupledGeneratorConfig,
    doublings,
)
from cyclegan_keras.networks.common import (
    ImgShape,
    full_precision,
    normal_initializers,
)

# The statistics of a whole training would still remember its beginning after a few hundred steps.
MOMENTUM = 0.9


def coupled_generators(
    config: CoupledGeneratorConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds two generators with one latent variable.

    A dense layer makes small features with `16 * gf` channels. Transposed convolutions double them,
    each with half as many channels, at least `gf // 2`; behind each are batch normalization and
    PReLU. The last of them and the convolution to an image are each generator's own; all others are
    both generators'.

    Args:
        config: The settings.
        img_shape: `(height, width, channels)` of both images.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A model from `(batch, latent_dim)` in [-1, 1] to `[imgs_A, imgs_B]` in [-1, 1].

    Reference:
        [Liu & Tuzel, 2016](https://arxiv.org/abs/1606.07536), appendix A.
    """
    height, width, channels = (int(size or 0) for size in img_shape)
    count, kernels = doublings(min(height, width)), normal_initializers(seed)
    decay = _decay(config.weight_decay)
    first = (height >> count, width >> count, 16 * config.gf)
    latent = keras.Input((config.latent_dim,), name="latent")
    units = first[0] * first[1] * first[2]
    dense = layers.Dense(
        units, kernel_initializer=next(kernels), kernel_regularizer=decay, name="first"
    )
    shared = _activated(layers.Reshape(first)(dense(latent)), "first")

    def double(x: Any, time: int, name: str) -> Any:
        filters = max(config.gf // 2, 16 * config.gf >> time)
        convolve = layers.Conv2DTranspose(
            filters,
            4,
            strides=2,
            padding="same",
            kernel_initializer=next(kernels),
            kernel_regularizer=decay,
            name=name,
        )
        return _activated(convolve(x), name)

    for time in range(1, count):
        shared = double(shared, time, f"double_{time}")
    images = []
    for domain in "AB":
        convolve = layers.Conv2D(
            channels,
            3,
            padding="same",
            kernel_initializer=next(kernels),
            kernel_regularizer=decay,
            name=f"last_{domain}",
        )
        x = convolve(double(shared, count, f"double_{count}_{domain}"))
        images.append(full_precision("tanh", f"img_{domain}")(x))
    return keras.Model(latent, images, name=name)


def coupled_discriminators(
    config: CoupledDiscriminatorConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds two discriminators, as one network of pairs.

    Convolutions halve the images, three with kernels of 5 pixels and others with 3, each with twice
    as many channels; a dense layer has `64 * df` units. Behind all but the scores are batch
    normalization and PReLU. The first convolution, and what normalizes it, is each discriminator's
    own. The authors' code also has dropout behind some of them.

    Args:
        config: The settings.
        img_shape: `(height, width, channels)` of a pair, an image of A and one of B, one behind the
            other in the channels. They need not belong together.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A model from pairs in [-1, 1] to scores, `(batch, 2)`: of the image of A and of that of B.

    Reference:
        [Liu & Tuzel, 2016](https://arxiv.org/abs/1606.07536), appendix A.
    """
    height, width, channels = (int(size or 0) for size in img_shape)
    kernels, decay = normal_initializers(seed), _decay(config.weight_decay)

    def halve(x: Any, time: int, name: str) -> Any:
        size = 5 if time < 3 else 3
        convolve = layers.Conv2D(
            config.df << time,
            size,
            strides=2,
            kernel_initializer=next(kernels),
            kernel_regularizer=decay,
            name=name,
        )
        return _activated(convolve(layers.ZeroPadding2D(size // 2)(x)), name)

    def dense(x: Any, units: int, name: str) -> Any:
        return layers.Dense(
            units, kernel_initializer=next(kernels), kernel_regularizer=decay, name=name
        )(x)

    pair = keras.Input(img_shape, name="pair")
    one, other = pair[..., : channels // 2], pair[..., channels // 2 :]
    x = ops.stack([halve(one, 0, "halve_0_A"), halve(other, 0, "halve_0_B")], axis=1)
    # From here on, a batch of twice as many images, so that all are normalized together.
    x = ops.reshape(x, (-1, *x.shape[2:]))
    for time in range(1, doublings(min(height, width))):
        x = halve(x, time, f"halve_{time}")
    x = _activated(dense(layers.Flatten()(x), 64 * config.df, "dense"), "dense")
    scores = ops.reshape(dense(x, 1, "scores"), (-1, 2))
    return keras.Model(pair, full_precision("linear", "validity")(scores), name=name)


def _activated(x: Any, name: str) -> Any:
    """Normalizes by the batch, adds offsets, and applies a PReLU with a slope for each channel."""
    norm = layers.BatchNormalization(
        momentum=MOMENTUM, epsilon=1e-5, scale=False, name=f"{name}_norm"
    )
    # Of features of images, a slope for each channel and not for each pixel.
    axes = [1, 2] if len(x.shape) == 4 else None
    slope = keras.initializers.Constant(0.25)
    return layers.PReLU(slope, shared_axes=axes, name=f"{name}_slope")(norm(x))


def _decay(share: float) -> Any:
    """What adds a share of a kernel to its gradient."""
    return keras.regularizers.L2(share / 2) if share else None
