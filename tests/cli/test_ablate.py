import argparse
import functools
import json
import os
import pathlib
import signal

import pytest

from cyclegan_keras.cli import ablate, ablate_settings, train
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import every_figure, trainer
from cyclegan_keras.training.faults import Interrupted
from tests import forked

TINY = "--image-size 32 --gf 2 --df 2 --num-blocks 1 --batch-size 6 --epochs 1".split()
TINY += ["--extractor", "none"]
CYCLE = TrainConfig().lambda_cycle


@functools.cache
def parser():
    made = argparse.ArgumentParser()
    ablate.add_arguments(made)
    return made


def configs(*argv):
    return ablate_settings.configs(parser().parse_args(argv))


def weights(config):
    terms = ("lambda_gan", "lambda_cycle_A", "lambda_cycle_B", "lambda_id")
    return tuple(getattr(config, term) for term in terms)


def test_the_five_settings_of_the_table():
    found = configs("--lambda-cycle", "5", "--epochs", "3", "--run-dir", "r")
    assert {name: weights(config) for name, config in found.items()} == {
        "cycle_alone": (0.0, 5.0, 5.0, 0.0),
        "gan_alone": (1.0, 0.0, 0.0, 0.0),
        "gan_forward": (1.0, 5.0, 0.0, 0.0),
        "gan_backward": (1.0, 0.0, 5.0, 0.0),
        "all": (1.0, 5.0, 5.0, 0.0),
    }
    assert all(config.epochs == 3 for config in found.values())
    assert found["all"].run_dir == "r/all"


def test_a_weight_that_is_taken_away_is_zero_in_all_its_forms():
    found = configs("--lambda-cycle-A", "5", "--lambda-cycle-B", "7")
    assert {name: weights(config) for name, config in found.items()} == {
        "cycle_alone": (0.0, 5.0, 7.0, 0.0),
        "gan_alone": (1.0, 0.0, 0.0, 0.0),
        "gan_forward": (1.0, 5.0, 0.0, 0.0),
        "gan_backward": (1.0, 0.0, 7.0, 0.0),
        "all": (1.0, 5.0, 7.0, 0.0),
    }
    assert found["gan_alone"].lambda_cycle == 0.0
    found = configs("--lambda-cycle", "3", "--lambda-cycle-A", "5")
    assert weights(found["gan_forward"]) == (1.0, 5.0, 0.0, 0.0)
    assert weights(found["gan_backward"]) == (1.0, 0.0, 3.0, 0.0)


def test_a_baseline_keeps_all_flags_but_those_of_its_recipe():
    flags = (
        "--skip-bad-images --cache-memory 1 --enlarge 1.5 --no-flip --epoch-length longer "
        "--learning-rate 0.001 --beta-1 0.25 --precision mixed_bfloat16 --seed 4 --deterministic "
        "--sample-interval 7 --evaluate-every 3 --extractor none --best-by truth "
        "--stop-when-stale 2 --tensorboard --checkpoint-interval 5 --keep 3 --on-nan rollback"
    ).split()
    wanted = {
        **{"skip_bad_images": True, "cache_memory": 1.0, "enlarge": 1.5, "flip": False},
        **{"learning_rate": 0.001, "beta_1": 0.25, "precision": "mixed_bfloat16", "seed": 4},
        **{"deterministic": True, "sample_interval": 7, "evaluate_every": 3, "keep": 3},
        **{
            "extractor": "none",
            "monitor": "ground_truth",
            "stop_when_stale": 2,
            "tensorboard": True,
        },
        **{"checkpoint_interval": 5.0, "on_nan": "rollback"},
    }
    settings = ["all", "book", "paper", "pix2pix_AB"]
    found = configs(*flags, "--pool-size", "9", "--settings", *settings)
    for config in found.values():
        assert {name: getattr(config, name) for name in wanted} == wanted
    assert {found[name].epoch_length for name in settings[:3]} == {"longer"}
    assert [found[name].pool_size for name in settings[:3]] == [9, 0, 50]
    # What was not given is the recipe's own.
    plain = configs("--settings", *settings)
    assert [plain[name].enlarge for name in settings] == [1.125, 1.0, 286 / 256, 286 / 256]


