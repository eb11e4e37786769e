"""A new run from trained networks."""

import argparse
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import cyclegan_keras
from cyclegan_keras import CycleGAN, Pix2Pix
from cyclegan_keras.cli import train
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.inference import saving
from cyclegan_keras.models.base import GAN
from cyclegan_keras.runs import run_data, trainer, warm_start
from cyclegan_keras.runs.run_data import make_loader
from cyclegan_keras.runs.session import Session
from cyclegan_keras.runs.trainer import make_model
from cyclegan_keras.training.callbacks.checkpointing import variables_of
from cyclegan_keras.training.checkpoints import CheckpointStore
from tests import tiny

TINY = {"image_size": 32, "batch_size": 4, "epochs": 1}

# Whatever the networks are: what is taken over are weights by their names and shapes.
pytestmark = pytest.mark.usefixtures("tiny_networks")


def weights(network) -> list[np.ndarray]:
    return [np.array(w) for w in network.get_weights()]


def assert_same(one, other) -> None:
    for mine, theirs in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(scope="module")
def trained(fruit_dir, tmp_path_factory):
    """A run of one epoch, and its model."""
    folder = tmp_path_factory.mktemp("trained")
    config = TrainConfig.make(**TINY, data_dir=str(fruit_dir), run_dir=str(folder))
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        model = make_model(config)
    tf.config.run_functions_eagerly(True)  # Tracing takes longer than the two steps.
    Session(model, make_loader(config), config, folder).train()
    tf.config.run_functions_eagerly(False)
    saving.save_translators(model.translators, folder)
    return folder, model, config


def test_all_networks_and_optimizers_of_a_run(trained):
    folder, model, config = trained
    new = make_model(TrainConfig.make(config, learning_rate=1e-5, lambda_cycle=3.0, seed=9))
    taken = warm_start.start_from(new, folder)
    assert set(taken.networks) == {"g_AB", "g_BA", "d_A", "d_B"}
    assert taken.optimizers == ["d_A", "d_B", "combined"]
    assert taken.anew == []
    for name, network in new.networks.items():
        assert_same(network, model.networks[name])
    assert int(new.combined.optimizer.iterations) == int(model.combined.optimizer.iterations) > 0
    np.testing.assert_array_equal(
        new.combined.optimizer._momentums[0], model.combined.optimizer._momentums[0]
    )
    assert float(new.combined.optimizer.learning_rate) == pytest.approx(1e-5)
    # The moving averages, too.
    for name, translator in new.translators.items():
        assert_same(translator, model.translators[name])


def test_optimizers_that_do_not_fit_begin_anew(trained):
    folder, model, config = trained
    new = make_model(TrainConfig.make(config, ema=0.0, pool_size=2))
    taken = warm_start.start_from(new, folder)
    assert taken.optimizers == ["d_A", "d_B"]
    assert int(new.combined.optimizer.iterations) == 0
    assert_same(new.g_AB, model.g_AB)


def test_networks_that_do_not_fit_are_named_and_nothing_is_changed(trained):
    def wider(gan):
        img = keras.Input(gan.img_shape)
        return keras.Model(img, tiny.convolution(2, 2, None, 0)(img))

    folder, _, config = trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GAN, "build_discriminator", wider)
        new = make_model(config)
    before = {name: v.numpy() for name, v in variables_of(new).items()}
    with pytest.raises(ValueError, match=r"d_A of .*does not fit: .*\(3, 3, 3, 2\) here.* 1\) th"):
        warm_start.start_from(new, folder)
    new_names = {name: v.numpy() for name, v in variables_of(new).items()}
    for name, array in before.items():
        np.testing.assert_array_equal(new_names[name], array)


@pytest.mark.parametrize("what", ["folder", "files", "one"])
def test_generators_of_files(trained, tmp_path, what):
    folder, model, config = trained
    for name in ("g_AB", "g_BA") if what != "one" else ("g_AB",):
        shutil.copy(folder / f"{name}.keras", tmp_path)
    sources = {
        "folder": tmp_path,
        "files": os.pathsep.join(str(tmp_path / f"g_{way}.keras") for way in ("BA", "AB")),
        "one": tmp_path / "g_AB.keras",
    }
    new = make_model(TrainConfig.make(config, seed=5))
    fresh = weights(new.g_BA)
    taken = warm_start.start_from(new, sources[what])
    assert_same(new.g_AB, model.translators["g_AB"])
    assert taken.optimizers == []
    assert str(taken).endswith(f"; new optimizer states; random weights of {', '.join(taken.anew)}")
    assert {"d_A", "d_B"} <= set(taken.anew)
    if what == "one":
        assert "g_BA" in taken.anew
        for mine, before in zip(weights(new.g_BA), fresh, strict=True):
            np.testing.assert_array_equal(mine, before)
    else:
        assert_same(new.g_BA, model.translators["g_BA"])


