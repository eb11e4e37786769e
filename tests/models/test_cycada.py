"""CyCADA: its stages, what each of them trains, and whole runs."""

import csv
import json
import signal

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import load_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.beads.sets import write_beads
from cyclegan_keras.data.labels import LabelledDataLoader
from cyclegan_keras.inference.safe_loading.model_files import load_model
from cyclegan_keras.models.cycada import CyCADA
from cyclegan_keras.models.stages import stage_of_epoch
from cyclegan_keras.runs.trainer import make_model, train_run
from cyclegan_keras.training.faults import Interrupted
from tests import tiny
from tests.reliability.support import assert_same_state

CLASSES = ("a", "b", "c")
SMALL = {
    "classifier": "strided",
    "cf": 2,
    "feature_units": 4,
    "gf": 2,
    "df": 2,
    "num_blocks": 0,
    "classifier_rate": 1e-2,
    "feature_rate": 1e-3,
    "source_epochs": 1,
    "task_epochs": 1,
    "feature_epochs": 2,
}
EPOCHS, STEPS = 5, 10


@pytest.fixture(scope="module", autouse=True)
def _eagerly():
    """Line by line: for a few steps of each stage, tracing takes longer."""
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        tiny.use_in_all_models(patch.setattr)
        yield
    tf.config.run_functions_eagerly(False)


def model(**settings):
    config = TrainConfig(model="cycada", **{**SMALL, **settings}).model
    return CyCADA((32, 32, 3), CLASSES, config=config, seed=0)


@pytest.fixture
def batch(random_images):
    imgs_A, imgs_B = random_images(2, 6, 32, 32, 3)
    labels = np.array([0, 1, 2] * 2)
    return (imgs_A, labels), (imgs_B, labels)


def weights_of(gan):
    return {name: network.get_weights() for name, network in gan.networks.items()}


def moved(before, gan):
    return {
        name
        for name, weights in weights_of(gan).items()
        if any(not np.array_equal(a, b) for a, b in zip(before[name], weights, strict=True))
    }


def test_each_stage_trains_its_networks_only(batch):
    gan = model(feature_accuracy=0.0)
    assert gan.stage == "source"
    assert list(gan.classifiers) == ["c_source"]
    for stage, trained, there in (
        ("source", {"c_source", "c_target"}, ["c_source", "c_target"]),
        ("image", {"g_AB", "g_BA", "d_A", "d_B"}, ["c_source", "c_target"]),
        ("task", {"c_image", "c_target"}, ["c_source", "c_image", "c_target"]),
        (
            "feature",
            {"c_feature", "c_both", "d_feature", "d_both"},
            ["c_source", "c_image", "c_feature", "c_both", "c_target"],
        ),
    ):
        gan.begin_stage(stage)
        before = weights_of(gan)
        logs = gan.train_step(batch)
        assert moved(before, gan) == trained
        assert all(np.isfinite(float(value)) for value in logs.values())
        assert list(gan.classifiers) == there


@pytest.mark.integration
def test_labels_of_b_train_what_is_compared_with_only(batch):
    (of_A, (imgs_B, labels_B)) = batch
    gans = [model(feature_accuracy=0.0) for _ in range(2)]
    for stage in ("source", "image", "task", "feature"):
        for gan, of_B in zip(gans, (imgs_B, (imgs_B, labels_B)), strict=True):
            gan.begin_stage(stage)
            gan.train_step((of_A, of_B))
    assert "c_target" not in gans[0].classifiers
    assert moved(weights_of(gans[1]), gans[0]) == {"c_target"}


@pytest.mark.integration
def test_without_labels_of_a_it_says_what_it_takes(batch):
    (imgs_A, _), (imgs_B, _) = batch
    with pytest.raises(ValueError, match="no labels of A"):
        model().train_step((imgs_A, imgs_B))
    with pytest.raises(ValueError, match=r"source, image, task, feature.*'later'"):
        model().begin_stage("later")


@pytest.mark.integration
def test_without_a_semantic_loss_it_is_a_cyclegan(batch):
    gan, plain = model(lambda_semantic=0.0), model(lambda_semantic=0.0, lambda_semantic_A=0.5)
    for each in (gan, plain):
        each.begin_stage("image")
    logs = gan.train_step(batch)
    assert not any(name.startswith("class_") for name in logs)
    assert {"class_A_loss", "class_B_loss"} <= set(plain.train_step(batch))
    both = [each.g_BA.get_weights()[0] for each in (gan, plain)]
    assert not np.array_equal(*both)
    # The gradients of the one that is off are zero: it does not move its generator.
    g_loss = float(logs["g_loss"])
    terms = {"valid_A": 1, "valid_B": 1, "reconstr_A": 5, "reconstr_B": 5}
    expected = sum(weight * float(logs[f"{name}_loss"]) for name, weight in terms.items())
    assert g_loss == pytest.approx(expected, rel=1e-5)


