import dataclasses
import json

import pytest

from cyclegan_keras.config import TrainConfig


def test_settings_survive_the_file(tmp_path):
    path = tmp_path / "config.json"
    config = TrainConfig(data_dir="a b", lambda_id=0.5, epochs=3, lambda_cycle=5)
    path.write_text(config.to_json())
    assert TrainConfig.from_json(path) == config
    assert json.loads(path.read_text())["lambda_cycle"] == 5.0
    path.write_text('{"epochs": 2}')
    assert TrainConfig.from_json(path) == TrainConfig(epochs=2)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().epochs = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "`epochs` must be at least 1"),
        ({"epochs": 1.5}, "`epochs` must be of type int"),
        ({"epochs": True}, "`epochs` must be of type int"),
        ({"dataset": None}, "`dataset` must be of type str"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"image_size": 70}, "divisible by 16.*; 64 would do.*image_size=70"),
        ({"image_size": 16}, "at least 32"),
        ({"lambda_id": -1.0}, "`lambda_id` must be at least 0"),
        ({"lambda_cycle": float("nan")}, "`lambda_cycle`"),
        ({"learning_rate": 0.0}, "`learning_rate` must be above 0"),
        ({"cache_memory": -1.0}, "`cache_memory` must be at least 0"),
        ({"precision": "float16"}, "`precision` must be one of float32, .*'float16'"),
    ],
)
def test_wrong_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**setting)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "must be an object"),
        ('{"epoch": 3}', r"keys among .*Received: \['epoch'\]"),
        ('{"epochs": "3"}', r"config\.json.*`epochs` must be of type int"),
    ],
)
def test_wrong_files_are_named(text, message, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_json(tmp_path / "config.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        TrainConfig.from_json(tmp_path / "nowhere.json")
