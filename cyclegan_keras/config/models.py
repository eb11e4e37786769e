"""The models of the package, registered. See `config.registry`."""

from cyclegan_keras.config import (
    augmented,
    bigan,
    cogan,
    cut,
    cycada,
    cyclegan,
    feature_gan,
    pix2pix,
    pix2pixhd,
    simgan,
)
from cyclegan_keras.config.registry import (
    MODELS,
    WAYS,
    ModelInfo,
    Recipe,
    Variant,
    names,
    recipe_names,
    register,
)

__all__ = [
    "MODELS",
    "WAYS",
    "ModelInfo",
    "Recipe",
    "Variant",
    "names",
    "recipe_names",
    "register",
]

# In the order of lists of models, settings and recipes.
for _model in (
    cyclegan,
    pix2pix,
    cut,
    pix2pixhd,
    cycada,
    augmented,
    simgan,
    feature_gan,
    bigan,
    cogan,
):
    register(_model.INFO)
