"""What the networks share: initial weights, normalisation, the last activation, and checks."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from cyclegan_keras import _backend
from cyclegan_keras.config.networks import GeneratorConfig
from cyclegan_keras.layers import (
    ConditionalInstanceNormalization,
    HalveImages,
    InstanceNormalization,
    LabelBoundaries,
    LeanConv2D,
    OneHotLabels,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.layers.blended_output import BlendImages
from cyclegan_keras.layers.contrib_norm import ContribNormalization
from cyclegan_keras.layers.residual_output import ChangeImage

# Height, width, channels. A height or width of None is any.
ImgShape = tuple[int | None, int | None, int]

# Layers whose result for one image does not depend on which others are in the batch.
_PER_IMAGE_LAYERS = (
    BlendImages,
    ChangeImage,
    ConditionalInstanceNormalization,
    ContribNormalization,
    HalveImages,
    InstanceNormalization,
    LabelBoundaries,
    LeanConv2D,
    OneHotLabels,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
    layers.Activation,
    layers.Add,
    layers.Concatenate,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Cropping2D,
    layers.Dropout,
    layers.GroupNormalization,
    layers.Identity,
    layers.InputLayer,
    layers.LeakyReLU,
    layers.ReLU,
    layers.Reshape,
    layers.RMSNormalization,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
)

# Keras's own, none of which takes anything over the batch.
_ACTIVATIONS = [part for part in vars(keras.activations).values() if callable(part)]


def check_img_shape(
    img_shape: ImgShape,
    factor: int = 16,
    least: int | None = None,
    reason: str = "the networks halve them 4 times and normalise what is left",
    any_size: bool = False,
) -> None:
    """Raises an error that teaches if a network cannot take such images; by default, the book's.

    Args:
        img_shape: `(height, width, channels)` of the images, in pixels.
        factor: What height and width must be divisible by.
        least: Least height and width, in pixels. `None` means twice the factor.
        reason: Why that is so, to follow "because".
        any_size: Whether height and width may be `None`.

    Raises:
        SetupError: If Keras is set to channels first.
        ValueError: If the network cannot take such images.
    """
    _backend.check_settings()
    least = 2 * factor if least is None else least
    wanted = f"divisible by {factor} and at least {least}" if factor > 1 else f"at least {least}"
    sizes: list[Any] = [size for size in img_shape[:2] if not (any_size and size is None)]
    if (
        len(img_shape) != 3
        or any(not isinstance(size, int) or size < 1 for size in (*sizes, img_shape[2]))
        or any(size % factor or size < least for size in sizes)
    ):
        raise ValueError(
            f"`img_shape` must be (height, width, channels) with height and width {wanted} pixels, "
            f"because {reason}. Received: img_shape={img_shape}"
        )


def by_name(args: Sequence[Any], names: Sequence[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Gives settings that came without names their names.

    Args:
        args: Those.
        names: Of the settings, in their order.
        settings: The others.

    Returns:
        All of them.

    Raises:
        TypeError: If there are too many, or one is given twice.
    """
    first = dict(zip(names, args, strict=False))
    if len(args) > len(names) or first.keys() & settings.keys():
        raise TypeError(f"The settings are {', '.join(names)}, each once. Received: {args}")
    return {**first, **settings}


def treats_images_alone(network: Any) -> bool:
    """Whether a network makes the same of an image, whichever others are in its batch.

    Batch normalisation, for one, does not. Layers and activations that this package does not know
    may not either. Nor does it count where a layer regularises its activity, which Keras does by
    the batch.

    Args:
        network: A model, or one of its operations.

    Returns:
        Whether all of its operations are known to treat each image by itself.
    """
    is_kerass_own = type(network).__module__.startswith("keras.")
    if isinstance(network, keras.Model) and is_kerass_own and hasattr(network, "operations"):
        parts = all(treats_images_alone(operation) for operation in network.operations)
        return parts and network.activity_regularizer is None
    return type(network) in _PER_IMAGE_LAYERS and _is_set_per_image(network)


