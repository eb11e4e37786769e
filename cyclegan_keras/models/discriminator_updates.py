"""How a discriminator is moved: the book's way and the paper's."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.losses import penalty, zero_centred_penalty
from cyclegan_keras.models.calls import call_on_each
from cyclegan_keras.models.on_replicas import only_if
from cyclegan_keras.replicas import layers_see_the_whole_batch, share, undivided

REAL, FAKE = 1.0, 0.0


def update_separately(
    d: keras.Model,
    real: Any,
    fake: Any,
    source: Any = None,
    source_share: float = 0.0,
    threshold: float = 0.5,
    shares: Any = None,
    lambda_penalty: float = 0.0,
    r1: float = 0.0,
    r2: float = 0.0,
    step: Any = 0,
    every: int = 1,
) -> dict[str, Any]:
    """Moves a discriminator twice: on real images, and then on translations.

    The factor 0.5 of the book scales only what is reported, not the gradients. Penalties belong to
    the update on the images that they are measured at: R1 to the first one, others to the second.

    Args:
        d: The discriminator, compiled.
        real: Images of its domain.
        fake: As many translations into its domain.
        source: Real images of the other domain, which are no more of this one than translations
            are; `None` for none.
        source_share: Their share of the second update's loss, in [0, 1); the translations have the
            rest of it.
        threshold: Scores above it count as "real" in the accuracy.
        shares: Of the real image in the mixtures that the slope is measured at, in [0, 1],
            `(batch, 1, 1, 1)`; `None` for no gradient penalty.
        lambda_penalty: Weight of the gradient penalty.
        r1: γ of R1: `r1 / 2 * squared_slope(d, real)` is added to what is minimised.
        r2: γ of R2, likewise of `fake`.
        step: Number of the step, a whole number.
        every: R1 and R2 count in every so many-th step only, but so many times as much.

    Returns:
        `loss` (without penalties) and `acc`, each the mean of both updates', measured before each,
        `acc` on `real` and `fake` alone; `penalty`, `r1` and `r2`, where there are such.

    Reference:
        *GANs in Action*, listing 9.6; [Karras et al., 2019](https://arxiv.org/abs/1912.04958),
        section 3.1, on `every`.
    """
    logs: dict[str, Any] = {}
    with tf.GradientTape() as tape:
        ((real_loss, real_acc),) = _judge(d, [(real, REAL)], threshold)
        loss = real_loss
        if r1:
            logs["r1"] = squared_slope(d, real, step, every)
            loss = loss + 0.5 * r1 * logs["r1"]
        scaled_loss = d.optimizer.scale_loss(loss)
    _move(d, tape, scaled_loss)

    with tf.GradientTape() as tape:
        judged = _judge(d, _fakes(fake, source), threshold)
        fake_loss, fake_acc = _mixed(judged, source_share)
        loss = fake_loss
        if shares is not None:
            logs["penalty"] = gradient_penalty(d, real, fake, shares)
            loss = loss + lambda_penalty * logs["penalty"]
        if r2:
            logs["r2"] = squared_slope(d, fake, step, every)
            loss = loss + 0.5 * r2 * logs["r2"]
        scaled_loss = d.optimizer.scale_loss(loss)
    _move(d, tape, scaled_loss)
    return {"loss": 0.5 * (real_loss + fake_loss), "acc": 0.5 * (real_acc + fake_acc), **logs}


def update_jointly(
    d: keras.Model,
    real: Any,
    fake: Any,
    source: Any = None,
    source_share: float = 0.0,
    threshold: float = 0.5,
    shares: Any = None,
    lambda_penalty: float = 0.0,
    r1: float = 0.0,
    r2: float = 0.0,
    step: Any = 0,
    every: int = 1,
) -> dict[str, Any]:
    """Moves a discriminator once, on half the sum of both losses, and of the gradient penalty.

    R1 and R2 are added as they are, not halved.

    Args:
        d: The discriminator, compiled.
        real: Images of its domain.
        fake: As many translations into its domain.
        source: As for `update_separately`.
        source_share: Of the loss on translations, as for `update_separately`.
        threshold: As for `update_separately`.
        shares: As for `update_separately`.
        lambda_penalty: As for `update_separately`.
        r1: As for `update_separately`.
        r2: As for `update_separately`.
        step: As for `update_separately`.
        every: As for `update_separately`.

    Returns:
        As `update_separately`, but all measured before the one update.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 4; [Isola et al.,
        2017](https://arxiv.org/abs/1611.07004), section 3.3.
    """
    logs: dict[str, Any] = {}
    with tf.GradientTape() as tape:
        (real_loss, real_acc), *fakes = _judge(d, [(real, REAL), *_fakes(fake, source)], threshold)
        fake_loss, fake_acc = _mixed(fakes, source_share)
        loss = logs["loss"] = 0.5 * (real_loss + fake_loss)
        logs["acc"] = 0.5 * (real_acc + fake_acc)
        if shares is not None:
            logs["penalty"] = gradient_penalty(d, real, fake, shares)
            loss = loss + 0.5 * lambda_penalty * logs["penalty"]
        if r1:
            logs["r1"] = squared_slope(d, real, step, every)
            loss = loss + 0.5 * r1 * logs["r1"]
        if r2:
            logs["r2"] = squared_slope(d, fake, step, every)
            loss = loss + 0.5 * r2 * logs["r2"]
        scaled_loss = d.optimizer.scale_loss(loss)
    _move(d, tape, scaled_loss)
    return logs


def _fakes(fake: Any, source: Any) -> list[tuple[Any, float]]:
    return [(fake, FAKE)] if source is None else [(fake, FAKE), (source, FAKE)]


def _judge(
    d: keras.Model, batches: list[tuple[Any, float]], threshold: float
) -> list[tuple[Any, Any]]:
    """Measures, for each batch and its label, the loss `d` was compiled with, and the accuracy."""
    judged = []
    results = call_on_each(d, *(imgs for imgs, _ in batches))
    # One by one: what a call adds to the loss is there only until the next call.
    for (imgs, label), scores in zip(batches, results, strict=True):
        target = ops.full_like(scores, label)
        acc = ops.mean(keras.metrics.binary_accuracy(target, scores, threshold))
        judged.append((undivided(d.compute_loss(imgs, target, scores, training=True)), acc))
    return judged


def _mixed(judged: list[tuple[Any, Any]], source_share: float) -> tuple[Any, Any]:
    """Mixes the loss on translations with that on a source, if any; the accuracy is the first's."""
    (loss, acc), *of_source = judged
    for source_loss, _ in of_source:
        loss = (1 - source_share) * loss + source_share * source_loss
    return loss, acc


def _move(d: keras.Model, tape: tf.GradientTape, scaled_loss: Any) -> None:
    variables = d.trainable_variables
    # With the variables: without them, an optimizer moves those that it was built for.
    d.optimizer.apply(tape.gradient(scaled_loss, variables), variables)


def gradient_penalty(d: keras.Model, real: Any, fake: Any, shares: Any) -> Any:
    """Measures how far the slope of a discriminator is from one, between real and translated.

    Args:
        d: The discriminator; the mean of an image's scores is what should have slope one.
        real: Images of its domain.
        fake: As many translations into its domain.
        shares: Of the real image in each mixture, in [0, 1], `(batch, 1, 1, 1)`.

    Returns:
        A scalar.

    Reference:
        [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), algorithm 1.
    """
    real, fake = _not_half(d, real), _not_half(d, fake)
    shares = ops.cast(shares, real.dtype)
    return penalty(_slopes(d, shares * real + (1 - shares) * fake))


def squared_slope(d: keras.Model, imgs: Any, step: Any = 0, every: int = 1) -> Any:
    """Measures how steep a discriminator is at images, in every so many-th step.

    Args:
        d: The discriminator; the slope of the mean of an image's scores is what is measured.
        imgs: Images, as the discriminator sees them.
        step: Number of the step, a whole number.
        every: In steps whose number this divides, the result is so many times as large; in the
            others it is 0 and costs no time. So the mean over the steps stays what it was.

    Returns:
        A scalar.
    """
    imgs = _not_half(d, imgs)
    if every == 1:
        return zero_centred_penalty(_slopes(d, imgs))
    return only_if(
        tf.equal(step % every, 0),
        lambda: every * zero_centred_penalty(_slopes(d, imgs)),
        lambda: tf.zeros((), imgs.dtype),
        d,
    )


def _not_half(d: keras.Model, imgs: Any) -> Any:
    """Images in the precision of variables at least: pyramids of them may be in a half of it."""
    return ops.cast(imgs, keras.backend.result_type(imgs.dtype, d.variable_dtype))


def _slopes(d: keras.Model, imgs: Any) -> Any:
    """The gradient of each image's mean score by the image."""
    with tf.GradientTape() as tape:
        tape.watch(imgs)
        # On several devices, the whole step is taken in it.
        with layers_see_the_whole_batch([d] if share() is None else []):
            scores = d(imgs, training=True)
        # Of the sum, since 16-bit gradients of a mean would vanish; then of each image's mean.
        total = ops.sum(scores)
        # What replicas find together, such as a mean of the batch, has means of their gradients.
        if (taken := share()) is not None:
            total = total / tf.constant(taken.excess, total.dtype)
    slopes = tape.gradient(total, imgs)
    if taken is not None:
        slopes = slopes * tf.constant(taken.excess, slopes.dtype)
    return slopes / ops.cast(ops.size(scores) / ops.shape(scores)[0], slopes.dtype)
