"""CycleGAN on Keras 3: unpaired image-to-image translation, as *GANs in Action* teaches it."""

import importlib
from typing import TYPE_CHECKING, Any

from cyclegan_keras import _registration

if TYPE_CHECKING:
    from cyclegan_keras.config import TrainConfig
    from cyclegan_keras.cyclegan import CycleGAN
    from cyclegan_keras.data.loader import DataLoader
    from cyclegan_keras.image_pool import ImagePool
    from cyclegan_keras.inference.model_files import load_generator
    from cyclegan_keras.inference.translate import translate_image
    from cyclegan_keras.layers import (
        InstanceNormalization,
        ReflectionPadding2D,
        UpsampleConv2D,
    )
    from cyclegan_keras.networks import (
        build_deep_unet_generator,
        build_patch_discriminator,
        build_resnet_generator,
        build_unet_generator,
    )
    from cyclegan_keras.pix2pix import Pix2Pix

__version__ = "0.1.0"
__all__ = [
    "CycleGAN",
    "DataLoader",
    "ImagePool",
    "InstanceNormalization",
    "Pix2Pix",
    "ReflectionPadding2D",
    "TrainConfig",
    "UpsampleConv2D",
    "build_deep_unet_generator",
    "build_patch_discriminator",
    "build_resnet_generator",
    "build_unet_generator",
    "load_generator",
    "translate_image",
]

# Where each name is defined. They are imported when first used, so that importing the package, as
# `cyclegan --help` must, does not load TensorFlow.
_HOMES = {
    "CycleGAN": "cyclegan",
    "DataLoader": "data.loader",
    "ImagePool": "image_pool",
    "InstanceNormalization": "layers",
    "Pix2Pix": "pix2pix",
    "ReflectionPadding2D": "layers",
    "TrainConfig": "config",
    "UpsampleConv2D": "layers",
    "build_deep_unet_generator": "networks",
    "build_patch_discriminator": "networks",
    "build_resnet_generator": "networks",
    "build_unet_generator": "networks",
    "load_generator": "inference.model_files",
    "translate_image": "inference.translate",
}

_registration.register_with_keras()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
