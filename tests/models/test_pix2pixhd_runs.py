"""Runs of pix2pixHD by the command line: all stages by one command, broken off and gone on with."""

import contextlib
import json
import signal

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import Pix2PixHD, TrainConfig, load_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.runs.trainer import train_run
from cyclegan_keras.training.faults import Interrupted
from tests.label_maps import write_pairs
from tests.reliability.support import assert_same_state

pytestmark = pytest.mark.integration

STEPS = 6  # Two of each stage.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    write_pairs(folder / "pairs")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _untraced():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def config(run_dir, folder, **changes):
    settings = {
        "model": "pix2pixhd", "data_dir": str(folder / "pairs"), "run_dir": str(run_dir),
        "direction": "B-to-A", "image_size": 32, "epochs": 2, "global_share": 0.34,
        "enhancer_share": 0.33, "gf": 2, "df": 2, "halvings": 2, "num_blocks": 0,
        "enhancer_blocks": 0, "discriminator": "patch16", "lambda_perceptual": 0.0, "ema": 0.5,
        "extractor": "none", "sample_interval": 2, "checkpoint_interval": 60.0,
    }  # fmt: skip
    return TrainConfig(**{**settings, **changes})


@pytest.fixture(scope="module")
def trained(folder):
    """A run without a break, with the stages of its steps."""
    stages = []

    def train_step(self, batch):
        stages.append(self.stage)
        return real(self, batch)

    real = Pix2PixHD.train_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pix2PixHD, "train_step", train_step)
        figures = train_run(config(folder / "whole", folder))
    return folder / "whole", figures, stages


@contextlib.contextmanager
def break_off(after):
    """Has a signal come in a step; yields the stages of all steps until then."""
    stages = []

    def train_step(self, batch):
        logs = real(self, batch)
        stages.append(self.stage)
        if len(stages) == after:
            signal.raise_signal(signal.SIGTERM)
        return logs

    real = Pix2PixHD.train_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pix2PixHD, "train_step", train_step)
        yield stages


@pytest.fixture(scope="module")
def resumed(trained, folder):
    """The same run, broken off within its second stage and gone on with."""
    with break_off(3) as stages:
        with pytest.raises(Interrupted):
            train_run(config(folder / "resumed", folder))
        train_run(config(folder / "resumed", folder))
    return folder / "resumed", stages


def test_a_run_goes_through_its_stages(trained):
    run, figures, stages = trained
    assert stages == [0, 0, 1, 1, 2, 2]
    names = {path.name for path in run.iterdir()}
    assert names >= {"config.json", "history.csv", "metrics.json", "samples", "translations.png"}
    assert {name for name in names if name.endswith(".keras")} == {"g_BA.keras"}
    assert "truth_BA" in figures
    columns = (run / "history.csv").read_text().splitlines()[0].split(",")
    assert {"d_1_loss", "d_2_acc", "valid_2_loss", "features_loss"} <= set(columns)


def test_it_resumes_bit_for_bit_through_its_stages(trained, resumed):
    run, _, stages = trained
    again, steps = resumed
    assert steps == stages
    assert_same_state(run, again)
    assert (run / "translations.png").read_bytes() == (again / "translations.png").read_bytes()
    generators = [load_generator(place / "g_BA.keras") for place in (run, again)]
    pairs = zip(*(each.get_weights() for each in generators), strict=True)
    for mine, theirs in pairs:
        np.testing.assert_array_equal(mine, theirs)


def test_a_run_keeps_the_labels_that_were_found(trained):
    text = json.loads((trained[0] / "config.json").read_text())["model"]["generator"]["labels"]
    assert {*text.removeprefix("auto:").split(",")} == {"#0000e0", "#ffa000", "#c0ff40"}


def test_other_labels_are_another_run(trained, folder, capsys):
    words = ["train", "--config", str(trained[0] / "config.json"), "--run-dir", str(trained[0])]
    assert main([*words, "--labels", "image"]) == 2
    assert "labels='image' where it was 'auto:#" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 2, 4])
def test_it_resumes_bit_for_bit_from_anywhere(trained, folder, after):
    place = folder / f"after-{after}"
    with break_off(after), pytest.raises(Interrupted):
        train_run(config(place, folder))
    train_run(config(place, folder))
    assert_same_state(trained[0], place)


@pytest.mark.slow
def test_it_is_evaluated_reported_compared_and_translates(trained, folder, tmp_path, capsys):
    run, figures, _ = trained
    assert main(["evaluate", "--run-dir", str(run), "--extractor", "none"]) == 0
    assert json.loads((run / "metrics.json").read_text())["truth_BA"] == figures["truth_BA"]
    report = (run / "report.html").read_text()
    assert "B → A" in report
    assert "d_2" in report
    page = tmp_path / "comparison.html"
    assert main(["compare", str(run), str(run), "--output", str(page)]) in (0, 2)
    maps = folder / "pairs" / "testB"
    words = ["translate", "--model", str(run / "g_BA.keras"), str(maps)]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 2


@pytest.mark.slow
def test_another_run_starts_with_its_networks(trained, folder, capsys):
    run, _, _ = trained
    words = {"start_from": str(run), "epochs": 1, "steps": 1, "global_share": 0.0}
    train_run(config(folder / "further", folder, **words, enhancer_share=0.0))
    assert "Starts with g_BA, g_global, d_1, d_2" in capsys.readouterr().out
