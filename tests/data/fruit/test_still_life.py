import pathlib

import numpy as np
import pytest

from cyclegan_keras.data.fruit import sets, still_life

Pairs = list[tuple[still_life.Scene, np.ndarray, np.ndarray]]


def scenes(count: int, seed: int = 5) -> list[still_life.Scene]:
    rng = np.random.default_rng(seed)
    return [still_life.Scene.random(rng) for _ in range(count)]


def distances(scene: still_life.Scene, size: int) -> np.ndarray:
    """Distance of every pixel from the middle of the fruit, in radii."""
    centres = (np.arange(size) + 0.5) / size
    dx, dy = centres - scene.centre[0], centres[:, None] - scene.centre[1]
    return np.hypot(dx, dy) / scene.radius


def green_over_red(picture: np.ndarray, scene: still_life.Scene) -> float:
    inside = picture[distances(scene, len(picture)) < 0.95].astype(float)
    return inside[:, 1].mean() / inside[:, 0].mean()


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    draw = still_life.draw_scene
    return [(s, draw(s, "apple", 64), draw(s, "orange", 64)) for s in scenes(40)]


@pytest.mark.parametrize("kind", still_life.KINDS)
@pytest.mark.parametrize("size", [16, 64, 100, 128, 200])
def test_a_drawing_is_rgb_bytes_of_the_size_asked_for(kind: str, size: int) -> None:
    picture = still_life.draw_scene(scenes(1)[0], kind, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("kind", still_life.KINDS)
def test_drawing_twice_gives_the_same_pixels(kind: str) -> None:
    scene = scenes(1)[0]
    np.testing.assert_array_equal(
        still_life.draw_scene(scene, kind), still_life.draw_scene(scene, kind)
    )


def test_numpys_global_state_is_left_alone(tmp_path: pathlib.Path) -> None:
    before = np.random.get_state(legacy=False)
    sets.write_fruit(tmp_path / "fruit", num_train=1, num_test=1, size=16)
    np.testing.assert_equal(np.random.get_state(legacy=False), before)


@pytest.mark.parametrize("kind", still_life.KINDS)
def test_another_size_is_the_same_picture_scaled(kind: str) -> None:
    for scene in scenes(4):
        small = still_life.draw_scene(scene, kind, 64).astype(float)
        for size in (128, 256):
            large = still_life.draw_scene(scene, kind, size).astype(float)
            shrunk = large.reshape(64, size // 64, 64, size // 64, 3).mean(axis=(1, 3))
            assert np.abs(shrunk - small).mean() < 1.0


def test_both_drawings_of_a_scene_share_everything_but_the_fruit() -> None:
    for scene in scenes(12):
        apple, orange = (still_life.draw_scene(scene, kind) for kind in still_life.KINDS)
        away = distances(scene, 128)
        differs = (apple != orange).any(axis=-1)
        # The apple's stem reaches furthest.
        assert not differs[away > 1.4].any()
        # Next to the fruit and under it, shadow included, there is no stem either.
        below = np.arange(128)[:, None] / 128 > scene.centre[1]
        assert not differs[(away > 1.12) & below].any()
        assert differs[away < 0.5].all()


def test_the_outlines_nearly_coincide() -> None:
    for scene in scenes(12):
        apple, orange = (
            still_life.draw_scene(scene, kind).astype(int) for kind in still_life.KINDS
        )
        far = np.abs(apple - orange).max(axis=-1) > 8
        away = distances(scene, 128)
        assert far[away > 1.08].mean() < 0.01


def test_every_apple_is_red_and_every_orange_is_orange(pairs: Pairs) -> None:
    for scene, apple, orange in pairs:
        assert green_over_red(apple, scene) < 0.32
        assert 0.45 < green_over_red(orange, scene) < 0.8


def test_there_is_much_to_translate_in_every_scene(pairs: Pairs) -> None:
    errors = [np.abs(apple / 127.5 - orange / 127.5).mean() for _, apple, orange in pairs]
    assert 0.19 < np.mean(errors) < 0.23
    assert min(errors) > 0.15


def test_a_brighter_apple_is_a_brighter_orange(pairs: Pairs) -> None:
    # The truth has to be predictable: over many scenes the brightnesses go together.
    brightness = []
    for scene, *drawn in pairs:
        inside = distances(scene, 64) < 0.9
        brightness.append([picture[inside].mean() for picture in drawn])
    assert np.corrcoef(np.transpose(brightness))[0, 1] > 0.9


def test_an_affine_map_of_colours_translates_most_of_the_fruit(pairs: Pairs) -> None:
    drawn = np.array([pictures for _, *pictures in pairs]) / 127.5 - 1.0
    # What is equal in both, such as leaf and table, needs no translation.
    fruity = (drawn[:, 0] != drawn[:, 1]).any(axis=-1)
    for source, truth in ((drawn[:, 0], drawn[:, 1]), (drawn[:, 1], drawn[:, 0])):
        colours = np.concatenate([source, np.ones((*source.shape[:-1], 1))], axis=-1)
        fit, check = fruity.copy(), fruity.copy()
        fit[20:], check[:20] = False, False
        best, *_ = np.linalg.lstsq(colours[fit], truth[fit], rcond=None)
        error = np.abs((colours[check] @ best).clip(-1.0, 1.0) - truth[check]).sum()
        assert error < 0.20 * np.abs(source[check] - truth[check]).sum()


def test_scenes_differ_in_everything() -> None:
    drawn = [vars(scene) for scene in scenes(40)]
    for name in set(drawn[0]) - {"hue"}:  # Which only the scenes of `fruit_colors` have.
        assert len({scene[name] for scene in drawn}) > 1, name


def test_a_bad_kind_is_named() -> None:
    with pytest.raises(ValueError, match=r"apple.*orange.*Received: kind='pear'"):
        still_life.draw_scene(scenes(1)[0], "pear")


@pytest.mark.parametrize("size", [0, 15, 513, 64.0, True, "64"])
def test_a_bad_size_is_named(size: object) -> None:
    with pytest.raises(ValueError, match=r"from 16 to 512.*Received: size="):
        still_life.draw_scene(scenes(1)[0], "apple", size)  # type: ignore[arg-type]
