"""Networks that run layer by layer, in strips, give what a single pass gives."""

import errno

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from cyclegan_keras.inference import rebuilding, strips, whole
from cyclegan_keras.inference.stock_layers import to_fast_layers, to_stock_layers
from cyclegan_keras.inference.whole import AnySize
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)
from tests.export import networks


def drawn(build, *args, **settings):
    return networks.with_drawn_weights(build(*args, seed=0, **settings))


RESNET = {"gf": 2, "num_blocks": 2}
GENERATORS = {
    "unet": lambda: drawn(build_unet_generator, (32, 32, 3), gf=2, dropout=0.5),
    "contrib": lambda: drawn(build_unet_generator, (None, None, 1), gf=2, norm="contrib"),
    "deep_unet": lambda: drawn(build_deep_unet_generator, (32, 32, 3), gf=2),
    "resnet": lambda: drawn(build_resnet_generator, (32, 32, 3), **RESNET),
    "resnet_same": lambda: drawn(
        build_resnet_generator,
        (32, 32, 3),
        padding="reflect",
        upsampling="resize",
        skips=True,
        blend=True,
        **RESNET,
    ),
}


@pytest.fixture
def small_strips(monkeypatch):
    """Strips of a few rows, and room for two layers or so before results go to files."""
    monkeypatch.setattr(strips, "STRIP_BYTES", 20_000)
    monkeypatch.setattr(strips, "MAX_KEPT_BYTES", 1_000_000)


@pytest.mark.usefixtures("small_strips", "float64")
@pytest.mark.parametrize("name", GENERATORS)
def test_strips_are_one_pass(name, random_images):
    made = GENERATORS[name]()
    # As it comes from a file.
    generator = to_fast_layers(to_stock_layers(made))
    assert strips.takes_strips(made)
    assert strips.takes_strips(generator)
    (x,) = random_images(1, 160, 224, generator.input_shape[3], dtype="float64")
    one_pass = np.asarray(rebuilding.with_size(generator, (160, 224))(x[None]))[0]
    # The result is float32.
    np.testing.assert_allclose(strips.run(generator, x), one_pass, atol=1e-7)


def test_networks_inside_networks_and_one_layer_twice(small_strips, random_images):
    image = keras.Input((32, 32, 3))
    shared = layers.Conv2D(3, 3, padding="same")
    inner = keras.Sequential(
        [layers.Conv2D(4, 3, strides=2, padding="same"), layers.UpSampling2D(2)]
    )
    x = layers.Add()([inner(shared(image)), layers.Conv2D(4, 1)(shared(shared(image)))])
    x = layers.Cropping2D(((2, 0), (0, 1)))(layers.ZeroPadding2D(((1, 1), (1, 0)))(x))
    x = layers.Conv2D(3, 5, padding="same", dilation_rate=2)(x)
    generator = networks.with_drawn_weights(keras.Model(image, x[..., :3]))
    assert strips.takes_strips(generator)
    (pixels,) = random_images(1, 96, 64, 3)
    one_pass = np.asarray(rebuilding.with_size(generator, (96, 64))(pixels[None]))[0]
    np.testing.assert_allclose(strips.run(generator, pixels), one_pass, atol=2e-5)


@pytest.mark.parametrize("layer", [layers.Softmax(axis=1), layers.AveragePooling2D(1)])
def test_layers_that_are_not_known_are_not_run_in_strips(layer):
    image = keras.Input((32, 32, 3))
    assert not strips.takes_strips(keras.Model(image, layer(image)))


def test_what_is_kept_in_memory_has_a_limit(small_strips, random_images, monkeypatch):
    generator, files = GENERATORS["unet"](), []
    monkeypatch.setattr(
        strips, "_InFile", lambda *args, make=strips._InFile: files.append(args) or make(*args)
    )
    most, store = [], strips._Room.store

    def watched(room, *args):
        made = store(room, *args)
        most.append(sum(each.num_bytes for each in room._in_memory))
        return made

    monkeypatch.setattr(strips._Room, "store", watched)
    (x,) = random_images(1, 320, 320, 3)
    strips.run(generator, x)
    assert files
    assert max(most) <= strips.MAX_KEPT_BYTES
    assert max(most) > strips.MAX_KEPT_BYTES / 2


def test_large_pictures_are_run_in_strips(small_strips, random_images, monkeypatch):
    generator = GENERATORS["deep_unet"]()
    (x,) = random_images(1, 250, 330, 3)
    one_pass = AnySize(generator)(x)
    monkeypatch.setattr(whole, "MAX_BYTES", 2e6)
    seen, run = [], strips.run
    monkeypatch.setattr(strips, "run", lambda g, x: seen.append(x.shape) or run(g, x))
    in_strips = AnySize(generator)(x)
    assert seen == [(256, 352, 3)]
    np.testing.assert_allclose(in_strips, one_pass, atol=2e-5)


def test_a_full_disk_is_told(small_strips, random_images, monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(strips.tempfile, "TemporaryFile", lambda **_: Full())
    (x,) = random_images(1, 320, 320, 3)
    with pytest.raises(OSError, match="TMPDIR") as caught:
        strips.run(GENERATORS["unet"](), x)
    # So that a batch ends, and not only this picture.
    assert caught.value.errno == errno.ENOSPC


def test_strips_are_as_small_as_what_they_are_made_of(random_images, monkeypatch):
    """The last layer makes few channels of many, of which so many rows would be too much."""
    monkeypatch.setattr(strips, "STRIP_BYTES", 40_000)
    generator, sizes = GENERATORS["unet"](), []
    for layer in generator.layers:
        if hasattr(layer, "kernel"):
            call = layer.call
            monkeypatch.setattr(
                layer, "call", lambda x, call=call: sizes.append(tf.size(x).numpy()) or call(x)
            )
    (x,) = random_images(1, 320, 320, 3)
    strips.run(generator, x)
    # With the margins, which are a few rows of at most 320 pixels or as many numbers.
    assert max(sizes) * 4 < 2.5 * strips.STRIP_BYTES
