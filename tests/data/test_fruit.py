"""The embedded data set: what is drawn, and that a folder appears whole or not at all."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data import fruit

Pairs = list[tuple[fruit.Scene, np.ndarray, np.ndarray]]
PARTS = ("trainA", "trainB", "testA", "testB")


def scenes(count: int, seed: int = 5) -> list[fruit.Scene]:
    rng = np.random.default_rng(seed)
    return [fruit.Scene.random(rng) for _ in range(count)]


def pixels(path: pathlib.Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def distances(scene: fruit.Scene, size: int) -> np.ndarray:
    """Distance of every pixel from the middle of the fruit, in radii."""
    centres = (np.arange(size) + 0.5) / size
    dx, dy = centres - scene.centre[0], centres[:, None] - scene.centre[1]
    return np.hypot(dx, dy) / scene.radius


def green_over_red(picture: np.ndarray, scene: fruit.Scene) -> float:
    inside = picture[distances(scene, len(picture)) < 0.95].astype(float)
    return inside[:, 1].mean() / inside[:, 0].mean()


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    # The parent is missing too.
    target = tmp_path_factory.mktemp("data") / "sets" / "fruit"
    return fruit.write_fruit(target, num_train=6, num_test=4, size=48, seed=3)


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    draw = fruit.draw_scene
    return [(s, draw(s, "apple", 64), draw(s, "orange", 64)) for s in scenes(40)]


# The drawing.


@pytest.mark.parametrize("kind", fruit.KINDS)
@pytest.mark.parametrize("size", [16, 64, 100, 128, 200])
def test_a_drawing_is_rgb_bytes_of_the_size_asked_for(kind: str, size: int) -> None:
    picture = fruit.draw_scene(scenes(1)[0], kind, size)
    assert picture.shape == (size, size, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("kind", fruit.KINDS)
def test_drawing_twice_gives_the_same_pixels(kind: str) -> None:
    scene = scenes(1)[0]
    np.testing.assert_array_equal(fruit.draw_scene(scene, kind), fruit.draw_scene(scene, kind))


def test_numpys_global_state_is_left_alone(tmp_path: pathlib.Path) -> None:
    before = np.random.get_state(legacy=False)
    fruit.write_fruit(tmp_path / "fruit", num_train=1, num_test=1, size=16)
    np.testing.assert_equal(np.random.get_state(legacy=False), before)


@pytest.mark.parametrize("kind", fruit.KINDS)
def test_another_size_is_the_same_picture_scaled(kind: str) -> None:
    for scene in scenes(4):
        small = fruit.draw_scene(scene, kind, 64).astype(float)
        for size in (128, 256):
            large = fruit.draw_scene(scene, kind, size).astype(float)
            shrunk = large.reshape(64, size // 64, 64, size // 64, 3).mean(axis=(1, 3))
            assert np.abs(shrunk - small).mean() < 1.0


def test_both_drawings_of_a_scene_share_everything_but_the_fruit() -> None:
    for scene in scenes(12):
        apple, orange = (fruit.draw_scene(scene, kind) for kind in fruit.KINDS)
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
        apple, orange = (fruit.draw_scene(scene, kind).astype(int) for kind in fruit.KINDS)
        far = np.abs(apple - orange).max(axis=-1) > 8
        away = distances(scene, 128)
        assert far[away > 1.08].mean() < 0.01


def test_every_apple_is_red_and_every_orange_is_orange(pairs: Pairs) -> None:
    for scene, apple, orange in pairs:
        assert green_over_red(apple, scene) < 0.32
        assert 0.45 < green_over_red(orange, scene) < 0.8


def test_there_is_much_to_translate_in_every_scene(pairs: Pairs) -> None:
    errors = [np.abs(apple / 127.5 - orange / 127.5).mean() for _, apple, orange in pairs]
    assert 0.15 < np.mean(errors) < 0.19
    assert min(errors) > 0.11


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
    for name in drawn[0]:
        assert len({scene[name] for scene in drawn}) > 1, name


def test_a_bad_kind_is_named() -> None:
    with pytest.raises(ValueError, match=r"apple.*orange.*Received: kind='pear'"):
        fruit.draw_scene(scenes(1)[0], "pear")


@pytest.mark.parametrize("size", [0, 15, 513, 64.0, True, "64"])
def test_a_bad_size_is_named(size: object) -> None:
    with pytest.raises(ValueError, match=r"from 16 to 512.*Received: size="):
        fruit.draw_scene(scenes(1)[0], "apple", size)  # type: ignore[arg-type]


# The folder.


def test_the_folder_has_all_parts_and_says_how_it_was_made(folder: pathlib.Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == sorted([*PARTS, "dataset.json"])
    for part in PARTS:
        names = sorted(p.name for p in (folder / part).iterdir())
        assert names == [f"{i:04d}.png" for i in range(6 if "train" in part else 4)]
        for name in names:
            assert pixels(folder / part / name).shape == (48, 48, 3)
    assert json.loads((folder / "dataset.json").read_text(encoding="utf-8")) == {
        "name": "fruit",
        "version": 1,
        "seed": 3,
        "size": 48,
        "num_train": 6,
        "num_test": 4,
        "domain_A": "apples",
        "domain_B": "oranges",
        "test_pairs": True,
    }
    # No draft is left next to it.
    assert list(folder.parent.iterdir()) == [folder]


def test_a_is_apples_and_b_is_oranges(folder: pathlib.Path) -> None:
    for part in PARTS:
        for path in (folder / part).iterdir():
            # The middle of the picture is always fruit.
            middle = pixels(path)[20:34, 18:30].astype(float).mean(axis=(0, 1))
            assert (middle[1] / middle[0] < 0.4) == part.endswith("A"), path


def test_the_test_scenes_are_paired_and_the_training_scenes_are_not(folder: pathlib.Path) -> None:
    def corners(part: str) -> list[bytes]:
        return [pixels(path)[:6, :6].tobytes() for path in sorted((folder / part).iterdir())]

    assert corners("testA") == corners("testB")
    everything = corners("trainA") + corners("trainB") + corners("testA")
    assert len(set(everything)) == len(everything)


def test_the_seed_decides_every_byte(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    same = fruit.write_fruit(tmp_path / "same", num_train=6, num_test=4, size=48, seed=3)
    other = fruit.write_fruit(tmp_path / "other", num_train=6, num_test=4, size=48, seed=4)
    assert contents(same) == contents(folder)
    changed, original = contents(other), contents(folder)
    assert not any(changed[name] == original[name] for name in original)


def test_more_pictures_do_not_change_the_first_ones(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    more = contents(fruit.write_fruit(tmp_path / "f", num_train=8, num_test=5, size=48, seed=3))
    for name, data in contents(folder).items():
        if name.endswith(".png"):
            assert more[name] == data, name


def test_an_empty_folder_is_filled(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    assert fruit.write_fruit(str(target), num_train=1, num_test=1, size=16) == target
    assert (target / "dataset.json").is_file()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_is_never_overwritten(tmp_path: pathlib.Path, kind: str) -> None:
    target = tmp_path / "taken"
    mine = target
    if kind == "folder":
        target.mkdir()
        mine = target / "mine.txt"
    mine.write_text("keep me")
    with pytest.raises(FileExistsError, match=r"must be missing or empty.*name another folder"):
        fruit.write_fruit(target, num_train=1, num_test=1, size=16)
    assert mine.read_text() == "keep me"
    assert list(tmp_path.rglob("*")) == ([target] if kind == "file" else [target, mine])


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_half_way_leaves_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    draw, calls = fruit.draw_scene, []

    def fail_at_the_fifth(scene: fruit.Scene, kind: str, size: int = 128) -> np.ndarray:
        calls.append(kind)
        if len(calls) == 5:
            assert any(tmp_path.rglob("*.png"))
            raise failure
        return draw(scene, kind, size)

    monkeypatch.setattr(fruit, "draw_scene", fail_at_the_fifth)
    with pytest.raises(failure):
        fruit.write_fruit(tmp_path / "fruit", num_train=3, num_test=1, size=16)
    assert list(tmp_path.iterdir()) == []


def test_losing_a_race_does_no_damage(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, target = fruit.draw_scene, tmp_path / "fruit"

    def draw_while_another_finishes(scene: fruit.Scene, kind: str, size: int = 128) -> np.ndarray:
        target.mkdir(exist_ok=True)
        (target / "winner.txt").write_text("first")
        return draw(scene, kind, size)

    monkeypatch.setattr(fruit, "draw_scene", draw_while_another_finishes)
    with pytest.raises(FileExistsError, match=r"winner\.txt"):
        fruit.write_fruit(target, num_train=1, num_test=1, size=16)
    assert list(tmp_path.rglob("*")) == [target, target / "winner.txt"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_train", 0),
        ("num_train", 2.0),
        ("num_test", -1),
        ("num_test", True),
        ("size", 8),
        ("size", 4096),
        ("seed", -1),
        ("seed", None),
    ],
)
def test_a_bad_number_is_named_before_anything_is_written(
    tmp_path: pathlib.Path, name: str, value: object
) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must be an integer.*Received: {name}="):
        fruit.write_fruit(tmp_path / "fruit", **{name: value})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
