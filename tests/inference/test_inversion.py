"""Translating by inversion, with generators whose inverse is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.inference import arrays, inversion
from cyclegan_keras.inference.inversion import TranslateByInversion, translator
from cyclegan_keras.inference.safe_loading.model_files import load_generator
from cyclegan_keras.metrics import diagnostics, hidden_code, round_trip
from cyclegan_keras.metrics.paired import errors

# Half of the latent variable is the image of A, and its opposite is that of B.
SHARE = 0.5


def generators():
    latent = keras.Input((4,))
    img = keras.layers.Reshape((2, 2, 1))(latent)
    scale = keras.layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer="ones")
    img = scale(img)
    outputs = [keras.layers.Rescaling(SHARE)(img), keras.layers.Rescaling(-1.0)(img)]
    return keras.Model(latent, outputs)


def both_ways(**settings):
    made = generators()
    layers = [
        TranslateByInversion(made, source, num_steps=150, num_starts=2, **settings)
        for source in (0, 1)
    ]
    names = ("g_AB", "g_BA")
    return {
        name: translator(layer, name) for name, layer in zip(names, layers, strict=True)
    }, layers


@pytest.fixture
def imgs():
    """Images of A that the generator can make."""
    return np.random.default_rng(0).uniform(-0.45, 0.45, (5, 2, 2, 1)).astype("float32")


@pytest.mark.parametrize("loss", ["L1", "L2"])
def test_the_latent_that_is_found_gives_the_image_back(imgs, loss):
    networks, _ = both_ways(loss=loss)
    translated, inverted = arrays.translate_and_invert(networks["g_AB"], imgs)
    np.testing.assert_allclose(inverted, imgs, atol=0.01)
    np.testing.assert_allclose(translated, -imgs / SHARE, atol=0.02)
    # Both are of one latent variable.
    np.testing.assert_allclose(translated, -inverted / SHARE, atol=1e-6)


def test_one_step_of_the_search_by_hand(imgs):
    starts, rate = 3, inversion.RATE
    layer = TranslateByInversion(generators(), num_steps=1, num_starts=starts, seed=7)
    drawn = tf.random.stateless_uniform((inversion.CANDIDATES * starts, 4), (7, 0), -1.0, 1.0)
    wanted = imgs.reshape(5, 1, 4)

    def errors(latent):
        return np.abs(SHARE * latent - wanted).mean(axis=-1)

    candidates = np.broadcast_to(drawn, (5, *drawn.shape))
    nearest = np.argsort(errors(candidates), axis=1)[:, :starts]
    latent = np.take_along_axis(candidates, nearest[..., None], axis=1)
    # The first step of Adam goes as far in each direction.
    latent = np.clip(latent - rate * np.sign(SHARE * latent - wanted), -1, 1)
    best = np.argmin(errors(latent), axis=1)
    assert (best > 0).any(), "another seed is needed"
    expected = latent[np.arange(5), best]
    inverted, translated = layer.both(imgs)
    np.testing.assert_allclose(np.reshape(inverted, (5, 4)), SHARE * expected, atol=1e-5)
    np.testing.assert_allclose(np.reshape(translated, (5, 4)), -expected, atol=1e-5)


def test_the_error_of_the_inversion_is_what_no_latent_can_make(imgs):
    networks, _ = both_ways()
    # With |z| <= 1, the generator makes at most 0.5: of 0.75, it lacks 0.25, which is 32 levels.
    pixels = np.full((2, 2, 2, 1), round(0.75 * 127.5 + 127.5), np.uint8)
    (batch,) = round_trip.batches(networks, "AB", pixels)
    found = errors(batch)
    expected = (pixels[0, 0, 0, 0] - 127.5) - SHARE * 127.5
    np.testing.assert_allclose(found["inversion"], expected, atol=0.1)
    # The way back is by the same latent variable, so it ends where the inversion does.
    np.testing.assert_array_equal(found["cycle"], found["inversion"])
    assert "identity" not in found


@pytest.fixture
def searched(monkeypatch):
    """The numbers of images that were searched for, call by call."""
    counts = []

    def known(self, imgs):
        if not hasattr(self._traced, "counts"):
            self._traced = Counting(self._traced, counts)
        return real(self, imgs)

    real = TranslateByInversion._known
    monkeypatch.setattr(TranslateByInversion, "_known", known)
    return counts


class Counting:
    """A search that takes note of how many images it is for."""

    def __init__(self, search, counts):
        self.search, self.counts = search, counts

    def __call__(self, imgs):
        self.counts.append(len(imgs))
        return self.search(imgs)


def test_each_image_is_searched_once(imgs, searched):
    networks, (layer, _) = both_ways()
    first = arrays.translate_images(networks["g_AB"], imgs)
    assert searched == [4, 1]
    again = arrays.translate_images(networks["g_AB"], imgs[::-1])
    assert searched == [4, 1]
    np.testing.assert_array_equal(again[::-1], first)
    # New ones beside known ones: those only.
    more = np.concatenate([imgs[:2], imgs[:2] / 2])
    layer.both(more)
    assert searched == [4, 1, 2]


def test_other_weights_are_another_search(imgs, searched):
    networks, (layer, _) = both_ways()
    small = imgs[:1] / 2
    first = arrays.translate_images(networks["g_AB"], small)
    layer.generators.weights[0].assign([[[[0.75]]]])
    inverted, translated = layer.both(small)
    assert searched == [1, 1]
    # 0.75 of another z is the same image, and so is its translation; from the old z, they are not.
    np.testing.assert_allclose(inverted, small, atol=0.01)
    np.testing.assert_allclose(translated, first, atol=0.04)


def test_what_is_remembered_has_a_limit(imgs, searched, monkeypatch):
    monkeypatch.setattr(inversion, "MOST_FOUND", 2)
    networks, _ = both_ways()
    for _ in range(2):
        arrays.translate_images(networks["g_AB"], imgs)
    assert searched == [4, 1, 4, 1]


def test_a_whole_evaluation_searches_each_image_once(imgs, searched):
    networks, _ = both_ways()
    pixels = {d: np.round(imgs * 127.5 + 127.5).astype(np.uint8) for d in "AB"}
    for way in round_trip.WAYS:
        list(round_trip.batches(networks, way, pixels[way[0]]))
    assert hidden_code.measure(networks, pixels) == {}
    assert sum(searched) == 2 * len(imgs)


def test_what_is_not_measured_is_said():
    (words,) = diagnostics.not_measured({"inversion_AB": 1.0})
    assert "No identity errors and no cycle errors with noise" in words
    assert diagnostics.not_measured({}) == []


def test_it_is_saved_and_loaded(imgs, tmp_path):
    networks, _ = both_ways()
    networks["g_AB"].save(tmp_path / "g_AB.keras")
    loaded = load_generator(tmp_path / "g_AB.keras")
    np.testing.assert_array_equal(
        arrays.translate_images(loaded, imgs), arrays.translate_images(networks["g_AB"], imgs)
    )
