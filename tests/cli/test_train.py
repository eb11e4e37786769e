"""The whole path as a user walks it: train, look, stop, translate."""

import argparse
import csv
import dataclasses
import json
import logging
import math
import os
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image
from tensorboard.backend.event_processing import plugin_event_accumulator

from cyclegan_keras.cli import train
from cyclegan_keras.cli.main import main
from cyclegan_keras.config import models
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.inference.translate import load_generator
from cyclegan_keras.metrics import features
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.runs import run_data, session, trainer
from cyclegan_keras.training.callbacks import tensorboard
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]
TINY_UNET = "--image-size 32 --gf 2 --df 2 --batch-size 2 --decay-epochs 1".split()
TINY = "--image-size 32 --gf 2 --df 2 --num-blocks 0 --batch-size 2 --decay-epochs 1".split()


def read_rows(path: pathlib.Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def config_from(*argv: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.config_from(parser.parse_args(argv))


def test_flags_come_on_top_of_the_settings_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(TrainConfig(epochs=7, gf=4, data_dir="there").to_json())
    config = config_from("--config", str(path), "--epochs", "8", "--lambda-id", "0.25")
    assert config == TrainConfig(epochs=8, gf=4, data_dir="there", lambda_id=0.25)
    assert config_from("--config", str(path), "--dataset", "fruit").data_dir is None
    assert config_from() == TrainConfig()
    # The old run's folder is no setting of the new run.
    path.write_text(TrainConfig(run_dir="old").to_json())
    assert config_from("--config", str(path)).run_dir is None
    assert config_from("--config", str(path), "--run-dir", "new").run_dir == "new"


def test_each_choice_of_each_setting_can_be_given():
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    settings = [each for each in known_settings().values() if each.flag and each.choices]
    assert {"model", "recipe", "outer_kernel", "channels", "discriminator"} <= {
        each.name for each in settings
    }
    for setting in settings:
        for choice in setting.choices:
            given = parser.parse_args([setting.flag, str(choice)])
            assert getattr(given, setting.name) == choice, setting.name
            assert setting.checked(choice) == choice


@pytest.mark.parametrize("model", list(models.MODELS))
def test_what_a_recipe_sets_can_be_given_by_flags(model):
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    for recipe in models.MODELS[model].recipes:
        words = ["--model", model, *(["--recipe", recipe] if recipe else [])]
        wanted = train.config_from(parser.parse_args(words)).flat()
        for name, value in wanted.items():
            setting = known_settings()[name]
            if value is None or not setting.flag:
                continue
            word = setting.flag if value is not False else setting.flag.replace("--", "--no-", 1)
            given = [word, *([] if isinstance(value, bool) else str(value).split())]
            assert setting.checked(getattr(parser.parse_args(given), name)) == value, name


def test_the_fixed_flags_are_there():
    flags = (
        "--dataset x --image-size 64 --batch-size 2 --epochs 3 --sample-interval 5 --seed 1 "
        "--run-dir r --lambda-cycle 5 --lambda-id 1 --gf 8 --df 16"
    )
    assert config_from(*flags.split()) == TrainConfig(
        dataset="x",
        image_size=64,
        batch_size=2,
        epochs=3,
        sample_interval=5,
        seed=1,
        run_dir="r",
        lambda_cycle=5.0,
        lambda_id=1.0,
        gf=8,
        df=16,
    )


def train_six_steps(data_dir, folder):
    """Two epochs of three steps, by train.py in a process of its own."""
    command = [sys.executable, str(ROOT / "train.py"), "--data-dir", str(data_dir), *TINY]
    command += "--epochs 2 --sample-interval 2 --seed 3".split()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def trained(fruit_dir, tmp_path_factory):
    """A small run, in an empty folder."""
    folder = tmp_path_factory.mktemp("work")
    return folder, train_six_steps(fruit_dir, folder)


def test_a_run_leaves_everything_in_its_folder(trained):
    folder, result = trained
    run = folder / "runs" / "small_fruit"
    assert [path.name for path in folder.iterdir()] == ["runs"]
    assert sorted(path.name for path in run.iterdir()) == [
        ".lock",
        "checkpoints",
        "config.json",
        "g_AB.keras",
        "g_BA.keras",
        "history.csv",
        "metrics.json",
        "samples",
        "translations.png",
    ]
    assert TrainConfig.from_json(run / "config.json").epochs == 2
    rows = read_rows(run / "history.csv")
    assert [int(row["step"]) for row in rows] == [2, 3, 4, 6]
    assert sorted(p.name for p in (run / "samples").iterdir()) == ["0_1.png", "1_0.png", "1_2.png"]
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["truth_AB"] > 0
    assert figures["epochs"] == 2
    assert f"A → B error to ground truth     {figures['truth_AB']:6.2f}" in result.stdout
    assert "Device " in result.stdout
    place = pathlib.Path("runs") / "small_fruit"
    how = f"How good is it? cyclegan evaluate --run-dir {place} writes a report."
    assert result.stdout.splitlines()[-1] == how
    assert "6/6" in result.stderr
    assert "D " in result.stderr
    with Image.open(run / "translations.png") as image:
        assert image.width > 6 * 128


def test_nothing_but_ours_is_printed(trained):
    _, result = trained
    noise = ["Traceback", "Warning", "oneDNN", "CUDA", "E0000", "W0000", "retracing"]
    assert not [word for word in noise if word in result.stdout + result.stderr]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_run(trained, fruit_dir, tmp_path):
    folder, _ = trained
    train_six_steps(fruit_dir, tmp_path)
    histories = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in read_rows(path)]
        for path in (place / "runs" / "small_fruit" / "history.csv" for place in (folder, tmp_path))
    ]
    assert len(histories[0]) > 1
    assert histories[0] == histories[1]


