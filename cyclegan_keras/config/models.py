"""The models of the package, registered. See `config.registry`."""

from cyclegan_keras.config import recipes
from cyclegan_keras.config.gans import CycleGANConfig, Pix2PixConfig
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

register(
    ModelInfo(
        CycleGANConfig(),
        "CycleGAN",
        "cyclegan_keras.models.cyclegan:CycleGAN",
        recipes=recipes.CYCLEGAN,
        on_replicas=True,
        # Those of the paper's table, in which there is no identity loss.
        ablations={
            "cycle_alone": Variant("cycle alone", {"lambda_gan": 0.0}),
            "gan_alone": Variant(
                "GAN alone", {"lambda_cycle": 0.0, "lambda_cycle_A": 0.0, "lambda_cycle_B": 0.0}
            ),
            "gan_forward": Variant("GAN + forward cycle", {"lambda_cycle_B": 0.0}),
            "gan_backward": Variant("GAN + backward cycle", {"lambda_cycle_A": 0.0}),
            "all": Variant("GAN + both cycles"),
        },
        ablated_without={"lambda_id": 0.0},
        baselines={
            "book": Variant("the book's recipe", {"recipe": "book"}),
            "paper": Variant("the paper's recipe", {"recipe": "paper"}),
        },
    )
)
register(
    ModelInfo(
        Pix2PixConfig(),
        "pix2pix",
        "cyclegan_keras.models.pix2pix:Pix2Pix",
        data="paired",
        ways=lambda config: (config.direction[0] + config.direction[-1],),
        discriminators=("d",),
        recipes=recipes.PIX2PIX,
        on_replicas=True,
        baselines={
            "pix2pix_AB": Variant("pix2pix, A to B, from true pairs", {"direction": "A-to-B"}),
            "pix2pix_BA": Variant("pix2pix, B to A, from true pairs", {"direction": "B-to-A"}),
        },
    )
)
