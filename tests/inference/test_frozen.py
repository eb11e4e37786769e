"""Normalization with statistics that are taken beforehand."""

import keras
import numpy as np
import pytest

from cyclegan_keras import load_generator, save_generator
from cyclegan_keras.inference import frozen
from cyclegan_keras.layers import ContribNormalization, InstanceNormalization
from cyclegan_keras.networks.resnet import build_resnet_generator
from cyclegan_keras.networks.unet import build_deep_unet_generator, build_unet_generator

SHAPE = (32, 48, 3)


def images(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, SHAPE).astype("float32")


def with_weights(network: keras.Model) -> keras.Model:
    """Other factors and offsets than 1 and 0, which could be left out without a trace."""
    numbers = np.random.default_rng(1)
    for weight in network.weights:
        if weight.name in ("gamma", "beta"):
            weight.assign(numbers.uniform(0.5, 1.5, weight.shape))
        elif "kernel" in weight.name:
            weight.assign(weight + numbers.normal(0, 0.1, weight.shape))
    return network


def of_layer(layer: keras.layers.Layer) -> keras.Model:
    img = keras.Input(SHAPE)
    return keras.Model(img, layer(keras.layers.Conv2D(4, 3, padding="same")(img)))


def nested() -> keras.Model:
    img = keras.Input(SHAPE)
    inner = of_layer(InstanceNormalization())
    return keras.Model(img, keras.layers.Conv2D(3, 1)(InstanceNormalization()(inner(img))))


def sequential() -> keras.Model:
    convolution = keras.layers.Conv2D(3, 3, padding="same")
    return keras.Sequential([keras.Input(SHAPE), convolution, InstanceNormalization()])


NETWORKS = {
    "instance": lambda: of_layer(InstanceNormalization(1e-3)),
    "instance without weights": lambda: of_layer(
        InstanceNormalization(1e-5, center=False, scale=False)
    ),
    "contrib": lambda: of_layer(ContribNormalization(0.1)),
    "group": lambda: of_layer(keras.layers.GroupNormalization(2)),
    "group per channel": lambda: of_layer(keras.layers.GroupNormalization(-1)),
    "unet": lambda: build_unet_generator(SHAPE, gf=2, seed=0),
    "unet of the book": lambda: build_unet_generator(SHAPE, gf=2, norm="contrib", seed=0),
    "resnet": lambda: build_resnet_generator(SHAPE, gf=2, num_blocks=2, seed=0),
    "resnet with skips": lambda: build_resnet_generator(
        SHAPE, gf=2, num_blocks=1, skips=True, padding="reflect", upsampling="resize", seed=0
    ),
    "deep_unet": lambda: build_deep_unet_generator((32, 64, 3), gf=2, seed=0),
    "nested": nested,
    "sequential": sequential,
}


# Those that are measured as they come from a file, in the next test.
FROM_FILES = ("unet", "resnet")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(make, marks=[pytest.mark.slow] * (name in FROM_FILES), id=name)
        for name, make in NETWORKS.items()
    ],
)
def test_with_its_own_statistics_an_image_becomes_the_same(make):
    network = with_weights(make())
    img = np.resize(images(), network.input_shape[1:])
    copy = frozen.frozen(network)
    frozen.set_statistics(copy, frozen.measuring(network)(img))
    np.testing.assert_allclose(copy(img[None]), network(img[None]), atol=2e-5)
    assert not any(frozen.norm_of(op) for op in copy.operations)


@pytest.mark.integration
@pytest.mark.parametrize("build", [build_resnet_generator, build_unet_generator])
def test_a_network_from_a_file_can_be_measured(build, tmp_path, float64):
    # Its operations have names such as "add", which those that measure must not have, too.
    settings = {"num_blocks": 2} if build is build_resnet_generator else {}
    save_generator(
        with_weights(build(SHAPE, gf=2, residual=True, seed=0, **settings)), tmp_path / "g.keras"
    )
    keras.backend.clear_session()
    network, img = load_generator(tmp_path / "g.keras"), images()
    copy = frozen.frozen(network)
    frozen.set_statistics(copy, frozen.measuring(network)(img))
    np.testing.assert_allclose(copy(img[None]), network(img[None]), rtol=0, atol=1e-12)


