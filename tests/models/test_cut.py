"""CUT: its settings, its chance, and runs of it by the command line."""

import json
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import CUT, TrainConfig, load_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.models.patch_sampler import PatchSampler
from cyclegan_keras.runs.trainer import train_run
from cyclegan_keras.training.faults import Interrupted
from tests.reliability.support import assert_same_state

TINY = {"gf": 2, "df": 2, "num_blocks": 1, "projection_dim": 4}


@pytest.fixture(scope="module", autouse=True)
def _untraced():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def test_the_published_recipes():
    cut, fastcut = (TrainConfig(model="cut", recipe=name) for name in ("cut", "fastcut"))
    for config, weights, epochs, decay in ((cut, (1, 1), 400, 200), (fastcut, (10, 0), 200, 50)):
        assert (config.lambda_nce, config.lambda_nce_id) == weights
        assert (config.epochs, config.decay_epochs) == (epochs, decay)
        assert (config.image_size, config.batch_size) == (256, 1)
        assert (config.generator, config.num_blocks, config.gf) == ("resnet", 9, 64)
        assert (config.discriminator, config.pool_size) == ("patch70", 0)
        assert (config.nce_temperature, config.num_patches) == (0.07, 256)
    assert [config.flip_equivariance for config in (cut, fastcut)] == [False, True]
    # Fewer epochs, of which as large a share decays.
    assert fastcut.replace(epochs=10).decay_epochs == 2


def test_the_default_has_the_networks_of_cyclegans():
    cut, cyclegan = TrainConfig(model="cut"), TrainConfig()
    assert cut.model.generator == cyclegan.model.generator
    assert cut.model.discriminator == cyclegan.model.discriminator
    assert cut.ways == ("AB",)
    assert TrainConfig(model="cut", direction="B-to-A").ways == ("BA",)


def test_places_are_the_same_in_both_and_none_comes_twice():
    sampler = PatchSampler(count=20, seed=0)
    # Each pixel has its own number.
    maps = [np.arange(2 * h * w, dtype="float32").reshape(2, h, w, 1) for h, w in ((8, 6), (3, 4))]
    seen = []
    for _ in range(2):
        queries, keys = sampler(maps, [10 * x for x in maps])
        for one, other, count in zip(queries, keys, (20, 12), strict=True):
            assert one.shape == (2, count, 1)
            np.testing.assert_array_equal(10 * np.asarray(one), other)
            places = np.ravel(one[0])
            assert len(set(places)) == count
            np.testing.assert_array_equal(
                one[1] - one[0], np.full((count, 1), one[1][0] - one[0][0])
            )
        seen.append(np.ravel(queries[0][0]))
    assert set(seen[0]) != set(seen[1])
    assert 0 <= min(map(min, seen)) < 8 < 40 < max(map(max, seen)) < 48


def test_a_sampler_goes_on_where_its_weights_were_left():
    maps = [np.arange(64, dtype="float32").reshape(1, 8, 8, 1)]
    one, other = PatchSampler(5, seed=0), PatchSampler(5, seed=1)
    one(maps, maps)
    other.set_weights(one.get_weights())
    np.testing.assert_array_equal(other(maps, maps)[0][0], one(maps, maps)[0][0])


@pytest.mark.parametrize(
    "settings",
    [
        {"generator": "unet", "gf": 2, "batch": 2, "update_first": "generators", "pool_size": 3},
        {**TINY, "channels": 1, "source_negatives": 0.5, "diffaugment_color": 1.0},
        {
            **TINY,
            "blended_output": True,
            "norm": "pixel",
            "skips": True,
            "objective": "wasserstein",
        },
    ],
)
def test_other_networks_and_settings(settings, random_images):
    settings = {"batch": 1, "channels": 3, "df": 2, "flip_equivariance": True, **settings}
    batch, channels = settings.pop("batch"), settings.pop("channels")
    gan = CUT((32, 32, channels), **settings, seed=0)
    before = {name: network.get_weights() for name, network in gan.networks.items()}
    assert list(before) == ["g_AB", "heads", "d"]
    logs = gan.train_step(random_images(2, batch, 32, 32, channels))
    assert {"d_loss", "d_acc", "g_loss", "valid_loss", "nce_loss", "nce_id_loss"} <= set(logs)
    assert all(np.isfinite(float(value)) for value in logs.values())
    for name, network in gan.networks.items():
        moved = [
            np.abs(x - y).max() for x, y in zip(network.get_weights(), before[name], strict=True)
        ]
        assert max(moved) == pytest.approx(2e-4, rel=0.01)  # Adam's first step.
    if gan.pool is not None:
        assert int(gan.pool.num_images) == batch


def test_features_of_half_precision_are_projected_in_full(dtype_policy, random_images):
    losses = []
    for policy in ("float32", "mixed_bfloat16"):
        dtype_policy(policy)
        gan = CUT((32, 32, 3), **TINY, lambda_nce_id=0.0, num_patches=5000, seed=0)
        losses.append(float(gan.train_step(random_images(2, 1, 32, 32, 3))["nce_loss"]))
    assert {x.dtype for x in gan.encoder.outputs[1:]} == {"bfloat16"}
    assert {x.dtype for x in gan.heads.outputs} == {"float32"}
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    assert losses[0] != losses[1]


