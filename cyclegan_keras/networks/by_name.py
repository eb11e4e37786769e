"""The networks by the names that settings give them."""

from typing import Any

import keras

from cyclegan_keras.config.networks import DISCRIMINATORS, GENERATORS, NetworkConfig
from cyclegan_keras.networks.common import ImgShape


def build_generator(
    img_shape: ImgShape,
    gf: int,
    kind: str = "unet",
    num_blocks: int | None = None,
    seed: int | None = None,
    **settings: Any,
) -> keras.Model:
    """Builds a generator.

    Args:
        img_shape: `(height, width, channels)`.
        gf: Filters of the first layer.
        kind: "unet", "resnet" or "deep_unet".
        num_blocks: Of a "resnet".
        seed: Of the initial weights; `None` draws other ones each time.
        **settings: Others of `UNetConfig`, `ResNetConfig` or `DeepUNetConfig`.

    Returns:
        A model from images to images of the same shape, in [-1, 1].

    Raises:
        TypeError: If the kind has no such setting.
        ValueError: If there is no such kind, or it cannot take such images.
    """
    if num_blocks is not None:
        settings["num_blocks"] = num_blocks
    config = _of_kind(kind, GENERATORS, "generator")
    return config.with_settings(gf=gf, **settings).build(img_shape, seed)


def build_discriminator(
    img_shape: ImgShape, df: int, kind: str = "book", seed: int | None = None, **settings: Any
) -> keras.Model:
    """Builds a discriminator.

    Args:
        img_shape: `(height, width, channels)`.
        df: Filters of the first layer.
        kind: "book", or by its receptive field in pixels, "patch1", "patch16", "patch34",
            "patch70", "patch142" or "patch286".
        seed: Of the initial weights; `None` draws other ones each time.
        **settings: Others of `BookDiscriminatorConfig` or `PatchGANConfig`, by their names among
            all settings: `d_norm`.

    Returns:
        A model from images to scores.

    Raises:
        TypeError: If the kind has no such setting.
        ValueError: If there is no such kind, or it cannot take such images.
    """
    config = _of_kind(kind, DISCRIMINATORS, "discriminator")
    return config.with_settings(df=df, **settings).build(img_shape, seed)


def _of_kind(kind: str, kinds: dict[str, Any], setting: str) -> NetworkConfig:
    if kind not in kinds:
        raise ValueError(
            f"`{setting}` must be one of {', '.join(kinds)}. Received: {setting}={kind!r}"
        )
    return kinds[kind]
