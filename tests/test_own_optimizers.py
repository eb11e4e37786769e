"""Every network moves by its own gradients, whatever the three models were compiled with."""

import keras
import numpy as np
import pytest

from cyclegan_keras import CycleGAN, Pix2Pix
from cyclegan_keras.optimizers import own_copy

SHAPE = (32, 32, 3)
RATE = 0.05

# Whatever the networks are: what is compared is who moves them.
pytestmark = pytest.mark.usefixtures("tiny_networks")


def small(kind, update, first=None):
    settings = {"seed": 0, "discriminator_update": update}
    if kind is CycleGAN:
        return CycleGAN(SHAPE, update_first=first, **settings)
    return Pix2Pix(SHAPE, **settings)


def compile_each(gan, optimizers, **settings):
    for model, optimizer in zip(gan.compiled_models, optimizers, strict=True):
        own = {"metrics": ["accuracy"]}
        if model is gan.combined:
            own = {"loss_weights": model.loss_weights}
        model.compile(optimizer=optimizer, loss=model.loss, **own, **settings)


def networks(gan):
    return {**gan.generators, **{d.name: d for d in gan.compiled_models[:-1]}}


def weights_of(gan):
    return {name: network.get_weights() for name, network in networks(gan).items()}


@pytest.fixture
def data(random_images):
    return random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1)


def train_each_on_a_batch(gan, imgs_A, imgs_B):
    """The book's way, on the three compiled models."""
    for d in gan.compiled_models[:-1]:
        x = np.concatenate([imgs_A, imgs_B], -1) if d.input_shape[-1] == 6 else imgs_A
        d.train_on_batch(x, np.ones((len(x), *gan.disc_patch)))
    valid = np.ones((len(imgs_A), *gan.disc_patch))
    if len(gan.generators) == 1:
        gan.combined.train_on_batch(imgs_A, [valid, imgs_B])
    else:
        targets = [valid, valid, imgs_A, imgs_B, imgs_A, imgs_B]
        gan.combined.train_on_batch([imgs_A, imgs_B], targets)


def shared(gan):
    return [keras.optimizers.Adam(RATE, 0.5)] * len(gan.compiled_models)


def shared_and_scaled(gan):
    return [keras.optimizers.LossScaleOptimizer(o, initial_scale=4.0) for o in shared(gan)]


def apart(gan):
    return [keras.optimizers.Adam(RATE, 0.5) for _ in gan.compiled_models]


@pytest.mark.parametrize(
    ("kind", "update", "first", "given"),
    [
        (CycleGAN, "separate", "discriminators", shared),
        pytest.param(
            CycleGAN, "joint", "discriminators", shared_and_scaled, marks=pytest.mark.slow
        ),
        (CycleGAN, "separate", "generators", shared_and_scaled),
        (CycleGAN, "joint", "generators", shared),
        (Pix2Pix, "separate", None, shared),
        pytest.param(Pix2Pix, "joint", None, shared, marks=pytest.mark.slow),
        (Pix2Pix, "joint", None, shared_and_scaled),
    ],
)
def test_one_optimizer_for_all_does_what_one_each_does(kind, update, first, given, data):
    ways = []
    for optimizers in (given, apart):
        gan = small(kind, update, first)
        compile_each(gan, optimizers(gan))
        before = weights_of(gan)
        gan._step(*map(keras.ops.convert_to_tensor, data))  # Not traced, which takes longer.
        ways.append(weights_of(gan))
    for name, old in before.items():
        pairs = list(zip(ways[0][name], ways[1][name], strict=True))
        for ours, expected in pairs:  # A scale is a power of two, and changes no bit.
            np.testing.assert_array_equal(ours, expected, err_msg=name)
        moves = [np.abs(a - b).max() for (a, _), b in zip(pairs, old, strict=True)]
        assert min(moves) > 0.1 * RATE, name  # Adam's first steps are as long as its rate.


def test_the_books_way_trains_each_with_one_optimizer_for_all(data):
    ways = []
    for optimizers in (shared_and_scaled, apart):
        gan = small(CycleGAN, "separate", "discriminators")
        compile_each(gan, optimizers(gan), run_eagerly=True)
        train_each_on_a_batch(gan, *data)
        ways.append(weights_of(gan))
    for name, weights in ways[0].items():
        for ours, expected in zip(weights, ways[1][name], strict=True):
            np.testing.assert_array_equal(ours, expected, err_msg=name)


def test_the_rate_of_one_optimizer_for_all_is_one():
    gan = small(CycleGAN, "joint", "generators")
    optimizer = keras.optimizers.Adam(RATE)
    compile_each(gan, [optimizer] * 3)
    assert gan.d_A.optimizer is optimizer
    assert gan.d_B.optimizer is not optimizer
    optimizer.learning_rate = 0.25
    assert [float(o.learning_rate) for o in gan.optimizers] == [0.25] * 3
    # Nothing of the copies' own lies about among what is saved.
    assert len(gan.d_B.optimizer.variables) == len(gan.d_A.optimizer.variables)


def test_an_optimizer_keeps_its_state_when_its_own_model_is_compiled_anew(data):
    gan = small(CycleGAN, "separate", "discriminators")
    optimizer = gan.d_A.optimizer
    gan._step(*map(keras.ops.convert_to_tensor, data))
    gan.d_A.compile(loss="mae", optimizer=optimizer)
    assert gan.d_A.optimizer is optimizer
    assert int(optimizer.iterations) == 2


def test_an_optimizer_of_another_gan_is_copied():
    one, other = (small(Pix2Pix, "joint") for _ in range(2))
    other.d.compile(loss="mse", optimizer=one.d.optimizer)
    assert other.d.optimizer is not one.d.optimizer
    variables = [id(v) for v in other.d.optimizer._trainable_variables]
    assert variables == [id(v) for v in other.d.trainable_variables]


def test_what_compile_did_not_see_is_told(data):
    gan = small(CycleGAN, "separate", "discriminators")
    gan.d_B.optimizer = gan.d_A.optimizer
    with pytest.raises(ValueError, match="optimizer of 'd_B' trains another model already"):
        gan.train_step(data)
    with pytest.raises(ValueError, match="Unknown variable"):
        gan._step(*map(keras.ops.convert_to_tensor, data))


def one_half():
    return 0.5


@pytest.mark.parametrize(
    "rate", [0.5, keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9), one_half]
)
def test_a_copy_has_the_settings_and_the_rate(rate):
    optimizer = keras.optimizers.Adam(rate, beta_1=0.25, clipnorm=2.0, use_ema=True)
    copy = own_copy(optimizer)
    assert float(copy.learning_rate) == 0.5
    assert (copy.beta_1, copy.clipnorm, copy.use_ema) == (0.25, 2.0, True)


def test_an_optimizer_that_cannot_be_copied_is_named():
    class Mine(keras.optimizers.SGD):
        def __init__(self, strength, learning_rate=0.1):
            super().__init__(learning_rate)

        @classmethod
        def from_config(cls, config):
            return cls(**config)

    with pytest.raises(TypeError, match=r"Mine cannot be copied .* Give each model one"):
        own_copy(Mine(3))
