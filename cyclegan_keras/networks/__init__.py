"""Generators, discriminators and classifiers: the book's, and those of papers."""

from cyclegan_keras.networks.by_name import build_discriminator, build_generator
from cyclegan_keras.networks.classifiers import build_classifier
from cyclegan_keras.networks.common import check_img_shape, treats_images_alone
from cyclegan_keras.networks.patch import build_patch_discriminator
from cyclegan_keras.networks.resnet import build_resnet_generator
from cyclegan_keras.networks.unet import build_deep_unet_generator, build_unet_generator

__all__ = [
    "build_classifier",
    "build_deep_unet_generator",
    "build_discriminator",
    "build_generator",
    "build_patch_discriminator",
    "build_resnet_generator",
    "build_unet_generator",
    "check_img_shape",
    "treats_images_alone",
]