def test_a_generator_without_features_is_refused():
    class Flat(CUT):
        def build_generator(self):
            img = keras.Input(self.img_shape)
            return keras.Model(img, keras.layers.Conv2D(3, 3, padding="same")(img))

    with pytest.raises(ValueError, match="override `build_encoder`"):
        Flat((32, 32, 3), df=2)

    class Own(Flat):
        def build_encoder(self):
            return keras.Model(self.g.inputs, [self.g.layers[1].output])

    gan = Own((32, 32, 3), df=2, projection_dim=4)
    assert "nce_loss" in gan.train_step(np.zeros((2, 1, 32, 32, 3), "float32"))


def test_combined_has_the_losses_of_a_step(random_images):
    gan = CUT((32, 32, 3), **TINY, num_patches=5000, seed=0, lambda_nce=2.0, lambda_nce_id=3.0)
    imgs = list(random_images(2, 1, 32, 32, 3))
    valid, nce, nce_id = gan(imgs)
    gan.d.optimizer.learning_rate = 0.0
    logs = {name: float(value) for name, value in gan.train_step(imgs).items()}
    # With all patches, it does not matter in which order chance takes them.
    assert logs["nce_loss"] == pytest.approx(float(nce[0]), rel=1e-5)
    assert logs["nce_id_loss"] == pytest.approx(float(nce_id[0]), rel=1e-5)
    assert logs["valid_loss"] == pytest.approx(np.mean((valid - 1) ** 2), rel=1e-4)
    total = logs["valid_loss"] + 2 * logs["nce_loss"] + 3 * logs["nce_id_loss"]
    assert logs["g_loss"] == pytest.approx(total, rel=1e-6)


@pytest.mark.integration
def test_saved_weights_hold_all_that_a_step_depends_on(random_images, tmp_path):
    settings = {**TINY, "pool_size": 2, "flip_equivariance": True, "diffaugment_color": 1.0}
    batches = [random_images(2, 1, 32, 32, 3, seed=step) for step in range(3)]
    one, other = CUT((32, 32, 3), **settings, seed=0), CUT((32, 32, 3), **settings, seed=1)
    for batch in batches[:2]:
        one.train_step(batch)
    one.save_weights(tmp_path / "cut.weights.h5")
    other.load_weights(tmp_path / "cut.weights.h5")
    for batch in batches[2:]:
        logs = [gan.train_step(batch) for gan in (one, other)]
        assert {n: float(x) for n, x in logs[0].items()} == {
            n: float(x) for n, x in logs[1].items()
        }
    for name, network in one.networks.items():
        for mine, theirs in zip(
            network.get_weights(), other.networks[name].get_weights(), strict=True
        ):
            np.testing.assert_array_equal(mine, theirs)


def test_the_command_line_refuses_what_it_does_not_have(capsys):
    for words, part in (
        (["--lambda-cycle", "1"], "`lambda_cycle` is no setting of cut"),
        (["--recipe", "paper"], "`recipe` must be cut or fastcut or fast"),
        (["--monitor", "cycle", "--evaluate-every", "5"], "cut has no way back"),
    ):
        assert main(["train", "--model", "cut", *words]) == 2
        assert part in capsys.readouterr().err


def config(run_dir, data_dir):
    return TrainConfig(
        model="cut",
        direction="B-to-A",
        data_dir=str(data_dir),
        run_dir=str(run_dir),
        image_size=32,
        epochs=2,
        batch_size=2,
        learning_rate=1e-2,
        flip_equivariance=True,
        pool_size=2,
        sample_interval=2,
        checkpoint_interval=60.0,
        evaluate_every=3,
        extractor="none",
        **TINY,
    )


@pytest.fixture(scope="module")
def whole(fruit_dir, tmp_path_factory):
    """A run of two epochs of three steps, without a break."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    return run, train_run(config(run, fruit_dir))


@pytest.mark.slow
def test_a_run_translates_one_way_only(whole):
    run, figures = whole
    assert {path.name for path in run.glob("*.keras")} == {"g_BA.keras", "g_BA.best.keras"}
    assert "truth_BA" in figures
    assert not any("AB" in name or "cycle" in name for name in figures)
    columns = (run / "history.csv").read_text().splitlines()[0].split(",")
    assert {"d_loss", "d_r1", "valid_loss", "nce_loss", "nce_id_loss"} <= set(columns)


@pytest.mark.slow
def test_it_resumes_bit_for_bit(whole, fruit_dir, tmp_path, monkeypatch):
    steps = []

    def train_step(self, batch):
        logs = real(self, batch)
        steps.append(logs)
        if len(steps) == 4:
            signal.raise_signal(signal.SIGTERM)
        return logs

    real = CUT.train_step
    monkeypatch.setattr(CUT, "train_step", train_step)
    with pytest.raises(Interrupted):
        train_run(config(tmp_path / "resumed", fruit_dir))
    train_run(config(tmp_path / "resumed", fruit_dir))
    assert len(steps) == 6
    assert_same_state(whole[0], tmp_path / "resumed")
    weights = [
        load_generator(run / "g_BA.keras").get_weights() for run in (whole[0], tmp_path / "resumed")
    ]
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_it_is_evaluated_and_applied(whole, fruit_dir, tmp_path):
    run, figures = whole
    assert main(["evaluate", "--run-dir", str(run), "--extractor", "none"]) == 0
    assert json.loads((run / "metrics.json").read_text())["truth_BA"] == figures["truth_BA"]
    report = (run / "report.html").read_text()
    assert "B → A" in report
    assert "A → B" not in report
    words = ["translate", str(run), str(fruit_dir / "testB"), "--output", str(tmp_path / "out")]
    assert main(words) == 0
    assert len(list((tmp_path / "out").iterdir())) == 4