def test_models_made_by_hand_take_them_too(trained):
    folder, model, config = trained
    gan = CycleGAN(**TrainConfig.make(config, seed=7).model_settings())
    assert "Starts with g_AB, g_BA" in str(cyclegan_keras.start_from(gan, folder))
    assert_same(gan.d_B, model.d_B)
    settings = {**config.flat(), "img_shape": config.img_shape}
    networks = ("img_shape", "gf", "generator", "num_blocks", "upsampling", "padding", "norm")
    networks += ("skips", "blended_output")
    pix2pix = Pix2Pix(**{name: settings[name] for name in networks}, df=2)
    taken = cyclegan_keras.start_from(pix2pix, folder / "g_AB.keras")
    assert (taken.networks, taken.anew) == (["g_AB"], ["d"])
    assert_same(pix2pix.g, model.translators["g_AB"])
    other = Pix2Pix(**{name: settings[name] for name in networks}, df=2, direction="B-to-A")
    with pytest.raises(ValueError, match=r"Rename it to g_BA\.keras"):
        cyclegan_keras.start_from(other, folder / "g_AB.keras")


def test_a_run_that_began_so_needs_its_source_no_more(trained, tmp_path, fruit_dir, untraced):
    folder, _, config = trained
    source = shutil.copytree(folder, tmp_path / "source")
    settings = TrainConfig.make(
        config, epochs=2, learning_rate=1e-4, start_from=str(source), run_dir=str(tmp_path / "new")
    )

    def start(model):
        return warm_start.start_from(model, settings.start_from, make_model)

    def session(place, **settings_there):
        (tmp_path / place).mkdir(exist_ok=True)
        there = TrainConfig.make(settings, **settings_there)
        model = make_model(there)
        return model, Session(model, make_loader(there), there, tmp_path / place, start=start)

    whole, training = session("whole", keep=99)
    training.train()
    written = TrainConfig.from_json(tmp_path / "whole" / "config.json")
    assert written.start_from == str(source)
    assert len(written.start_digest) == 64
    shutil.rmtree(source)
    first = CheckpointStore(tmp_path / "whole" / "checkpoints")._numbers()[1]
    path = tmp_path / "whole" / "checkpoints" / f"checkpoint-{first:06d}"
    shutil.copytree(path, tmp_path / "again" / "checkpoints" / path.name)
    again, training = session("again")
    training.train()
    for name, variable in variables_of(again).items():
        np.testing.assert_array_equal(variable.numpy(), variables_of(whole)[name].numpy(), name)
    later = TrainConfig.from_json(tmp_path / "again" / "config.json")
    assert later.start_digest == written.start_digest


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--from", "nowhere"], "/nowhere' to start from"),
        (["--from", "empty"], "/empty'. Give --from a run"),
        (["--from", "notes.txt"], "takes a run's folder or .keras files"),
        (["--from", "empty", "notes.txt"], "one folder, or one or more .keras files"),
        (
            ["--from", "empty", "--resume", "--run-dir", "x"],
            "--from begins a new run, and --resume",
        ),
    ],
)
def test_what_cannot_be_begun_with_is_told(flags, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("empty").mkdir()
    pathlib.Path("notes.txt").write_text("x")
    assert main(["train", *flags]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "notes.txt"]


def test_a_name_with_the_sign_that_joins(trained, tmp_path, monkeypatch):
    folder, model, config = trained
    name = os.pathsep.join(["2026-11-25T10", "00"])
    shutil.copytree(folder, tmp_path / name)
    new = make_model(TrainConfig.make(config, seed=3))
    warm_start.start_from(new, tmp_path / name)
    assert_same(new.g_AB, model.g_AB)
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(warm_start, "check", seen.append)
    monkeypatch.setattr(run_data, "read", lambda config: seen.append(config.start_from) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.train_run(TrainConfig.make(config, run_dir=None, start_from=name))
    assert seen == [str(tmp_path / name)] * 2


def test_a_settings_file_may_name_what_to_begin_with(tmp_path):
    """Or a run that began so would be another one, without a word, when it is done again."""
    path = tmp_path / "config.json"
    path.write_text(TrainConfig(start_from="there", start_digest="0" * 64).to_json())
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    config = train.config_from(parser.parse_args(["--config", str(path)]))
    assert (config.start_from, config.start_digest) == ("there", None)
    assert main(["ablate", "--config", str(path)]) == 2


def test_a_relative_extractor_is_found_from_anywhere(trained, tmp_path, monkeypatch):
    _, _, config = trained
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(run_data, "read", lambda config: seen.append(config.extractor) or 1 / 0)
    for name in ("eye.keras", "efficientnet"):
        there = TrainConfig.make(config, run_dir=None, extractor=name, evaluate_every=1)
        with pytest.raises(ZeroDivisionError):
            trainer.train_run(there)
    assert seen == [str(tmp_path / "eye.keras"), "efficientnet"]


def test_a_source_that_is_still_trained_may_remove_the_checkpoint(trained, tmp_path):
    folder, model, config = trained
    source = shutil.copytree(folder, tmp_path / "source")

    def make(settings):
        shutil.rmtree(source / "checkpoints")
        return make_model(settings)

    new = make_model(TrainConfig.make(config, seed=3))
    assert len(warm_start.start_from(new, source, make).digest) == 64
    assert_same(new.g_AB, model.g_AB)
