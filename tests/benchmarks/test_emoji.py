"""The set of emoji, made from two packages."""

import json

import numpy as np
from PIL import Image

from benchmarks import emoji


def _package(folder, vendor, level, names):
    pictures = folder / "img" / vendor / "64"
    pictures.mkdir(parents=True)
    known = [
        {"image": name, "category": "Flags" if name.startswith("flag") else "Objects"}
        for name in names
    ]
    (folder / "emoji.json").write_text(json.dumps(known), encoding="utf-8")
    for name in names:
        picture = np.zeros((8, 8, 4), np.uint8)
        picture[2:6, 2:6] = level, level, level, 255
        Image.fromarray(picture).save(pictures / name)
    return folder


def test_only_test_images_have_partners_and_all_are_on_white(tmp_path, monkeypatch):
    monkeypatch.setattr(emoji, "NUM_TEST", 3)
    names = [f"{i}.png" for i in range(11)]
    one = _package(tmp_path / "one", "one", 10, [*names, "flag.png", "only_here.png"])
    other = _package(tmp_path / "other", "other", 200, [*names, "flag.png"])
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
