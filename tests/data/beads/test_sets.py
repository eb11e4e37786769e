"""Beads: the same kinds on dark and on light cloth."""

import json

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data.beads import drawing
from cyclegan_keras.data.beads.sets import write_beads
from cyclegan_keras.data.labels import LabelledDataLoader

KINDS = ("blue", "cyan", "green", "magenta", "red", "yellow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_beads(tmp_path_factory.mktemp("data") / "beads", num_train=3, num_test=2)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(float)


def test_there_is_a_folder_for_each_kind(folder):
    for part, count in (("trainA", 3), ("trainB", 3), ("testA", 2), ("testB", 2)):
        assert sorted(path.name for path in (folder / part).iterdir()) == sorted(KINDS)
        for kind in KINDS:
            assert len(list((folder / part / kind).glob("*.png"))) == count
    about = json.loads((folder / "dataset.json").read_text())
    assert about["kinds"] == list(drawing.HUES)
    loader = LabelledDataLoader("beads", (32, 32), folder.parent)
    assert loader.classes == KINDS
    assert loader.test_pairs
    assert loader.labels("B").tolist() == [kind for kind in range(6) for _ in range(3)]


def test_a_test_scene_is_on_both_cloths(folder):
    for kind in KINDS:
        dark, light = (pixels(folder / f"test{d}/{kind}/0001.png") for d in "AB")
        is_cloth = np.ptp(dark, axis=-1) == 0
        assert dark[is_cloth].mean() <= 0.5 * 255 <= light[is_cloth].mean()
        np.testing.assert_allclose(dark[is_cloth], 255 - light[is_cloth], atol=1)
        is_bead = np.ptp(dark, axis=-1) >= 193  # The whole range of a bead's colours.
        assert is_bead.sum() > 20
        # A bead is as much paler as the range from 0.35 to 0.95 is than that from 0.12 to 0.88, but
        # for the outermost pixels, in which there is a trace of the cloth.
        share = (dark[is_bead] / 255 - 0.12) / 0.76
        np.testing.assert_allclose(light[is_bead] / 255, 0.35 + 0.6 * share, atol=0.02)


def test_the_colours_of_a_bead():
    # An orange of 20 degrees: all red, a third of the way to all green, no blue.
    scene = drawing.Scene("red", 20.0, ((0.5, 0.5, 0.3),), 0.2)
    dark, light = (drawing.draw_scene(scene, cloth, 16)[8, 8] for cloth in ("dark", "light"))
    third = 1 / 3
    np.testing.assert_array_equal(dark, np.round(255 * np.array([0.88, 0.12 + 0.76 * third, 0.12])))
    np.testing.assert_array_equal(light, np.round(255 * np.array([0.95, 0.35 + 0.6 * third, 0.35])))


def test_turned_hues_look_like_another_kind():
    # The reason why a translator without labels cannot know which kind is which.
    turned_by_a_third = {"red": "green", "green": "blue", "yellow": "cyan", "cyan": "magenta"}
    for cloth in ("dark", "light"):
        for one, other in turned_by_a_third.items():
            scene = drawing.Scene.random(np.random.default_rng(0), one)
            assert (drawing.HUES[other] - drawing.HUES[one]) % 360 == 120
            turned = drawing.Scene(other, scene.hue + 120, scene.beads, scene.cloth)
            # By 120 degrees, red becomes green, green blue, and blue red.
            expected = np.roll(drawing.draw_scene(scene, cloth, 32), 1, axis=-1)
            np.testing.assert_allclose(
                drawing.draw_scene(turned, cloth, 32).astype(float), expected, atol=1
            )


def test_the_seed_decides_and_more_are_added_behind(folder, tmp_path):
    again = write_beads(tmp_path / "again", num_train=4, num_test=2, seed=0)
    for part in ("trainA", "testB"):
        for kind in KINDS:
            name = f"{part}/{kind}/0001.png"
            assert (again / name).read_bytes() == (folder / name).read_bytes()
    other = write_beads(tmp_path / "other", num_train=1, num_test=1, seed=1)
    name = "trainA/red/0000.png"
    assert (other / name).read_bytes() != (folder / name).read_bytes()


def test_nothing_is_overwritten(folder):
    with pytest.raises(FileExistsError, match="missing or empty"):
        write_beads(folder)
    with pytest.raises(ValueError, match="size=8"):
        write_beads(folder.parent / "new", size=8)
    assert not (folder.parent / "new").exists()
