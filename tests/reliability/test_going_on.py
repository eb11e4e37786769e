"""A run goes on where it was, or says why it cannot; what it came to is never taken for more."""

import json
import os
import pathlib
import shutil
import signal

import pytest

from cyclegan_keras.cli.main import main
from tests.reliability import support
from tests.reliability.test_damaged import cut_short

pytestmark = pytest.mark.integration


def interrupt(logs):
    os.kill(os.getpid(), signal.SIGTERM)
    return logs


def contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture
def finished(uninterrupted_here, tmp_path):
    """A copy of a run of two epochs, which a test may spoil."""
    return shutil.copytree(uninterrupted_here, tmp_path / "run")


def test_without_a_checkpoint_nothing_is_overwritten(finished, train_here, model, capsys):
    shutil.rmtree(finished / "checkpoints")
    before = contents(finished)
    for more in (["--resume", "--epochs", "3"], ["--epochs", "3"]):
        assert train_here(*more) == 2
        assert f"--from {finished}" in capsys.readouterr().err
    assert contents(finished) == before
    # There is nothing left to do, and that is no fault.
    assert train_here("--resume") == 0


def test_nor_where_all_checkpoints_are_damaged(finished, train_here, capsys):
    for path in support.checkpoints(finished):
        cut_short(path)
    before = contents(finished)
    assert train_here("--resume", "--epochs", "3") == 2
    err = capsys.readouterr().err
    assert err.count("is damaged") == 2
    assert err.count("\n") == 1
    assert contents(finished) == before


def test_metrics_are_never_beside_other_weights(finished, train_here, at_step, capsys):
    (finished / "report.html").write_text("of two epochs")
    old = json.loads((finished / "metrics.json").read_text())
    at_step(2, act=interrupt)
    assert train_here("--resume", "--epochs", "3") == 143
    assert not (finished / "metrics.json").exists()
    assert not (finished / "report.html").exists()
    earlier = finished / "earlier"
    assert {p.name for p in earlier.iterdir()} == {
        "metrics.json",
        "report.html",
        "translations.png",
    }
    assert json.loads((earlier / "metrics.json").read_text()) == old
    capsys.readouterr()
    # With the old number of epochs, it is neither finished nor can it end.
    assert train_here("--resume", "--epochs", "2") == 2
    assert "at least 3" in capsys.readouterr().err
    assert main(["train", "--run-dir", str(finished), "--resume"]) == 0
    new = json.loads((finished / "metrics.json").read_text())
    assert new["epochs"] == 3
    assert new["weights"] != old["weights"]


def test_metrics_of_other_weights_are_not_compared(finished, train_here, tmp_path, capsys):
    assert train_here(run_dir=tmp_path / "other") == 0
    for name in ("run", "other"):  # What was not measured in training, and no features are needed.
        path = tmp_path / name / "metrics.json"
        metrics = json.loads(path.read_text())
        assert metrics["weights"].keys() == {"g_AB.keras", "g_BA.keras"}
    shutil.copy(finished / "g_BA.keras", finished / "g_AB.keras")
    capsys.readouterr()
    assert main(["compare", str(finished), str(tmp_path / "other")]) == 2
    assert "other weights than those in g_AB.keras" in capsys.readouterr().err


@pytest.fixture
def here(noise_dir, tmp_path, monkeypatch):
    """Trains by the same command, from the same folder, without saying where to."""
    monkeypatch.chdir(tmp_path)

    def train(*more: str) -> int:
        words = support.command(tmp_path, noise_dir, support.EPOCHS, *more)
        place = words.index("--run-dir")
        return main(["train", *words[:place], *words[place + 2 :]])

    return train


def test_the_same_command_goes_on_with_the_run_that_it_began(
    here, at_step, uninterrupted_here, fresh_model, tmp_path, capsys
):
    at_step(8, act=interrupt)
    assert here() == 143
    assert here() == 0
    out = capsys.readouterr().out
    assert f"Continuing the unfinished run in {pathlib.Path('runs', 'noise')}" in out
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["noise"]
    support.assert_same_run(tmp_path / "runs" / "noise", uninterrupted_here)
    # What is finished is not gone on with.
    fresh_model()
    at_step(10 + 5, act=interrupt)
    assert here() == 143
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"noise", "noise-2"}


def test_of_other_settings_or_images_it_is_named_and_left(
    here, at_step, fresh_model, tmp_path, noise_dir, capsys
):
    at_step(3, 5, 6, act=interrupt)
    assert here() == 143
    before = contents(tmp_path / "runs" / "noise")
    capsys.readouterr()
    fresh_model()
    assert here("--lambda-cycle", "3") == 143
    out = capsys.readouterr().out
    assert "runs/noise --resume` continues it (lambda_cycle=" in out
    assert contents(tmp_path / "runs" / "noise") == before
    others = shutil.copytree(noise_dir, tmp_path / "elsewhere" / "noise")
    (others / "trainA" / "00.png").unlink()
    fresh_model()
    assert here("--data-dir", str(others)) == 143
    assert contents(tmp_path / "runs" / "noise") == before
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "noise",
        "noise-2",
        "noise-3",
    }