def test_a_finished_run_is_left_as_it_is(trained, fruit_dir, capsys):
    folder, _ = trained
    run = folder / "runs" / "small_fruit"
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    argv = ["train", "--data-dir", str(fruit_dir), *TINY, "--run-dir", str(run)]
    same = "--epochs 2 --sample-interval 2 --seed 3".split()
    assert main([*argv, *same]) == 0
    assert (
        "is finished. To train it further, give --epochs a number above 2"
        in capsys.readouterr().out
    )
    assert main(["train", "--run-dir", str(run), "--resume"]) == 0
    assert main([*argv, *same, "--gf", "4"]) == 2
    assert "begun with other settings. Received: gf=4 where it was 2." in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_to_resume_there_must_be_a_run(tmp_path, capsys):
    assert main(["train", "--resume"]) == 2
    assert "Say which, with --run-dir" in capsys.readouterr().err
    assert main(["train", "--resume", "--run-dir", str(tmp_path)]) == 2
    assert "There is no run in " in capsys.readouterr().err
    (tmp_path / "photo.jpg").write_bytes(b"dear")
    assert main(["train", "--run-dir", str(tmp_path)]) == 2
    assert "not a run, and nothing is overwritten" in capsys.readouterr().err


def test_resuming_takes_the_runs_own_settings(tmp_path):
    (tmp_path / "config.json").write_text(TrainConfig(gf=4, epochs=6, data_dir="there").to_json())
    found = config_from("--resume", "--run-dir", str(tmp_path))
    assert found == TrainConfig(gf=4, epochs=6, data_dir="there", run_dir=str(tmp_path))
    found = config_from("--resume", "--run-dir", str(tmp_path), "--epochs", "10")
    assert (found.epochs, found.decay_epochs, found.gf) == (10, 0, 4)


def test_broken_data_are_told_before_a_run_begins(fruit_dir, tmp_path, capsys):
    shutil.copytree(fruit_dir, tmp_path / "set")
    (tmp_path / "set" / "testB" / "0001.png").write_bytes(b"broken")
    argv = ["train", "--data-dir", str(tmp_path / "set"), *TINY, "--run-dir", str(tmp_path / "r")]
    assert main(argv) == 2
    assert "0001.png" in capsys.readouterr().err
    (tmp_path / "set" / "testB" / "0001.png").unlink()
    assert main(argv) == 2
    assert "same names" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_translate_with_what_was_trained(trained, fruit_dir, tmp_path, capsys):
    model = trained[0] / "runs" / "small_fruit" / "g_AB.keras"
    out = tmp_path / "out"
    argv = ["translate", "--model", str(model), str(fruit_dir / "testA"), "--output", str(out)]
    assert main(argv) == 0
    assert len(list(out.iterdir())) == 4
    assert "Translated 4 images" in capsys.readouterr().out
    assert main(argv) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*argv, "--overwrite"]) == 0


