"""Generators in Keras's own layers: the same function, in files that need no other package."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import cyclegan_keras
from cyclegan_keras.inference import saving
from cyclegan_keras.inference.rebuilding import operations_of
from cyclegan_keras.inference.stock_layers import to_fast_layers, to_stock_layers
from cyclegan_keras.layers import (
    ContribNormalization,
    InstanceNormalization,
    LeanConv2D,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)
from tests import forked

NETWORKS = {
    "unet": lambda: build_unet_generator((32, 32, 3), 2, dropout=0.5, seed=0),
    "contrib": lambda: build_unet_generator((32, 32, 3), 2, norm="contrib", seed=0),
    "any_size": lambda: build_unet_generator((None, None, 3), 2, seed=0),
    "deep_unet": lambda: build_deep_unet_generator((64, 64, 3), 1, seed=0),
    "resnet": lambda: build_resnet_generator((16, 16, 3), 2, 1, seed=0),
    "fast": lambda: build_resnet_generator(
        (16, 16, 3), 2, 1, "resize", "reflect", "pixel", skips=True, residual=True, seed=0
    ),
    "blended": lambda: build_resnet_generator(
        (16, 16, 3), 2, 1, "resize", norm="pixel", blend=True, seed=0
    ),
    "resize": lambda: build_resnet_generator((16, 16, 3), 2, 1, "resize", residual=True, seed=0),
}
# Loads each file as a program that has never heard of this package would. The outputs are compared
# in float64: the book's U-Net in float32 is 1e-5 from them, whichever way it is computed.
PLAIN = """
import pathlib, sys
assert not [name for name in sys.modules if name.startswith("cyclegan_keras")]
sys.modules["cyclegan_keras"] = None
import keras, numpy as np
def wide(op):
    dtype = {"dtype": "float64"} if isinstance(op, keras.Layer) else {}
    return type(op).from_config({**op.get_config(), **dtype})
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(path)
    exact = keras.models.clone_model(model, clone_function=wide)
    exact.set_weights(model.get_weights())
    arrays = np.load(path.with_suffix(".npz"))
    for one, y in ((model, arrays["y"]), (exact, arrays["exact"])):
        print(path.stem, np.abs(np.asarray(one(arrays["x"])) - y).max())
