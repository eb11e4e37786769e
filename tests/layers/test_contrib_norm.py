"""The values are also those of keras_contrib's own source, run once on today's Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import (
    CycleGAN,
    Pix2Pix,
    TrainConfig,
    load_generator,
)
from cyclegan_keras.layers import InstanceNormalization
from cyclegan_keras.layers.contrib_norm import ContribNormalization
from cyclegan_keras.networks import build_generator


def test_by_hand():
    # All of 1 3 5 7 and 4 4 4 4: mean 4, variance (9 + 1 + 1 + 9) / 8 = 2.5 in both channels
    # together, where instance norm would have 5 in one and 0 in the other.
    x = np.array([[[[1, 4], [3, 4]], [[5, 4], [7, 4]]]], "float32")
    layer = ContribNormalization(epsilon=0.5)
    layer.build(x.shape)
    assert [weight.shape for weight in layer.weights] == [(1,), (1,)]
    layer.gamma.assign([np.sqrt(2.5) + 0.5])
    layer.beta.assign([10])
    np.testing.assert_allclose(layer(x), [[[[7, 10], [9, 10]], [[11, 10], [13, 10]]]], rtol=1e-6)


def transcribed(x, gamma=1.0, beta=0.0, epsilon=1e-3):
    axes = (1, 2, 3)
    mean = x.mean(axes, keepdims=True)
    deviation = np.sqrt(np.mean((x - mean) ** 2, axes, keepdims=True)) + epsilon
    return (x - mean) / deviation * gamma + beta


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_values_and_gradients_are_those_of_the_formula(scale, random_images):
    x = scale * random_images(3, 5, 4, 2, dtype="float64")
    x[1] *= 10  # Each image has its own statistics.
    cotangent = random_images(3, 5, 4, 2, seed=1, dtype="float64")
    layer = ContribNormalization(dtype="float64")
    layer.build(x.shape)
    layer.gamma.assign([1.7])
    layer.beta.assign([-0.3])
    tensor = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        y = layer(tensor)
        loss = tf.reduce_sum(y * cotangent)
    dx, dgamma, dbeta = tape.gradient(loss, [tensor, layer.gamma.value, layer.beta.value])
    np.testing.assert_allclose(y, transcribed(x, 1.7, -0.3), rtol=0, atol=1e-9)
    np.testing.assert_allclose(dgamma, [np.sum(transcribed(x) * cotangent)], rtol=1e-9)
    np.testing.assert_allclose(dbeta, [np.sum(cotangent)], rtol=1e-9)
    step = 1e-5 * scale
    for place in [(0, 0, 0, 0), (1, 2, 3, 1), (2, 4, 0, 1)]:
        nudge = np.zeros_like(x)
        nudge[place] = step
        change = transcribed(x + nudge, 1.7) - transcribed(x - nudge, 1.7)
        expected = np.sum(change * cotangent) / (2 * step)
        assert float(dx[place]) == pytest.approx(expected, rel=1e-5)


def test_an_even_image_has_a_gradient():
    x = tf.fill((1, 4, 4, 2), 0.5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = ContribNormalization()(x)
        loss = tf.reduce_sum(y[:, 0, 0, 0])
    assert not np.any(y)
    expected = np.full(x.shape, -1 / 32)
    expected[0, 0, 0, 0] += 1
    np.testing.assert_allclose(tape.gradient(loss, x), expected / 1e-3, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_precision_is_measured_in_float32(policy, random_images):
    # The squares of these overflow in float16.
    half = keras.DTypePolicy(policy).compute_dtype
    x = tf.cast(1000 * random_images(1, 8, 8, 2), half)
    y = ContribNormalization(dtype=policy)(x)
    assert y.dtype == half
    expected = transcribed(np.asarray(tf.cast(x, "float64")))
    np.testing.assert_allclose(tf.cast(y, "float64"), expected, rtol=0, atol=1e-2)


def norms_of(network):
    kinds = (ContribNormalization, InstanceNormalization, keras.layers.RMSNormalization)
    return {type(layer) for layer in network.layers if isinstance(layer, kinds)}


@pytest.mark.integration
def test_the_books_networks_can_have_it(random_images, tmp_path, untraced):
    config = TrainConfig.make(
        recipe="book", image_size=32, gf=2, df=2, norm="contrib", d_norm="contrib"
    )
    gan = CycleGAN(**config.model_settings())
    for network in (gan.g_AB, gan.g_BA, gan.d_A, gan.d_B):
        assert norms_of(network) == {ContribNormalization}
    plain = CycleGAN((32, 32, 3), gf=2, df=2, norm="contrib")
    assert norms_of(plain.g_AB) == {ContribNormalization}
    assert norms_of(plain.d_A) == {InstanceNormalization}
    pix2pix = Pix2Pix(
        (32, 32, 3), 2, 2, generator="unet", norm="contrib", discriminator="book", d_norm="contrib"
    )
    assert norms_of(pix2pix.g) == norms_of(pix2pix.d) == {ContribNormalization}
    x = random_images(2, 32, 32, 3)
    assert np.isfinite(float(gan.train_step((x, -x))["g_loss"]))
    gan.g_AB.save(tmp_path / "g.keras")
    expected = np.asarray(gan.g_AB(x))
    np.testing.assert_array_equal(load_generator(tmp_path / "g.keras")(x), expected)
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "g.keras")(x), expected)
    # It has the same statistics for all channels, and so is another network.
    other = build_generator((32, 32, 3), 2, seed=0)
    assert other.count_params() > gan.g_AB.count_params()


@pytest.mark.parametrize(
    ("kind", "norm", "possible"),
    [
        ("unet", "pixel", "instance, contrib"),
        ("unet", "none", "instance, contrib"),
        ("resnet", "contrib", "instance, pixel, none"),
        ("deep_unet", "contrib", "instance"),
        ("deep_unet", "pixel", "instance"),
    ],
)
def test_a_norm_that_a_generator_cannot_have(kind, norm, possible):
    with pytest.raises(
        ValueError, match=f"must be one of {possible} for the network '{kind}'. Rec"
    ):
        build_generator((32, 32, 3), 2, kind, norm=norm)


@pytest.mark.parametrize(
    ("kind", "norm", "possible"),
    [("book", "pixel", "instance, contrib"), ("patch70", "contrib", "instance, pixel, none")],
)
def test_a_norm_that_a_discriminator_cannot_have(kind, norm, possible):
    message = f"`d_norm` must be one of {possible} for the network '{kind}'. Received: d_norm="
    with pytest.raises(ValueError, match=message):
        CycleGAN((32, 32, 3), gf=2, df=2, discriminator=kind, d_norm=norm)


def test_norms_that_a_recipe_left_to_other_networks_mean_their_own():
    config = TrainConfig.make(generator="unet", discriminator="book").model
    assert (config.generator.norm, config.discriminator.norm) == ("instance", "instance")
    config = TrainConfig.make(recipe="fast").model
    assert (config.generator.norm, config.discriminator.norm) == ("pixel", "pixel")