@pytest.mark.slow
def test_the_defaults_translate_the_fruit(tmp_path):
    """Takes eight minutes on two cores: the very thing that a newcomer does first."""
    command = [sys.executable, str(ROOT / "train.py"), "--run-dir", "r"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=tmp_path, env=env, check=True)
    figures = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert figures["truth_AB"] <= 0.5 * figures["truth_untranslated"]
    assert figures["truth_BA"] <= 0.5 * figures["truth_untranslated"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "precision", [pytest.param("mixed_bfloat16", marks=pytest.mark.slow), "mixed_float16"]
)
def test_translators_trained_in_mixed_precision_compute_in_full(
    precision, fruit_dir, tmp_path, tiny_networks
):
    command = ["--data-dir", str(fruit_dir), *TINY, "--epochs", "2", "--run-dir", str(tmp_path)]
    policy = keras.config.dtype_policy().name
    assert main([*command, "--precision", precision], "train.py", "train") == 0
    assert keras.config.dtype_policy().name == policy
    assert TrainConfig.from_json(tmp_path / "config.json").precision == precision
    rows = read_rows(tmp_path / "history.csv")
    assert all(math.isfinite(float(value)) for row in rows for value in row.values())
    generator = load_generator(tmp_path / "g_AB.keras")
    assert {layer.compute_dtype for layer in generator.layers} == {"float32"}
    assert generator.name == "g_AB"


def test_the_memory_budget_reaches_the_loader(fruit_dir, monkeypatch, capsys):
    def refuse(*args, cache_memory, **kwargs):
        raise ValueError(f"a budget of {cache_memory}")

    monkeypatch.setattr("cyclegan_keras.data.loader.DataLoader", refuse)
    command = ["--data-dir", str(fruit_dir), "--cache-memory", "0.5"]
    assert main(command, "train.py", "train") == 2
    assert "a budget of 0.5" in capsys.readouterr().err