def test_what_a_baseline_does_not_take_is_said():
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    base = train.config_from(parser.parse_args("--gf 3 --pool-size 9 --seed 2".split()))
    assert ablate_settings.dropped(base, ["all", "gan_alone"]) is None
    assert ablate_settings.dropped(TrainConfig(seed=2), ["book"]) is None
    assert ablate_settings.dropped(base, ["all", "book", "paper"]) == (
        "Networks and losses of a baseline are its recipe's: --gf, --pool-size do not change "
        "the book's recipe; the paper's recipe."
    )


@pytest.mark.parametrize(
    ("flag", "settings"),
    [
        ("lambda_cycle", ["gan_alone"]),
        ("lambda_cycle_A", ["gan_alone", "gan_backward"]),
        ("lambda_gan", ["cycle_alone", "paper"]),
    ],
)
def test_a_weight_that_all_settings_take_away_is_told(flag, settings):
    words = (f"--{flag.replace('_', '-')}", "3")
    with pytest.raises(ValueError, match=rf"`{flag}` does nothing here.*{settings[0]}"):
        configs(*words, "--settings", *settings)
    assert getattr(configs(*words, "--settings", *settings, "all")["all"], flag) == 3


def test_an_ablation_goes_on_by_itself(tmp_path, capsys):
    assert main(["ablate", "--resume", "--run-dir", str(tmp_path)]) == 2
    assert "Leave --resume out" in capsys.readouterr().err


def test_an_identity_loss_if_it_is_asked_for():
    found = configs("--lambda-id", "2", "--settings", "all", "gan_alone")
    assert [weights(config)[-1] for config in found.values()] == [2.0, 2.0]
    assert list(found) == ["all", "gan_alone"]


def test_the_five_go_by_any_recipe():
    found = configs("--recipe", "paper", "--image-size", "64", "--epochs", "1")
    assert {config.generator for config in found.values()} == {"resnet"}


def test_baselines_are_their_recipes_on_the_same_images_for_as_many_steps():
    found = configs(
        *("--image-size", "32", "--epochs", "4", "--batch-size", "2", "--gf", "3"),
        *("--settings", "book", "paper", "pix2pix_AB", "pix2pix_BA"),
    )
    for config in found.values():
        assert (config.image_size, config.epochs, config.batch_size) == (32, 4, 2)
        assert (config.decay_epochs, config.seed) == (0, 0)
    assert weights(found["book"]) == (1.0, 10.0, 10.0, 9.0)
    assert weights(found["paper"]) == (1.0, 10.0, 10.0, 5.0)
    assert (found["book"].gf, found["paper"].gf, found["paper"].generator) == (32, 64, "resnet")
    # An epoch of the paper's may be longer; here all have the same.
    assert found["paper"].epoch_length == "shorter"
    assert found["pix2pix_BA"].direction == "B-to-A"
    assert [found[name].dataset for name in ("book", "pix2pix_AB")] == ["fruit", "fruit_pairs"]


def test_pix2pix_is_not_ablated(capsys):
    assert main(["ablate", "--model", "pix2pix"]) == 2
    assert "What is ablated is a CycleGAN" in capsys.readouterr().err


def parts(*argv):
    return ablate_settings.parts(parser().parse_args(argv))


