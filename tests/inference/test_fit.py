"""Pictures of other proportions than the generator's size: seen as it was trained."""

from typing import ClassVar

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import TrainConfig, translate_image
from cyclegan_keras.cli.main import main
from cyclegan_keras.data import fitting
from cyclegan_keras.data.images import normalize
from cyclegan_keras.inference.manner import Manner, Placement
from cyclegan_keras.inference.translate import Translator
from tests import tiny

SIZE = (32, 48)


@keras.saving.register_keras_serializable(package="tests")
class Watched(keras.layers.Layer):
    """Keeps what it sees, and makes its negative."""

    seen: ClassVar[list[np.ndarray]] = []

    def call(self, inputs):
        Watched.seen.append(np.asarray(inputs))
        return -inputs

    def compute_output_shape(self, input_shape):
        return input_shape


@pytest.fixture
def network(untraced):
    """A network of one layer, of which `Watched.seen` has what it saw last."""
    Watched.seen.clear()
    image = keras.Input((*SIZE, 3))
    return keras.Model(image, Watched()(image))


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(20, 90), (90, 20), (64, 96), (1, 7), (500, 3)])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_a_network_sees_what_it_was_trained_on(size, fit, network):
    pixels = noise(*size)
    translate_image(network, pixels, fit=fit)
    wanted = fitting.fitted(Image.fromarray(pixels), SIZE, fit)
    np.testing.assert_array_equal(Watched.seen[-1][0], normalize(np.asarray(wanted)))


@pytest.mark.parametrize("size", [(32, 31), (15, 48)])
def test_padding_is_cut_off_again(size, network):
    # Its middle is not that of the padded picture, so that a shift shows.
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[:6, :10] = 200
    plain = translate_image(network, pixels, fit="pad", detail="plain")
    np.testing.assert_array_equal(plain, 255 - pixels)


@pytest.mark.parametrize(
    ("size", "copy"),
    [
        ((64, 96), (32, 48)),
        ((64, 200), (32, 100)),  # The middle was seen in training, 64 × 96 as 32 × 48.
        ((200, 96), (100, 48)),
        ((16, 48), (32, 96)),
    ],
)
def test_cropping_scales_as_in_training_and_sees_the_whole_picture(size, copy, untraced):
    image = keras.Input((*SIZE, 3))
    doubled = keras.layers.UpSampling2D()(keras.layers.AveragePooling2D(2)(image))
    network = keras.Model(image, doubled)
    manner = Manner(fit="crop")
    assert manner.placement(network, size) == Placement(copy)
    assert Translator(network, manner)(noise(*size)).shape == (*size, 3)
    # In the middle, the scale is that of a training image.
    scales = {have / own for have, own in zip(copy, size, strict=True)}
    box = fitting.cropped_box(size, SIZE)
    assert scales == {SIZE[0] / box.height}


def test_a_line_of_pixels_stays_small():
    network = keras.Sequential([keras.Input((*SIZE, 3)), keras.layers.Rescaling(1)])
    assert Manner(fit="crop").placement(network, (1, 9000)) == Placement((2, 16_384))


def test_files_are_translated_as_their_run_was_trained(tmp_path):
    image = keras.Input((*SIZE, 3))
    # Blurs what it sees, so that scale and margins show.
    network = keras.Model(image, tiny.convolution(3, 1, "tanh", 0)(image))
    run = tmp_path / "run"
    run.mkdir()
    network.save(run / "g_AB.keras")
    Image.fromarray(noise(40, 130)).save(tmp_path / "x.png")

    def translated(*words):
        command = ["translate", run, tmp_path / "x.png", "--output", tmp_path / "o.png", *words]
        assert main([*map(str, command), "--overwrite"]) == 0
        return np.asarray(Image.open(tmp_path / "o.png"))

    results = {}
    for fit in ("stretch", "pad"):
        (run / "config.json").write_text(TrainConfig(image_size="32x48", fit=fit).to_json())
        results[fit] = translated()
        np.testing.assert_array_equal(translated("--fit", fit), results[fit])
        wanted = translate_image(network, noise(40, 130), fit=fit)
        assert np.abs(np.subtract(results[fit], wanted, dtype=int)).max() <= 1
    assert np.abs(np.subtract(*results.values(), dtype=int)).mean() > 5
    # A run of `pad` goes on with sizes of their own, for which it says nothing.
    np.testing.assert_array_equal(translated("--size", "48"), translated("--size", "48"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"fit": "squeeze"}, "`fit` must be one of stretch, crop, pad"),
        ({"fit": "pad", "size": 64}, "Leave one out. Received: fit='pad'"),
        ({"fit": "crop", "detail": "network"}, "Leave one out. Received: fit='crop'"),
    ],
)
def test_settings_that_cannot_be_are_told(settings, told):
    with pytest.raises(ValueError, match=told):
        Manner(**settings)


def test_a_translator_makes_the_network_of_a_size_once(monkeypatch):
    image = keras.Input((*SIZE, 3))
    network = keras.Model(image, keras.layers.Conv2D(3, 3, padding="same")(image))
    translator = Translator(network, Manner(detail="network"))
    from cyclegan_keras.inference import whole

    made, with_size = [], whole.with_size
    monkeypatch.setattr(whole, "with_size", lambda g, size: made.append(size) or with_size(g, size))
    first = translator(noise(40, 50))
    np.testing.assert_array_equal(translator(noise(40, 50)), first)
    assert len(made) == 1
    np.testing.assert_array_equal(translate_image(network, noise(40, 50), detail="network"), first)
