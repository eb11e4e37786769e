"""The set of emoji, made from two packages."""

import json

import numpy as np
from PIL import Image

from benchmarks import emoji


def _draw(folder, level, names):
    folder.mkdir(parents=True)
    for name in names:
        picture = np.zeros((8, 8, 4), np.uint8)
        picture[2:6, 2:6] = level, level, level, 255
        Image.fromarray(picture).save(folder / name, lossless=True)


def test_only_test_images_have_partners_and_all_are_on_white(tmp_path, monkeypatch):
    monkeypatch.setattr(emoji, "NUM_TEST", 3)
    names = [f"{i}.png" for i in range(11)]
    one, other = tmp_path / "one", tmp_path / "other"
    _draw(one / "img" / "vendor" / "64", 10, [*names, "flag.png", "only_here.png"])
    _draw(other / "assets", 200, [name.replace("png", "webp") for name in (*names, "flag.png")])
    known = [
        {"image": name, "category": "Flags" if name == "flag.png" else "Objects"}
        for name in (*names, "flag.png", "only_here.png")
    ]
    (one / "emoji.json").write_text(json.dumps(known), encoding="utf-8")
    assert emoji.main([str(one), str(other), str(tmp_path / "set")]) == 0
    found = {
        each.name: {file.name for file in each.iterdir()} for each in (tmp_path / "set").iterdir()
    }
    assert {name: len(files) for name, files in found.items()} == {
        "trainA": 4,
        "trainB": 4,
        "testA": 3,
        "testB": 3,
    }
    assert found["testA"] == found["testB"]
    parts = [found["trainA"], found["trainB"], found["testA"]]
    assert set.union(*parts) == set(names)
    assert sum(map(len, parts)) == len(names)
    for domain, level in (("A", 10), ("B", 200)):
        for file in (tmp_path / "set" / f"train{domain}").iterdir():
            pixels = np.asarray(Image.open(file))
            assert (pixels[0, 0] == 255).all()
            assert (pixels[3, 3] == level).all()
