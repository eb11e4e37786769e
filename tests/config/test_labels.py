import json

import pytest

from cyclegan_keras import TrainConfig
from cyclegan_keras.config import labels
from cyclegan_keras.config.known import known_settings


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("auto", "auto"),
        ("image", "image"),
        ("#0000E0,#ff0000", "#0000e0,#ff0000"),
        ("0000e0 ff0000", "#0000e0,#ff0000"),
        ([[0, 0, 224], (255, 0, 0)], "#0000e0,#ff0000"),
        ("auto:image", "auto:image"),
        ("auto:#0000e0,#ff0000", "auto:#0000e0,#ff0000"),
    ],
)
def test_labels_have_one_form(given, text):
    assert labels.parse(given) == text
    assert labels.parse(labels.parse(given)) == text


def test_colors_are_read_back():
    assert labels.colors_of("auto:#0000e0,#ff0000") == [(0, 0, 224), (255, 0, 0)]
    assert labels.colors_of("image") is labels.colors_of("auto") is None


@pytest.mark.parametrize("content", [[[0, 0, 224], [255, 0, 0]], {"B": [[0, 0, 224], [255, 0, 0]]}])
def test_a_file_may_have_them(content, tmp_path):
    (tmp_path / "palette.json").write_text(json.dumps(content), "utf-8")
    assert labels.parse(str(tmp_path / "palette.json")) == "#0000e0,#ff0000"


@pytest.mark.parametrize(
    "content",
    ["[[0, 0, 0]]", "[[0, 0, 0], [0, 0, 0]]", "[[0, 0], [1, 1]]", "[[0, 0, 256], [1, 1, 1]]",
     "{}", "[1, 2]", "no JSON", '{"A": [[0, 0, 0], [1, 1, 1]], "B": [[0, 0, 0], [1, 1, 1]]}'],
)  # fmt: skip
def test_other_files_are_refused(content, tmp_path):
    (tmp_path / "palette.json").write_text(content, "utf-8")
    with pytest.raises(ValueError, match=r"`labels`.*Received: "):
        labels.parse(str(tmp_path / "palette.json"))


@pytest.mark.parametrize("given", ["", 3, None, True, "#ff0000", "nowhere.json", "auto:", "/"])
def test_anything_else_is_refused(given):
    with pytest.raises(ValueError, match="`labels` must be"):
        labels.parse(given)


def test_what_was_found_is_no_other_setting():
    config = TrainConfig(model="pix2pixhd")
    found = config.replace(labels="auto:#0000e0,#ff0000")
    other = config.replace(labels="#0000e0,#ff0000")
    assert config.differences(found) == found.differences(config) == {}
    assert [*config.differences(other)] == [*found.differences(other)] == ["labels"]
    assert [*found.differences(found.replace(labels="auto:image"))] == ["labels"]
    setting = known_settings()["labels"]
    assert [setting.was_found(each.labels) for each in (config, found, other)] == [
        False,
        True,
        False,
    ]


def test_it_is_also_called_palette():
    assert TrainConfig(model="pix2pixhd", palette="#0000e0,#ff0000").labels == "#0000e0,#ff0000"
