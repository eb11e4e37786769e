"""How classifiers are trained by labels, and adapted to another domain without any."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.optimizers import FusedAdam
from cyclegan_keras.replicas import (
    mean_over_all,
    rows_in_all,
    undivided,
    undone_unless,
    unrecorded,
)

FROM_TARGET, FROM_SOURCE = 0, 1  # What a discriminator of scores tells apart.


def compile_classifier(network: keras.Model, learning_rate: float) -> None:
    """Compiles a network that makes a score for each class.

    Args:
        network: The network.
        learning_rate: Of Adam.
    """
    network.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=FusedAdam(learning_rate=learning_rate),
    )


def train_classifier(classifier: keras.Model, imgs: Any, labels: Any) -> dict[str, Any]:
    """Takes one step of Adam towards the labels of images.

    Args:
        classifier: A compiled network that makes a score for each class.
        imgs: Images, `(batch, height, width, channels)`.
        labels: Places of the classes, `(batch,)`.

    Returns:
        `loss`, the cross-entropy, and `acc`, the share that is right, both from before the step.
    """
    with tf.GradientTape() as tape:
        scores = classifier(imgs, training=True)
        loss = undivided(classifier.compute_loss(imgs, labels, scores, training=True))
        scaled_loss = classifier.optimizer.scale_loss(loss)
    _move(classifier, tape, scaled_loss)
    return {"loss": loss, "acc": share_right(scores, labels)}


def adapt(
    classifier: keras.Model, d: keras.Model, source_scores: Any, imgs: Any, least_acc: float
) -> dict[str, Any]:
    """Takes one step of ADDA: a classifier's scores of B are to look like those of the source.

    The discriminator moves first. Then the classifier moves against the new one, with flipped
    labels, if the discriminator was right about more than a share of the scores.

    Args:
        classifier: What is adapted to images of B, compiled.
        d: The discriminator of scores, compiled.
        source_scores: What another classifier, which stays as it is, makes of images of the source.
        imgs: As many images of B.
        least_acc: That share.

    Returns:
        `d_loss` and `d_acc` from before the step; `loss`, the cross-entropy of the classifier with
        flipped labels; and `moved`, whether it moved, 1 or 0.

    Reference:
        [Tzeng et al., 2017](https://arxiv.org/abs/1702.05464), section 4.
    """
    with tf.GradientTape() as tape:
        scores = classifier(imgs, training=True)
        with unrecorded(tape):
            both = ops.concatenate([source_scores, scores])
            domains = ops.concatenate(
                [
                    ops.full((ops.shape(source_scores)[0],), FROM_SOURCE, "int32"),
                    ops.full((ops.shape(scores)[0],), FROM_TARGET, "int32"),
                ]
            )
            found = train_classifier(d, both, domains)
        judged = d(scores, training=False)
        flipped = ops.full((ops.shape(scores)[0],), FROM_SOURCE, "int32")
        loss = undivided(classifier.compute_loss(imgs, flipped, judged, training=True))
        scaled_loss = classifier.optimizer.scale_loss(loss)
    moves = _over_all(found["acc"], 2 * ops.shape(imgs)[0]) > least_acc
    state = [*classifier.trainable_variables, *classifier.optimizer.variables]
    with undone_unless(moves, state):
        _move(classifier, tape, scaled_loss)
    moved = ops.cast(moves, "int32")
    return {"d_loss": found["loss"], "d_acc": found["acc"], "loss": loss, "moved": moved}


def _over_all(share: Any, count: int) -> Any:
    """The share of all rows of the batch, with the very bits that it has on one device."""
    (mean,) = mean_over_all([share])
    in_all = ops.cast(rows_in_all(count), mean.dtype)
    return ops.round(mean * in_all) / in_all


def share_right(scores: Any, labels: Any) -> Any:
    """Measures the share of images whose label has the highest score, a scalar."""
    right = ops.equal(ops.cast(ops.argmax(scores, axis=-1), "int32"), ops.cast(labels, "int32"))
    return ops.mean(ops.cast(right, keras.config.floatx()))


def _move(network: keras.Model, tape: tf.GradientTape, scaled_loss: Any) -> None:
    variables = network.trainable_variables
    network.optimizer.apply(tape.gradient(scaled_loss, variables), variables)
