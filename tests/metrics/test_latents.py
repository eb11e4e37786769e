import keras
import numpy as np
import pytest

from cyclegan_keras.data.images import normalize
from cyclegan_keras.metrics import distances, latents, round_trip
from cyclegan_keras.metrics.features import Features

SHAPE = (4, 4, 1)


class Shade(keras.layers.Layer):
    """Makes images of one shade, the first number of the latent."""

    def call(self, inputs):
        img, latent = inputs
        return 0 * img + keras.ops.reshape(latent[:, :1] / 4, (-1, 1, 1, 1))


def generator():
    img, latent = keras.Input(SHAPE), keras.Input((2,))
    return keras.Model([img, latent], Shade()([img, latent]))


class MeanFeature:
    """The mean of an image is its only feature."""

    name = "mean"

    def __call__(self, pixels):
        return pixels.reshape(len(pixels), -1).mean(axis=1, keepdims=True).astype(np.float32)


def encoder(pair, training=False):
    """Finds the first number in B, and calls the second 0."""
    found = 4 * np.asarray(pair[1]).mean(axis=(1, 2, 3))
    return np.stack([found, 0 * found], axis=1)


@pytest.fixture
def pixels():
    shades = np.array([0, 40, 90, 255], np.uint8)
    return np.broadcast_to(shades[:, None, None, None], (4, *SHAPE)).copy()


def test_diversity_of_one_image(pixels):
    extractor = MeanFeature()
    real = Features(extractor(pixels), "mean")
    z = latents.draw_latents(generator(), latents.NUM_LATENTS, latents.SEED)[:, :1]
    levels = np.round(np.clip(z / 4, -1, 1) * 127.5 + 127.5).astype(np.float32)
    expected = distances.diversity(Features(levels, "mean")) / distances.diversity(real)
    found = latents.one_to_many(generator(), pixels, real, extractor)
    assert found == pytest.approx(expected, rel=0.02)
    same = lambda imgs, training=False: imgs  # noqa: E731
    assert latents.one_to_many(same, pixels, real, extractor) == 0
    flat = Features(np.ones((4, 1), np.float32), "mean")
    assert latents.one_to_many(generator(), pixels, flat, extractor) is None


def test_errors_of_latents(pixels):
    networks = {"g_AB": generator(), "e_B": encoder}
    z = latents.draw_latents(networks["g_AB"], 4, latents.SEED)
    # The first number is found, the second is called 0.
    expected = np.abs(z[:, 1]).mean() / 2
    assert latents.latent_error(networks, "AB", pixels) == pytest.approx(expected, rel=1e-5)
    assert latents.latent_error({"g_AB": networks["g_AB"]}, "AB", pixels) is None


def test_the_true_latent_is_that_of_the_pair(pixels):
    truths = pixels[::-1]
    networks = {"g_AB": generator(), "e_B": encoder}
    found = latents.with_true_latents(networks, "AB", pixels, truths)
    assert found == {"mse": pytest.approx(0, abs=1e-9), "truth_encoded": pytest.approx(0, abs=1e-4)}
    same = lambda imgs, training=False: imgs  # noqa: E731
    plain = latents.with_true_latents({"g_AB": same}, "AB", pixels, truths)
    assert plain == {"mse": pytest.approx(np.square(normalize(pixels) - normalize(truths)).mean())}
    assert latents.with_true_latents({"g_AB": generator()}, "AB", pixels, truths) == {}


def test_the_way_back_gets_the_latent_of_the_image(pixels):
    same = lambda imgs, training=False: imgs  # noqa: E731
    networks = {"g_AB": generator(), "g_BA": same, "e_B": encoder}
    (batch,) = round_trip.batches(networks, "BA", pixels)
    # A to B again, with what the encoder finds in the image of B.
    np.testing.assert_allclose(batch.reconstr, normalize(pixels), rtol=0, atol=1e-5)
    (batch,) = round_trip.batches(networks, "AB", pixels)
    assert len(np.unique(batch.translated)) == 4  # A random latent for each.
