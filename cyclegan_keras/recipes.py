"""The recipes of the book and of the papers, as settings.

The book is *GANs in Action*, listings 9.3 to 9.7. The papers are [Zhu et al.,
2017](https://arxiv.org/abs/1703.10593), section 4 and appendix 7, and [Isola et al.,
2017](https://arxiv.org/abs/1611.07004), appendix 6; both scale images to 286 pixels and cut 256
out.
"""

from typing import Any

_PIX2PIX = {
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
        "image_size": 128,
        "generator": "unet",
        "gf": 32,
        "dropout": 0.0,
        "discriminator": "book",
        "df": 64,
        "objective": "least_squares",
        "lambda_cycle": 10.0,
        "lambda_id": 9.0,
        "update_first": "discriminators",
        "discriminator_update": "separate",
        "pool_size": 0,
        "enlarge": 1.0,
        "epoch_length": "shorter",
        "batch_size": 64,
        "epochs": 100,
        "decay_epochs": 0,
    },
    ("cyclegan", "paper"): {
        "image_size": 256,
        "generator": "resnet",
        "gf": 64,
        "upsampling": "transposed",
        "discriminator": "patch70",
        "df": 64,
        "objective": "least_squares",
        "lambda_cycle": 10.0,
        "lambda_id": 5.0,
        "update_first": "generators",
        "discriminator_update": "joint",
        "pool_size": 50,
        "enlarge": 286 / 256,
        "epoch_length": "longer",
        "batch_size": 1,
        "epochs": 200,
        "decay_epochs": None,
        "num_blocks": None,
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