"""


def inputs_of(model, random_images):
    size = model.input_shape[1] or 48
    return random_images(2, size, size, 3)


def own_layers(model):
    return {
        type(op).__name__
        for op in model.operations
        if type(op).__module__.startswith("cyclegan_keras")
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back(name, random_images, float64):
    model = NETWORKS[name]()
    for weight in model.trainable_weights:  # Biases and offsets are not to be zeros.
        weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    x = inputs_of(model, random_images).astype("float64")
    stock = to_stock_layers(model)
    assert own_layers(model)
    assert not own_layers(stock)
    np.testing.assert_allclose(np.asarray(stock(x)), np.asarray(model(x)), atol=1e-12)
    fast = to_fast_layers(stock)
    # Padding and the change or the blend of the input are operations of Keras, and as fast.
    assert own_layers(fast) == own_layers(model) - {
        "ReflectionPadding2D",
        "BlendImages",
        "ChangeImage",
    }
    np.testing.assert_array_equal(np.asarray(fast(x)), np.asarray(model(x)))
    assert [w.path.split("/")[-2:] for w in fast.weights] == [
        w.path.split("/")[-2:] for w in model.weights
    ]


@pytest.mark.integration
@pytest.mark.parametrize(
    "names",
    [("unet", "fast", "blended"), pytest.param(tuple(NETWORKS), marks=pytest.mark.slow)],
    ids=["some", "all"],
)
def test_keras_alone_loads_what_is_saved(names, tmp_path, random_images, request):
    models = {name: NETWORKS[name]() for name in names}
    inputs = {name: inputs_of(model, random_images) for name, model in models.items()}
    outputs = {}
    for name, model in models.items():
        saving.save_generator(model, tmp_path / f"{name}.keras")
        outputs[name] = np.asarray(model(inputs[name]))
        again = cyclegan_keras.load_generator(tmp_path / f"{name}.keras")
        np.testing.assert_array_equal(np.asarray(again(inputs[name])), outputs[name])
    request.getfixturevalue("float64")
    for name, model in models.items():
        exact = NETWORKS[name]()
        exact.set_weights(model.get_weights())
        exact = np.asarray(exact(inputs[name].astype("float64")))
        np.savez(tmp_path / f"{name}.npz", x=inputs[name], y=outputs[name], exact=exact)

    status, output, errors = forked.run(["-c", PLAIN, str(tmp_path)])
    assert status == 0, errors
    lines = output.splitlines()
    in_float32 = {name: float(value) for name, value in map(str.split, lines[::2])}
    in_float64 = {name: float(value) for name, value in map(str.split, lines[1::2])}
    assert in_float32.keys() == in_float64.keys() == models.keys()
    assert max(in_float32.values()) < 1e-5
    assert max(in_float64.values()) < 1e-6


def test_layers_that_only_look_alike_are_left(random_images):
    img = keras.Input((8, 8, 4))
    doubled = layers.UpSampling2D(2)(layers.RMSNormalization(axis=[2, 3])(img))
    x = layers.Conv2D(4, 3, padding="same", strides=2)(doubled)
    x = layers.GroupNormalization(groups=2)(x)
    y = layers.Conv2D(4, 3, padding="same")(doubled)  # Of what something else needs, too.
    y = layers.Cropping2D(((1, 0), (1, 0)))(layers.Conv2DTranspose(4, 3, strides=1)(y))
    model = keras.Model(img, [x, y])
    again = to_fast_layers(model)
    replaced = [type(op).__name__ for op in again.operations]
    assert replaced.count("LeanConv2D") == 2
    assert {
        "RMSNormalization",
        "UpSampling2D",
        "GroupNormalization",
        "Conv2DTranspose",
        "Cropping2D",
    } <= {*replaced}
    images = random_images(1, 8, 8, 4)
    for one, other in zip(model(images), again(images), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-6)


def functional(build, name="g_AB"):
    img = keras.Input((16, 16, 3))
    return keras.Model(img, build(img), name=name)


def small_parts():
    """One after the other, as a network by itself is made, or a part of one."""
    return [
        keras.Input((16, 16, 3)),
        LeanConv2D(4, 3, padding="same", activation=layers.LeakyReLU(0.3)),
        InstanceNormalization(),
        ReflectionPadding2D(2),
        TransposedConv2D(4, activation="tanh", use_bias=False),
        layers.AveragePooling2D(2),
        UpsampleConv2D(3, 5),
        layers.CenterCrop(16, 16),
    ]


def twice_in_each_other(img):
    inner = functional(keras.Sequential(small_parts()), name="inner")
    outer = functional(lambda x: InstanceNormalization()(inner(x)), name="outer")
    return outer(outer(inner(img)))


def with_settings_of_calls(img):
    x = layers.BatchNormalization()(img, training=True)
    x = InstanceNormalization()(inputs=x)
    rows = layers.Reshape((64, 12))(x)
    rows = layers.MultiHeadAttention(1, 4)(query=rows, value=rows)
    return layers.Add()([layers.Reshape((16, 16, 3))(rows), x])


BUILT_OTHERWISE = {
    "sequential": lambda: keras.Sequential(small_parts(), name="g_AB"),
    "nested": lambda: functional(twice_in_each_other),
    "called with settings": lambda: functional(with_settings_of_calls),
}


@pytest.mark.parametrize("name", BUILT_OTHERWISE)
def test_networks_of_ones_own_there_and_back(name, random_images, float64):
    model = BUILT_OTHERWISE[name]()
    model.compile("sgd", loss=lambda y, y_pred: 0.0)  # Not a part of what is to be saved.
    x = random_images(2, 16, 16, 3).astype("float64")
    stock = to_stock_layers(model)
    found = {type(op).__module__.partition(".")[0] for op in operations_of(stock)}
    assert found == {"keras"}
    assert stock.name == "g_AB"
    assert not stock.compiled
    for other in (stock, to_fast_layers(stock)):
        np.testing.assert_allclose(np.asarray(other(x)), np.asarray(model(x)), atol=1e-12)
    kinds = {type(op) for op in operations_of(to_fast_layers(stock))}
    assert InstanceNormalization in kinds
    assert name == "called with settings" or kinds > {LeanConv2D, TransposedConv2D, UpsampleConv2D}


def contrib_but(x, axes=(1, 2, 3), share=0.0, of_another=False, activation=None):
    x = ops.cast(x, "float32")
    other = ops.cast(2.0 * x, "float32") if of_another else x
    centred = ops.subtract(x, ops.mean(other, axis=axes, keepdims=True))
    variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
    y = ops.divide(centred, ops.add(ops.sqrt(variance), 0.25))
    y = layers.Dense(1, activation=activation)(ops.expand_dims(y, axis=-1))
    y = ops.squeeze(y, axis=-1)
    return layers.Add()([y, share * centred]) if share else y


@pytest.mark.parametrize(
    ("settings", "is_found"),
    [
        ({}, True),
        ({"axes": (1, 2)}, False),
        ({"share": 0.5}, False),
        ({"of_another": True}, False),
        ({"activation": "relu"}, False),
    ],
)
def test_only_the_books_norm_is_taken_for_it(settings, is_found, random_images):
    model = functional(lambda x: contrib_but(x, **settings))
    again = to_fast_layers(model)
    assert (ContribNormalization in {type(op) for op in operations_of(again)}) == is_found
    x = random_images(2, 16, 16, 3)
    np.testing.assert_allclose(np.asarray(again(x)), np.asarray(model(x)), atol=1e-5)


def test_files_are_the_same_under_any_setting_of_channels(random_images):
    model, x = keras.Sequential(small_parts()), random_images(1, 16, 16, 3)
    keras.config.set_image_data_format("channels_first")
    try:
        stock = to_stock_layers(model)
        fast = to_fast_layers(stock)
    finally:
        keras.config.set_image_data_format("channels_last")
    for other in (stock, fast):
        np.testing.assert_allclose(np.asarray(other(x)), np.asarray(model(x)), atol=1e-5)


def test_dropout_that_is_always_on_stays_on(random_images):
    model = functional(lambda x: layers.Dropout(0.5)(InstanceNormalization()(x), training=True))
    x = random_images(1, 16, 16, 3)
    for other in (to_stock_layers(model), to_fast_layers(to_stock_layers(model))):
        assert not np.asarray(other(x)).all()


def test_a_subclass_is_left_as_it_is():
    class Mine(keras.Model):
        def call(self, inputs):
            return inputs

    model = Mine()
    assert to_stock_layers(model) is model
    assert to_fast_layers(model) is model
    plain = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 1)])
    assert to_fast_layers(plain) is plain