class Loader:
    """Of as many images."""

    def __init__(self, count):
        self.count = count

    def num_batches(self, batch_size):
        return -(-self.count // batch_size)


def lengths(part, count=40):
    loader = Loader(count)
    part = ablate_settings.with_length(part, loader, dict.fromkeys(part.configs, loader))
    return part.title, {
        name: (config.batch_size, config.epochs, config.steps)
        for name, config in part.configs.items()
    }


def test_what_needs_several_images_in_a_step_takes_as_many_steps():
    settings = ("--settings", "all", "cogan", "simgan_AB")
    (part,) = parts("--epochs", "2", *settings)
    # 80 steps: 2 epochs of 40 images, one by one; 27 of 3 steps of 16.
    assert lengths(part) == (
        "80 steps each",
        {"all": (1, 2, None), "cogan": (16, 27, 80), "simgan_AB": (1, 2, None)},
    )
    (part,) = parts("--steps", "50", *settings)
    assert lengths(part) == (
        "50 steps each",
        {"all": (1, 2, 50), "cogan": (16, 17, 50), "simgan_AB": (1, 2, 50)},
    )
    # Fewer epochs than that were asked for.
    (part,) = parts("--steps", "50", "--epochs", "1", *settings)
    assert lengths(part)[1]["all"] == (1, 1, None)
    # Who names a number of images means all.
    (part,) = parts("--batch-size", "4", "--epochs", "2", *settings)
    assert {size for size, _, _ in lengths(part)[1].values()} == {4}


def test_rates_fall_over_the_same_share_of_steps():
    settings = ("--settings", "all", "cogan")
    (part,) = parts("--epochs", "8", "--decay-epochs", "4", *settings)
    loader = Loader(32)
    part = ablate_settings.with_length(part, loader, dict.fromkeys(part.configs, loader))
    found = {name: (each.epochs, each.decay_epochs) for name, each in part.configs.items()}
    assert found == {"all": (8, 4), "cogan": (128, 64)}


def test_as_much_time_for_each():
    settings = ("--settings", "all", "cogan", "pix2pix_AB", "paper")
    (part,) = parts("--minutes", "2", *settings, "--run-dir", "r")
    assert part.title == "2 minutes each"
    loader = Loader(9)
    assert ablate_settings.with_length(part, loader, dict.fromkeys(part.configs, loader)) is part
    for config in part.configs.values():
        assert (config.minutes, config.steps, config.decay_epochs) == (2.0, None, 0)
    assert [config.batch_size for config in part.configs.values()] == [1, 16, 1, 1]


def test_steps_and_minutes_are_two_comparisons(tmp_path):
    found = parts("--minutes", "1", "--steps", "9", "--run-dir", "r", "--settings", "all", "bigan")
    assert [part.title for part in found] == ["9 steps each", "1 minute each"]
    assert [part.configs["bigan"].run_dir for part in found] == ["r/steps/bigan", "r/minutes/bigan"]
    assert [part.configs["bigan"].minutes for part in found] == [None, 1.0]
    assert [part.configs["bigan"].steps for part in found] == [9, None]


def test_ablations_beside_other_models_are_named_by_their_model():
    (part,) = parts("--settings", "all", "gan_alone")
    assert ablate_settings.titles(part)["all"] == "GAN + both cycles"
    (part,) = parts("--settings", "all", "bigan")
    assert ablate_settings.titles(part) == {
        "all": "CycleGAN, GAN + both cycles",
        "bigan": "BiGAN/ALI, without a latent variable",
    }


choose = every_figure.choose


@pytest.fixture
def pretended(monkeypatch):
    """Trainings and measurements that take no time; the settings that were trained."""
    trained = []

    def train_run(config, advises):
        pathlib.Path(config.run_dir).mkdir(parents=True, exist_ok=True)
        (pathlib.Path(config.run_dir) / "config.json").write_text(config.to_json())
        trained.append(config)
        ways = {f"truth_{way}": 4.0 + len(trained) for way in config.ways}
        changes = {f"change_{way}": 1.0 for way in config.ways}
        return {"truth_untranslated": 20.0, "cycle_A": 1.0, "images": "some", **ways, **changes}

    def of(self, config):
        kernel = {f"kernel_{way}": 0.25 / len(trained) for way in config.ways}
        return every_figure.Figures({}, {"a network": kernel})

    monkeypatch.setattr(trainer, "train_run", train_run)
    monkeypatch.setattr(every_figure.EveryFigure, "of", of)
    monkeypatch.setattr(every_figure, "choose", lambda name: [])
    monkeypatch.setattr(ablate, "_sheets", lambda part, titles: [])
    return trained


def test_the_table_has_what_each_training_ends_with(
    fruit_dir, tmp_path, monkeypatch, capsys, pretended
):
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "--data-dir", str(fruit_dir), *TINY, "--settings"]
    assert main([*command, "all", "gan_alone", "cycle_alone"]) == 0
    assert [weights(config)[:2] for config in pretended] == [
        *((1.0, CYCLE), (1.0, 0.0), (0.0, CYCLE))
    ]
    text = (tmp_path / "runs" / "ablation" / "ablation.md").read_text()
    rows = text.splitlines()
    assert rows[0] == "| trained with | A → B | B → A | cycle A | cycle B |"
    assert rows[2] == "| (untranslated) | 20.00 | 20.00 |  |  |"
    assert rows[3] == "| GAN + both cycles | 5.00 | 5.00 | 1.00 |  |"
    assert rows[5] == "| cycle alone | 7.00 | 7.00 | 1.00 |  |"
    assert "## A → B, 1 step each" in rows
    assert "## B → A, 1 step each" in rows
    assert text in capsys.readouterr().out
    page = (tmp_path / "runs" / "ablation" / "ablation.html").read_text()
    assert "GAN + both cycles" in page
    assert "<td>0.0833</td>" in page or "0.0833 best" in page
    assert "default-src 'none'" in page  # Nothing is fetched.