def test_networks_inside_may_use_the_same_names():
    img = keras.Input(SHAPE)

    def inner():
        x = keras.Input(SHAPE)
        y = keras.layers.Conv2D(3, 3, padding="same", name="convolution")(x)
        return keras.Model(x, InstanceNormalization(name="norm")(y))

    network = keras.Model(img, inner()(inner()(img)))
    x, copy = images(), frozen.frozen(network)
    frozen.set_statistics(copy, frozen.measuring(network)(x))
    np.testing.assert_allclose(copy(x[None]), network(x[None]), atol=2e-5)


def test_statistics_are_those_that_are_computed_by_hand():
    img = images()
    network = of_layer(InstanceNormalization(0.25))
    features = np.asarray(network.layers[1](img[None]), "float64")[0]
    ((mean, square),) = frozen.measuring(network)(img)
    np.testing.assert_allclose(mean, features.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(square, features.var((0, 1)) + 0.25, atol=1e-6)


def test_statistics_of_another_image_are_kept_when_a_part_is_translated():
    img = images()
    network = with_weights(of_layer(InstanceNormalization()))
    copy = frozen.frozen(network)
    statistics = frozen.measuring(network)
    frozen.set_statistics(copy, statistics(img))
    changed = img.copy()
    changed[20:] = 1
    before, after = (np.asarray(copy(each[None]))[0] for each in (img, changed))
    np.testing.assert_array_equal(after[:19], before[:19])  # A 3×3 convolution sees row 20 at 19.
    assert np.abs(np.asarray(network(changed[None]))[0, :19] - before[:19]).max() > 0.1
    # A second time, without tracing it anew; by hand, in float64.
    frozen.set_statistics(copy, statistics(changed))
    features = np.asarray(network.layers[1](changed[None])[0], "float64")
    gamma, beta = (weight.numpy() for weight in network.layers[2].weights)
    expected = (features - features.mean((0, 1))) / np.sqrt(features.var((0, 1)) + 1e-3)
    np.testing.assert_allclose(copy(changed[None])[0], expected * gamma + beta, atol=5e-6)


def test_the_network_itself_keeps_its_weights_and_its_layers():
    network = with_weights(build_unet_generator(SHAPE, gf=2))
    img, before = images(), network.get_weights()
    expected = np.asarray(network(img[None]))
    frozen.set_statistics(frozen.frozen(network), frozen.measuring(network)(img))
    for value, earlier in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, earlier)
    np.testing.assert_array_equal(network(img[None]), expected)
    assert frozen.can_be_frozen(network)


def test_what_can_be_frozen():
    assert frozen.can_be_frozen(nested())
    assert not frozen.can_be_frozen(build_resnet_generator(SHAPE, gf=2, num_blocks=1, norm="pixel"))
    twice = InstanceNormalization()
    img = keras.Input(SHAPE)
    assert not frozen.can_be_frozen(keras.Model(img, twice(twice(img))))
    assert not frozen.can_be_frozen(InstanceNormalization())


def test_statistics_of_another_network_are_refused():
    copy = frozen.frozen(build_unet_generator(SHAPE, gf=2))
    with pytest.raises(ValueError, match=r"of 7 layers.*Received: 1"):
        frozen.set_statistics(copy, [(np.zeros(3), np.ones(3))])


def test_thumbnails_have_half_the_size_or_what_fits():
    assert frozen.thumbnail_size((3000, 4000), 12e6) == (1500, 2000)
    assert frozen.thumbnail_size((3000, 4000), 1e6) == (866, 1154)
    assert frozen.thumbnail_size((1, 1), 1e6) == (1, 1)
