"""The settings of CyCADA, and its recipes."""

import dataclasses
from typing import Any

from cyclegan_keras.config.classifiers import CLASSIFIERS, ClassifierConfig, StridedConfig
from cyclegan_keras.config.cyclegan import CycleGANConfig
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdamConfig, CycleGANLossConfig, CycleGANStepConfig
from cyclegan_keras.config.networks import (
    DISCRIMINATORS,
    GENERATORS,
    DiscriminatorConfig,
    GeneratorConfig,
    PatchGANConfig,
    ResNetConfig,
)
from cyclegan_keras.config.parts import Part
from cyclegan_keras.config.registry import ModelInfo, Recipe, Variant
from cyclegan_keras.config.run import RunConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CyCADALossConfig(CycleGANLossConfig):
    """The losses of CyCADA's image stage: those of CycleGAN, and semantic consistency.

    Args:
        lambda_semantic: Weight of each semantic loss: the cross-entropy of what the source
            classifier makes of a translation, to the label that it gives the original. With 0, the
            step does not compute it, and what is trained is a CycleGAN.
        lambda_semantic_A: Weight of that of translations to A alone; `None` means
            `lambda_semantic`.
        lambda_semantic_B: Weight of that of translations to B alone; likewise.
    """

    lambda_semantic: float = setting(
        "losses",
        1.0,
        "weight of each semantic loss: translations are to have the labels of their originals, by "
        "the source classifier; 0 leaves it out",
        least=0,
    )
    lambda_semantic_A: float | None = setting(
        "losses", None, "weight of the semantic loss of translations to A, if different", least=0
    )
    lambda_semantic_B: float | None = setting(
        "losses", None, "weight of the semantic loss of translations to B, if different", least=0
    )

    @property
    def semantic_weights(self) -> tuple[float, float]:
        """The weights for translations to A and to B."""
        to_A, to_B = self.lambda_semantic_A, self.lambda_semantic_B
        return (
            self.lambda_semantic if to_A is None else to_A,
            self.lambda_semantic if to_B is None else to_B,
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StagesConfig(Part):
    """The stages before and after the image stage, which has the other epochs.

    Args:
        source_epochs: Epochs in which the source classifier is trained.
        task_epochs: Epochs in which a classifier is trained on translated images.
        feature_epochs: Epochs in which classifiers are adapted by their scores (ADDA).
        classifier_rate: Of the Adam optimizers of classifiers.
        feature_rate: Of those in the feature stage.
        feature_accuracy: A classifier is moved in the feature stage only in steps in which the
            discriminator is right about more than this share of the batch.
        feature_units: Units of each hidden layer of that discriminator.
    """

    source_epochs: int = setting(
        "training", 4, "first epochs, in which the source classifier is trained", least=1
    )
    task_epochs: int = setting(
        "training",
        4,
        "epochs after the image stage, in which a classifier is trained on translated images",
        least=1,
    )
    feature_epochs: int = setting(
        "training",
        2,
        "last epochs, in which classifiers are adapted to images of B by their scores",
        least=0,
    )
    classifier_rate: float = setting("training", 1e-4, "learning rate of the classifiers", above=0)
    feature_rate: float = setting("training", 1e-5, "learning rate of the feature stage", above=0)
    feature_accuracy: float = setting(
        "training",
        0.6,
        "a classifier is adapted only while the discriminator of its scores is right about more "
        "than this share of a batch",
        least=0,
        below=1,
    )
    feature_units: int = setting(
        "networks", 500, "hidden units of the discriminators of scores", least=1
    )

    @property
    def num_epochs(self) -> int:
        """Epochs of all stages but the image stage."""
        return self.source_epochs + self.task_epochs + self.feature_epochs


_OF_PAPER = CycleGANStepConfig(
    update_first="generators", discriminator_update="joint", pool_size=50
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CyCADAConfig(CycleGANConfig):
    """The settings of CyCADA. The defaults are its paper's, and those of its authors' code.

    The code has two settings that are none here: it doubles the adversarial loss of translations
    to B, and counts the semantic loss only in steps in which that is at most 1.

    Args:
        generator: Of both generators.
        discriminator: Of both discriminators of images.
        classifier: Of all classifiers.
        loss: The full objective.
        step: The order of updates, and the image pool.
        diffaugment: What is done to all that discriminators of images see.
        stages: How long each stage is, and the rates of the classifiers.
        optimizer: The optimizers of generators and discriminators of images.
    """

    kind = "cycada"
    generator: GeneratorConfig = setting(
        "networks", ResNetConfig(num_blocks=9), "the network of the generators", kinds=GENERATORS
    )
    discriminator: DiscriminatorConfig = setting(
        "networks", PatchGANConfig(), "the network of the discriminators", kinds=DISCRIMINATORS
    )
    classifier: ClassifierConfig = setting(
        "networks",
        StridedConfig(),
        "the network of the classifiers: LeNet, or three convolutions that halve the image",
        kinds=CLASSIFIERS,
    )
    loss: CyCADALossConfig = CyCADALossConfig(lambda_cycle=1.0, lambda_id=0.0)
    step: CycleGANStepConfig = _OF_PAPER
    stages: StagesConfig = StagesConfig()

    def check_run(self, run: Any) -> None:
        """Raises an error that teaches unless a run has epochs for every stage.

        Args:
            run: All settings, a `TrainConfig`.

        Raises:
            ValueError: If there is none left for the image stage; if the epochs are to be decided
                by the time, of which steps of the stages take different amounts; or if early
                stopping could leave out stages.
        """
        for name, why in (
            ("minutes", "the steps of its stages take different times; give --epochs"),
            ("patience", "stages would be left out when it ends the training; leave it out"),
        ):
            if getattr(run, name):
                raise ValueError(
                    f"{run.info.name} is trained in stages and cannot have `{name}`, because "
                    f"{why}. Received: {name}={getattr(run, name)}"
                )
        stages = self.stages
        if run.epochs <= stages.num_epochs:
            raise ValueError(
                f"`epochs` must be at least {stages.num_epochs + 1} with these stages: the image "
                "stage has the epochs that the others leave. Received: "
                f"epochs={run.epochs}, source_epochs={stages.source_epochs}, "
                f"task_epochs={stages.task_epochs}, feature_epochs={stages.feature_epochs}"
            )


# Small enough for two cores. Generators have no blended output: where images begin as they are,
# labels cannot get lost either. With instance norm, which discards how bright an image is, and
# without skips, translations stay blurred.
SMALL = Recipe(
    model=CyCADAConfig(
        generator=ResNetConfig(
            gf=16,
            num_blocks=4,
            upsampling="resize",
            padding="reflect",
            norm="pixel",
            skips=True,
            outer_kernel=3,
        ),
        discriminator=PatchGANConfig(df=16, receptive_field=16, norm="pixel"),
        classifier=StridedConfig(cf=16),
        loss=CyCADALossConfig(lambda_cycle=5.0, lambda_id=0.0, r1=0.3, r1_every=4),
        stages=StagesConfig(source_epochs=8, task_epochs=8, feature_epochs=4, classifier_rate=1e-3),
        optimizer=AdamConfig(learning_rate=5e-4),
    ),
    data=DataConfig(dataset="beads", image_size=32, flip=False),
    run=RunConfig(batch_size=8, epochs=44),
)
PAPER = Recipe(
    model=CyCADAConfig(stages=StagesConfig(source_epochs=20, task_epochs=20, feature_epochs=10)),
    data=DataConfig(dataset="beads", image_size=32, flip=False, epoch_length="longer"),
    run=RunConfig(recipe="paper", batch_size=100, epochs=150),
)
RECIPES: dict[str | None, Recipe] = {None: SMALL, "paper": PAPER}
INFO = ModelInfo(
    CyCADAConfig(),
    "CyCADA",
    "cyclegan_keras.models.cycada:CyCADA",
    labels=True,
    classifiers=("c_source", "c_image", "c_feature", "c_both", "c_target"),
    recipes=RECIPES,
    ablations={
        "all": Variant("semantic consistency both ways"),
        "no_semantic": Variant("CycleGAN: no semantic loss", {"lambda_semantic": 0.0}),
        "semantic_A": Variant("semantic loss of translations to A", {"lambda_semantic_B": 0.0}),
        "semantic_B": Variant("semantic loss of translations to B", {"lambda_semantic_A": 0.0}),
    },
    on_replicas=True,
)
