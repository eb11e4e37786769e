"""A damaged checkpoint is noticed, and the one before it goes on to the very same end."""

import os
import pathlib
import shutil
import signal

import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.runs import trainer
from tests.reliability import support

pytestmark = pytest.mark.integration


def flip_a_byte(folder: pathlib.Path) -> None:
    data = bytearray((folder / "variables.npz").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "variables.npz").write_bytes(data)


def cut_short(folder: pathlib.Path) -> None:
    os.truncate(folder / "variables.npz", 1000)


def lose_the_state(folder: pathlib.Path) -> None:
    (folder / "state.json").unlink()


def edit_the_state(folder: pathlib.Path) -> None:
    text = (folder / "state.json").read_text()
    (folder / "state.json").write_text(text.replace('"attempt": 0', '"attempt": 1'))


def empty_the_sums(folder: pathlib.Path) -> None:
    (folder / "SHA256SUMS").write_text("")


def empty(folder: pathlib.Path) -> None:
    for path in folder.iterdir():
        path.unlink()


DAMAGES = [flip_a_byte, cut_short, lose_the_state, edit_the_state, empty_the_sums, empty]


@pytest.fixture(scope="module")
def stopped(fresh_model, noise_dir, tmp_path_factory) -> pathlib.Path:
    """A run that was asked to stop after eight of its ten steps."""
    run_dir, model, steps = tmp_path_factory.mktemp("stopped") / "run", fresh_model(), []
    real = type(model).train_step

    def train_step(batch):
        logs = real(model, batch)
        steps.append(logs)
        if len(steps) == 8:
            os.kill(os.getpid(), signal.SIGTERM)
        return logs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "train_step", train_step)
        patch.setattr(trainer, "make_model", lambda config: model)
        words = support.command(run_dir, noise_dir, support.EPOCHS)
        assert main(["train", *words]) == 143
    assert support.steps_in(support.newest(run_dir)) == 8
    return run_dir


@pytest.fixture
def broken_off(stopped, tmp_path) -> pathlib.Path:
    """A copy of it, which a test may damage."""
    return shutil.copytree(stopped, tmp_path / "run")


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_one_before_is_taken(damage, broken_off, train_here, uninterrupted_here, capsys):
    before, last = support.checkpoints(broken_off)
    steps = support.steps_in(support.load(before))
    assert 5 <= steps < 8
    damage(last)
    assert train_here("--resume") == 0
    out, err = capsys.readouterr()
    assert f"The checkpoint {str(last)!r} is damaged" in err
    assert f"It is now called {last.name}.damaged" in err
    assert f"Resumed {before}: after 1 epoch" in out
    assert last.with_name(f"{last.name}.damaged").is_dir()
    support.assert_same_run(broken_off, uninterrupted_here)


def test_without_a_whole_one_the_run_begins_anew(
    broken_off, train_here, uninterrupted_here, capsys
):
    for folder, damage in zip(support.checkpoints(broken_off), DAMAGES[:2], strict=True):
        damage(folder)
    for name in ("g_AB.keras", "g_BA.keras"):  # Of which there are none after a kill.
        (broken_off / name).unlink()
    assert train_here() == 0
    out, err = capsys.readouterr()
    assert err.count("is damaged") == 2
    assert "Resumed" not in out
    support.assert_same_run(broken_off, uninterrupted_here)


def test_other_settings_and_images_are_refused(broken_off, train_here, noise_dir, tmp_path, capsys):
    before, settings = support.newest(broken_off), (broken_off / "config.json").read_bytes()
    assert train_here("--gf", "4", "--resume") == 2
    assert "Received: gf=4 where it was 2." in capsys.readouterr().err

    others = shutil.copytree(noise_dir, tmp_path / "noise")
    shutil.copy(others / "trainA" / "00.png", others / "trainA" / "18.png")
    assert train_here("--data-dir", str(others)) == 2
    assert "other images in trainA. Received: 19 images" in (capsys.readouterr().err)
    (others / "trainA" / "18.png").unlink()
    (others / "trainB" / "17.png").write_bytes((others / "trainB" / "17.png").read_bytes() + b"!")
    assert train_here("--data-dir", str(others)) == 2
    assert "other images in trainB. Received: 18 images of other names or sizes" in (
        capsys.readouterr().err
    )
    # What is refused leaves no trace: the run goes on from where it was, with its own images.
    assert support.newest(broken_off).path == before.path
    assert (broken_off / "config.json").read_bytes() == settings


def test_epochs_and_intervals_may_change(broken_off, train_here, capsys):
    more = "--epochs 3 --sample-interval 3 --checkpoint-interval 5 --keep 1".split()
    assert train_here(*more, "--resume") == 0
    checkpoint = support.newest(broken_off)
    assert support.steps_in(checkpoint) == 15
    assert support.checkpoints(broken_off) == [checkpoint.path]
    shown = [int(row["step"]) for row in support.rows((broken_off / "history.csv").read_text())]
    # Every two steps up to the eighth and every three from there on, and at each epoch's end.
    assert shown == [2, 4, 5, 6, 8, 9, 10, 12, 15]
