"""Keras's own methods on a whole GAN: they do what is right, or say what to do instead."""

import copy
import pickle

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from cyclegan_keras import CycleGAN, DataLoader, Pix2Pix
from cyclegan_keras._seeds import derived_seed
from tests.tiny import Tiny

SHAPE = (32, 32, 3)
NETWORKS = ("g_AB", "g_BA", "d_A", "d_B")
EAGER = "ignore:.*Even though the `tf.config.experimental_run_functions"


def small(**settings):
    return Tiny(SHAPE, **{"seed": 0, **settings})


def assert_same(one, other):
    for name in NETWORKS:
        networks = (getattr(gan, name).get_weights() for gan in (one, other))
        for a, b in zip(*networks, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.fixture
def data(random_images):
    return random_images(2, *SHAPE), random_images(2, *SHAPE, seed=1)


@pytest.mark.filterwarnings(EAGER)
def test_fit_gives_what_train_gives_step_for_step(fruit_dir, untraced):
    loaders = [DataLoader(fruit_dir.name, SHAPE[:2], fruit_dir.parent, seed=0) for _ in range(2)]
    by_train, by_fit = (small(data_loader=loader) for loader in loaders)
    expected = by_train.train(1, 4, callbacks=[])
    imgs = tf.TensorSpec((None, *SHAPE))
    batches = tf.data.Dataset.from_generator(
        lambda: loaders[1].load_batch(4, drop_remainder=False), output_signature=(imgs, imgs)
    )
    batches = batches.apply(tf.data.experimental.assert_cardinality(2))
    history = by_fit.fit(batches, epochs=1, verbose=0)
    assert by_train.combined.optimizer.iterations == 2
    assert_same(by_train, by_fit)
    assert history.history == expected.history


def test_a_step_of_keras_is_a_step(data, untraced):
    one, other = small(), small()
    expected = {name: float(x) for name, x in one.train_step(data).items()}
    assert other.train_on_batch(*data, return_dict=True) == expected
    assert_same(one, other)
    means = other.train_on_batch(list(data), return_dict=True)  # Not a mean with the one before.
    assert means == {name: float(x) for name, x in one.train_step(data).items()}


def test_what_is_no_pair_is_told(data):
    gan = small()
    with pytest.raises(ValueError, match=r"both domains, `\(imgs_A, imgs_B\)`. Received: 3"):
        gan.train_on_batch([*data, data[0]])
    with pytest.raises(ValueError, match="leave `sample_weight` out"):
        gan.train_on_batch(*data, sample_weight=np.ones(2))


@pytest.mark.parametrize("who", [None, "gan", "d_A", "d_B", "combined"])
def test_an_eager_run_is_eager(who, data, monkeypatch):
    gan, seen = small(), []

    def step(*imgs):
        seen.append(tf.executing_eagerly())
        return {}

    monkeypatch.setattr(gan, "_step", step)
    if who == "gan":
        gan.compile(run_eagerly=True)
    elif who:
        model = getattr(gan, who)
        model.compile(loss=model.loss, optimizer=model.optimizer, run_eagerly=True)
    for _ in range(2):
        gan.train_step(data)
    assert seen == ([True, True] if who else [False])


@pytest.mark.parametrize("setting", [{"optimizer": "adam"}, {"loss": "mse"}, {"metrics": []}])
def test_the_whole_is_not_compiled(setting):
    with pytest.raises(
        ValueError, match=f"those of `d_A`, .* compile these.*{next(iter(setting))}"
    ):
        small().compile(**setting)


def test_losses_are_no_evaluation(tiny_gan, data):
    calls = [
        lambda: tiny_gan.evaluate(*data),
        lambda: tiny_gan.test_on_batch(*data),
        lambda: tiny_gan.fit(*data, validation_data=data),
        lambda: tiny_gan.fit(*data, validation_split=0.5),
    ]
    for call in calls:
        with pytest.raises(
            NotImplementedError, match="Measure its translators: `cyclegan evaluate"
        ):
            call()


def test_predictions_are_the_outputs_of_combined(data):
    gan = small()
    results = gan.predict_on_batch(list(data))
    for ours, theirs in zip(results, gan.combined(list(data)), strict=True):
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=1e-6)


@pytest.mark.integration
def test_a_config_makes_the_same_model():
    class Mine(CycleGAN):
        def __init__(self, width=3, **settings):
            super().__init__(SHAPE, width, 2, **settings)

    loader = DataLoader("elsewhere", SHAPE[:2])
    mine = Mine(2, seed=3, ema=0.5, data_loader=loader, name="mine")
    assert mine.get_config() == {"width": 2, "seed": 3, "ema": 0.5, "name": "mine"}
    again = Mine.from_config(mine.get_config())
    assert_same(mine, again)
    gan = CycleGAN(SHAPE, 2, df=2, seed=1, lambda_cycle=4.0)
    config = gan.get_config()
    assert {"img_shape", "lambda_cycle_A", "generator"} <= config.keys()
    again = CycleGAN.from_config(config)
    assert_same(gan, again)
    assert again.img_shape == SHAPE
    assert again.combined.loss_weights == gan.combined.loss_weights
    pix2pix = Pix2Pix(SHAPE, gf=2, df=2, generator="unet", direction="B-to-A")
    assert Pix2Pix.from_config(pix2pix.get_config()).direction == "B-to-A"