def test_classifiers_begin_as_those_of_the_stage_before(batch):
    gan = model()
    for stage, begins in (
        ("task", {"c_image": "c_source"}),
        ("feature", {"c_feature": "c_source", "c_both": "c_image"}),
    ):
        gan.train_step(batch)
        gan.begin_stage(stage)
        for name, first in begins.items():
            for mine, other in zip(
                gan.networks[name].get_weights(), gan.networks[first].get_weights(), strict=True
            ):
                np.testing.assert_array_equal(mine, other)
            assert int(gan.networks[name].optimizer.iterations) == 0
    # A stage may come again, when a run is trained for longer.
    optimizer = gan.c_image.optimizer
    gan.begin_stage("task")
    gan.train_step(batch)
    assert np.asarray(optimizer._momentums[0]).any()
    gan.begin_stage("task")
    assert int(optimizer.iterations) == 0
    assert not np.asarray(optimizer._momentums[0]).any()
    assert float(optimizer.learning_rate) == pytest.approx(1e-2)


def test_the_classifier_learns_the_translations_that_are_saved(batch):
    gan = model(ema=0.9, learning_rate=1e-2)
    gan.begin_stage("image")
    for _ in range(2):
        gan.train_step(batch)
    average = gan.translators["g_AB"].get_weights()
    assert not np.array_equal(average[0], gan.g_AB.get_weights()[0])
    gan.begin_stage("task")
    np.testing.assert_array_equal(average[0], gan.g_AB.get_weights()[0])
    np.testing.assert_array_equal(average[0], gan.translators["g_AB"].get_weights()[0])


def test_the_feature_stage_ends_after_an_epoch_without_an_update(batch):
    gan = model(feature_accuracy=0.0, source_epochs=1, task_epochs=1, feature_epochs=5)
    for epoch in range(4):
        gan.begin_epoch(epoch, 8)
    assert gan.stage == "feature"
    before = weights_of(gan)
    assert float(gan.train_step(batch)["adapting"]) == 2
    assert {"c_feature", "c_both"} <= moved(before, gan)
    gan.begin_epoch(4, 8)
    gan.config = gan.config.with_settings(feature_accuracy=0.999)
    d_accs = [float(gan.train_step(batch)[f"d_{name}_acc"]) for name in ("feature", "both")]
    assert max(d_accs) < 0.999
    gan.begin_epoch(4, 8)  # As when it is resumed: nothing happens twice.
    assert float(gan.train_step(batch)["adapting"]) == 2
    gan.begin_epoch(5, 8)
    before = weights_of(gan)
    assert float(gan.train_step(batch)["adapting"]) == 0
    assert moved(before, gan) == set()


def test_the_image_stage_has_the_epochs_that_others_leave():
    stages = [stage_of_epoch(epoch, 9, 2, 3, 1) for epoch in range(9)]
    assert stages == ["source"] * 2 + ["image"] * 3 + ["task"] * 3 + ["feature"]
    assert stage_of_epoch(8, 9, 2, 3, 0) == "task"
    with pytest.raises(ValueError, match=r"at least 5 .*epochs=4"):
        model().begin_epoch(0, 4)


# TensorFlow says so where `fit` makes a data set.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run_functions_eagerly")
def test_fit_takes_steps_of_the_stage_that_was_begun(batch):
    gan = model()
    gan.begin_stage("task")
    before = weights_of(gan)
    history = gan.fit(*batch, batch_size=3, epochs=1, verbose=0)
    assert moved(before, gan) == {"c_image", "c_target"}
    assert set(history.history) == {
        f"{name}_{kind}" for name in ("c_image", "c_target") for kind in ("loss", "acc")
    }


@pytest.fixture(scope="module")
def beads(tmp_path_factory):
    return write_beads(tmp_path_factory.mktemp("data") / "small_beads", num_train=2, num_test=1)


