"""What the launcher and the workers of Ray tell each other, without Ray."""

import logging
import sys
import threading

import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.launching import ray_train
from cyclegan_keras.launching.ray_train import Board


def test_without_ray_the_command_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_train.importlib.util, "find_spec", lambda name: None)
    words = ["train", "--launcher", "ray", "--workers", "2", "--run-dir", str(tmp_path / "run")]
    assert main(words) == 2
    assert 'pip install "ray[train]' in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_the_part_for_training_likewise(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_train.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "ray", None)
    words = ["train", "--launcher", "ray", "--workers", "2", "--run-dir", str(tmp_path / "run")]
    assert main(words) == 2
    assert 'pip install "ray[train]' in capsys.readouterr().err


def test_a_run_needs_a_folder_that_all_see(monkeypatch, capsys):
    monkeypatch.setattr(ray_train.importlib.util, "find_spec", lambda name: name)
    assert main(["train", "--launcher", "ray", "--workers", "2"]) == 2
    assert "--run-dir" in capsys.readouterr().err


def test_a_restart_is_told_once_and_a_mistake_ends_it():
    board = Board()
    assert [board.begin(rank) for rank in (1, 0)] == [True, True]
    assert board.lines_from(0) == []
    assert [board.begin(rank) for rank in (0, 1)] == [True, True]
    ((level, text),) = board.lines_from(0)
    assert level == logging.WARNING
    assert "(1 of 3 times)" in text
    assert board.lines_from(1) == []
    board.fail(1, "The chief has ended: no folder")
    board.fail(0, "no folder")
    assert board.wrong() == "no folder"
    assert not any(board.begin(rank) for rank in (0, 1))


class Called:
    """A method that is called as those of Ray's actors are."""

    def __init__(self, method):
        self.remote = method


class Actor:
    def __init__(self, instance):
        self._instance = instance

    def __getattr__(self, name):
        return Called(getattr(self._instance, name))


class Ray:
    @staticmethod
    def get(value):
        return value


class Stop:
    signum = None


def test_lines_are_shown_while_it_trains_and_a_signal_is_passed_on(monkeypatch, caplog):
    monkeypatch.setattr(ray_train, "AGAIN_IN", 0.01)
    board, stop, shown = Board(), Stop(), threading.Event()

    class Trainer:
        def fit(self):
            board.say(logging.INFO, "first")
            shown.wait(10)
            stop.signum = 15
            while board.asked() is None:
                pass
            board.say(logging.WARNING, "last")

    class Handler(logging.Handler):
        def emit(self, record):
            shown.set()

    logger, handler = logging.getLogger("cyclegan_keras"), Handler()
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "cyclegan_keras"):
            assert ray_train._fit(Ray, Trainer(), Actor(board), stop) is None
    finally:
        logger.removeHandler(handler)
    assert shown.is_set()
    assert board.asked() == 15
    assert [record.getMessage() for record in caplog.records] == ["first", "last"]


def test_what_ray_gives_up_with_is_returned():
    class Trainer:
        def fit(self):
            raise RuntimeError("four times")

    error = ray_train._fit(Ray, Trainer(), Actor(Board()), Stop())
    assert isinstance(error, RuntimeError)


@pytest.mark.parametrize("is_new", [True, False])
def test_nothing_of_ray_stays_in_the_folder_of_the_run(is_new, tmp_path):
    folder = tmp_path / "run"
    if not is_new:
        folder.mkdir()
    with ray_train._storage(folder):
        (folder / ray_train.STORAGE / "x").mkdir(parents=True)
    assert [path.name for path in tmp_path.rglob("*")] == ([] if is_new else ["run"])
    with ray_train._storage(folder):
        (folder / ray_train.STORAGE).mkdir(parents=True)
        (folder / "config.json").touch()
    assert [path.name for path in folder.iterdir()] == ["config.json"]


def test_that_workers_are_waited_for_is_told(caplog):
    assert not ray_train._look_for_room({"CPU": 3.0}, 4)
    assert "3 processor cores for 4 workers" in caplog.text
    caplog.clear()
    assert ray_train._look_for_room({"CPU": 4.0, "GPU": 4.0}, 4)
    assert not ray_train._look_for_room({"CPU": 4.0, "GPU": 3.0}, 4)
    assert caplog.text == ""