@pytest.mark.integration
def test_pix2pix_from_pictures_side_by_side(fruit_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("train", "test"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for path in sorted((fruit_dir / "testA").iterdir()):
            both = Image.new("RGB", (64, 32))
            for side, domain in enumerate("AB"):
                with Image.open(fruit_dir / f"test{domain}" / path.name) as image:
                    both.paste(image, (32 * side, 0))
            both.save(tmp_path / "pairs" / folder / path.name)
    command = "train --model pix2pix --direction B-to-A --data-dir pairs --run-dir r --epochs 1"
    assert main([*command.split(), *TINY_UNET[:-2], "--sample-interval", "1"]) == 0
    names = {path.name for path in (tmp_path / "r").iterdir()}
    assert "g_BA.keras" in names
    assert "g_AB.keras" not in names
    output = capsys.readouterr().out
    assert "B → A error to ground truth" in output
    assert "A → B" not in output
    figures = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert {"truth_BA", "truth_untranslated"} <= figures.keys()
    assert not {"truth_AB", "cycle_A"} & figures.keys()
    with Image.open(tmp_path / "r" / "samples" / "0_1.png") as image:
        assert image.width < 4 * 128  # Three columns: source, translation, truth.
    pictures = [str(tmp_path / "pairs" / "test")]
    arguments = ["translate", "--model", "r/g_BA.keras", "--output", "out", *pictures]
    assert main(arguments) == 0
    assert len(list((tmp_path / "out").iterdir())) == 4


@pytest.mark.integration
def test_the_papers_recipe_with_an_average(fruit_dir, tmp_path, monkeypatch, untraced):
    monkeypatch.chdir(tmp_path)
    command = f"train --recipe paper --data-dir {fruit_dir} --run-dir r --epochs 1 --ema 0.9"
    assert main([*command.split(), *TINY[:6], "--num-blocks", "1", "--batch-size", "6"]) == 0
    config = TrainConfig.from_json(tmp_path / "r" / "config.json")
    assert (config.recipe, config.generator, config.pool_size) == ("paper", "resnet", 50)
    assert (config.gf, config.num_blocks, config.ema, config.decay_epochs) == (2, 1, 0.9, 0)
    operations = load_generator(tmp_path / "r" / "g_AB.keras").operations
    assert {"Pad", "InstanceNormalization"} <= {type(x).__name__ for x in operations}


@pytest.mark.integration
def test_names_may_be_anything_and_images_few(
    fruit_dir, tmp_path, capsys, monkeypatch, tiny_networks
):
    # Or pytest would send the names, which are no text, from one process to another.
    monkeypatch.setattr(logging.getLogger("cyclegan_keras"), "propagate", False)
    odd = os.fsdecode(b' it\'s "odd"\n\xff \xc3\xa9')
    folder = tmp_path / odd
    for domain, count in (("A", 1), ("B", 3)):
        (folder / f"train{domain}").mkdir(parents=True)
        for path in sorted((fruit_dir / f"train{domain}").iterdir())[:count]:
            shutil.copy(path, folder / f"train{domain}" / f"{odd}{path.name}")
    (folder / "trainB" / "bad.png").write_bytes(b"no image")
    command = ["train", "--data-dir", str(folder), "--run-dir", str(tmp_path / f"r{odd}")]
    command += "--image-size 32 --gf 2 --df 2 --epochs 1 --epoch-length longer".split()
    assert main([*command, "--skip-bad-images"]) == 0
    out = capsys.readouterr().out
    assert "Skipped 1 image that cannot be used, such as " in out
    assert "1 image of A, 3 of B" in out
    assert "1 epoch of 3 steps" in out
    names = {path.name for path in (tmp_path / f"r{odd}").iterdir()}
    assert {"g_AB.keras", "g_BA.keras", "metrics.json", "translations.png"} <= names
    model = str(tmp_path / f"r{odd}" / "g_AB.keras")
    translate = ["translate", "--model", model, "--output", str(tmp_path / f"o{odd}")]
    assert main([*translate, str(folder / "trainA")]) == 0
    assert main([*command[:4], f"{command[4]}2", *command[5:]]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert "1 of the 4 images of trainB cannot be used. " in errors[-1]
    assert "--skip-bad-images" in errors[-1]


def test_settings_of_the_other_model_end_it(capsys):
    assert main("train --model pix2pix --pool-size 5".split()) == 2
    assert "`pool_size` is no setting of pix2pix" in capsys.readouterr().err


def test_pix2pix_wants_pairs_to_test_on_too(fruit_dir, tmp_path, capsys):
    for folder, source in (("trainA", "testA"), ("trainB", "testB"), ("testA", "testA")):
        shutil.copytree(fruit_dir / source, tmp_path / "set" / folder)
    shutil.copytree(fruit_dir / "trainB", tmp_path / "set" / "testB")
    command = f"train --model pix2pix --data-dir {tmp_path / 'set'} --run-dir {tmp_path / 'r'}"
    assert main([*command.split(), *TINY_UNET]) == 2
    assert (
        "needs pairs, that is, images of equal names, in testA and testB" in capsys.readouterr().err
    )
    assert not (tmp_path / "r").exists()


@pytest.fixture(scope="module")
def eye(tmp_path_factory):
    """A network that is small, to look at images with."""
    path = tmp_path_factory.mktemp("eye") / "eye.keras"
    keras.utils.set_random_seed(0)
    maps = [layers.Conv2D(4, 8, strides=8), layers.GlobalAveragePooling2D()]
    keras.Sequential([keras.Input((32, 32, 3)), *maps]).save(path)
    return path


@pytest.fixture(scope="module")
def tiny_model():
    """Made once: making and tracing it takes most of the time."""
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        return trainer.make_model(TrainConfig(recipe="book", image_size=32))


@pytest.fixture
def quick(tiny_model, monkeypatch):
    """Trainings take this model as it is, and their steps change nothing but what a test adds."""
    steps = []

    def train_step(batch):
        steps.append(len(steps) + 1)
        act(steps[-1])
        shares = dict.fromkeys(("d_acc", "d_A_acc", "d_B_acc"), 0.75)
        return {**shares, **dict.fromkeys(("d_loss", "d_A_loss", "d_B_loss", "g_loss"), 0.2)}

    act = lambda step: None  # noqa: E731

    def use(what):
        nonlocal act
        act = what

    first = [variable.numpy() for variable in tiny_model.variables]
    monkeypatch.setattr(tiny_model, "train_step", train_step)
    monkeypatch.setattr(trainer, "make_model", lambda config: tiny_model)
    yield tiny_model, use
    for variable, value in zip(tiny_model.variables, first, strict=True):
        variable.assign(value)


def without_tests(fruit_dir: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    for name in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / name, folder / name)
    return folder


@pytest.mark.integration
def test_a_run_that_is_looked_at(fruit_dir, eye, tmp_path, capsys, tiny_networks):
    run = tmp_path / "run"
    words = f"train --data-dir {fruit_dir} --run-dir {run} --epochs 2 --sample-interval 2 --seed 3"
    looks = f"--evaluate-every 2 --extractor {eye} --monitor fid --tensorboard"
    assert main([*words.split(), *TINY, *looks.split()]) == 0
    out = capsys.readouterr().out.splitlines()
    name = features.from_file(eye).name
    assert f"Monitor FID (Fréchet distance), features of {name}, every 2 steps" in out
    assert not [line for line in out if "How good is it?" in line]
    # Looks after steps 2, 4 and 6; the third row is of the first epoch's end.
    rows = read_rows(run / "history.csv")
    assert [(row["step"], bool(row["frechet_AB"])) for row in rows] == [
        *(("2", True), ("3", False), ("4", True), ("6", True))
    ]
    assert all(math.isfinite(float(row["kernel_BA"])) for row in rows if row["frechet_AB"])
    never = {"num_A", "images", "frechet_untranslated", "kernel_real_A", "accuracy_A"}
    assert not never & rows[0].keys()
    figures = json.loads((run / "metrics.json").read_text())
    assert (figures["extractor"], figures["epochs"]) == (name, 2)
    best = json.loads((run / "best.json").read_text())
    assert (best["figure"], best["extractor"]) == ("frechet", name)
    for way in ("AB", "BA"):
        column = {row["step"]: float(row[f"frechet_{way}"]) for row in rows if row["frechet_AB"]}
        # What is measured at the end is what was measured after the last step.
        assert column["6"] == pytest.approx(figures[f"frechet_{way}"], rel=1e-4)
        step = min(column, key=lambda step: column[step])
        kept = best["translators"][f"g_{way}"]
        assert str(kept["step"]) == step
        assert kept["value"] == pytest.approx(column[step], rel=1e-4)
        weights, last = (
            load_generator(run / f"g_{way}{kind}.keras").get_weights() for kind in (".best", "")
        )
        same = all(np.array_equal(*pair) for pair in zip(weights, last, strict=True))
        assert same == (step == "6")
    assert {row["extractor"] for row in rows if row["frechet_AB"]} == {name}
    (said,) = (line for line in out if line.startswith("Step 2: "))
    assert said == (
        f"Step 2: A → B FID (Fréchet distance) {float(rows[0]['frechet_AB']):.2f}, "
        "the best so far. "
        f"B → A {float(rows[0]['frechet_BA']):.2f}, the best so far."
    )
    assert len([line for line in out if line.startswith("Step ")]) == 3
    events = plugin_event_accumulator.EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"losses/g_loss", f"figures ({name})/frechet_AB", "samples"} <= set(
        events.Tags()["tensors"]
    )
    assert [event.step for event in events.Tensors("samples")] == [2, 4, 6]


@pytest.mark.integration
def test_a_run_that_gets_no_better_stops_and_stays_finished(
    fruit_dir, eye, tmp_path, capsys, quick
):
    run = tmp_path / "run"
    words = f"train --data-dir {fruit_dir} --run-dir {run} --extractor {eye} --evaluate-every 1"
    command = [*words.split(), "--patience", "1", *TINY, "--epochs"]
    assert main([*command, "2"]) == 0
    assert "Early stopping after step 2: no generator improved" in capsys.readouterr().out
    figures = json.loads((run / "metrics.json").read_text())
    assert (figures["epochs"], figures["stopped_at_step"]) == (2, 2)
    assert [row["step"] for row in read_rows(run / "history.csv")] == ["1", "2"]
    assert {"g_AB.keras", "g_AB.best.keras"} <= {path.name for path in run.iterdir()}
    assert main([*command, "2"]) == 0
    assert (
        "is finished; early stopping ended it after step 2. To train it further, give --epochs a "
        "number above 2."
    ) in capsys.readouterr().out
    # As if it had crashed before it wrote its figures.
    (run / "metrics.json").unlink()
    (run / "g_AB.keras").unlink()
    assert main([*command, "2"]) == 0
    assert json.loads((run / "metrics.json").read_text()) == figures
    assert (run / "g_AB.keras").exists()
    assert [row["step"] for row in read_rows(run / "history.csv")] == ["1", "2"]
    # The epoch that was cut short counts as done: the second begins with step 4.
    assert main([*command, "3"]) == 0
    assert [row["step"] for row in read_rows(run / "history.csv")] == ["1", "2", "4"]
    figures = json.loads((run / "metrics.json").read_text())
    assert (figures["epochs"], figures["stopped_at_step"]) == (3, 4)
    assert main([*command, "4", "--patience", "0"]) == 0
    figures = json.loads((run / "metrics.json").read_text())
    assert figures["epochs"] == 4
    assert "stopped_at_step" not in figures


@pytest.mark.parametrize("weight", [0.0, np.nan])
def test_what_goes_wrong_in_between_is_named(weight, fruit_dir, eye, tmp_path, capsys, quick):
    """From step 2 on, g_AB makes grey of everything, or nothing at all."""
    model, use = quick

    def breaks(step):
        if step == 2:
            for variable in model.g_AB.trainable_variables[-2:]:
                variable.assign(np.full(variable.shape, weight))

    use(breaks)
    words = f"train --data-dir {fruit_dir} --run-dir {tmp_path / 'r'} --extractor {eye}"
    status = main([*words.split(), *TINY, "--epochs", "1", "--evaluate-every", "1"])
    out, err = capsys.readouterr()
    fault = "  g_AB produces nearly the same image for every input (mode collapse): the distance"
    if np.isnan(weight):
        assert status == 2
        assert "In epoch 1, step 2, g_AB's " in err
        assert "is not finite. The images of that step were " in err
        assert load_generator(tmp_path / "r" / "g_AB.best.keras")
    else:
        assert status == 0
        lines = [line for line in out.splitlines() if line.startswith(("Step", fault))]
        assert [line[:6] for line in lines] == ["Step 1", "Step 2", fault[:6], "Step 3"]


@pytest.fixture
def no_networks(monkeypatch, tmp_path):
    """No extractor is installed."""
    monkeypatch.setattr(efficientnet, "is_installed", lambda: False)
    monkeypatch.setattr(features, "inception_path", lambda: tmp_path / "nowhere")


@pytest.mark.parametrize("wanted", ["auto", "none"])
def test_where_ground_truth_is_known_it_needs_no_features(
    wanted, fruit_dir, tmp_path, capsys, quick, no_networks
):
    words = f"train --data-dir {fruit_dir} --run-dir {tmp_path / 'r'} --evaluate-every 3"
    assert main([*words.split(), *TINY, "--epochs", "1", "--extractor", wanted]) == 0
    out = capsys.readouterr().out
    told = "Continuing without the metrics that need features" in out
    assert told == (wanted == "auto")
    assert "Monitor error to the ground truth, every 3 steps" in out
    assert "Step 3: A → B error to the ground truth " in out
    (row,) = read_rows(tmp_path / "r" / "history.csv")
    assert float(row["truth_AB"]) > 0
    assert "kernel_AB" not in row


@pytest.mark.parametrize(
    ("has_truth", "flags", "message"),
    [
        (False, "", "No feature extractor is installed."),
        (True, "--monitor kid", "`monitor` cannot be kid, which needs features."),
        (True, "--monitor fid", "`monitor` cannot be fid, which needs features."),
        (
            False,
            "--monitor ground_truth",
            "`monitor` cannot be ground_truth, which is not known",
        ),
        (True, "--extractor nowhere.keras", "nowhere.keras'. Give a .keras file."),
        (True, "--extractor vgg", "must be one of auto, inception, efficientnet"),
        (False, "--extractor none", "`monitor` cannot be kid, which needs features, with "),
        (True, "--tensorboard", 'pip install "tensorboard>=2.20"'),
    ],
)
def test_what_cannot_be_evaluated_is_told_before_a_run_begins(
    has_truth, flags, message, fruit_dir, tmp_path, capsys, no_networks, monkeypatch
):
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(session, "Session", pytest.fail)
    data = fruit_dir if has_truth else without_tests(fruit_dir, tmp_path / "set")
    words = f"train --data-dir {data} --run-dir {tmp_path / 'r'} --evaluate-every 3 {flags}"
    assert main([*words.split(), *TINY]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_without_ground_truth_it_monitors_kid(fruit_dir, eye, tmp_path, capsys, quick):
    data = without_tests(fruit_dir, tmp_path / "set")
    words = f"train --data-dir {data} --run-dir {tmp_path / 'r'} --evaluate-every 3"
    assert main([*words.split(), *TINY, "--epochs", "1", "--extractor", str(eye)]) == 0
    assert "Step 3: A → B KID (kernel distance) " in capsys.readouterr().out


@pytest.mark.integration
@pytest.mark.parametrize("model", [pytest.param("cyclegan", marks=pytest.mark.slow), "pix2pix"])
def test_gray_rectangles_go_all_the_way(model, tmp_path, monkeypatch, capsys, tiny_networks):
    rng = np.random.default_rng(0)
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for number in range(4):
            pixels = rng.integers(0, 256, (30, 70), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    flags = "--data-dir set --image-size 32x64 --channels 1 --gf 2 --df 2 --epochs 1 --run-dir run"
    flags += " --generator resnet --num-blocks 0 --enlarge 1.5 --extractor none --batch-size 4"
    assert main(["train", *flags.split(), "--model", model]) == 0
    out = capsys.readouterr().out
    assert "trained at 32×64 pixels (height×width), gray" in out
    assert "--channels 1" not in out
    generator = load_generator("run/g_AB.keras")
    assert generator.input_shape == generator.output_shape == (None, 32, 64, 1)
    assert main(["evaluate", "--run-dir", "run", "--extractor", "none"]) == 0
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    with Image.open(tmp_path / "run" / "translations.png") as image:
        assert image.width > image.height  # Each cell is twice as wide as high.


def test_gray_images_in_three_channels_are_told(tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    for folder, pixels in (("trainA", noise[:, :, 0]), ("trainB", noise)):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels).save(tmp_path / folder / "0.png")
    read = run_data.read
    config = TrainConfig(data_dir=str(tmp_path))
    read(config)
    assert capsys.readouterr().out == "All images of A are gray, and are trained on as RGB.\n"
    Image.fromarray(noise[:, :, 1]).save(tmp_path / "trainB" / "0.png")
    read(config)
    assert "of A and B are gray" in (out := capsys.readouterr().out)
    assert out.endswith("--channels 1 trains in gray.\n")
    read(TrainConfig(data_dir=str(tmp_path), channels=1))
    assert capsys.readouterr().out == ""


def parsed(*words: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.config_from(parser.parse_args(words))


def test_a_value_range_takes_several_words(tmp_path):
    assert parsed("--value-range", "-1024", "3071", "--gf", "4").value_range == (-1024, 3071)
    assert parsed("--value-range", "auto").value_range == "auto"
    old = parsed("--value-range", "0", "1", "2", "3")
    old = dataclasses.replace(old, value_range=("auto", *old.value_range))
    (tmp_path / "config.json").write_text(old.to_json())
    # Another run finds its own, the same run keeps what it has found.
    assert parsed("--config", str(tmp_path / "config.json")).value_range == "auto"
    assert parsed("--resume", "--run-dir", str(tmp_path)).value_range == ("auto", 0, 1, 2, 3)


def test_what_is_known_of_the_data_is_told_before_the_training(tmp_path, capsys):
    for domain, high in (("A", 4000), ("B", 65535)):
        folder = tmp_path / f"train{domain}"
        folder.mkdir()
        pixels = np.linspace(0, high, 64 * 64).astype(np.uint16).reshape(64, 64)
        Image.fromarray(pixels).save(folder / "0.png")
        (folder / "x.heic").write_bytes(b"x")
    config = parsed("--data-dir", str(tmp_path), "--image-size", "32", "--channels", "1")
    run_data.read(config)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:1]] == ["Not used"]
    assert "'trainA'; 1 .heic" in lines[0]
    assert len(lines) == 2
    assert "images of A are in levels 0 to 16 of 0 to 255" in lines[1]
    run_data.read(dataclasses.replace(config, value_range="auto"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Range   3 to 3996 in A, 64 to 65470 in B"
    assert len(lines) == 2
