"""The models of the package, registered. See `config.registry`."""

from cyclegan_keras.config import augmented, bigan, cogan, cut, feature_gan, recipes, simgan
from cyclegan_keras.config.cycada import CYCADA, CyCADAConfig
from cyclegan_keras.config.gans import CycleGANConfig, Pix2PixConfig
from cyclegan_keras.config.one_way import way_of
from cyclegan_keras.config.pix2pixhd import PIX2PIXHD, Pix2PixHDConfig
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
register(
    ModelInfo(
        cut.CUTConfig(),
        "CUT",
        "cyclegan_keras.models.cut:CUT",
        ways=lambda config: (config.direction[0] + config.direction[-1],),
        discriminators=("d",),
        recipes=cut.RECIPES,
        ablations={
            "contrast_alone": Variant("contrastive losses alone", {"lambda_gan": 0.0}),
            "gan_alone": Variant("GAN alone", {"lambda_nce": 0.0, "lambda_nce_id": 0.0}),
            "without_identity": Variant("without the identity loss", {"lambda_nce_id": 0.0}),
            "all": Variant("GAN + contrastive losses"),
        },
        baselines={
            "cut_AB": Variant("CUT, A to B", {"direction": "A-to-B"}),
            "cut_BA": Variant("CUT, B to A", {"direction": "B-to-A"}),
        },
    )
)
register(
    ModelInfo(
        Pix2PixHDConfig(),
        "pix2pixHD",
        "cyclegan_keras.models.pix2pixhd:Pix2PixHD",
        data="paired",
        ways=lambda config: (config.direction[0] + config.direction[-1],),
        discriminators=lambda config: tuple(
            f"d_{level}" for level in range(1, config.num_discriminators + 1)
        ),
        recipes=PIX2PIXHD,
        ablations={
            "all_losses": Variant("all losses, two stages"),
            "no_features": Variant("no feature matching", {"lambda_features": 0.0}),
            "no_perceptual": Variant("no perceptual loss", {"lambda_perceptual": 0.0}),
            "one_discriminator": Variant("one discriminator", {"num_discriminators": 1}),
            "one_stage": Variant("one stage", {"global_share": 0.0, "enhancer_share": 0.0}),
        },
        baselines={
            "pix2pixhd_AB": Variant("pix2pixHD, A to B, from true pairs", {"direction": "A-to-B"}),
            "pix2pixhd_BA": Variant("pix2pixHD, B to A, from true pairs", {"direction": "B-to-A"}),
        },
    )
)
register(
    ModelInfo(
        CyCADAConfig(),
        "CyCADA",
        "cyclegan_keras.models.cycada:CyCADA",
        labels=True,
        classifiers=("c_source", "c_image", "c_feature", "c_both", "c_target"),
        recipes=CYCADA,
        ablations={
            "all": Variant("semantic consistency both ways"),
            "no_semantic": Variant("CycleGAN: no semantic loss", {"lambda_semantic": 0.0}),
            "semantic_A": Variant("semantic loss of translations to A", {"lambda_semantic_B": 0.0}),
            "semantic_B": Variant("semantic loss of translations to B", {"lambda_semantic_A": 0.0}),
        },
    )
)
register(augmented.INFO)
register(
    ModelInfo(
        simgan.SimGANConfig(),
        "SimGAN",
        "cyclegan_keras.models.simgan:SimGAN",
        ways=way_of,
        discriminators=("d",),
        recipes=simgan.RECIPES,
        baselines={
            "simgan_AB": Variant("SimGAN, A to B", {"direction": "A-to-B"}),
            "simgan_BA": Variant("SimGAN, B to A", {"direction": "B-to-A"}),
        },
    )
)
register(
    ModelInfo(
        feature_gan.FeatureGANConfig(),
        "feature loss + GAN",
        "cyclegan_keras.models.feature_gan:FeatureGAN",
        ways=way_of,
        discriminators=("d",),
        # Another network than the one that it is trained with.
        judge="efficientnet-lite1",
        recipes=feature_gan.RECIPES,
        baselines={
            "feature_gan_AB": Variant("feature loss + GAN, A to B", {"direction": "A-to-B"}),
            "feature_gan_BA": Variant("feature loss + GAN, B to A", {"direction": "B-to-A"}),
        },
    )
)
register(
    ModelInfo(
        bigan.BiGANConfig(),
        "BiGAN/ALI",
        "cyclegan_keras.models.bigan:BiGAN",
        discriminators=("d",),
        recipes=bigan.RECIPES,
        baselines={"bigan": Variant("BiGAN/ALI, without a latent variable")},
    )
)
register(
    ModelInfo(
        cogan.CoGANConfig(),
        "CoGAN",
        "cyclegan_keras.models.cogan:CoGAN",
        discriminators=("d",),
        recipes=cogan.RECIPES,
        # Its batch normalization needs several images in a step.
        baselines={"cogan": Variant("CoGAN, by inversion", {"batch_size": cogan.BATCH_SIZE})},
    )
)