def config(run_dir, data_dir, **changes):
    settings = {
        "data_dir": str(data_dir),
        "run_dir": str(run_dir),
        "epochs": EPOCHS,
        "batch_size": 6,
        "ema": 0.5,
        "pool_size": 3,
        "learning_rate": 1e-2,
        "feature_accuracy": 0.4,
        "sample_interval": 3,
        "checkpoint_interval": 0.0,
        "evaluate_every": 4,
        "extractor": "none",
    }
    return TrainConfig(model="cycada", **{**SMALL, **settings, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def trained(beads, folder):
    return folder / "whole", train_run(config(folder / "whole", beads))


def interrupted(settings, at):
    """Breaks a run off after each of some steps, and goes on with it."""
    steps = []

    def train_step(self, batch):
        logs = real(self, batch)
        steps.append(self.stage)
        if len(steps) in at:
            signal.raise_signal(signal.SIGTERM)
        return logs

    real = CyCADA.train_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CyCADA, "train_step", train_step)
        for _ in at:
            with pytest.raises(Interrupted):
                train_run(settings)
        train_run(settings)
    return steps


@pytest.fixture(scope="module")
def resumed(trained, beads, folder):
    """The same run, broken off once within each stage, and between two."""
    steps = interrupted(config(folder / "resumed", beads), at=(1, 3, 4, 5, 9))
    assert steps == ["source"] * 2 + ["image"] * 2 + ["task"] * 2 + ["feature"] * 4
    return folder / "resumed"


@pytest.mark.integration
def test_a_run_has_classifiers_and_their_table(trained):
    run, figures = trained
    files = {path.name for path in run.glob("*.keras")}
    names = ("c_source", "c_image", "c_feature", "c_both", "c_target")
    assert {f"{name}.keras" for name in (*names, "g_AB", "g_BA")} <= files
    for stage in ("source", "image", "feature", "both", "target"):
        assert 0 <= figures[f"label_{stage}_AB"] <= 1
    assert figures["label_most_B"] == pytest.approx(1 / 6)
    assert {"kept_AB", "kept_BA", "truth_AB"} <= set(figures)
    assert set(figures["weights"]) >= files - {"g_AB.best.keras", "g_BA.best.keras"}
    # Of the image stage, not of the classifiers.
    with (run / "history.csv").open(newline="") as file:
        assert {float(row["learning_rate"]) for row in csv.DictReader(file)} == {0.01}
    saved = json.loads((run / "config.json").read_text())
    assert saved["data"]["classes"] == ["blue", "cyan", "green", "magenta", "red", "yellow"]


@pytest.mark.slow
def test_it_resumes_bit_for_bit_in_every_stage(trained, resumed):
    run, _ = trained
    assert_same_state(run, resumed)
    for path in run.glob("c_*.keras"):
        pairs = zip(
            load_model(path).get_weights(),
            load_model(resumed / path.name).get_weights(),
            strict=True,
        )
        for mine, theirs in pairs:
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(
        load_generator(run / "g_AB.keras").get_weights()[0],
        load_generator(resumed / "g_AB.keras").get_weights()[0],
    )


@pytest.mark.slow
def test_it_is_evaluated_reported_and_compared(trained, resumed, capsys):
    run, figures = trained
    for place in (run, resumed):
        assert main(["evaluate", "--run-dir", str(place), "--extractor", "none"]) == 0
    printed = capsys.readouterr().out
    assert "image and feature stage" in printed
    again = json.loads((run / "metrics.json").read_text())
    of_labels = [name for name in figures if name.startswith(("label_", "kept_"))]
    assert len(of_labels) == 9
    assert {name: again[name] for name in of_labels} == {name: figures[name] for name in of_labels}
    report = (run / "report.html").read_text()
    for words in ("Classification of B", "source only", "trained on B", "labels kept"):
        assert words in report
    page = run.parent / "comparison.html"
    assert main(["compare", str(run), str(resumed), "--output", str(page)]) == 0
    assert "source only" in capsys.readouterr().out


@pytest.mark.slow
def test_what_is_trained_is_taken_over(trained, beads, folder):
    settings = config(folder / "more", beads, start_from=str(trained[0])).replace(seed=7, steps=1)
    train_run(settings)
    taken = make_model(
        settings.replace(classes=LabelledDataLoader(beads.name, (32, 32), beads.parent).classes)
    )
    assert set(taken.networks) == {
        *("g_AB", "g_BA", "d_A", "d_B", "d_feature", "d_both"),
        *("c_source", "c_image", "c_feature", "c_both", "c_target"),
    }
    # In its first step, in the source stage, the generators did not move.
    np.testing.assert_array_equal(
        load_generator(folder / "more" / "g_AB.keras").get_weights()[0],
        load_generator(trained[0] / "g_AB.keras").get_weights()[0],
    )
    # What was broken off in the first stage has no other classifiers.
    found = {path.name for path in (folder / "more").glob("c_*.keras")}
    assert found == {"c_source.keras", "c_target.keras"}


@pytest.mark.integration
def test_other_classes_are_refused(trained, beads, tmp_path):
    other = write_beads(tmp_path / "other", num_train=1, num_test=1)
    for part in ("trainA", "testA", "trainB", "testB"):
        (other / part / "red").rename(other / part / "scarlet")
    words = ["evaluate", "--run-dir", str(trained[0]), "--extractor", "none"]
    assert main([*words, "--data-dir", str(other)]) == 2
    with pytest.raises(ValueError, match=r"classes .*scarlet.*before.*red"):
        train_run(config(trained[0], other, epochs=EPOCHS + 1))


def test_what_does_not_go_with_stages_is_refused():
    for settings, words in (
        ({"minutes": 1.0}, "`minutes`.*minutes=1.0"),
        ({"patience": 2, "evaluate_every": 5}, "`patience`.*patience=2"),
        ({"epochs": 20}, "at least 21.*epochs=20"),
        ({"lambda_semantic": -1.0}, "lambda_semantic"),
        ({"classes": "red"}, "classes='red'"),
    ):
        with pytest.raises(ValueError, match=words):
            TrainConfig(model="cycada", **settings)
    with pytest.raises(ValueError, match="`classes` is no setting of cyclegan"):
        TrainConfig(classes=("a", "b"))
    with pytest.raises(ValueError, match="`lambda_semantic` is no setting of cyclegan"):
        TrainConfig(lambda_semantic=1.0)
