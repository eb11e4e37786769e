"""The networks by the names that settings give them."""

import keras

from cyclegan_keras.config import norms
from cyclegan_keras.networks.patch import build_patch_discriminator
from cyclegan_keras.networks.resnet import build_resnet_generator
from cyclegan_keras.networks.unet import build_deep_unet_generator, build_unet_generator

RECEPTIVE_FIELDS = {"book": None, "patch1": 1, "patch16": 16, "patch70": 70, "patch286": 286}


def build_generator(
    img_shape: tuple[int, int, int],
    gf: int,
    kind: str = "unet",
    num_blocks: int | None = None,
    upsampling: str = "transposed",
    dropout: float = 0.0,
    padding: str = "paper",
    norm: str = "instance",
    skips: bool = False,
    residual: bool = False,
    exact_residual: bool = True,
    seed: int | None = None,
) -> keras.Model:
    """Builds a generator.

    Args:
        img_shape: `(height, width, channels)`.
        gf: Filters of the first layer.
        kind: "unet", "resnet" or "deep_unet".
        num_blocks: Of a "resnet".
        upsampling: Of a "resnet".
        dropout: Of the others.
        padding: Of a "resnet".
        norm: One that `norms.OF_GENERATORS` has for the kind.
        skips: Of a "resnet".
        residual: Whether the output is a change of the input.
        exact_residual: Whether black and white pass through such an output unchanged.
        seed: Of the initial weights; `None` draws other ones each time.

    Returns:
        A model from images to images of the same shape, in [-1, 1].

    Raises:
        ValueError: If there is no such kind, or it cannot halve such images or have such a norm.
    """
    if kind not in norms.OF_GENERATORS:
        raise ValueError(
            f"`generator` must be one of {', '.join(norms.OF_GENERATORS)}. "
            f"Received: generator={kind!r}"
        )
    norms.check(norm, kind)
    if kind == "unet":
        return build_unet_generator(img_shape, gf, dropout, residual, exact_residual, norm, seed)
    if kind == "resnet":
        return build_resnet_generator(
            img_shape,
            gf,
            num_blocks,
            upsampling,
            padding,
            norm,
            skips,
            residual,
            exact_residual,
            seed,
        )
    return build_deep_unet_generator(img_shape, gf, dropout, residual, exact_residual, seed)


def build_discriminator(
    img_shape: tuple[int, int, int],
    df: int,
    kind: str = "book",
    affine: bool = False,
    norm: str = "instance",
    seed: int | None = None,
) -> keras.Model:
    """Builds a discriminator.

    Args:
        img_shape: `(height, width, channels)`.
        df: Filters of the first layer.
        kind: "book", or by its receptive field, "patch1", "patch16", "patch70" or "patch286".
        affine: Of the latter: whether their norms are as in pix2pix.
        norm: One that `norms.OF_DISCRIMINATORS` has for the kind.
        seed: Of the initial weights; `None` draws other ones each time.

    Returns:
        A model from images to scores.

    Raises:
        ValueError: If there is no such kind, or it cannot take such images or have such a norm.
    """
    if kind not in RECEPTIVE_FIELDS:
        raise ValueError(
            f"`discriminator` must be one of {', '.join(RECEPTIVE_FIELDS)}. "
            f"Received: discriminator={kind!r}"
        )
    norms.check(norm, kind, "d_norm")
    return build_patch_discriminator(img_shape, df, RECEPTIVE_FIELDS[kind], affine, norm, seed=seed)
