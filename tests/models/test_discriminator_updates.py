import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers import InstanceNormalization
from cyclegan_keras.models.discriminator_updates import (
    call_on_each,
    gradient_penalty,
    update_jointly,
    update_separately,
)
from cyclegan_keras.networks import treats_images_alone

SHAPE = (4, 4, 3)
RATE = 0.1


def linear(weight, bias=0.0):
    """Scores each pixel by one number times the sum of its channels, and a bias."""
    img = keras.Input(SHAPE)
    d = keras.Model(img, keras.layers.Conv2D(1, 1)(img))
    d.set_weights([np.full((1, 1, 3, 1), weight, "float32"), np.array([bias], "float32")])
    d.compile(loss="mse", optimizer=keras.optimizers.SGD(RATE), metrics=["accuracy"])
    d.optimizer.build(d.trainable_variables)
    return d


def flat(value, count=1):
    return tf.fill((count, *SHAPE), float(value))


def step(weight, bias, terms):
    """Moves `linear` by hand; terms are (factor, colour, target), the loss of each (s - t)²."""
    # On images of one colour c, every score is s = 3wc + b.
    slope_w = sum(factor * 2 * (3 * weight * c + bias - t) * c for factor, c, t in terms)
    slope_b = sum(factor * 2 * (3 * weight * c + bias - t) for factor, c, t in terms)
    return weight - RATE * slope_w, bias - RATE * slope_b


def test_separately_is_two_steps_and_jointly_is_one_on_half_the_sum():
    real, fake = 0.5, -0.2
    separately = step(*step(0.1, 0.2, [(1, real, 1)]), [(1, fake, 0)])
    jointly = step(0.1, 0.2, [(0.5, real, 1), (0.5, fake, 0)])
    for update, expected in ((update_separately, separately), (update_jointly, jointly)):
        d = linear(0.1, 0.2)
        logs = update(d, flat(real), flat(fake))
        kernel, bias = d.get_weights()
        np.testing.assert_allclose(kernel, expected[0], rtol=1e-6)
        np.testing.assert_allclose(bias, expected[1], rtol=1e-6)
        if update is update_jointly:
            loss = 0.5 * ((0.35 - 1) ** 2 + 0.14**2)
            assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
            assert float(logs["acc"]) == 0.5  # 0.35 and 0.14 are both below one half.
            assert "penalty" not in logs


def test_real_images_of_the_other_domain_take_a_share_of_the_loss_on_translations():
    real, fake, source = 0.5, -0.2, 0.9
    fakes = [(0.75, fake, 0), (0.25, source, 0)]
    separately = step(*step(0.1, 0.2, [(1, real, 1)]), fakes)
    jointly = step(0.1, 0.2, [(0.5, real, 1), (0.375, fake, 0), (0.125, source, 0)])
    for update, expected in ((update_separately, separately), (update_jointly, jointly)):
        d = linear(0.1, 0.2)
        logs = update(d, flat(real), flat(fake), source=flat(source), source_share=0.25)
        kernel, bias = d.get_weights()
        np.testing.assert_allclose(kernel, expected[0], rtol=1e-6)
        np.testing.assert_allclose(bias, expected[1], rtol=1e-6)
        if update is update_jointly:
            loss = 0.5 * ((0.35 - 1) ** 2 + 0.75 * 0.14**2 + 0.25 * 0.47**2)  # 3 · 0.1 · 0.9 + 0.2
            assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
            assert float(logs["acc"]) == 0.5  # Of real and translated alone.


def test_accuracy_goes_by_the_threshold():
    logs = update_jointly(linear(0.1, 0.2), flat(0.5), flat(-0.2), threshold=0.2)
    assert float(logs["acc"]) == 1.0  # 0.35 is above it, 0.14 below.


def test_the_slope_of_a_mean_of_scores():
    # The mean over 16 pixels of w·(sum of channels) has the slope w/16 in each of 48 numbers.
    for weight in (0.5, 16 / np.sqrt(48)):
        norm = weight / 16 * np.sqrt(48)
        result = gradient_penalty(linear(weight), flat(1, 2), flat(-1, 2), tf.zeros((2, 1, 1, 1)))
        assert float(result) == pytest.approx((norm - 1) ** 2, rel=1e-5, abs=1e-10)


def test_the_slope_is_taken_between_real_and_translated():
    img = keras.Input(SHAPE)
    squares = keras.layers.Lambda(lambda x: keras.ops.sum(x**2, axis=(1, 2, 3)) / 2)(img)
    d = keras.Model(img, squares)  # whose slope is the image itself
    shares = tf.constant([0.25, 1.0])[:, None, None, None]
    result = gradient_penalty(d, flat(1, 2), flat(-3, 2), shares)
    norms = np.sqrt(48) * np.abs([0.25 * 1 - 0.75 * 3, 1.0])
    assert float(result) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


@pytest.mark.parametrize("update", [update_separately, update_jointly])
def test_the_penalty_moves_the_slope_towards_one(update):
    d = linear(0.5)
    step = tf.function(
        lambda: update(d, flat(0.1), flat(0.1), 0.0, tf.zeros((1, 1, 1, 1)), 100.0), autograph=False
    )
    for _ in range(200):
        logs = step()
    assert float(logs["penalty"]) < 1e-3
    norm = np.linalg.norm(d.get_weights()[0]) / np.sqrt(16)
    assert norm == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(("update", "share"), [(update_separately, 1), (update_jointly, 0.5)])
def test_a_step_on_the_penalty_by_hand(update, share):
    # Of a loss that is always zero, so that nothing but the penalty moves the weights.
    d = linear(0.5)
    d.compile(loss=lambda _, scores: 0 * scores, optimizer=keras.optimizers.SGD(RATE))
    d.optimizer.build(d.trainable_variables)
    update(d, flat(0.1), flat(0.1), 0.0, tf.zeros((1, 1, 1, 1)), 2.0)
    # The slope's norm is √48 / 16 · w, if all three weights are w; each moves it by a third.
    factor = np.sqrt(48) / 16
    slope = share * 2.0 * 2 * (factor * 0.5 - 1) * factor / 3
    np.testing.assert_allclose(d.get_weights()[0], 0.5 - RATE * slope, rtol=1e-6)


@pytest.mark.parametrize("with_batch_norm", [False, True])
def test_batches_go_through_a_network_at_once_only_if_nothing_changes(
    with_batch_norm, random_images
):
    inputs = keras.Input(SHAPE)
    norm = keras.layers.BatchNormalization if with_batch_norm else InstanceNormalization
    network = keras.Model(inputs, norm()(inputs))
    batches = [place + random_images(2 + place, *SHAPE, seed=place) for place in range(3)]
    expected = [np.asarray(network(imgs, training=True)) for imgs in batches]
    assert treats_images_alone(network) != with_batch_norm
    results = call_on_each(network, *batches)
    for ours, separately in zip(results, expected, strict=True):
        np.testing.assert_allclose(np.asarray(ours), separately, rtol=0, atol=1e-5)
