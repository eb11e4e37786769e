import argparse
import json
import pathlib
import signal

import pytest

from cyclegan_keras.cli import ablate, train
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import trainer
from cyclegan_keras.training.faults import Interrupted

TINY = "--image-size 32 --gf 2 --df 2 --num-blocks 1 --batch-size 6 --epochs 1".split()
CYCLE = TrainConfig().lambda_cycle


def configs(*argv):
    parser = argparse.ArgumentParser()
    ablate.add_arguments(parser)
    return ablate.configs(parser.parse_args(argv))


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
    assert ablate.dropped(base, ["all", "gan_alone"]) is None
    assert ablate.dropped(TrainConfig(seed=2), ["book"]) is None
    assert ablate.dropped(base, ["all", "book", "paper"]) == (
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


def test_the_table_has_what_each_training_ends_with(fruit_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trained = []

    def pretend(config):
        pathlib.Path(config.run_dir).mkdir(parents=True)
        trained.append(config)
        return {"truth_untranslated": 20.0, "truth_AB": 4.0 + len(trained), "cycle_A": 1.0}

    monkeypatch.setattr(trainer, "train_run", pretend)
    command = ["ablate", "--data-dir", str(fruit_dir), *TINY, "--settings"]
    assert main([*command, "all", "gan_alone", "cycle_alone"]) == 0
    assert [weights(config)[:2] for config in trained] == [
        *((1.0, CYCLE), (1.0, 0.0), (0.0, CYCLE))
    ]
    rows = (tmp_path / "runs" / "ablation" / "ablation.md").read_text().splitlines()
    assert rows[0] == "| trained with | A → B | B → A | cycle A | cycle B |"
    assert rows[2] == "| (untranslated) | 20.00 | 20.00 |  |  |"
    assert rows[3] == "| GAN + both cycles | 5.00 |  | 1.00 |  |"
    assert rows[5] == "| cycle alone | 7.00 |  | 1.00 |  |"
    assert "\n".join(rows) in capsys.readouterr().out


def test_an_interrupted_ablation_ends_as_an_interrupted_run(fruit_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def interrupted(config):
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


def test_a_real_one(fruit_dir, tmp_path, monkeypatch, capsys, tiny_networks):
    monkeypatch.chdir(tmp_path)
    command = ["ablate", "--data-dir", str(fruit_dir), *TINY, "--settings", "gan_forward"]
    assert main(command) == 0
    run = tmp_path / "runs" / "ablation" / "gan_forward"
    assert weights(TrainConfig.from_json(run / "config.json")) == (1.0, CYCLE, 0.0, 0.0)
    figures = json.loads((run / "metrics.json").read_text())
    assert f"| GAN + forward cycle | {figures['truth_AB']:.2f} |" in capsys.readouterr().out
    # The same command again trains nothing that is done.
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    assert main(command) == 0
    assert f"| GAN + forward cycle | {figures['truth_AB']:.2f} |" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert main([*command, "--seed", "1"]) == 2
    assert "begun with other settings. Received: seed=1 where it was 0" in capsys.readouterr().err
