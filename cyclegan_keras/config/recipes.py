"""The recipes of the book and of the papers, and a fast one, as settings.

The book is *GANs in Action*, listings 9.3 to 9.7. The papers are [Zhu et al.,
2017](https://arxiv.org/abs/1703.10593), section 4 and appendix 7, and [Isola et al.,
2017](https://arxiv.org/abs/1611.07004), appendix 6; both scale images to 286 pixels and cut 256
out.
"""

from typing import Any

# What the book and both papers have alike; it is in each recipe, so that one that is put over other
# settings leaves none of theirs.
_ALIKE: dict[str, Any] = {
    "lambda_gan": 1.0,
    "lambda_cycle_A": None,
    "lambda_cycle_B": None,
    "lambda_penalty": 10.0,
    "num_blocks": None,
    "upsampling": "transposed",
    "dropout": 0.0,
    "padding": "paper",
    "norm": "instance",
    "skips": False,
    "residual": False,
    "exact_residual": True,
    "d_norm": "instance",
    "flip": True,
    "ema": 0.0,
    "learning_rate": 2e-4,
    "beta_1": 0.5,
}
_PIX2PIX = {
    **_ALIKE,
    "dataset": "fruit_pairs",
    "image_size": 64,
    "generator": "deep_unet",
    "gf": 64,
    "dropout": 0.5,
    "discriminator": "patch70",
    "df": 64,
    "objective": "log_likelihood",
    "lambda_l1": 100.0,
    "discriminator_update": "joint",
    "enlarge": 286 / 256,
    "batch_size": 1,
    "epochs": 9,
    "decay_epochs": None,
}
# By name; see `TrainConfig` for what they mean.
CYCLEGAN: dict[str | None, dict[str, Any]] = {
    "book": {
        **_ALIKE,
        "image_size": 128,
        "generator": "unet",
        "gf": 32,
        "discriminator": "book",
        "df": 64,
        "objective": "least_squares",
        "lambda_cycle": 10.0,
        "lambda_id": 9.0,
        "update_first": "discriminators",
        "discriminator_update": "separate",
        "pool_size": 0,
        "d_shift": 0.0,
        "d_colour": 0.0,
        "d_source": 0.0,
        "enlarge": 1.0,
        "epoch_length": "shorter",
        "batch_size": 64,
        "epochs": 100,
        "decay_epochs": 0,
    },
    "paper": {
        **_ALIKE,
        "image_size": 256,
        "generator": "resnet",
        "gf": 64,
        "discriminator": "patch70",
        "df": 64,
        "objective": "least_squares",
        "lambda_cycle": 10.0,
        "lambda_id": 5.0,
        "update_first": "generators",
        "discriminator_update": "joint",
        "pool_size": 50,
        "d_shift": 0.0,
        "d_colour": 0.0,
        "d_source": 0.0,
        "enlarge": 286 / 256,
        "epoch_length": "longer",
        "batch_size": 1,
        "epochs": 200,
        "decay_epochs": None,
    },
    # For a few hundred small images and a few minutes on two cores; nobody's paper. With instance
    # norm, a generator hides what it needs for the way back in a glaring spot, and a discriminator
    # is worse than a blind one for long; without any norm, generators can saturate for good. Wider
    # networks hardly learn more in a step, and take longer for it. Narrower discriminators lead on
    # to as strong a change, but on drawn images they win soon, as they do when the rate falls.
    "fast": {
        **_ALIKE,
        "image_size": 64,
        "generator": "resnet",
        "gf": 8,
        "num_blocks": 4,
        "upsampling": "resize",
        "padding": "reflect",
        "norm": "pixel",
        "skips": True,
        "residual": True,
        "discriminator": "patch70",
        "d_norm": "pixel",
        "df": 24,
        "objective": "least_squares",
        "lambda_cycle": 1.5,
        "lambda_id": 0.0,
        "update_first": "generators",
        "discriminator_update": "joint",
        "pool_size": 0,
        "d_shift": 0.125,
        "d_colour": 0.0,
        "d_source": 0.5,
        "ema": 0.998,
        "learning_rate": 2e-4,
        "enlarge": 1.125,
        "epoch_length": "shorter",
        "batch_size": 1,
        "epochs": 8,
        "decay_epochs": None,
    },
}
PIX2PIX: dict[str | None, dict[str, Any]] = {
    None: _PIX2PIX,
    "paper": {
        **_PIX2PIX,
        "image_size": 256,
        "epochs": 200,
    },
}
# All that a recipe may decide.
DECIDED_BY_RECIPES = frozenset().union(*CYCLEGAN.values(), *PIX2PIX.values())
