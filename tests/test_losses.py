import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.losses import (
    OBJECTIVES,
    full_objective,
    hinge,
    log_likelihood,
    patch_nce,
    penalty,
    wasserstein,
    zero_centred_penalty,
)


@pytest.mark.parametrize(
    ("loss", "target", "score", "expected"),
    [
        (log_likelihood, 1, 0.0, math.log(2)),
        (log_likelihood, 0, 0.0, math.log(2)),
        (log_likelihood, 1, 2.0, math.log(1 + math.exp(-2))),
        (log_likelihood, 0, 2.0, 2 + math.log(1 + math.exp(-2))),
        (log_likelihood, 0, 1000.0, 1000.0),
        (log_likelihood, 1, -1000.0, 1000.0),
        (log_likelihood, 1, 1000.0, 0.0),
        (hinge, 1, 0.25, 0.75),
        (hinge, 1, 1.5, 0.0),
        (hinge, 0, 0.25, 1.25),
        (hinge, 0, -1.5, 0.0),
        (wasserstein, 1, 3.0, -3.0),
        (wasserstein, 0, 3.0, 3.0),
    ],
)
def test_by_hand(loss, target, score, expected):
    result = loss(tf.constant(float(target)), tf.constant(score))
    assert float(result) == pytest.approx(expected, rel=1e-6, abs=1e-7)


def test_the_log_likelihood_is_keras_cross_entropy_of_log_odds(random_images):
    scores = 5 * random_images(2, 4, 4, 1, dtype="float64")
    target = (random_images(2, 4, 4, 1, seed=1) > 0).astype("float64")
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(target, scores)
    assert np.mean(log_likelihood(target, scores)) == pytest.approx(float(expected), rel=1e-6)


def test_the_full_objective_by_hand():
    names = ("valid_A", "reconstr_A", "img_A_id")
    targets = dict(zip(names, tf.constant([[1.0, 1.0], [0.5, -0.5], [0.0, 0.0]]), strict=True))
    outputs = dict(zip(names, tf.constant([[0.5, 0.0], [0.25, -0.25], [3.0, 5.0]]), strict=True))
    losses = dict(zip(names, ("mse", "mae", "mae"), strict=True))
    weights = {"valid_A": 2.0, "reconstr_A": 10.0, "img_A_id": 0.5}
    total, terms = full_objective(targets, outputs, losses, weights, start=100.0)
    assert {name: float(term) for name, term in terms.items()} == {
        "valid_A": (0.25 + 1) / 2,
        "reconstr_A": 0.25,
        "img_A_id": 4.0,
    }
    assert float(total) == 100 + 2 * 0.625 + 10 * 0.25 + 0.5 * 4
    del outputs["reconstr_A"]
    total, terms = full_objective(targets, outputs, {**losses, "img_A_id": None}, weights)
    assert (float(total), list(terms)) == (2 * 0.625, ["valid_A"])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_pulls_each_side_its_way(name):
    objective = OBJECTIVES[name]
    score = tf.constant([0.4])  # Where no side has won.

    def slope(loss, target):
        with tf.GradientTape() as tape:
            tape.watch(score)
            value = keras.losses.get(loss)(tf.constant([target]), score)
        return float(tape.gradient(value, score)[0])

    assert slope(objective.discriminator, 1.0) < 0 < slope(objective.discriminator, 0.0)
    assert slope(objective.generator, 1.0) < 0


def test_the_generators_log_likelihood_does_not_saturate():
    # Where the discriminator is sure, log(1 - p) is flat and -log(p) is steepest.
    score = tf.constant(-10.0)
    with tf.GradientTape() as tape:
        tape.watch(score)
        value = OBJECTIVES["log_likelihood"].generator(tf.constant(1.0), score)
    assert float(tape.gradient(value, score)) == pytest.approx(-1, abs=1e-4)


def test_the_penalties_by_hand():
    slopes = np.zeros((2, 2, 2, 1), "float32")
    slopes[0, 0, 0], slopes[0, 1, 1] = 3.0, 4.0  # of norm 5
    slopes[1, 0, 1] = 1.0  # of norm 1
    assert float(penalty(tf.constant(slopes))) == pytest.approx((16 + 0) / 2, rel=1e-6)
    assert float(zero_centred_penalty(tf.constant(slopes))) == (25 + 1) / 2


def test_the_penalty_has_a_slope_even_where_there_is_none():
    slopes = tf.zeros((1, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(slopes)
        value = penalty(slopes)
    assert np.isfinite(tape.gradient(value, slopes)).all()


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "wasserstein"])
def test_who_does_not_look_has_the_blind_loss(name):
    """The least over all scores that a discriminator could give to everything."""
    objective = OBJECTIVES[name]
    loss = keras.losses.get(objective.discriminator)
    scores = np.linspace(-2, 2, 401, dtype="float32")[:, None]
    real, fake = (np.asarray(loss(np.full_like(scores, label), scores)) for label in (1, 0))
    means = np.ravel(0.5 * (real + fake))
    assert means.min() == pytest.approx(objective.blind_loss, rel=1e-6)
    assert means.max() > 1.2 * objective.blind_loss


def test_the_contrastive_loss_by_hand(float64):
    unit = np.eye(3)[None]
    right = math.log(1 + 2 * math.exp(-1 / 0.07))
    # Vectors count by their directions.
    (loss,) = np.asarray(patch_nce(2 * unit, 3 * unit))
    assert loss == pytest.approx(right, rel=1e-5)
    # One patch is at its place, and two are at each other's.
    swapped = unit[:, [0, 2, 1]]
    wrong = math.log(1 + 1 + math.exp(1 / 0.07))
    expected = (right + 2 * wrong) / 3
    assert np.asarray(patch_nce(unit, swapped)) == pytest.approx([expected], rel=1e-5)
    # Other images of a batch are no candidates.
    both = patch_nce(np.concatenate([unit, unit]), np.concatenate([unit, swapped]))
    assert np.asarray(both) == pytest.approx([right, expected], rel=1e-5)
    # All alike; and at another temperature.
    assert np.asarray(patch_nce(np.ones((1, 4, 2)), np.ones((1, 4, 2)))) == pytest.approx(
        [math.log(4)]
    )
    warm = math.log(1 + 2 * math.exp(-1 / 0.5))
    assert np.asarray(patch_nce(unit, unit, 0.5)) == pytest.approx([warm], rel=1e-5)


def test_the_contrastive_loss_moves_translations_only(random_images):
    vectors = [tf.constant(random_images(1, 4, 8, seed=place)) for place in range(2)]
    vectors[0] *= tf.constant([[[0.0], [1], [1], [1]]])  # A dead projection has a slope as well.
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        loss = patch_nce(*vectors)
    of_queries, of_keys = tape.gradient(loss, vectors)
    assert of_keys is None
    assert np.all(np.isfinite(of_queries))
    assert np.abs(of_queries[:, 1:]).min() > 0
