import json

import pytest

from cyclegan_keras import DataLoader
from cyclegan_keras.data import palettes


def test_colours_come_as_tuples():
    assert palettes.checked({"B": [[0, 0, 224], [255, 0, 0]]}) == {"B": [(0, 0, 224), (255, 0, 0)]}
    assert palettes.checked({}) == {}


@pytest.mark.parametrize(
    "labels",
    [
        None,
        [[0, 0, 0], [1, 1, 1]],
        {"C": [[0, 0, 0], [1, 1, 1]]},
        {"A": 3},
        {"A": [[0, 0, 0]]},
        {"A": [[0, 0, 0], [0, 0, 0]]},
        {"A": [[0, 0, 0], [0, 0]]},
        {"A": [[0, 0, 0], [0, 0, 256]]},
        {"A": [[0, 0, 0], [0, 0, -1]]},
        {"A": [[0, 0, 0], [0, 0, True]]},
        {"A": [[0, 0, 0], [0, 0, 1.5]]},
        {"A": [[0, 0, 0], "abc"]},
    ],
)
def test_anything_else_is_told(labels):
    with pytest.raises(ValueError, match=r'"labels" must name the colours.*Received'):
        palettes.checked(labels)


def test_a_data_set_says_so_itself(fruit_dir, tmp_path):
    assert DataLoader(fruit_dir.name, (32, 32), fruit_dir.parent).palettes == {}
    (tmp_path / "set" / "trainA").mkdir(parents=True)
    description = tmp_path / "set" / "dataset.json"
    description.write_text(json.dumps({"labels": {"A": [[1, 2, 3], [4, 5, 6]]}}))
    assert DataLoader("set", (32, 32), tmp_path).palettes == {"A": [(1, 2, 3), (4, 5, 6)]}
    description.write_text(json.dumps({"labels": {"A": []}}))
    with pytest.raises(ValueError, match=r"dataset\.json in .*Received"):
        _ = DataLoader("set", (32, 32), tmp_path).palettes
