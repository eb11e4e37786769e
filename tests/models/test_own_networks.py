"""Networks that a subclass builds: shared ones, ones that share layers, and what is none."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from cyclegan_keras import CycleGAN

SHAPE = (16, 16, 3)
RATE = 0.05


@pytest.fixture
def data(random_images):
    return random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1)


def to_images(*parts, img_shape=SHAPE):
    x = img = keras.Input(img_shape)
    for part in parts:
        x = part(x)
    return keras.Model(img, layers.Conv2D(3, 1, activation="tanh")(x))


def to_scores(*parts):
    return to_images(*parts, layers.Conv2D(1, 3, strides=2))


def made_by(generator=to_images, discriminator=to_scores):
    class Own(CycleGAN):
        def build_generator(self):
            return generator()

        def build_discriminator(self):
            return discriminator()

    return Own


def step(gan, data):
    gan._step(*map(ops.convert_to_tensor, data))  # Not traced, which takes longer.


def compile_with_sgd(gan):
    for model in gan.compiled_models:
        model.compile("sgd", model.loss)
        model.optimizer.learning_rate = RATE


def gradients(gan, data, variables):
    """Of the generators' loss, as `combined` by itself has it."""
    imgs_A, imgs_B = map(ops.convert_to_tensor, data)
    with tf.GradientTape() as tape:
        names, values = gan.combined.output_names, gan.combined([imgs_A, imgs_B], training=True)
        valid = ops.ones_like(values[0])
        targets = dict(zip(names, [valid, valid, *2 * [imgs_A, imgs_B]], strict=True))
        loss, _ = gan.combined.full_objective(targets, dict(zip(names, values, strict=True)))
    return [np.asarray(gradient) for gradient in tape.gradient(loss, variables)]


@pytest.mark.parametrize("what", ["the whole", "one layer"])
def test_generators_that_share_weights_move_them_once(what, data):
    shared = layers.Conv2D(4, 3, padding="same")
    g = to_images(shared)
    gan = made_by(lambda: g if what == "the whole" else to_images(shared))(
        SHAPE, update_first="generators", discriminator_update="joint"
    )
    compile_with_sgd(gan)
    before, slopes = (np.asarray(shared.kernel), gradients(gan, data, [shared.kernel]))
    step(gan, data)
    np.testing.assert_allclose(before - np.asarray(shared.kernel), RATE * slopes[0], atol=1e-6)
    assert len({id(v) for v in gan.combined.trainable_variables}) == len(
        gan.combined.trainable_variables
    )


@pytest.mark.parametrize("what", ["the whole", "one layer"])
def test_translators_that_share_weights_have_the_average_of_them(what, data):
    shared = layers.Conv2D(4, 3, padding="same")
    g = to_images(shared)
    gan = made_by(lambda: g if what == "the whole" else to_images(shared))(
        SHAPE, ema=0.5, learning_rate=RATE
    )
    states = []
    for _ in range(2):
        step(gan, data)
        states.append([gan.generators[name].get_weights() for name in ("g_AB", "g_BA")])
    for translator, first, second in zip(gan.translators.values(), *states, strict=True):
        for weight, one, other in zip(translator.get_weights(), first, second, strict=True):
            np.testing.assert_allclose(weight, (one + other) / 2, atol=1e-6)


def test_one_discriminator_for_both_domains_moves(data):
    d = to_scores()
    gan = made_by(discriminator=lambda: d)(SHAPE)
    before = d.get_weights()
    step(gan, data)
    assert gan.d_A is gan.d_B
    assert int(gan.d_A.optimizer.iterations) == 4
    for old, new in zip(before, d.get_weights(), strict=True):
        assert not np.array_equal(old, new)


def two_scales():
    img = keras.Input(SHAPE)
    return keras.Model(img, [layers.Conv2D(1, 3, strides)(img) for strides in (1, 2)])


@pytest.mark.parametrize(
    ("networks", "told"),
    [
        ({"generator": lambda: None}, "must return a keras.Model. Received: None for 'g_AB'"),
        (
            {"generator": lambda: to_images(layers.UpSampling2D())},
            r"'g_AB' must make images of the same shape from images of shape \(16, 16, 3\). "
            r"Received: an output of shape \(32, 32, 3\)",
        ),
        ({"generator": two_scales}, "'g_AB' must make images .* Received: several outputs"),
        ({"discriminator": two_scales}, "'d_A' must make one tensor of scores .* several outputs"),
    ],
)
def test_what_cannot_be_trained_is_told(networks, told):
    with pytest.raises((TypeError, ValueError), match=told):
        made_by(**networks)(SHAPE)


def test_shapes_that_are_not_known_may_be_right():
    any_size = (None, None, 3)
    assert made_by(lambda: to_images(img_shape=any_size))(SHAPE).disc_patch == (7, 7, 3)


@pytest.mark.parametrize("img_shape", [(16, 16), (None, None, 3), (16.0, 16, 3), 16])
def test_shapes_that_are_none_are_told(img_shape):
    with pytest.raises(ValueError, match=r"`img_shape` must be .*three whole numbers"):
        made_by()(img_shape)


def test_shapes_may_be_of_numpy():
    assert made_by()(np.array(SHAPE)).img_shape == SHAPE


def test_a_generator_that_is_frozen_later_leaves_the_averages_in_their_places(data):
    gan = made_by(lambda: to_images(layers.Conv2D(4, 3, padding="same")))(
        SHAPE, ema=0.5, learning_rate=RATE
    )
    step(gan, data)
    expected = {name: g.get_weights() for name, g in gan.translators.items()}
    gan.g_AB.trainable = False
    for name, translator in gan.translators.items():
        for weight, other in zip(translator.get_weights(), expected[name], strict=True):
            np.testing.assert_array_equal(weight, other, err_msg=name)
