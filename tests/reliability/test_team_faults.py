"""What befalls the chief of two workers: losses that are NaN, a full disk, the end of its time."""

import pathlib
import time

import pytest

from tests.reliability import support
from tests.reliability.test_not_finite import assert_all_checkpoints_finite
from tests.reliability.test_team import LONG, SOON, Workers, assert_whole
from tests.reliability.test_team import undisturbed as undisturbed  # A fixture.

pytestmark = pytest.mark.slow

SCRIPT = pathlib.Path(__file__).with_name("tiny_train_with_faults.py")


def workers(run_dir, data, *more, fault="", of_chief_only=False, **each):
    faults = {"of_all": fault}
    if of_chief_only:
        faults = {"of_0": fault}
    return Workers(run_dir, data, *more, script=SCRIPT, faults=faults, **each)


def seconds_to_the_end(team, of_steps=0):
    team.wait_for_step(of_steps)
    begun = time.monotonic()
    statuses = team.wait()
    print(f"{statuses} {time.monotonic() - begun:.1f} s after step {of_steps}")
    return statuses, time.monotonic() - begun


def test_a_loss_that_is_nan_ends_both_with_the_chiefs_line(noise_dir, tmp_path):
    team = workers(tmp_path / "run", noise_dir, fault="nan 7", epochs=LONG)
    statuses, seconds = seconds_to_the_end(team, of_steps=4)
    assert statuses == [2, 2], team.err
    assert seconds < SOON
    for index in range(2):
        (line,) = team.errors(index)
        assert "In epoch 2, step 2, d_loss is not finite." in line
        assert "Traceback" not in team.err[index]
    assert_all_checkpoints_finite(tmp_path / "run")
    assert 5 <= support.steps_in(support.newest(tmp_path / "run")) <= 6


def test_both_go_back_and_on_with_other_images(noise_dir, tmp_path):
    """Twice the same, so that both have gone back to the same state and the same dice."""
    runs = [tmp_path / name for name in ("one", "other")]
    for run_dir in runs:
        team = workers(run_dir, noise_dir, "--on-nan", "rollback", fault="nan 8")
        assert team.wait() == [0, 0], team.err
        assert team.err[0].count("Going back to checkpoint-") == 1
        newest = support.newest(run_dir)
        assert support.steps_in(newest) == support.STEPS * support.EPOCHS
        assert newest.state["progress"]["attempt"] == 1
        assert_all_checkpoints_finite(run_dir)
    support.assert_same_run(*runs)


def test_going_back_in_vain_ends_both(noise_dir, tmp_path):
    team = workers(tmp_path / "run", noise_dir, "--on-nan", "rollback", fault="nan 8-", epochs=LONG)
    statuses, seconds = seconds_to_the_end(team, of_steps=4)
    assert statuses == [2, 2], team.err
    assert seconds < SOON
    assert "Stopped after going back 3 times." in team.errors(0)[0]
    assert_all_checkpoints_finite(tmp_path / "run")


def test_a_disk_that_is_full_at_the_chief_costs_no_step(undisturbed, noise_dir, tmp_path):
    run_dir = tmp_path / "run"
    team = workers(run_dir, noise_dir, fault="full 3-7", of_chief_only=True)
    assert team.wait() == [0, 0], team.err
    assert "a checkpoint could not be written" in team.err[0]
    assert_whole(run_dir)
    support.assert_same_state(undisturbed, run_dir)


def test_a_disk_that_stays_full_ends_both_and_the_same_command_goes_on(
    undisturbed, noise_dir, tmp_path
):
    run_dir = tmp_path / "run"
    team = workers(run_dir, noise_dir, fault="full 7-", of_chief_only=True)
    statuses, seconds = seconds_to_the_end(team, of_steps=4)
    assert statuses == [2, 2], team.err
    assert seconds < SOON
    assert len(team.errors(0)) == len(team.errors(1)) == 1
    assert_whole(run_dir)
    again = workers(run_dir, noise_dir)
    assert again.wait() == [0, 0], again.err
    support.assert_same_state(undisturbed, run_dir)


def test_minutes_end_both_after_the_same_step(noise_dir, tmp_path):
    run_dir, minutes = tmp_path / "run", 0.5
    begun = time.monotonic()
    team = workers(run_dir, noise_dir, "--minutes", str(minutes), epochs=None)
    assert team.wait() == [0, 0], team.err
    seconds = time.monotonic() - begun
    print(f"{seconds:.1f} s for {60 * minutes:g}")
    # From the start of the command to its end: no step is begun that it has no time for.
    assert seconds < 60 * minutes + SOON
    assert_whole(run_dir)
    assert (run_dir / "metrics.json").exists()
