import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.cli import generator_file
from cyclegan_keras.cli.main import main
from cyclegan_keras.config import models
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.config.value_range import ValueRange


@pytest.fixture
def run_folder(tmp_path):
    """A run whose AB makes negatives and whose BA changes nothing, and one gray picture."""
    (tmp_path / "run").mkdir()
    for way, factor in (("AB", -1.0), ("BA", 1.0)):
        model = keras.Sequential([keras.Input((32, 48, 3)), keras.layers.Rescaling(factor)])
        model.save(tmp_path / "run" / f"g_{way}.keras")
    (tmp_path / "run" / "config.json").write_text(json.dumps({}))
    Image.new("RGB", (8, 6), (250, 250, 250)).save(tmp_path / "x.png")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["run", "x.png"], 5),
        (["run", "x.png", "--way", "AB"], 5),
        (["run", "x.png", "--way", "BA"], 250),
        (["run/g_BA.keras", "x.png"], 250),
        (["--model", "run/g_BA.keras", "x.png"], 250),
        (["x.png", "--model", "run", "--way", "BA"], 250),
        (["run", "*.png"], 5),
    ],
)
def test_the_first_name_is_the_generator(words, level, run_folder, monkeypatch):
    monkeypatch.chdir(run_folder.parent)
    assert main(["translate", *words, "--output", "out"]) == 0
    with Image.open("out/x.png") as image:
        assert np.unique(image) == [level]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "Give the generator and then images"),
        (["run/g_AB.keras", "x.png", "--way", "BA"], "--way chooses from the folder of a run"),
        (["empty", "x.png"], "No generator 'g_AB.keras' in the folder 'empty'"),
        (["nowhere", "x.png"], "No model 'nowhere'"),
        (["x.png", "x.png"], "x.png"),
        (["run", "y*.png"], "matches 'y*.png'"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(words, told, run_folder, monkeypatch, capsys):
    monkeypatch.chdir(run_folder.parent)
    (run_folder.parent / "empty").mkdir()
    assert main(["translate", *words, "--output", "out"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.startswith("cyclegan: error: ")
    assert err.count("\n") == 1


def test_the_only_generator_there_is_taken_and_no_other(run_folder):
    (run_folder / "g_AB.keras").unlink()
    found = generator_file.by_name(str(run_folder))
    assert (found.path, found.way) == (run_folder / "g_BA.keras", "BA")
    with pytest.raises(FileNotFoundError, match=r"g_AB\.keras.*There is g_BA\.keras"):
        generator_file.by_name(str(run_folder), "AB")


def test_the_run_says_how_its_generators_see_pictures(run_folder):
    config = TrainConfig(image_size="32x48", fit="pad", value_range=(0, 200, 10, 100))
    (run_folder / "config.json").write_text(config.to_json())
    shutil.copy(run_folder / "g_BA.keras", run_folder / "mine.keras")
    (run_folder.parent / "elsewhere").mkdir()
    away = shutil.copy(run_folder / "g_BA.keras", run_folder.parent / "elsewhere")
    for name, way, fit, size, source in (
        (run_folder, "AB", "pad", (32, 48), ValueRange(0, 200)),
        (run_folder / "g_BA.keras", "BA", "pad", (32, 48), ValueRange(10, 100)),
        (run_folder / "mine.keras", None, "pad", (32, 48), None),
        (away, "BA", "stretch", None, None),
    ):
        found = generator_file.by_name(str(name))
        assert (found.way, found.fit, found.size, found.ranges[0]) == (way, fit, size, source)


def test_generators_of_a_run_are_for_its_images(run_folder):
    (run_folder / "config.json").write_text(TrainConfig(image_size="32x48").to_json())
    found = generator_file.of_run(run_folder)
    assert [*found] == ["AB", "BA"]
    assert found["BA"].load().input_shape == (None, 32, 48, 3)
    (run_folder / "config.json").write_text(TrainConfig(image_size="48x48").to_json())
    with pytest.raises(ValueError, match=r"belongs to another run.*\(32, 48, 3\)"):
        generator_file.of_run(run_folder)["AB"].load()
    with pytest.raises(ValueError, match=r"translates AB and BA only.*AC"):
        generator_file.of_run(run_folder, ["AC"])


def test_the_entry_says_which_networks_are_classifiers(run_folder, monkeypatch):
    entry = dataclasses.replace(
        models.MODELS["cyclegan"], companions=("c_half",), classifiers=("digits",)
    )
    monkeypatch.setitem(models.MODELS, "cyclegan", entry)
    with pytest.raises(FileNotFoundError, match=r"c_half\.keras is missing"):
        generator_file.networks_of_run(run_folder)
    shutil.copy(run_folder / "g_BA.keras", run_folder / "c_half.keras")
    networks = generator_file.networks_of_run(run_folder)
    assert [*networks] == ["g_AB", "g_BA", "c_half"]  # A classifier may come later.
    shutil.copy(run_folder / "g_BA.keras", run_folder / "digits.keras")
    networks = generator_file.networks_of_run(run_folder)
    assert {name: each.is_classifier for name, each in networks.items()} == {
        **dict.fromkeys(["g_AB", "g_BA", "c_half"], False),
        "digits": True,
    }