def test_arguments_without_names_are_told():
    class Passing(Tiny):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)

    with pytest.raises(NotImplementedError, match=r"`Passing.__init__` takes by `\*args`"):
        Passing(SHAPE).get_config()
    assert Passing.from_config(Passing(img_shape=SHAPE).get_config()).img_shape == SHAPE
    with pytest.raises(TypeError, match=r"__init__\(\) got an unexpected keyword argument 'foo'"):
        small(foo=1)


def test_the_whole_is_not_saved(tmp_path):
    for save in (keras.saving.save_model, keras.Model.save, lambda gan, path: gan.save(path)):
        with pytest.raises(NotImplementedError, match=r"g_AB\.save.*save_weights"):
            save(small(), tmp_path / "gan.keras")


@pytest.mark.parametrize("way", [copy.deepcopy, copy.copy, pickle.dumps])
def test_copies_say_how(way, tiny_gan):
    with pytest.raises(NotImplementedError, match=r"from_config.*save_weights.*load_weights"):
        way(tiny_gan)


def test_how_it_says_to_copy_is_right(tmp_path, data, untraced):
    gan = small(pool_size=1, ema=0.5)
    gan.train_step(data)
    other = Tiny.from_config(gan.get_config())
    gan.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    logs = [{k: float(v) for k, v in each.train_step(data).items()} for each in (gan, other)]
    assert logs[0] == logs[1]
    assert_same(gan, other)


def test_dropout_goes_on_where_it_was_when_weights_are_loaded(tmp_path, data):
    one, other = small(), small(seed=5)
    first = np.asarray(one.g_AB(data[0], training=True))
    path = tmp_path / "gan.weights.h5"
    one.save_weights(path)
    other.load_weights(path)
    then = np.asarray(one.g_AB(data[0], training=True))
    np.testing.assert_array_equal(np.asarray(other.g_AB(data[0], training=True)), then)
    assert not np.array_equal(first, then)
    with h5py.File(path, "a") as file:  # As it was before that was kept.
        for name in list(file["vars"]):
            del file["vars"][name]
    one.load_weights(path)


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_weights_of_16_bits_are_refused(policy, dtype_policy):
    dtype_policy(policy)
    with pytest.raises(ValueError, match=rf"float32 at least.*mixed_{policy}.*policy '{policy}'"):
        small()


def test_seeds_of_parts():
    assert derived_seed(7, 3) == 31_000
    assert derived_seed(10**15, 1) == 4 * 10**18 + 1000
    large = [derived_seed(seed, part) for seed in (2 * 10**15, 10**30) for part in range(1, 12)]
    assert len(set(large)) == len(large)
    assert all(0 <= seed < 2**62 for seed in large)


