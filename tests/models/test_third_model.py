"""A third model, all of it in this file: the package trains, resumes and measures it all the same.

It translates one way, from A to B, with one generator and one discriminator. An encoder is trained
beside them: it must find a small version of the image in its translation, so that the generator
keeps what the image shows.
"""

import argparse
import dataclasses
import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from cyclegan_keras import CycleGAN, DataLoader, TrainConfig, load_generator, start_from
from cyclegan_keras.cli import ablate, ablate_settings, train
from cyclegan_keras.cli.main import main
from cyclegan_keras.config import models
from cyclegan_keras.config.data import DataConfig
from cyclegan_keras.config.fields import setting
from cyclegan_keras.config.gans import AdversarialLossConfig, GANConfig, StepConfig
from cyclegan_keras.config.models import ModelInfo, Recipe, Variant, register
from cyclegan_keras.config.networks import PatchGANConfig, ResNetConfig
from cyclegan_keras.config.run import RunConfig
from cyclegan_keras.models.base import GAN
from cyclegan_keras.models.calls import Calls
from cyclegan_keras.models.checks import named
from cyclegan_keras.models.combined import Combined
from cyclegan_keras.runs.trainer import make_model, train_run
from cyclegan_keras.training.faults import Interrupted
from tests.reliability.support import assert_same_state

STEPS = 6  # two epochs of three steps


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneSidedLossConfig(AdversarialLossConfig):
    lambda_l1: float = setting("losses", 10.0, "weight of the content loss", least=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneSidedConfig(GANConfig):
    kind = "one_sided"
    generator: ResNetConfig = ResNetConfig(gf=2, num_blocks=1)
    discriminator: PatchGANConfig = PatchGANConfig(df=2, receptive_field=16)
    loss: OneSidedLossConfig = OneSidedLossConfig()
    step: StepConfig = StepConfig(discriminator_update="joint")


class OneSided(GAN):
    """Translates A to B, and keeps what an encoder needs to recognise the image."""

    default_config = OneSidedConfig()
    shown_losses = {"adv": ("valid_B_loss",), "content": ("content_loss",)}  # noqa: RUF012

    def __init__(self, img_shape, config=None, data_loader=None, seed=None):
        config = config or self.default_config
        super().__init__(img_shape, config, data_loader, seed=seed, name="one_sided")
        self.d_B = named(self.build_discriminator(), "d_B")
        self.g_AB = named(self.build_generator(), "g_AB")
        initializer = keras.initializers.GlorotUniform(seed=self._next_seed())
        self.encoder = keras.Sequential(
            [
                keras.Input(self.img_shape),
                layers.Conv2D(3, 8, strides=8, kernel_initializer=initializer),
            ],
            name="encoder",
        )
        img_A = keras.Input(self.img_shape, name="img_A")
        fake_B = self.g_AB(img_A)
        outputs = {"valid_B": self.d_B(fake_B), "content": self.encoder(fake_B)}
        self.combined = Combined.of(img_A, outputs, trains=[self.encoder, self.g_AB])
        self._compile_discriminator(self.d_B)
        self._compile_combined(["mse", "mae"], [config.loss.lambda_gan, config.loss.lambda_l1])
        self._finish()

    @property
    def compiled_models(self):
        return [self.d_B, self.combined]

    @property
    def generators(self):
        return {"g_AB": self.g_AB}

    def _default_loader(self):
        return DataLoader("fruit", self.img_shape[:2])

    def _step(self, imgs_A, imgs_B):
        calls = Calls()
        with tf.GradientTape() as tape:
            fake_B = calls(self.g_AB, imgs_A)
            valid_B = calls(self.d_B, fake_B)
            content = calls(self.encoder, fake_B)
            targets = {
                "valid_B": ops.ones_like(valid_B),
                "content": ops.average_pool(imgs_A, 8, 8),
            }
            outputs = {"valid_B": valid_B, "content": content}
            g_loss, losses = self.combined.full_objective(targets, outputs, calls.losses)
        variables = self.combined.trainable_variables
        self.combined.optimizer.apply(tape.gradient(g_loss, variables), variables)
        d_logs = self.update_discriminator(self.d_B, imgs_B, fake_B)
        return {
            **{f"d_{name}": value for name, value in d_logs.items()},
            **{f"d_B_{name}": value for name, value in d_logs.items()},
            "g_loss": g_loss,
            **{f"{name}_loss": value for name, value in losses.items()},
        }


QUICK = Recipe(
    model=OneSidedConfig(),
    data=DataConfig(image_size=32, enlarge=1.125),
    run=RunConfig(recipe="quick", epochs=2, batch_size=2),
    decays=True,
)
INFO = ModelInfo(
    OneSidedConfig(),
    "OneSided",
    OneSided,
    ways=("AB",),
    discriminators=("d_B",),
    recipes={"quick": QUICK},
    ablations={"content_alone": Variant("content alone", {"lambda_gan": 0.0})},
)


@pytest.fixture(scope="module")
def _registered():
    register(INFO)
    yield
    del models.MODELS[INFO.name]


pytestmark = pytest.mark.usefixtures("_registered")


def config(run_dir, data_dir, **changes):
    return TrainConfig(
        model="one_sided",
        recipe="quick",
        data_dir=str(data_dir),
        run_dir=str(run_dir),
        ema=0.5,
        learning_rate=1e-2,
        sample_interval=2,
        checkpoint_interval=60.0,
        evaluate_every=3,
        extractor="none",
        **changes,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def trained(_registered, fruit_dir, folder):
    """A run without a break."""
    figures = train_run(config(folder / "whole", fruit_dir))
    return folder / "whole", figures


@pytest.fixture(scope="module")
def resumed(trained, fruit_dir, folder):
    """The same run, broken off in its second epoch and gone on with."""
    steps = []

    def train_step(self, batch):
        logs = real(self, batch)
        steps.append(logs)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGTERM)
        return logs

    real = OneSided.train_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OneSided, "train_step", train_step)
        with pytest.raises(Interrupted):
            train_run(config(folder / "resumed", fruit_dir))
        assert len(steps) == 4
        train_run(config(folder / "resumed", fruit_dir))
    assert len(steps) == STEPS
    return folder / "resumed"


