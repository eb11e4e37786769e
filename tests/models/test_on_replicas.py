"""The same batch gives the same weights on one device and on several, up to rounding."""

import json
import subprocess
import sys

import pytest

from tests.reliability.support import ROOT, environment

# Of weights near 0.02 and losses near 1, within ten steps.
CLOSE, CLOSE_IN_FLOAT32 = 1e-10, 1e-4
OTHERS = ["cut", "simgan", "feature_gan", "bigan", "cogan", "augmented", "augmented_clipped"]
OTHERS += [f"pix2pixhd_{stage}" for stage in ("global", "enhancer", "all")]
OTHERS += [f"cycada_{stage}" for stage in ("source", "image", "task", "feature")]
RECIPES = ["joint", "book", "paper", "fast", "wasserstein", "pix2pix"]
TEN_STEPS = "4 4 3 4 4 3 4 4 3 1".split()


def apart(*words: str, program: str = "replicas_apart.py") -> list[dict[str, float]]:
    """Runs the comparison, or another program, in a process of its own."""
    script = [sys.executable, str(ROOT / "tests" / "models" / program), *words]
    done = subprocess.run(script, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def assert_close(found: list[dict[str, float]], close: float = CLOSE) -> None:
    assert found
    for one in found:
        assert one["losses"] < close, one
        assert one["variables"] < close, one
        assert one["among_workers"] == 0, one
        assert one["at_first"] == 0, one
        assert one["moved"] > 1e-4, one


@pytest.mark.integration
def test_all_that_has_a_state_is_the_same_on_three_devices():
    """Pool, views, averages, penalties, dropout; unequal shares, and a batch below the team."""
    assert_close(apart("tiny", "--replicas", "3", "--sizes", "4", "2", "--eager"))


@pytest.mark.slow
@pytest.mark.parametrize("replicas", ["2", "3"])
@pytest.mark.parametrize("model", RECIPES)
def test_recipes_are_the_same_on_two_and_three_devices(model, replicas):
    """Not traced: ten steps of three batch sizes take less time line by line."""
    assert_close(apart(model, "--replicas", replicas, "--sizes", *TEN_STEPS, "--eager"))


@pytest.mark.slow
@pytest.mark.parametrize("model", OTHERS)
def test_every_model_is_the_same_on_two_devices(model):
    """Or as far apart as one device is from itself after a rounding.

    Biases before CoGAN's batch normalization have gradients of nothing but rounding, which Adam
    divides by their own size.
    """
    (one,) = apart(model, "--sizes", *TEN_STEPS, "--eager", "--noise", "1")
    assert one["weights_by_noise"] < 10 * CLOSE, one
    assert one["losses"] < CLOSE, one
    assert_close([one], max(CLOSE, 2 * one["weights_by_noise"]))


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["2", "3"])
@pytest.mark.parametrize("model", ["tiny", *RECIPES])
def test_recipes_are_the_same_on_two_and_three_workers(model, workers):
    assert_close(apart(model, "--workers", workers, "--sizes", *TEN_STEPS, "--eager"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--replicas", "--workers"])
@pytest.mark.parametrize("model", ["joint", "book", "pix2pix"])
def test_recipes_are_nearly_the_same_in_float32(model, how):
    words = [how, "2", "--sizes", *TEN_STEPS, "--eager", "--float32"]
    assert_close(apart(model, *words), CLOSE_IN_FLOAT32)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["paper", "fast", "wasserstein"])
def test_what_drives_others_apart_in_float32_is_rounding_that_adam_divides_by_itself(model):
    """One device is as far from itself after a rounding; and nothing is far without the division.

    Adam moves a weight by its gradient over the gradient's size. Where there is none but rounding,
    as for biases before a norm, rounding decides which way the weight goes.
    """
    words = ["--replicas", "2", "--sizes", *TEN_STEPS, "--eager", "--float32"]
    (one,) = apart(model, *words, "--noise", "1")
    for name in ("losses", "weights"):
        assert 0 < one[name] < 10 * one[f"{name}_by_noise"], one
    (undivided,) = apart(model, *words, "--epsilon", "1")
    assert undivided["weights"] < CLOSE_IN_FLOAT32, undivided
    # Steps without the division are smaller, so it is the share of the way that counts.
    shares = [each["weights"] / each["moved"] for each in (one, undivided)]
    assert shares[1] < min(0.05, shares[0] / 10), (one, undivided)


@pytest.mark.slow
def test_a_traced_step_is_the_same_on_three_devices():
    assert_close(apart("tiny", "--replicas", "3", "--sizes", "4", "3"))


@pytest.mark.slow
def test_an_overflow_on_one_device_leaves_the_step_out_on_all():
    (found,) = apart(program="replicas_overflow.py")
    broken, whole = found["broken"], found["whole"]
    assert broken["finite"]
    assert whole["finite"]
    assert (broken["moved"], whole["moved"]) == (False, True)
    assert (broken["steps"], whole["steps"]) == (0, 1)
    assert broken["scale"] == whole["scale"] == 2.0**14
    assert broken["same"]
    assert whole["same"]
