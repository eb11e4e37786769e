"""Runs are as far apart as their translations of the test images."""

import keras
import pytest

from benchmarks import apart
from cyclegan_keras import save_generator

pytestmark = pytest.mark.integration


def save_a_run(folder, **levels):
    """Its generators paint everything in one gray, given in levels."""
    folder.mkdir()
    for name, level in levels.items():
        image = keras.Input((32, 32, 3))
        gray = keras.layers.Rescaling(0.0, level / 127.5 - 1)(image)
        save_generator(keras.Model(image, gray), folder / f"{name}.keras")
    return str(folder)


def test_the_differences_of_grays_are_those_of_their_levels(fruit_dir, tmp_path, capsys):
    runs = [
        save_a_run(tmp_path / "one", g_AB=100, g_BA=50),
        save_a_run(tmp_path / "same", g_AB=100, g_BA=50),
        save_a_run(tmp_path / "other", g_AB=103, g_BA=57),
    ]
    apart.main(["--pictures", str(fruit_dir), *runs])
    found = [line.rpartition(": ")[2].split() for line in capsys.readouterr().out.splitlines()]
    assert [(float(line[1].strip(",")), float(line[3])) for line in found] == [
        (0.0, 0.0),
        (3.0, 7.0),
        (3.0, 7.0),
    ]