def test_data_that_moved_is_the_same_data(
    here, at_step, uninterrupted_here, noise_dir, tmp_path, monkeypatch
):
    shutil.copytree(noise_dir, tmp_path / "noise")
    at_step(8, act=interrupt)
    assert here("--data-dir", "noise") == 143
    monkeypatch.chdir("/")
    run = tmp_path / "runs" / "noise"
    # Relative to where the run was begun; and where it is now.
    shutil.move(tmp_path / "noise", tmp_path / "moved")
    assert main(["train", "--run-dir", str(run), "--resume"]) == 2
    moved = os.path.relpath(tmp_path / "moved")
    assert main(["train", "--run-dir", str(run), "--resume", "--data-dir", moved]) == 0
    support.assert_same_run(run, uninterrupted_here)


def test_a_relative_place_is_found_from_anywhere(here, at_step, noise_dir, tmp_path, monkeypatch):
    shutil.copytree(noise_dir, tmp_path / "noise")
    at_step(8, act=interrupt)
    assert here("--data-dir", "noise") == 143
    run = tmp_path / "runs" / "noise"
    settings = json.loads((run / "config.json").read_text())
    assert settings["data"]["data_dir"] == str(tmp_path / "noise")
    # As earlier versions wrote it.
    (run / "config.json").write_text(json.dumps({**settings, "data_dir": "noise"}))
    monkeypatch.chdir("/")
    assert main(["train", "--run-dir", str(run), "--resume"]) == 0


def test_named_data_are_found_from_anywhere(here, at_step, noise_dir, tmp_path, monkeypatch):
    """Neither the settings nor the folder that a command is run in say where they are."""
    shutil.copytree(noise_dir, tmp_path / "data" / "noise")
    run = tmp_path / "runs" / "noise"
    at_step(8, act=interrupt)
    words = support.command(tmp_path, noise_dir, support.EPOCHS)
    assert main(["train", "--dataset", "noise", *words[4:]]) == 143
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["evaluate", "--run-dir", str(run), "--extractor", "none"]) == 0
    assert main(["train", "--run-dir", os.path.join("..", "runs", "noise"), "--resume"]) == 0
    assert list(elsewhere.iterdir()) == []


def test_data_and_runs_of_other_names_are_the_same(
    here, at_step, uninterrupted_here, noise_dir, tmp_path
):
    shutil.copytree(noise_dir, tmp_path / "noise")
    at_step(8, act=interrupt)
    assert here("--data-dir", "noise") == 143
    (tmp_path / "noise").rename(tmp_path / "photos")
    (tmp_path / "runs" / "noise").rename(tmp_path / "runs" / "first")
    assert here("--data-dir", "photos") == 0
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["first"]
    support.assert_same_run(tmp_path / "runs" / "first", uninterrupted_here)


def test_damaged_checkpoints_are_not_begun_anew_by_the_same_command(here, at_step, tmp_path):
    at_step(8, 9, act=interrupt)
    assert here() == 143
    run = tmp_path / "runs" / "noise"
    for path in support.checkpoints(run):
        cut_short(path)
    for name in ("g_AB.keras", "g_BA.keras"):  # Of which there are none after a kill.
        (run / name).unlink()
    before = contents(run)
    assert here() == 143
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"noise", "noise-2"}
    assert contents(run) == before


@pytest.mark.parametrize("changed", [["--learning-rate", "1e-3"], ["--batch-size", "2"]])
def test_what_a_run_cannot_change_another_can_begin_with(changed, finished, train_here, capsys):
    for more in (["--resume"], []):
        assert train_here(*changed, *more, "--epochs", "3") == 2
        told = capsys.readouterr().err
        assert f"with --from {finished} and another --run-dir" in told
        assert "--resume" not in told


def test_nor_other_images(finished, train_here, noise_dir, tmp_path, capsys):
    others = shutil.copytree(noise_dir, tmp_path / "more")
    shutil.copy(others / "trainA" / "00.png", others / "trainA" / "18.png")
    assert train_here("--data-dir", str(others), "--resume", "--epochs", "3") == 2
    assert "--from" in capsys.readouterr().err


def test_metrics_that_an_earlier_version_left_behind(finished, train_here, tmp_path, capsys):
    """It did not put them away when a run went on, nor say of which weights they are."""
    assert train_here(run_dir=tmp_path / "other") == 0
    path = finished / "metrics.json"
    metrics = json.loads(path.read_text())
    del metrics["weights"]
    path.write_text(json.dumps(metrics))
    assert train_here("--resume") == 0  # Finished, and they are the right ones.
    capsys.readouterr()
    path.write_text(json.dumps({**metrics, "epochs": 1}))
    assert train_here("--resume", "--epochs", "1") == 2
    err = capsys.readouterr().err
    assert "longer than `epochs` already: it is after 2 epochs" in err
    assert "give at least 2." in err
    assert main(["compare", str(finished), str(tmp_path / "other")]) == 2
    assert "other weights than those in g_AB.keras and g_BA.keras" in capsys.readouterr().err


def test_a_picture_alone_is_put_away_too(finished, train_here, at_step):
    """As a kill between it and the metrics leaves it."""
    (finished / "metrics.json").unlink()
    picture = (finished / "translations.png").read_bytes()
    at_step(1, act=interrupt)
    assert train_here("--resume", "--epochs", "3") == 143
    assert not (finished / "translations.png").exists()
    assert (finished / "earlier" / "translations.png").read_bytes() == picture
