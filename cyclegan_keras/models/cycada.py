"""CyCADA: what is known of the labels of one domain, carried over to another."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from cyclegan_keras.config.cycada import CyCADAConfig
from cyclegan_keras.data.labels import LabelledDataLoader
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.models.classifying import adapt, compile_classifier, train_classifier
from cyclegan_keras.models.cyclegan import CycleGAN
from cyclegan_keras.models.several_networks import two_domains
from cyclegan_keras.models.stages import (
    FEATURE,
    IMAGE,
    SOURCE,
    STAGES,
    TASK,
    StageState,
    stage_of_epoch,
)
from cyclegan_keras.networks.classifiers import build_classifier, build_feature_discriminator
from cyclegan_keras.optimizers import reset_optimizer

# What the feature stage adapts, and the classifier that it begins with. That one's scores of the
# source are what the scores of B are to look like: of images of A, or of translated ones.
ADAPTED = {"feature": "source", "both": "image"}


class CyCADA(CycleGAN):
    """Learns to label images of B, from labelled images of A and unlabelled ones of B.

    It is trained in stages, one after the other, each for some epochs of one training:

    1. source: the classifier `c_source` learns the labels of A. Where labels of B are known,
       another one, `c_target`, learns these in the same steps, to compare the others with. It goes
       on in the steps of stage 3, and so learns for as long as `c_image`.
    2. image: a CycleGAN whose translations must keep what `c_source`, which stays as it is now,
       says of the originals (the semantic consistency loss).
    3. task: `c_image`, which begins as `c_source`, learns the labels of A on images translated
       to B.
    4. feature: `c_both`, which begins as `c_image`, and `c_feature`, which begins as `c_source`,
       are adapted so that a discriminator cannot tell their scores of B from those of the source
       (ADDA). The stage ends for a classifier after an epoch in which it was not moved.

    The paper is followed, and its authors' code differs: there, the source classifier is trained
    along in the image stage, the semantic loss takes true labels of A and counts only while it is
    at most 1, the adversarial loss of translations to B is doubled, and `c_image` begins anew.

    Batches are `((imgs_A, labels_A), (imgs_B, labels_B))`, or `((imgs_A, labels_A), imgs_B)`;
    labels are whole numbers, `(batch,)`. `fit` and `train_on_batch` take steps of the stage that
    `begin_stage` has begun; `train` and `cyclegan train` go through all stages.

    Args:
        img_shape: `(height, width, channels)`, at least 28 pixels.
        classes: The names of the classes, two or more.
        data_loader: A `LabelledDataLoader` for `train`. `None` means one for the drawn set `beads`,
            which is drawn when its first image is wanted; its classes must be these.
        config: All settings: networks, losses, stages, optimizers.
        seed: Of the initial weights, dropout and the pools; `None` draws other ones each time.
        name: Of the model.
        **settings: Settings of `config` by their flat names, on top of it, such as
            `lambda_semantic=0`.

    Attributes:
        g_AB, g_BA, d_A, d_B, combined: As those of `CycleGAN`. `combined` has two outputs more,
            `class_A` and `class_B`: the scores that `c_source` gives translations to A and to B.
        c_source, c_image, c_feature, c_both, c_target: The classifiers, compiled: models from
            images to a score for each class.
        d_feature, d_both: The discriminators of scores, compiled.
        stage: The present stage: "source", "image", "task" or "feature".

    Raises:
        ValueError: If there are fewer than two classes, the images are too small, or a setting is
            none of those that there are.

    Reference:
        [Hoffman et al., 2017](https://arxiv.org/abs/1711.03213), section 3.
    """

    config: CyCADAConfig
    default_config = CyCADAConfig()
    shown_losses: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **CycleGAN.shown_losses,
        "semantic": ("class_A_loss", "class_B_loss"),
        "source": ("c_source_loss",),
        "task": ("c_image_loss",),
        "moved": ("c_both_moved",),
    }

    def __init__(
        self,
        img_shape: tuple[int, int, int],
        classes: Sequence[str],
        data_loader: DataLoader | None = None,
        *,
        config: CyCADAConfig | None = None,
        seed: int | None = None,
        name: str = "cycada",
        **settings: Any,
    ) -> None:
        self.classes = tuple(classes)
        super().__init__(
            img_shape, data_loader=data_loader, config=config, seed=seed, name=name, **settings
        )

    def build_classifier(self) -> keras.Model:
        """Builds one classifier. Override it to train another network.

        Returns:
            A model from images in [-1, 1] to a score for each class, `(batch, classes)`.
        """
        return build_classifier(
            self.img_shape, len(self.classes), self.config.classifier, self._next_seed()
        )

    def _make_further_networks(self) -> None:
        stages = self.config.stages
        for name in ("c_source", "c_image", "c_feature", "c_both", "c_target"):
            classifier = self.build_classifier()
            classifier.name = name
            is_adapted = name.removeprefix("c_") in ADAPTED
            compile_classifier(
                classifier, stages.feature_rate if is_adapted else stages.classifier_rate
            )
            setattr(self, name, classifier)
        for name in ADAPTED:
            d = build_feature_discriminator(
                len(self.classes), stages.feature_units, self._next_seed(), f"d_{name}"
            )
            compile_classifier(d, stages.feature_rate)
            setattr(self, d.name, d)
        self._state = StageState(len(ADAPTED), name="stages")

    @property
    def _all_classifiers(self) -> dict[str, keras.Model]:
        found = (self.c_source, self.c_image, self.c_feature, self.c_both, self.c_target)
        return {classifier.name: classifier for classifier in found}

    @property
    def classifiers(self) -> dict[str, keras.Model]:
        """The classifiers that have been trained so far, by name."""
        is_there = {
            "c_source": True,
            "c_image": self._state.has_reached(TASK),
            "c_feature": self._state.has_reached(FEATURE),
            "c_both": self._state.has_reached(FEATURE),
            "c_target": self._state.has_labels_of_B,
        }
        return {name: c for name, c in self._all_classifiers.items() if is_there[name]}

    @property
    def companions(self) -> dict[str, keras.Model]:
        """The classifiers that have been trained so far, which are saved beside the generators."""
        return self.classifiers

    @property
    def compiled_models(self) -> list[keras.Model]:
        """The discriminators of images, `combined`, the classifiers, the other discriminators."""
        of_scores = [self.d_feature, self.d_both]
        return [self.d_A, self.d_B, self.combined, *self._all_classifiers.values(), *of_scores]

    @property
    def discriminators(self) -> dict[str, keras.Model]:
        """The discriminators of images, by name."""
        return {"d_A": self.d_A, "d_B": self.d_B}

    @property
    def networks(self) -> dict[str, keras.Model]:
        """All networks, by name."""
        of_scores = {"d_feature": self.d_feature, "d_both": self.d_both}
        return {**super().networks, **self._all_classifiers, **of_scores}

    @property
    def paced_optimizers(self) -> list[tuple[keras.optimizers.Optimizer, float]]:
        """Those of the image stage, whose rate is the run's `learning_rate`, and decays."""
        return [(model.optimizer, 1.0) for model in (self.d_A, self.d_B, self.combined)]

    @property
    def stage(self) -> str:
        """The present stage: "source", "image", "task" or "feature"."""
        return self._state.stage

    @stage.setter
    def stage(self, stage: str) -> None:
        self._state.enter(stage)

    def _default_loader(self) -> LabelledDataLoader:
        return LabelledDataLoader(
            "beads", img_res=self.img_shape[:2], channels=self.img_shape[2], flip=False
        )

    def _further_outputs(self, fake_A: Any, fake_B: Any) -> dict[str, Any]:
        """Section 3: what the source classifier, which stays as it is, makes of translations."""
        return {
            "class_A": self.c_source(fake_A, training=False),
            "class_B": self.c_source(fake_B, training=False),
        }

    def _further_targets(self, imgs_A: Any, imgs_B: Any) -> dict[str, Any]:
        labels_A, labels_B = (
            ops.argmax(self.c_source(imgs, training=False), axis=-1) for imgs in (imgs_A, imgs_B)
        )
        return {"class_A": labels_B, "class_B": labels_A}

    def _further_losses(self) -> list[tuple[Any, float]]:
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return [(cross_entropy, weight) for weight in self.config.loss.semantic_weights]

    def begin_epoch(self, epoch: int, epochs: int) -> None:
        """Enters the stage of an epoch, if that is another one.

        Args:
            epoch: From zero.
            epochs: Of the training.

        Raises:
            ValueError: If there are too few epochs for all stages.
        """
        stages = self.config.stages
        if epochs <= stages.num_epochs:
            raise ValueError(
                f"`epochs` must be at least {stages.num_epochs + 1} with these stages. Received: "
                f"epochs={epochs}"
            )
        if not self._state.begin_epoch(epoch):
            return
        lengths = (stages.source_epochs, stages.task_epochs, stages.feature_epochs)
        stage = stage_of_epoch(epoch, epochs, *lengths)
        if stage != self.stage:
            self.begin_stage(stage)
        elif stage == FEATURE:
            was_moved = ops.convert_to_numpy(self._state.moves) > 0
            self._state.active.assign(self._state.active * was_moved.astype("int32"))
            self._state.moves.assign([0] * len(ADAPTED))

    def begin_stage(self, stage: str) -> None:
        """Begins a stage: networks that it trains begin as those of the stage before.

        Args:
            stage: "source", "image", "task" or "feature".

        Raises:
            ValueError: If there is no such stage.
        """
        if stage not in STAGES:
            raise ValueError(f"`stage` must be one of {', '.join(STAGES)}. Received: {stage!r}")
        if stage == TASK:
            # With `ema`, what is saved, and what the classifier is to know, are the averages.
            for name, translator in self.translators.items():
                self.generators[name].set_weights(translator.get_weights())
            self._begin_as(self.c_image, self.c_source)
        elif stage == FEATURE:
            for name, first in ADAPTED.items():
                classifiers = self._all_classifiers
                self._begin_as(classifiers[f"c_{name}"], classifiers[f"c_{first}"])
                reset_optimizer(self.networks[f"d_{name}"].optimizer)
            self._state.moves.assign([0] * len(ADAPTED))
            self._state.active.assign([1] * len(ADAPTED))
        self._state.enter(stage)

    @staticmethod
    def _begin_as(network: keras.Model, first: keras.Model) -> None:
        network.set_weights(first.get_weights())
        reset_optimizer(network.optimizer)

    def train_step(self, data: tuple[Any, Any]) -> dict[str, Any]:
        """Trains the networks of the present stage on one batch.

        Args:
            data: `((imgs_A, labels_A), (imgs_B, labels_B))`, or images alone of B: images float32
                in [-1, 1], `(batch, height, width, channels)`, and labels whole numbers.

        Returns:
            A dict of scalar tensors. In the image stage, those of `CycleGAN`, and `class_A_loss`
            and `class_B_loss`, the semantic losses; in the others, `<network>_loss` and `_acc`.

        Raises:
            ValueError: If there are no labels of A.
        """
        (imgs_A, labels_A), (imgs_B, labels_B) = map(_with_labels, two_domains(data))
        if labels_A is None:
            raise ValueError(
                "A step takes images of A with their labels, `((imgs_A, labels_A), imgs_B)`, such "
                "as a `LabelledDataLoader` gives. Received: no labels of A"
            )
        dtype = self.combined.variable_dtype
        imgs_A, imgs_B = (ops.convert_to_tensor(imgs, dtype) for imgs in (imgs_A, imgs_B))
        stage = self.stage
        if stage in (SOURCE, TASK):
            labels = [None if each is None else _whole(each) for each in (labels_A, labels_B)]
            return self._run_step(data, stage, imgs_A, imgs_B, *labels)
        if stage == IMAGE:
            return self._run_step(data, stage, imgs_A, imgs_B)
        # Each combination of what is still adapted gets a graph of its own.
        active = tuple(bool(each) for each in ops.convert_to_numpy(self._state.active))
        return self._run_step(data, stage, imgs_A, imgs_B, active)

    def _take_step(self, *batch: Any) -> dict[str, Any]:
        stage, *rest = batch
        steps: dict[str, Callable[..., dict[str, Any]]] = {
            SOURCE: self._source_step,
            IMAGE: self._step,
            TASK: self._task_step,
            FEATURE: self._feature_step,
        }
        return steps[stage](*rest)

    def _source_step(
        self, imgs_A: Any, imgs_B: Any, labels_A: Any, labels_B: Any
    ) -> dict[str, Any]:
        """Equation 1: the classifier of the source; and that of B, to compare with."""
        logs = _named("c_source", train_classifier(self.c_source, imgs_A, labels_A))
        return logs | self._target_step(imgs_B, labels_B)

    def _task_step(self, imgs_A: Any, imgs_B: Any, labels_A: Any, labels_B: Any) -> dict[str, Any]:
        """The task loss of section 3, of translated images; and that of B goes on."""
        fake_B = self.g_AB(imgs_A, training=False)
        logs = _named("c_image", train_classifier(self.c_image, fake_B, labels_A))
        return logs | self._target_step(imgs_B, labels_B)

    def _target_step(self, imgs_B: Any, labels_B: Any) -> dict[str, Any]:
        if labels_B is None:
            return {}
        self._state.labels_of_B.assign_add(1)
        return _named("c_target", train_classifier(self.c_target, imgs_B, labels_B))

    def _feature_step(self, imgs_A: Any, imgs_B: Any, active: Sequence[bool]) -> dict[str, Any]:
        """The feature loss of section 3, of translated images, and of those of A as they are."""
        logs = {"adapting": ops.convert_to_tensor(float(sum(active)))}
        moves = [ops.zeros((), "int32")] * len(active)
        for place, (name, first) in enumerate(ADAPTED.items()):
            if not active[place]:
                continue
            imgs = imgs_A if first == "source" else self.g_AB(imgs_A, training=False)
            classifiers = self._all_classifiers
            found = adapt(
                classifiers[f"c_{name}"],
                self.networks[f"d_{name}"],
                classifiers[f"c_{first}"](imgs, training=False),
                imgs_B,
                self.config.stages.feature_accuracy,
            )
            moves[place] = found.pop("moved")
            logs |= {
                f"d_{name}_loss": found["d_loss"],
                f"d_{name}_acc": found["d_acc"],
                f"c_{name}_loss": found["loss"],
                f"c_{name}_moved": ops.cast(moves[place], found["loss"].dtype),
            }
        self._state.moves.assign_add(ops.stack(moves))
        return logs


def _with_labels(domain: Any) -> tuple[Any, Any]:
    """Takes images and labels apart; labels that are not there are `None`."""
    if not isinstance(domain, tuple | list):
        return domain, None
    imgs, labels = domain
    return imgs, labels


def _whole(labels: Any) -> Any:
    return ops.convert_to_tensor(labels, "int32")


def _named(name: str, logs: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}_{key}": value for key, value in logs.items()}