def test_what_is_not_alike_is_said(fruit_dir, tmp_path, monkeypatch, capsys, pretended):
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "--data-dir", str(fruit_dir), "--image-size", "32", "--steps", "2"]
    assert main([*command, "--settings", "all", "feature_gan_AB", "--batch-size", "2"]) == 0
    printed = capsys.readouterr().out
    assert "feature loss + GAN, A to B is trained with features" in printed
    assert "efficientnet-lite1" in printed
    assert "times as many" not in printed
    # Not enough images for what a model needs are told before anything is trained.
    trained = len(pretended)
    assert main([*command, "--settings", "all", "cogan"]) == 2
    assert "takes 16 images" in capsys.readouterr().err
    assert len(pretended) == trained


def test_a_run_of_another_length_is_told(fruit_dir, tmp_path, monkeypatch, capsys, pretended):
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "--data-dir", str(fruit_dir), "--image-size", "32", "--settings", "all"]
    real = trainer.train_run

    def finished(config, advises):
        metrics = real(config, advises)
        (pathlib.Path(config.run_dir) / "config.json").write_text(config.replace(steps=3).to_json())
        return metrics

    monkeypatch.setattr(trainer, "train_run", finished)
    assert main([*command, "--steps", "3"]) == 0
    assert main([*command, "--steps", "4"]) == 2
    assert "is finished with steps=3" in capsys.readouterr().err


def test_wrong_flags_are_told_before_anything_is_trained(
    fruit_dir, tmp_path, monkeypatch, capsys, pretended
):
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "--data-dir", str(fruit_dir), *TINY]
    (tmp_path / "labels.json").write_text("{}")
    (tmp_path / "odd.json").write_text('{"C": 1}')
    for words, said in (
        (["--label-colors", "absent.json"], "No file 'absent.json' for --label-colors"),
        (["--label-colors", "odd.json"], "Cannot read labels from 'odd.json'"),
        (["--segmentation-steps", "0"], "--segmentation-steps must be at least 1"),
        (["--settings", "contrast_alone"], "contrast_alone is a part of CUT left out"),
        (["--launcher", "local", "--workers", "2"], "An ablation trains one run after the other"),
        (["--data-dir", "absent"], "No folder 'absent'"),
    ):
        assert main([*command, *words]) == 2
        assert said in capsys.readouterr().err
    # An extractor that is missing is told as early.
    monkeypatch.setattr(every_figure, "choose", choose)
    assert main([*command, "--extractor", "absent.keras"]) == 2
    assert "absent.keras" in capsys.readouterr().err
    monkeypatch.setenv("CYCLEGAN_WORKERS", "a:1,b:1")
    monkeypatch.setenv("CYCLEGAN_INDEX", "0")
    assert main(command) == 2
    assert "An ablation trains one run after the other" in capsys.readouterr().err
    assert pretended == []
    assert not (tmp_path / "runs").exists()


