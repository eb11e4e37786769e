"""The generator of pix2pixHD: a global one for images of half the size, and an enhancer."""

from typing import Any

import keras
from keras import layers

from cyclegan_keras.config.pix2pixhd import CoarseToFineConfig
from cyclegan_keras.layers import HalveImages, LabelBoundaries, OneHotLabels
from cyclegan_keras.networks.common import (
    ImgShape,
    check_img_shape,
    normal_initializers,
    num_features,
    translation,
)
from cyclegan_keras.networks.resnet import Parts, num_blocks_for

# The layer behind the global generator's features, by which its own network is found.
GLOBAL_FEATURES = "global_features"


def coarse_to_fine(
    config: CoarseToFineConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds the whole generator.

    In the paper's words, the global generator G1 is c7s1-64, d128, d256, d512, d1024, R1024 as
    often as there are blocks, u512, u256, u128, u64. The enhancer G2 is c7s1-32, d64, to which G1's
    features are added, R64 three times, u32, c7s1-3.

    Args:
        config: Its settings.
        img_shape: `(height, width, channels)`; height and width divisible by twice the power of two
            by which G1 halves them. Either may be `None`: any such size.
        seed: Of the initial weights, N(0, 0.02); `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to the same.

    Raises:
        ValueError: If the images cannot be halved so often, or two classes have the same gray.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), sections 3.2 and 7.
    """
    factor, times = config.factor(0)
    check_img_shape(img_shape, factor, reason=f"they are halved {times}", any_size=True)
    parts = Parts(config, normal_initializers(seed))
    gf, num_blocks = config.gf, config.num_blocks
    if num_blocks is None:
        num_blocks = num_blocks_for(img_shape)
    img = keras.Input(img_shape, name="img")
    encoded = encode(img, config)

    coarse = parts.features(HalveImages()(encoded), 2 * gf, num_blocks, config.halvings)
    coarse = layers.Identity(name=GLOBAL_FEATURES)(coarse)
    x = parts.norm_and_relu(parts.convolve(encoded, gf, 7))
    x = layers.Add()([parts.halve(x, coarse.shape[-1]), coarse])
    for _ in range(config.enhancer_blocks):
        x = parts.residual_block(x, coarse.shape[-1])
    x = parts.double(x, gf)
    x = parts.convolve(x, num_features(img_shape, config), 7)
    return keras.Model(img, translation(x, img, config), name=name)


def encode(img: Any, config: CoarseToFineConfig) -> Any:
    """Makes of the input what the first convolutions take.

    Args:
        img: The input.
        config: The settings, which say whether it is a label map.

    Returns:
        A channel for each class and one for the boundaries between them; images as they are.

    Raises:
        ValueError: If two classes have the same gray, and the input is gray.
    """
    if config.colors is None:
        return img
    dtype = keras.config.dtype_policy().variable_dtype
    classes = OneHotLabels(levels_of(config.colors, img.shape[-1]), dtype=dtype)(img)
    return layers.Concatenate()([classes, LabelBoundaries(dtype=dtype)(classes)])


def levels_of(colors: list[tuple[int, int, int]], channels: int) -> list[list[int]]:
    """Returns the levels of colours in RGB or in gray, by Pillow's conversion.

    Args:
        colors: RGB in [0, 255].
        channels: 3, or 1 for gray.

    Returns:
        The levels of each.

    Raises:
        ValueError: If two have the same gray, where gray is wanted.
    """
    if channels == 3:
        return [list(color) for color in colors]
    grays = [(19595 * r + 38470 * g + 7471 * b + 2**15) // 2**16 for r, g, b in colors]
    if len({*grays}) < len(grays):
        raise ValueError(
            "Two classes of `labels` have the same gray. Train with --channels 3. "
            f"Received: grays {grays}"
        )
    return [[gray] for gray in grays]


def global_generator(
    whole: keras.Model, config: CoarseToFineConfig, seed: int | None = None, name: str = "g_global"
) -> keras.Model:
    """Builds the global generator of a whole one, with a last convolution of its own.

    Args:
        whole: From `coarse_to_fine`; its layers are shared.
        config: The settings of both.
        seed: Of the weights of the last convolution.
        name: Of the model.

    Returns:
        A `keras.Model` from the same images to translations of half the size.
    """
    img, features = whole.inputs[0], whole.get_layer(GLOBAL_FEATURES).output
    parts = Parts(config, normal_initializers(seed))
    x = parts.convolve(features, num_features(img.shape[1:], config), 7)
    return keras.Model(img, translation(x, HalveImages()(img), config), name=name)
