"""How many trials there are, and files that are written both or neither."""

import json
import os

import pytest

from cyclegan_keras.study import key as keys
from cyclegan_keras.study import making
from tests.study.conftest import QUICK, material


@pytest.mark.parametrize(
    ("available", "trials", "practice", "expected"),
    [
        (500, None, None, (40, 10)),
        (50, None, None, (40, 10)),
        (49, None, None, (40, 9)),
        (20, None, None, (16, 4)),
        (4, None, None, (4, 0)),
        (1, None, None, (1, 0)),
        (50, 50, None, (50, 0)),
        (50, 45, None, (45, 5)),
        (50, 20, 0, (20, 0)),
        (50, None, 30, (20, 30)),
    ],
)
def test_numbers(available, trials, practice, expected):
    assert making.numbers(available, trials, practice) == expected


def test_two_runs_need_little_practice():
    assert making.numbers(100, None, None, has_real=False) == (40, 3)


@pytest.mark.parametrize(
    ("available", "trials", "practice"),
    [(0, None, None), (10, 11, None), (10, 0, None), (10, -1, 2), (10, 5, -1), (10, 5, 6),
     (10, None, 10), (9999, 495, 6)],
)  # fmt: skip
def test_impossible_numbers(available, trials, practice):
    with pytest.raises(ValueError, match="Received: trials="):
        making.numbers(available, trials, practice)


def write(path):
    return making.write(path, material(2), 0, way="AB", runs=("run",), timing=QUICK)


def test_each_study_is_another(tmp_path):
    made = [write(tmp_path / f"{number}.html") for number in range(8)]
    assert len({key.study for key in made}) == 8
    # Of two pairs there are 12 ways to pair places off and tell who is scored, six of them here.
    assert len({tuple(sorted(key.scored.items())) for key in made}) > 1


@pytest.mark.parametrize("name", ["study.html", "study.key.json"])
def test_nothing_is_replaced(name, tmp_path):
    (tmp_path / name).write_text("mine", "utf-8")
    with pytest.raises(FileExistsError, match=name):
        write(tmp_path / "study.html")
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text("utf-8") == "mine"


def test_no_page_no_key(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("The disk is full.")

    monkeypatch.setattr(making, "write_text", fail)
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "study.html")
    assert os.listdir(tmp_path) == []


def test_the_key_says_what_is_what(tmp_path, quick_study):
    path, key = quick_study
    assert keys.read(keys.place(path)) == key
    content = json.loads(keys.place(path).read_text("utf-8"))
    assert content["about"]["data_set"] == "hidden-set"
    named = {tuple(each["pair"]): each for each in content["about"]["files"]}
    assert named.keys() == key.scored.keys()
    for each in named.values():
        assert each["scored"][8:] == each["other"][8:]  # hidden-a3.jpg, hidden-b3.jpg
    assert len({each["scored"] for each in named.values()}) == 4