def test_an_interrupted_ablation_ends_as_an_interrupted_run(fruit_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def interrupted(config, advises):
        raise Interrupted(signal.SIGTERM)

    monkeypatch.setattr(trainer, "train_run", interrupted)
    assert main(["ablate", "--data-dir", str(fruit_dir), *TINY]) == 143


def test_there_must_be_a_truth_to_compare_with(tmp_path, monkeypatch, capsys, fruit_dir):
    monkeypatch.chdir(tmp_path)
    for folder in ("trainA", "trainB"):
        target = tmp_path / "set" / folder
        target.mkdir(parents=True)
        for path in (fruit_dir / folder).iterdir():
            (target / path.name).write_bytes(path.read_bytes())
    assert main(["ablate", "--data-dir", "set", *TINY]) == 2
    assert "testA and testB must be pairs" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


@pytest.mark.integration
def test_a_real_one(fruit_dir, tmp_path, monkeypatch, capsys, tiny_networks):
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "--data-dir", str(fruit_dir), *TINY]
    command += ["--settings", "gan_forward", "bigan"]
    assert main(command) == 0
    run = tmp_path / "runs" / "ablation" / "gan_forward"
    assert weights(TrainConfig.from_json(run / "config.json")) == (1.0, CYCLE, 0.0, 0.0)
    figures = json.loads((run / "metrics.json").read_text())
    row = f"| CycleGAN, GAN + forward cycle | {figures['truth_AB']:.2f} |"
    assert row in capsys.readouterr().out
    page = (tmp_path / "runs" / "ablation" / "ablation.html").read_text()
    assert page.count("data:image/png") == 2 * 4 * 4  # Ways, images; with source and truth.
    # The same command again trains nothing that is done.
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert row in printed
    assert "is finished." in printed
    assert "--epochs" not in printed  # Another length would be another comparison.
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert main([*command, "--seed", "1"]) == 2
    assert "begun with other settings. Received: seed=1 where it was 0" in capsys.readouterr().err


# On a machine that pretends to have two cores. The extractor computes, as real ones do.
DEVICES = """
import os, sys
import keras
import tensorflow as tf
from cyclegan_keras.cli.main import main
from cyclegan_keras.runs import every_figure, trainer

def choose(name):
    keras.ops.ones(1)
    return []

def train_run(config, advises):
    threading = tf.config.threading
    intra, inter = (
        threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()
    )
    print(config.model.kind, intra, inter, len(tf.config.list_logical_devices("CPU")), flush=True)
    raise KeyboardInterrupt

os.cpu_count = lambda: 2
every_figure.choose = choose
trainer.train_run = train_run
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.integration
def test_devices_and_threads_are_those_of_a_training_alone(fruit_dir, tmp_path):
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TF_NUM")}
    words = ["ablate", "--data-dir", str(fruit_dir), *TINY, "--settings", "all"]
    words += ["--run-dir", str(tmp_path / "compared")]
    status, output, errors = forked.run(
        ["-c", DEVICES, *words], env={**environment, "CYCLEGAN_CPUS": "3"}
    )
    assert status == 130, errors
    assert "cyclegan 1 2 3" in output.splitlines()