def test_any_whole_number_is_a_seed():
    assert_same(small(seed=np.int64(4)), small(seed=4))
    one, other = (CycleGAN(SHAPE, gf=2, df=2, seed=10**25, pool_size=1) for _ in range(2))
    assert_same(one, other)
    one, other = (small(seed=10**25 + more).g_AB.get_weights()[0] for more in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", [-1, 1.0, True, "1", np.nan])
@pytest.mark.parametrize("make", [small, lambda seed: DataLoader("set", seed=seed)])
def test_what_is_no_seed_is_told(seed, make):
    with pytest.raises(ValueError, match=r"`seed` must be a whole number.* Received: seed="):
        make(seed=seed)


class Halves(keras.Model):
    """Networks as a subclass of `keras.Model`, which has no inputs and outputs of its own."""

    def __init__(self, channels, strides=1):
        super().__init__()
        self.convolution = keras.layers.Conv2D(channels, 3, strides=strides, padding="same")

    def call(self, inputs):
        return ops.tanh(self.convolution(inputs))


def test_networks_may_be_subclasses(data, untraced, tmp_path):
    class Mine(CycleGAN):
        def build_generator(self):
            return Halves(3)

        def build_discriminator(self):
            return Halves(1, strides=2)

    gan = Mine(SHAPE, ema=0.5, seed=0)
    assert gan.disc_patch == (16, 16, 1)
    before = {name: getattr(gan, name).get_weights() for name in NETWORKS}
    gan.train_step(data)
    for name, weights in before.items():
        for a, b in zip(weights, getattr(gan, name).get_weights(), strict=True):
            assert np.abs(a - b).max() > 1e-5, name
    averaged = gan.translators["g_AB"].get_weights()[0]
    np.testing.assert_allclose(averaged, gan.g_AB.get_weights()[0], rtol=1e-6)
    gan.save_weights(tmp_path / "gan.weights.h5")
    again = Mine(SHAPE, ema=0.5, seed=1)
    again.load_weights(tmp_path / "gan.weights.h5")
    assert_same(gan, again)


def regularised(inputs, channels, strides, activation):
    return keras.layers.Conv2D(
        channels,
        3,
        strides=strides,
        padding="same",
        activation=activation,
        kernel_regularizer=keras.regularizers.L2(0.3),
        activity_regularizer=keras.regularizers.L2(0.2),
    )(inputs)


class Regularised(CycleGAN):
    def build_generator(self):
        img = keras.Input(self.img_shape)
        return keras.Model(img, regularised(img, 3, 1, "tanh"))

    def build_discriminator(self):
        img = keras.Input(self.img_shape)
        return keras.Model(img, regularised(img, 1, 2, None))


@pytest.mark.parametrize(
    ("update", "d_source", "lambda_id"), [("separate", 0, 9.0), ("joint", 0.25, 0.0)]
)
def test_regularisers_count_as_in_the_three_models(update, d_source, lambda_id, data, untraced):
    gan = Regularised(
        SHAPE, seed=0, discriminator_update=update, d_source=d_source, lambda_id=lambda_id
    )
    for model in gan.compiled_models:  # Nothing moves, so that both ways see the same networks.
        weights = model.loss_weights if model is gan.combined else None
        model.compile(loss=model.loss, loss_weights=weights, optimizer=keras.optimizers.SGD(0.0))
    imgs = {"A": data[0], "B": data[1]}
    fakes = {"A": np.asarray(gan.g_BA(data[1])), "B": np.asarray(gan.g_AB(data[0]))}
    logs = {name: float(value) for name, value in gan.train_step(data).items()}
    valid, fake = (np.full((2, *gan.disc_patch), label, "float32") for label in (1, 0))
    for name, other in ("AB", "BA"):
        d = {"A": gan.d_A, "B": gan.d_B}[name]
        judged = ((imgs[name], valid), (fakes[name], fake), (imgs[other], fake))
        real, translated, source = (d.train_on_batch(*each)[0] for each in judged)
        expected = 0.5 * (real + (1 - d_source) * translated + d_source * source)
        assert logs[f"d_{name}_loss"] == pytest.approx(expected, rel=1e-5)
    targets = [valid, valid, *data, *data]
    expected = gan.combined.train_on_batch(list(data), targets, return_dict=True)
    assert logs["g_loss"] == pytest.approx(expected["loss"], rel=1e-5)
    plain = sum(
        weight * expected[f"{name}_loss"]
        for name, weight in zip(gan.combined.output_names, gan.combined.loss_weights, strict=True)
    )
    assert logs["g_loss"] > 1.1 * plain  # They do count.


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.ReduceLROnPlateau("d_loss", mode="min"),
        keras.callbacks.LearningRateScheduler(lambda epoch: 0.1),
        keras.callbacks.SwapEMAWeights(),
    ],
)
def test_callbacks_that_want_one_optimizer_are_told_first(callback, data, fruit_dir):
    loader = DataLoader(fruit_dir.name, SHAPE[:2], fruit_dir.parent)
    gan = small(data_loader=loader)
    told = f"{type(callback).__name__} wants one `model.optimizer`, and here are several"
    for run in (
        lambda: gan.fit(*data, callbacks=callback),
        lambda: gan.fit(*data, callbacks=[keras.callbacks.TerminateOnNaN(), callback]),
        lambda: gan.train(1, 2, callbacks=[callback]),
    ):
        with pytest.raises(NotImplementedError, match=told):
            run()
    assert [int(optimizer.iterations) for optimizer in gan.optimizers] == [0, 0, 0]


def test_what_a_gan_does_not_take_is_told(data, tmp_path):
    gan = small()
    with pytest.raises(ValueError, match="no weights of their own"):
        gan.fit(*data, class_weight={0: 1.0})
    with pytest.raises(NotImplementedError, match=r"gan\.g_AB\.export"):
        gan.export(tmp_path / "gan")
    with pytest.raises(TypeError, match=r"must be a DataLoader, .* Received: 'apple2orange'"):
        small(data_loader="apple2orange")
    with pytest.raises(TypeError, match="must be a DataLoader"):
        gan.data_loader = "apple2orange"
    for epochs in (0, 1.5, "2", True):
        with pytest.raises(ValueError, match="`epochs` must be at least 1, a whole number"):
            gan.train(epochs)


def test_one_callback_needs_no_list(fruit_dir, untraced):
    gan = small(data_loader=DataLoader(fruit_dir.name, SHAPE[:2], fruit_dir.parent))
    stopping = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: setattr(gan, "stop_training", epoch == 1)
    )
    assert gan.train(3, 4, callbacks=stopping).epoch == [0, 1]
