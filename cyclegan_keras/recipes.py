"""The recipes of the book and of the papers, as settings.

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
    "num_blocks": None,
    "upsampling": "transposed",
    "dropout": 0.0,
    "padding": "paper",
    "norm": "instance",
    "skips": False,
    "residual": False,
    "d_norm": "instance",
    "flip": True,
    "ema": 0.0,
    "learning_rate": 2e-4,
    "beta_1": 0.5,
}
_PIX2PIX = {
    **_ALIKE,
    "dataset": "fruit_pairs",
    "generator": "deep_unet",
    "gf": 64,
    "dropout": 0.5,
    "discriminator": "patch70",
    "df": 64,
    "objective": "log_likelihood",
    "lambda_l1": 100.0,
    "discriminator_update": "joint",
    "enlarge": 286 / 256,
}
# By model and recipe; see `TrainConfig` for what they mean.
RECIPES: dict[tuple[str, str | None], dict[str, Any]] = {
    ("cyclegan", "book"): {
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
        "enlarge": 1.0,
        "epoch_length": "shorter",
        "batch_size": 64,
        "epochs": 100,
        "decay_epochs": 0,
    },
    ("cyclegan", "paper"): {
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
        "enlarge": 286 / 256,
        "epoch_length": "longer",
        "batch_size": 1,
        "epochs": 200,
        "decay_epochs": None,
    },
    ("pix2pix", None): _PIX2PIX,
    ("pix2pix", "paper"): {
        **_PIX2PIX,
        "image_size": 256,
        "batch_size": 1,
        "epochs": 200,
        "decay_epochs": None,
    },
}
