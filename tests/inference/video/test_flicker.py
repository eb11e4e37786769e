"""Flicker of frames whose motion and changes are known."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.inference.video import Flicker, FlickerMeter


@pytest.fixture(scope="module")
def scene():
    """A picture with structure everywhere, as large areas and small ones."""
    random = np.random.default_rng(0)
    coarse, fine = (
        Image.fromarray(random.integers(40, 216, (size, size, 3)).astype(np.uint8)).resize(
            (320, 320)
        )
        for size in (10, 60)
    )
    return np.asarray(Image.blend(coarse, fine, 0.3)).astype(float)


def measured(scene, move, translation, count=5, size=(120, 160)):
    meter = FlickerMeter()
    for number in range(count):
        top, left = 80 + move[0] * number, 80 + move[1] * number
        shown = scene[top : top + size[0], left : left + size[1]]
        translated = np.clip(np.rint(translation(shown, number)), 0, 255)
        meter.add(shown.astype(np.uint8), translated.astype(np.uint8))
    return meter.result()


def test_what_changes_by_itself_counts_in_levels(scene):
    found = measured(scene, (0, 0), lambda shown, number: 100 + 6 * (number % 2) + 0 * shown)
    assert found == Flicker(6, 1, 4)


def test_what_is_as_the_source_is_no_flicker(scene):
    noise = np.random.default_rng(1)

    def shaken(shown, number):
        return shown + noise.normal(0, 2, shown.shape)

    meter = FlickerMeter()
    for number in range(3):
        shown = np.clip(shaken(scene[:90, :90], number), 0, 255).astype(np.uint8)
        meter.add(shown, 255 - shown)
    assert meter.result().levels == 0


@pytest.mark.parametrize("move", [(3, -2), (7, 5), (-10, 9)])
def test_motion_is_undone(scene, move):
    # Half the contrast, so that motion that is not undone would change the source more than it.
    steady = measured(scene, move, lambda shown, number: 255 - shown)
    assert steady.levels < 0.1
    assert steady.share > 0.75
    flickers = measured(scene, move, lambda shown, number: shown / 2 + 60 + 6 * (number % 2))
    assert flickers.levels == pytest.approx(6, abs=0.5)


def test_a_still_translation_of_what_moves_has_changed(scene):
    # Where the source moves, a translation that stays behind does flicker: textures that stick to
    # the screen are seen.
    fixed = scene[:120, :160] * 1.0
    assert measured(scene, (5, 4), lambda shown, number: fixed).levels > 5


def test_a_cut_is_not_measured(scene):
    meter = FlickerMeter()
    other = np.random.default_rng(3).integers(0, 256, scene.shape).astype(np.uint8)
    for shown in (scene.astype(np.uint8), other):
        meter.add(shown, shown)
    assert meter.result() is None


@pytest.mark.parametrize("size", [(1, 1), (7, 500), (48, 3)])
def test_every_size_is_measured(size):
    meter = FlickerMeter()
    for level in (100, 103):
        meter.add(np.full((*size, 3), 50, np.uint8), np.full((*size, 3), level, np.uint8))
    assert meter.result() == Flicker(3, 1, 1)


def test_large_frames_are_measured_like_small_ones():
    small = np.random.default_rng(0).integers(60, 190, (20, 30, 3)).astype(np.uint8)
    large = np.asarray(Image.fromarray(small).resize((900, 600), Image.Resampling.NEAREST))
    meter = FlickerMeter()
    for level in (0, 5):
        meter.add(large, large + np.uint8(level))
    assert meter.result() == Flicker(5, 1, 1)


def test_a_single_frame_has_no_flicker():
    meter = FlickerMeter()
    meter.add(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8))
    assert meter.result() is None