@pytest.mark.integration
def test_a_run_has_all_that_runs_have(trained):
    run, figures = trained
    names = {path.name for path in run.iterdir()}
    assert names >= {"config.json", "history.csv", "metrics.json", "samples", "translations.png"}
    # The encoder is no translator, and there is no way back.
    assert {name for name in names if name.endswith(".keras")} == {
        "g_AB.keras",
        "g_AB.best.keras",
    }
    assert figures["epochs"] == 2
    assert "truth_AB" in figures
    assert not any("BA" in name or "cycle" in name for name in figures)
    columns = (run / "history.csv").read_text().splitlines()[0].split(",")
    assert {"d_B_loss", "d_B_acc", "content_loss", "valid_B_loss"} <= set(columns)


@pytest.mark.integration
def test_it_resumes_bit_for_bit(trained, resumed):
    run, _ = trained
    assert_same_state(run, resumed)
    for name in ("translations.png", "best.json"):
        assert (run / name).read_bytes() == (resumed / name).read_bytes()
    figures = [json.loads((place / "metrics.json").read_text()) for place in (run, resumed)]
    for each in figures:
        del each["weights"]  # Digests of files, in which layers have other names.
    assert figures[0] == figures[1]
    weights = [load_generator(place / "g_AB.keras").get_weights() for place in (run, resumed)]
    for mine, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.integration
def test_it_is_evaluated_reported_and_compared(trained, resumed, capsys):
    run, figures = trained
    for place in (run, resumed):
        assert main(["evaluate", "--run-dir", str(place), "--extractor", "none"]) == 0
    assert json.loads((run / "metrics.json").read_text())["truth_AB"] == figures["truth_AB"]
    report = (run / "report.html").read_text()
    assert "A → B" in report
    assert "B → A" not in report
    assert "d_B" in report
    page = run.parent / "comparison.html"
    assert main(["compare", str(run), str(resumed), "--output", str(page)]) == 0
    assert page.stat().st_size > 10_000
    assert "A → B" in capsys.readouterr().out


