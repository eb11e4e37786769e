"""The key of a study, written once and checked when it is read."""

import json

import pytest

from cyclegan_keras.study import key as keys


def test_a_key_comes_back(key, tmp_path):
    path = keys.place(tmp_path / "my.study.html")
    assert path.name == "my.study.key.json"
    keys.write(path, key)
    assert keys.read(path) == key
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="never replaced"):
        keys.write(path, key)
    assert path.read_bytes() == before


def change(**values):
    return lambda content: {**content, **values}


@pytest.mark.parametrize(
    "spoil",
    [
        change(trials=[]),
        change(trials=[{"pair": [0, 1], "scored": 2}]),
        change(trials=[{"pair": [1, 0], "scored": 1}]),
        change(trials=[{"pair": [0, 0], "scored": 0}]),
        change(trials=[{"pair": [0, True], "scored": 0}]),
        change(trials=[{"pair": [0, 1], "scored": 0}] * 2),
        change(trials=[{"pair": [0, 1], "scored": 0}, {"pair": [1, 2], "scored": 1}]),
        change(trials=[{"pair": [0, 1, 2], "scored": 0}]),
        change(trials=7),
        change(kind="neither"),
        change(runs=["one", "two"]),
        change(kind="two runs"),
        change(study=5),
        change(exposure_ms=0),
        change(exposure_ms=float("nan")),
        change(about=[1]),
        change(format="cyclegan study result"),
        change(version=2),
        lambda content: [content],
        lambda content: {name: x for name, x in content.items() if name != "way"},
    ],
)
def test_damaged_keys_are_refused(spoil, key, tmp_path):
    path = tmp_path / "a.key.json"
    keys.write(path, key)
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(spoil(content)), "utf-8")
    with pytest.raises(ValueError, match=r"a\.key\.json'") as caught:
        keys.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[" * 200_000, b"1" * 5000, b"null"])
def test_what_is_not_json_is_refused(content, tmp_path):
    path = tmp_path / "a.key.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.key\.json'"):
        keys.read(path)


def test_a_key_is_found_by_its_study(key, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "a.key.json").write_text("{", "utf-8")
    keys.write(other / "b.key.json", key)
    assert keys.find(key.study, [one, other]) == other / "b.key.json"
    with pytest.raises(FileNotFoundError, match="--key"):
        keys.find(key.study, [one])
