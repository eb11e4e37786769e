import colorsys
import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data.fruit import sets, still_life

PARTS = ("trainA", "trainB", "testA", "testB")


def pixels(path: pathlib.Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    # The parent is missing too.
    target = tmp_path_factory.mktemp("data") / "sets" / "fruit"
    return sets.write_fruit(target, num_train=6, num_test=4, size=48, seed=3)


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
    same = sets.write_fruit(tmp_path / "same", num_train=6, num_test=4, size=48, seed=3)
    other = sets.write_fruit(tmp_path / "other", num_train=6, num_test=4, size=48, seed=4)
    assert contents(same) == contents(folder)
    changed, original = contents(other), contents(folder)
    assert not any(changed[name] == original[name] for name in original)


def test_more_pictures_do_not_change_the_first_ones(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    more = contents(sets.write_fruit(tmp_path / "f", num_train=8, num_test=5, size=48, seed=3))
    for name, data in contents(folder).items():
        if name.endswith(".png"):
            assert more[name] == data, name


def test_pairs_to_train_on_change_nothing_but_the_oranges(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    paired = contents(
        sets.write_fruit(tmp_path / "p", num_train=6, num_test=4, size=48, seed=3, train_pairs=True)
    )
    unpaired = contents(folder)
    assert paired.keys() == unpaired.keys()
    changed = sorted(name for name in paired if paired[name] != unpaired[name])
    assert changed == ["dataset.json", *(f"trainB/{i:04d}.png" for i in range(6))]
    about, plain = json.loads(paired["dataset.json"]), json.loads(unpaired["dataset.json"])
    assert about == {**plain, "name": "fruit_pairs", "train_pairs": True}
    for i in range(6):
        apple, orange = (pixels(tmp_path / "p" / f"train{d}" / f"{i:04d}.png") for d in "AB")
        # The scenes are the same, the fruit is not.
        np.testing.assert_array_equal(apple[:6, :6], orange[:6, :6])
        assert np.mean(apple[..., 1] < orange[..., 1]) > 0.1
        assert np.mean(np.any(apple != orange, axis=-1)) < 0.8


def test_an_empty_folder_is_filled(tmp_path: pathlib.Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()
    assert sets.write_fruit(str(target), num_train=1, num_test=1, size=16) == target
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
        sets.write_fruit(target, num_train=1, num_test=1, size=16)
    assert mine.read_text() == "keep me"
    assert list(tmp_path.rglob("*")) == ([target] if kind == "file" else [target, mine])


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_failure_half_way_leaves_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    draw, calls = sets.draw_scene, []

    def fail_at_the_fifth(scene: still_life.Scene, kind: str, size: int = 128) -> np.ndarray:
        calls.append(kind)
        if len(calls) == 5:
            assert any(tmp_path.rglob("*.png"))
            raise failure
        return draw(scene, kind, size)

    monkeypatch.setattr(sets, "draw_scene", fail_at_the_fifth)
    with pytest.raises(failure):
        sets.write_fruit(tmp_path / "fruit", num_train=3, num_test=1, size=16)
    assert list(tmp_path.iterdir()) == []


def test_losing_a_race_does_no_damage(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, target = sets.draw_scene, tmp_path / "fruit"

    def draw_while_another_finishes(
        scene: still_life.Scene, kind: str, size: int = 128
    ) -> np.ndarray:
        target.mkdir(exist_ok=True)
        (target / "winner.txt").write_text("first")
        return draw(scene, kind, size)

    monkeypatch.setattr(sets, "draw_scene", draw_while_another_finishes)
    with pytest.raises(FileExistsError, match=r"winner\.txt"):
        sets.write_fruit(target, num_train=1, num_test=1, size=16)
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
        sets.write_fruit(tmp_path / "fruit", **{name: value})  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_colors_are_of_the_oranges_alone(tmp_path: pathlib.Path) -> None:
    numbers = {"num_train": 5, "num_test": 4, "size": 48, "seed": 3}
    plain = sets.write_fruit(tmp_path / "fruit", **numbers)
    colors = sets.write_fruit(tmp_path / "colors", **numbers, colors=True)
    about = json.loads((colors / "dataset.json").read_text())
    assert about["name"] == "fruit_colors"
    hues = about["hues"]
    assert {name: len(values) for name, values in hues.items()} == {"trainB": 5, "testB": 4}
    for folder in ("trainA", "testA"):
        for path in sorted((plain / folder).iterdir()):
            assert path.read_bytes() == (colors / folder / path.name).read_bytes()
    for folder, values in hues.items():
        for number, hue in enumerate(values):
            assert sets.HUES[0] <= hue < sets.HUES[1]
            pixels = np.asarray(Image.open(colors / folder / f"{number:04d}.png")) / 255
            # The middle of the picture is always fruit.
            found, *_ = colorsys.rgb_to_hsv(*pixels[22:30, 20:28].mean(axis=(0, 1)))
            assert found == pytest.approx(hue, abs=0.04)
    # More of them begin with the same.
    more = sets.write_fruit(tmp_path / "more", **{**numbers, "num_train": 7}, colors=True)
    found = json.loads((more / "dataset.json").read_text())["hues"]
    assert found["trainB"][:5] == hues["trainB"]
    assert found["testB"] == hues["testB"]
