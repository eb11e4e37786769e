"""Tiny networks of every kind, with weights that make each of their layers count."""

import keras
import numpy as np

from cyclegan_keras.networks import build_discriminator, build_generator

GENERATORS = {
    "unet": {"kind": "unet", "dropout": 0.3},
    "unet_contrib": {"kind": "unet", "norm": "contrib"},
    "unet_residual": {"kind": "unet", "residual": True},
    "unet_residual_clipped": {"kind": "unet", "residual": True, "exact_residual": False},
    "deep_unet": {"kind": "deep_unet"},
    "resnet": {"kind": "resnet", "num_blocks": 1},
    "resnet_fast": {
        "kind": "resnet",
        "num_blocks": 1,
        "upsampling": "resize",
        "padding": "reflect",
        "norm": "pixel",
        "skips": True,
        "outer_kernel": 3,
        "blended_output": True,
    },
    "resnet_resize": {"kind": "resnet", "num_blocks": 1, "upsampling": "resize", "norm": "none"},
}
DISCRIMINATORS = {
    "book": {"kind": "book"},
    "patch70": {"kind": "patch70", "d_norm": "pixel"},
    "patch16": {"kind": "patch16"},
    "patch1": {"kind": "patch1"},
}


def generator(name: str, shape: tuple = (32, 32, 3)) -> keras.Model:
    return with_drawn_weights(build_generator(shape, 2, seed=0, **GENERATORS[name]))


def discriminator(name: str) -> keras.Model:
    return with_drawn_weights(build_discriminator((32, 32, 3), 2, seed=0, **DISCRIMINATORS[name]))


def with_drawn_weights(model: keras.Model) -> keras.Model:
    """Sets all weights, since new networks have zeros and ones where a mistake would not show."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "seed" in weight.path:
            continue
        if "variance" in weight.path or weight.path.endswith(("gamma", "scale")):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) == 4:
            fan = np.prod(weight.shape[:3])
            weight.assign(rng.normal(0, 1 / np.sqrt(fan), weight.shape))
        else:
            weight.assign(rng.normal(0, 0.3, weight.shape))
    return model
