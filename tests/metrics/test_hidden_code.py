import numpy as np
import pytest

from cyclegan_keras.data.images import normalize
from cyclegan_keras.metrics import hidden_code


class Hides:
    """Translates to gray, and hides the red channel in the last quarter of a level."""

    def __call__(self, imgs, training=False):
        gray = np.round(imgs.mean(axis=-1, keepdims=True) * 127.5) / 127.5
        code = (imgs[..., :1] + 1) / 8 / 127.5
        return np.repeat(gray + code, 3, axis=-1)


class Reads:
    """Paints everything in the color that the code says."""

    def __call__(self, imgs, training=False):
        levels = imgs[..., :1] * 127.5
        code = (levels - np.round(levels)) * 8 - 1
        return np.repeat(code, 3, axis=-1)


@pytest.fixture
def pixels():
    gray = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 1), dtype=np.uint8)
    return {domain: np.repeat(gray, 3, axis=-1) for domain in "AB"}


def test_noise_destroys_a_code(pixels):
    found = hidden_code.measure({"g_AB": Hides(), "g_BA": Reads()}, pixels)
    assert set(found) == {hidden_code.key(x, d) for x in hidden_code.LEVELS for d in "AB"}
    imgs = normalize(pixels["A"])
    assert np.abs(Reads()(Hides()(imgs)) - imgs).max() < 1e-3
    # The code is a quarter of a level high: noise of 0.1 levels is noise of 0.8 in [-1, 1].
    assert found["noisy_cycle_0.1_A"] > 40
    assert found["noisy_cycle_1_A"] > 1.5 * found["noisy_cycle_0.1_A"]


def test_what_shows_survives_noise(pixels):
    same = lambda imgs, training=False: imgs  # noqa: E731
    found = hidden_code.measure({"g_AB": same, "g_BA": same}, pixels)
    for level in hidden_code.LEVELS:
        # The mean absolute value of noise; black and white cut some of it off.
        expected = level * np.sqrt(2 / np.pi)
        assert found[hidden_code.key(level, "B")] == pytest.approx(expected, rel=0.06)
    assert hidden_code.measure({"g_AB": same}, pixels) == {}
