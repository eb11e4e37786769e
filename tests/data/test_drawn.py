"""Data sets that are drawn where they are missing."""

import pathlib

import pytest

from cyclegan_keras.config.data import DRAWN
from cyclegan_keras.data import drawn


def test_a_set_is_drawn_by_name_where_it_is_missing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    for name in drawn.SETS:
        monkeypatch.setitem(
            drawn.SETS, name, lambda directory, name=name: calls.append((name, directory))
        )
    for name in ("fruit", "fruit_pairs", "beads", "facades"):
        drawn.draw_by_name(name, tmp_path / "missing")
        drawn.draw_by_name(name, tmp_path)
    assert calls == [(name, tmp_path / "missing") for name in ("fruit", "fruit_pairs", "beads")]


def test_the_settings_name_all_of_them() -> None:
    assert set(DRAWN) == set(drawn.SETS)


def test_what_a_name_draws_is_that_set(tmp_path: pathlib.Path) -> None:
    settings = {"num_train": 1, "num_test": 1, "size": 32}
    for name, draw in drawn.SETS.items():
        folder = draw(tmp_path / name, **settings)
        assert f'"name": "{name}"' in (folder / "dataset.json").read_text()
