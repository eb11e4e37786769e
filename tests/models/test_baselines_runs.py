"""Runs of the four baselines: broken off and gone on with, evaluated, and by the command line."""

import json
import signal

import keras
import pytest

from cyclegan_keras.cli.main import main
from cyclegan_keras.config.models import MODELS
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.bigan import BiGAN
from cyclegan_keras.models.feature_gan import FeatureGAN
from cyclegan_keras.models.simgan import SimGAN
from cyclegan_keras.training.faults import Interrupted
from tests import tiny
from tests.reliability.support import assert_same_state, rows

pytestmark = pytest.mark.integration

# Feature loss + GAN is SimGAN with another loss.
BASELINES = ("simgan", pytest.param("feature_gan", marks=pytest.mark.slow), "bigan", "cogan")
STEPS, BROKEN_OFF = 2, 1
SMALL = {
    "simgan": ["--pool-size", "2"],
    "feature_gan": ["--pool-size", "2"],
    "bigan": ["--pool-size", "2"],
    "cogan": ["--latent-dim", "3", "--inversion-steps", "1", "--inversion-starts", "1"],
}


def tiny_features(self):
    img = keras.Input(self.img_shape)
    initializer = keras.initializers.GlorotUniform(0)
    convolve = keras.layers.Conv2D(2, 3, 2, "same", kernel_initializer=initializer)
    return keras.Model(img, convolve(img), name="phi")


@pytest.fixture
def command(fruit_dir, tmp_path, monkeypatch, untraced):
    for model in (SimGAN, FeatureGAN, BiGAN):  # CoGAN has none of the usual networks.
        monkeypatch.setattr(model, "build_generator", tiny.build_generator)
        monkeypatch.setattr(model, "build_discriminator", tiny.build_discriminator)
    monkeypatch.setattr(FeatureGAN, "build_features", tiny_features)

    def of(model, name):
        words = f"train --model {model} --image-size 32 --gf 2 --df 2 --batch-size 3 --epochs 1"
        words += " --ema 0.5 --sample-interval 2"
        place = ["--data-dir", str(fruit_dir), "--run-dir", str(tmp_path / name)]
        return [*words.split(), *SMALL[model], *place]

    return of


@pytest.mark.parametrize("model", BASELINES)
def test_resumed_is_uninterrupted_bit_for_bit(model, command, tmp_path, monkeypatch, capsys):
    assert main(command(model, "whole")) == 0
    real, steps = GAN.train_step, []

    def train_step(self, batch):
        logs = real(self, batch)
        steps.append(logs)
        if len(steps) == BROKEN_OFF:
            signal.raise_signal(signal.SIGTERM)
        return logs

    monkeypatch.setattr(GAN, "train_step", train_step)
    assert main(command(model, "resumed")) == Interrupted(signal.SIGTERM).exit_status
    assert len(steps) == BROKEN_OFF
    assert main(["train", "--resume", "--run-dir", str(tmp_path / "resumed")]) == 0
    assert len(steps) == STEPS
    runs = tmp_path / "whole", tmp_path / "resumed"
    assert_same_state(*runs)
    whole, resumed = (json.loads((run / "metrics.json").read_text()) for run in runs)
    # Its names of layers are counted on within a process.
    assert {**whole, "weights": None} == {**resumed, "weights": None}
    whole, resumed = (rows((run / "history.csv").read_text()) for run in runs)
    assert whole == resumed

    capsys.readouterr()
    run = tmp_path / "whole"
    assert main(["evaluate", "--run-dir", str(run), "--extractor", "none"]) == 0
    printed = capsys.readouterr().out
    metrics = json.loads((run / "metrics.json").read_text())
    ways = MODELS[model].ways_of(MODELS[model].config)
    for way in ways:
        assert f"{way[0]} → {way[1]} error to ground truth     {metrics[f'truth_{way}']:6.2f}" in (
            printed
        )
        assert (run / f"g_{way}.keras").is_file()
        shown = f"{way[0]} → {way[1]} error of the inversion    "
        assert (shown in printed) == (model == "cogan") == (f"inversion_{way}" in metrics)
    assert ("\n  cycle error" in printed) == ("cycle_A" in metrics) == (len(ways) == 2)
    assert ("\n  identity error" in printed) == ("identity_A" in metrics) == (model == "bigan")
    assert ("noisy_cycle_1_A" in metrics) == (model == "bigan")
    assert ("No identity errors" in printed) == (model == "cogan")
    if model == "cogan":
        assert metrics["cycle_A"] == metrics["inversion_AB"]
    assert (run / "report.html").is_file()
