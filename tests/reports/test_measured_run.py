import json
import os
import shutil

import pytest

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.reports import measured_run
from cyclegan_keras.reports.curves import Curves

COUNTS = {"num_A": 4, "num_B": 5, "on_test_images": True, "images": "aa"}
METRICS = {**COUNTS, "change_AB": 1.5, "change_BA": 2.0}


def a_run(folder, metrics=METRICS, history=None, **settings):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(TrainConfig.make(**settings).to_json())
    (folder / "metrics.json").write_text(json.dumps(metrics))
    if history is not None:
        (folder / "history.csv").write_text(history)
    return folder


@pytest.fixture
def two(tmp_path):
    """Two runs that a test may spoil."""
    return [a_run(tmp_path / "one"), a_run(tmp_path / "two")]


def test_what_a_run_left_is_read(tmp_path):
    history = "epoch,step,seconds,g_loss\n1,10,1.5,2\n2,30,90.25,1\n2,40"
    first = a_run(tmp_path / "first", history=history, epochs=3)
    one, other = measured_run.read([first, a_run(tmp_path / "b", gf=5)])
    assert (one.name, one.config.epochs, one.metrics) == ("first", 3, METRICS)
    # The last row of a running training is not whole.
    assert one.curves.seconds == {10: 1.5, 30: 90.25}
    assert (other.name, other.config.gf, other.curves) == ("b", 5, Curves())


def test_runs_of_one_name_have_their_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in ("x/run", "y/run", "z/other"):
        a_run(tmp_path / place)
    found = measured_run.read(["x/run", "y/run", "z/other/"])
    assert [run.name for run in found] == ["x/run", "y/run", "other"]
    monkeypatch.chdir(tmp_path / "z" / "other")
    assert [run.name for run in measured_run.read([".", "../../x/run"])] == ["other", "run"]


def test_a_name_that_is_no_text_can_be_written(tmp_path):
    odd = [
        a_run(tmp_path / os.fsdecode(name)) for name in (b"r\xff", b"a\nb\x1b[2J", b"\xc3\xa9 c")
    ]
    names = [run.name for run in measured_run.read(odd)]
    assert names == ["r\\udcff", "a\\nb\\x1b[2J", "é c"]


@pytest.mark.parametrize(
    ("settings", "metrics", "name"),
    [
        ({}, {}, "fruit"),
        ({"data_dir": "photos/set/"}, {}, "set"),
        # Measured on another one, with --data-dir.
        ({"data_dir": "photos/set"}, {"data_set": "other"}, "other"),
    ],
)
def test_the_data_set_is_the_one_that_was_measured_on(settings, metrics, name, two, tmp_path):
    run = a_run(tmp_path / "run", {**METRICS, **metrics}, **settings)
    assert measured_run.read([run, two[0]])[0].data_set == name


def test_translators_are_those_that_were_measured(tmp_path):
    one_way = {name: value for name, value in METRICS.items() if name != "change_BA"}
    folders = [
        a_run(tmp_path / "a"),
        a_run(tmp_path / "b", {**METRICS, "translators": ["g_AB.best.keras", "g_BA.keras"]}),
        a_run(tmp_path / "c", one_way),
    ]
    found = [run.translators for run in measured_run.read(folders)]
    assert found == [
        {"g_AB": folders[0] / "g_AB.keras", "g_BA": folders[0] / "g_BA.keras"},
        {"g_AB": folders[1] / "g_AB.best.keras", "g_BA": folders[1] / "g_BA.keras"},
        {"g_AB": folders[2] / "g_AB.keras"},
    ]


def test_one_run_is_too_few(two):
    with pytest.raises(
        ValueError, match=r"at least two runs.*cyclegan evaluate.*Received: '.*one'"
    ):
        measured_run.read(two[:1])


def test_the_same_run_twice_is_told_whatever_it_is_called(two, tmp_path):
    (tmp_path / "link").symlink_to(two[0])
    for again in (two[0], tmp_path / "two" / ".." / "one", tmp_path / "link"):
        with pytest.raises(ValueError, match=r"Each run must be given once.*which are the same"):
            measured_run.read([*two, again])


def test_a_run_that_is_none_and_one_that_was_not_measured(two, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no run in '.*none': it has no config"):
        measured_run.read([two[0], tmp_path / "none"])
    named = shutil.move(two[1], tmp_path / "with space")
    (named / "metrics.json").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"not evaluated yet.*cyclegan evaluate --run-dir '/.*with space'$"
    ):
        measured_run.read([two[0], named])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", r"metrics.json' is not JSON .*cyclegan evaluate --run-dir "),
        ("[1]", "must contain metrics by name, with num_A, num_B, on_test_images, images"),
        ('{"num_A": 4, "num_B": 5}', "must contain metrics by name"),
        (json.dumps({**METRICS, "truth_AB": "12"}), "damaged.*Received: truth_AB='12'"),
        (json.dumps({**METRICS, "truth_AB": None}), "damaged.*Received: truth_AB='None'"),
        (json.dumps({**METRICS, "extractor": 5}), "damaged.*Received: extractor='5'"),
        (json.dumps({**METRICS, "translators": "g_AB"}), "damaged.*Received: translators="),
        (json.dumps({**METRICS, "data_set": []}), r"damaged.*Received: data_set='\[\]'"),
        (json.dumps({**METRICS, "images": 5}), r"damaged.*Received: images='5'"),
    ],
)
def test_damaged_metrics_are_told(text, told, two):
    (two[1] / "metrics.json").write_text(text)
    with pytest.raises(ValueError, match=told):
        measured_run.read(two)


def test_a_damaged_history_is_told(two):
    (two[1] / "history.csv").write_text("step,seconds\nx,1\n")
    with pytest.raises(ValueError, match=r"history.csv' must be a table of numbers with columns"):
        measured_run.read(two)