def _is_set_per_image(layer: Any) -> bool:
    """Whether none of a known layer's settings lets images of a batch meet."""
    activation, axes = getattr(layer, "activation", None), getattr(layer, "axis", -1)
    return (
        (activation is None or any(activation is known for known in _ACTIVATIONS))
        # Of a list of axes or of one; the batch's is the first, and -1 is never it.
        and all(axis in (1, 2, 3, -1) for axis in np.ravel(axes))
        and getattr(layer, "noise_shape", None) is None
        and layer.activity_regularizer is None
    )


def glorot_initializers(seed: int | None) -> Iterator[Any]:
    """Yields Keras's default initializer, as the book has it, seeded differently for each layer."""
    return _seeded(keras.initializers.GlorotUniform, seed)


def normal_initializers(seed: int | None) -> Iterator[Any]:
    """Yields the papers' initializer, N(0, 0.02), seeded differently for each layer."""
    return _seeded(functools.partial(keras.initializers.RandomNormal, stddev=0.02), seed)


def xavier_initializers(gain: float, seed: int | None) -> Iterator[Any]:
    """Yields Glorot's normal initializer times a gain, seeded differently for each layer."""
    return _seeded(
        functools.partial(
            keras.initializers.VarianceScaling, gain**2, "fan_avg", "untruncated_normal"
        ),
        seed,
    )


def dropouts(share: float, seed: int | None) -> Iterator[keras.layers.Layer]:
    """Yields dropout layers, each with chance of its own, so that a seed decides a whole run."""
    return _seeded(functools.partial(layers.Dropout, share), seed)


def _seeded(made: Callable[..., Any], seed: int | None) -> Iterator[Any]:
    while True:
        yield made(seed=seed)
        seed = None if seed is None else seed + 1


def book_norm(norm: str = "instance") -> keras.layers.Layer:
    """Makes the book's normalisation: as its footnote has it, or its listing ("contrib")."""
    return ContribNormalization() if norm == "contrib" else InstanceNormalization()


def paper_norm(affine: bool = False) -> keras.layers.Layer:
    """The papers' normalisation: CycleGAN's has nothing to train, pix2pix's has."""
    return InstanceNormalization(1e-5, center=affine, scale=affine)


def norm_of(norm: str, affine: bool = False) -> keras.layers.Layer:
    """Makes the normalisation of a name but "none".

    "pixel" divides the features of each pixel by their root mean square over the channels, and
    scales each channel. As nothing is taken over the image, no pixel can change another one by it.

    Args:
        norm: "instance" or "pixel".
        affine: Of the former: whether it has factors and offsets.

    Returns:
        A layer.

    Reference:
        [Karras et al., 2017](https://arxiv.org/abs/1710.10196), section 4.2;
        [Zhang & Sennrich, 2019](https://arxiv.org/abs/1910.07467) on the factors.
    """
    return PixelNormalization() if norm == "pixel" else paper_norm(affine)


def num_features(img_shape: ImgShape, config: GeneratorConfig) -> int:
    """How many channels a generator's last convolution has: an image's, and perhaps a mask's."""
    return (2 if config.blend else 1) * img_shape[2]


def translation(x: Any, img: Any, config: GeneratorConfig) -> Any:
    """A generator's last activation.

    Args:
        x: The features, of as many channels as `num_features` says.
        img: What came in.
        config: Of the generator.

    Returns:
        An image, a change of the one that came in, or a blend of it and a new one.
    """
    dtype = keras.config.dtype_policy().variable_dtype
    if config.blend:
        return BlendImages(dtype=dtype, name="translation")([x, img])
    if not config.residual:
        return full_precision("tanh", "translation")(x)
    return ChangeImage(exact=config.exact_residual, dtype=dtype, name="translation")([x, img])


def full_precision(activation: str, name: str) -> keras.layers.Layer:
    """The last activation, in float32 under mixed precision: losses are taken of it."""
    return layers.Activation(
        activation, dtype=keras.config.dtype_policy().variable_dtype, name=name
    )
