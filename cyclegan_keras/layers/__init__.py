"""Layers that Keras does not have, or not in this form."""

from cyclegan_keras.layers.blended_output import BlendImages
from cyclegan_keras.layers.conditional_norm import ConditionalInstanceNormalization
from cyclegan_keras.layers.contrib_norm import ContribNormalization
from cyclegan_keras.layers.convolution import LeanConv2D, TransposedConv2D
from cyclegan_keras.layers.detail import AddDetail
from cyclegan_keras.layers.halving import HalveImages
from cyclegan_keras.layers.instance_norm import InstanceNormalization
from cyclegan_keras.layers.label_maps import LabelBoundaries, OneHotLabels
from cyclegan_keras.layers.padding import ReflectionPadding2D
from cyclegan_keras.layers.pixel_norm import PixelNormalization
from cyclegan_keras.layers.preparing import kernels_prepared_once
from cyclegan_keras.layers.residual_output import ChangeImage
from cyclegan_keras.layers.upsampling import UpsampleConv2D

__all__ = [
    "AddDetail",
    "BlendImages",
    "ChangeImage",
    "ConditionalInstanceNormalization",
    "ContribNormalization",
    "HalveImages",
    "InstanceNormalization",
    "LabelBoundaries",
    "LeanConv2D",
    "OneHotLabels",
    "PixelNormalization",
    "ReflectionPadding2D",
    "TransposedConv2D",
    "UpsampleConv2D",
    "kernels_prepared_once",
]