@pytest.mark.integration
def test_it_translates(trained, fruit_dir, tmp_path):
    words = ["translate", "--model", str(trained[0] / "g_AB.keras"), str(fruit_dir / "testA")]
    assert main([*words, "--output", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.mark.integration
def test_all_networks_are_trained_and_taken_over(trained, fruit_dir):
    settings = config(trained[0], fruit_dir).replace(seed=7)
    gan = make_model(settings)
    assert list(gan.networks) == ["g_AB", "encoder", "d_B"]
    first = gan.encoder.get_weights()
    taken = start_from(gan, trained[0])
    assert (taken.networks, taken.anew) == (["g_AB", "encoder", "d_B"], [])
    assert taken.optimizers == ["d_B", "combined"]
    before = make_model(config(trained[0], fruit_dir)).encoder.get_weights()
    assert not np.array_equal(before[0], first[0])  # Of another seed.
    # Six steps of Adam at a hundredth, half of them at a falling rate.
    assert 0.01 < np.abs(gan.encoder.get_weights()[0] - before[0]).max() < 0.06
    # What is saved are the averages of the generator's weights, and of no other network's.
    saved = load_generator(trained[0] / "g_AB.keras").get_weights()
    for mine, theirs in zip(gan.translators["g_AB"].get_weights(), saved, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-7)
    assert not np.array_equal(gan.g_AB.get_weights()[0], saved[0])


@pytest.mark.integration
def test_what_is_trained_is_still_so_after_loading(trained, fruit_dir, tmp_path):
    gan = make_model(config(trained[0], fruit_dir))
    gan.combined.save(tmp_path / "combined.keras")
    again = keras.saving.load_model(tmp_path / "combined.keras")
    assert list(again.trained_networks) == ["encoder", "g_AB"]
    assert len(again.trainable_variables) == len(gan.combined.trainable_variables)


def test_an_average_is_that_of_its_own_variable(untraced):
    settings = OneSidedConfig().with_settings(ema=0.75, learning_rate=1e-2)
    gan = OneSided((32, 32, 3), settings, seed=0)
    batch = np.random.default_rng(0).uniform(-1, 1, (2, 2, 32, 32, 3)).astype("float32")
    averages = []
    for _ in range(2):
        gan.train_step((batch[0], batch[1]))
        averages.append(gan.translators["g_AB"].get_weights())
    for before, now, average in zip(averages[0], gan.g_AB.get_weights(), averages[1], strict=True):
        np.testing.assert_allclose(average, 0.75 * before + 0.25 * now, rtol=0, atol=1e-6)
        assert np.abs(average - now).max() > 1e-4


def test_its_settings_are_those_that_it_names(fruit_dir):
    assert TrainConfig(model="one_sided", recipe="quick").decay_epochs == 1
    for changes, words in (
        ({"lambda_cycle": 1.0}, "`lambda_cycle` is no setting of one_sided"),
        ({"generator": "unet"}, "`generator` is no setting of one_sided"),
        ({"recipe": "book"}, "`recipe` must be quick .*'book'"),
        ({"monitor": "cycle"}, "one_sided has no way back"),
    ):
        with pytest.raises(ValueError, match=words):
            TrainConfig(model="one_sided", **changes)
    with pytest.raises(ValueError, match=r"`recipe` must be book or paper or fast .*'quick'"):
        TrainConfig(recipe="quick")


def test_the_flags_know_it():
    parser = argparse.ArgumentParser()
    ablate.add_arguments(parser)
    arguments = parser.parse_args("--model one_sided --recipe quick --run-dir r".split())
    assert train.config_from(arguments).info is INFO
    (found,) = ablate_settings.configs(arguments).values()
    assert (found.info.name, found.lambda_gan, found.run_dir) == (
        "one_sided",
        0.0,
        "r/content_alone",
    )
    assert "(of one_sided, pix2pix)" in (text := " ".join(parser.format_help().split())) or (
        "(of pix2pix, one_sided)" in text
    )


def test_an_entry_must_be_right():
    with pytest.raises(ValueError, match=r"a model of this name already.*'one_sided'"):
        register(INFO)

    class OddConfig(OneSidedConfig):
        kind = "odd"

    recipe = dataclasses.replace(QUICK, run=RunConfig(keep=3))
    odd = dataclasses.replace(INFO, config=OddConfig(), recipes={"mine": recipe})
    with pytest.raises(ValueError, match="keep in the recipe 'mine' of odd"):
        register(odd)

    class BothConfig(OneSidedConfig):
        kind = "both"

    both = dataclasses.replace(INFO, config=BothConfig(), recipes={}, ways=("AB", "BA"))
    models.MODELS["both"] = both
    try:
        with pytest.raises(ValueError, match=r"generators g_AB, g_BA.*Received: g_AB$"):
            make_model(TrainConfig(model="both", image_size=32))
    finally:
        del models.MODELS["both"]


@pytest.mark.parametrize("name", ["cyclegan", "pix2pix"])
def test_the_entries_of_the_package_are_right(name):
    # It says so itself if its networks have other names.
    gan = make_model(TrainConfig(model=name, image_size=32, gf=2, df=2, num_blocks=None))
    assert isinstance(gan, CycleGAN) == (name == "cyclegan")
