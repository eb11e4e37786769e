"""Augmented CycleGAN: its networks and settings, and whole runs by the command line."""

import json
import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_keras import TrainConfig, load_encoder, load_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.data.fruit.sets import write_fruit
from cyclegan_keras.inference import latents
from cyclegan_keras.models.augmented import AugmentedCycleGAN
from cyclegan_keras.models.from_settings import make_model
from cyclegan_keras.runs.trainer import train_run
from cyclegan_keras.training.faults import Interrupted
from tests.reliability.support import assert_same_state

SHAPE = (16, 16, 3)
TINY = {
    "gf": 2,
    "latent_blocks": 0,
    "discriminator": "shoes",
    "df": 2,
    "ef": 2,
    "zf": 2,
    "num_latents": 3,
}


def parameters(*convolutions, norms=0):
    """Weights and biases of convolutions (size, from, to), and two a channel of norms."""
    return sum(size**2 * a * b + b for size, a, b in convolutions) + 2 * norms


def test_networks_are_the_papers_at_64_pixels():
    # By hand, from the authors' code at 64 pixels: filters of each convolution, biases, norms.
    chain = [(7, 3, 32), (3, 32, 64), (3, 64, 128), *[(3, 128, 128)] * 6]
    chain += [(3, 128, 64), (3, 64, 32), (7, 32, 3)]
    normed = (32, 64, 128, *[128] * 3, 64, 32)  # By the latent; three more end the blocks.
    of_latent = sum(2 * (16 * filters + filters) for filters in normed)
    encoder = 9 * 6 * 32 + 32 + 9 * (32 * 64 + 64 * 128 + 128 * 256) + 16 * 256**2
    encoder += 2 * (64 + 128 + 256 + 256) + 256 * 16 + 16
    d_A = parameters((3, 3, 32), (3, 32, 64), (3, 64, 128), (3, 128, 128), (4, 128, 1), norms=320)
    d_B = [(4, 3, 64), (4, 64, 128), (4, 128, 256), (4, 256, 256), (4, 256, 1)]
    expected = {
        "g_AB": parameters(*chain, norms=3 * 128) + of_latent,
        "g_BA": parameters(*chain, norms=3 * 128 + sum(normed)),
        "e_B": encoder,
        "d_A": d_A,
        "d_B": parameters(*d_B, norms=128 + 256 + 256),
        "d_z_B": parameters((1, 16, 64), (1, 64, 64), (1, 64, 64), (1, 64, 1), norms=3 * 64),
    }
    gan = make_model(TrainConfig(model="augmented", recipe="paper"))
    counts = {
        name: sum(int(np.prod(w.shape)) for w in network.trainable_weights)
        for name, network in gan.networks.items()
    }
    assert counts == expected
    assert gan.d_A.output_shape == (None, 1, 1, 1)
    assert gan.d_B.output_shape == (None, 13, 13, 1)
    assert gan.e_B.output_shape == (None, 16)
    rates = {model.name: float(model.optimizer.learning_rate) for model in gan.compiled_models}
    assert rates == pytest.approx(
        {"d_A": 4e-5, "d_B": 4e-5, "d_z_B": 4e-5, "combined": 2e-4}, rel=1e-6
    )
    assert [model.optimizer.global_clipnorm for model in gan.compiled_models[:-1]] == [500.0] * 3


def test_the_latent_decides_what_is_made(random_images):
    gan = AugmentedCycleGAN(SHAPE, latents="both", seed=0, **TINY)
    imgs = random_images(2, *SHAPE)
    for g in gan.generators.values():
        assert latents.latent_size(g) == 3
        one, other = (np.asarray(g([imgs, np.full((2, 3), z, "float32")])) for z in (0, 1))
        assert np.abs(one - other).max() > 1e-4
    assert list(gan.encoders) == ["e_A", "e_B"]
    alone = AugmentedCycleGAN(SHAPE, seed=0, **TINY)
    assert (alone.e_A, alone.d_z_A, latents.latent_size(alone.g_BA)) == (None, None, 0)


@pytest.mark.parametrize(
    "more",
    [
        {"objective": "wasserstein", "latent_norm": "none", "discriminator": "patch16"},
        {"objective": "hinge", "latents": "both", "discriminator_update": "separate"},
        {
            "source_negatives": 0.5,
            "diffaugment_color": 1.0,
            "r1": 1.0,
            "clip": 0.0,
            "latent_halvings": 2,
            "skips": True,
            "blended_output": True,
            "upsampling": "resize",
        },
    ],
    ids=lambda more: "-".join(more),
)
def test_other_settings_train_as_well(more, untraced, random_images):
    shape = (16, 24, 1)
    gan = AugmentedCycleGAN(shape, seed=0, **{**TINY, **more})
    before = {name: network.get_weights() for name, network in gan.networks.items()}
    data = random_images(2, 3, *shape)
    logs = gan.train_step((data[0], data[1]))
    assert np.isfinite([float(value) for value in logs.values()]).all()
    assert ("d_z_B_r1" in logs, "d_B_r1" in logs) == (False, "r1" in more)
    for name, network in gan.networks.items():
        pairs = zip(before[name], network.get_weights(), strict=True)
        assert any(np.any(old != new) for old, new in pairs), name


def test_mixed_precision_keeps_the_clipping_and_moves_alike(dtype_policy, untraced, random_images):
    data = random_images(2, 2, *SHAPE)
    moved = {}
    for policy in ("float32", "mixed_float16"):
        dtype_policy(policy)
        gan = AugmentedCycleGAN(SHAPE, seed=0, clip=1e-3, **TINY)
        if policy == "mixed_float16":  # Keras begins at 32768, where the first steps are lost.
            for optimizer in gan.optimizers:
                optimizer.dynamic_scale.assign(256.0)
        before = gan.g_AB.get_weights()[0]
        logs = gan.train_step((data[0], data[1]))
        assert np.isfinite(float(logs["g_loss"]))
        moved[policy] = gan.combined.optimizer, gan.g_AB.get_weights()[0] - before
    # With so small a limit, epsilon counts, and a limit of scaled gradients would show.
    (_, one), (_, other) = moved.values()
    assert np.linalg.norm(one - other) < 0.2 * np.linalg.norm(one)
    assert np.linalg.norm(one) > 0


def test_settings_that_do_not_go_together():
    with pytest.raises(ValueError, match=r"`batch_size` must be at least 2 .*batch_size=1"):
        TrainConfig(model="augmented", recipe="paper", batch_size=1)
    assert TrainConfig(model="augmented", batch_size=1).latent_norm == "none"
    for odd in ({"num_blocks": 3}, {"lambda_id": 1.0}, {"generator": "unet"}):
        with pytest.raises(ValueError, match=next(iter(odd))):
            TrainConfig(model="augmented", **odd)
    with pytest.raises(ValueError, match=r"divisible by 4.*66"):
        TrainConfig(model="augmented", image_size=66)
    assert TrainConfig(model="augmented", recipe="paper", image_size=66).img_res == (66, 66)
    assert TrainConfig(model="augmented").dataset == "fruit_colors"
    assert TrainConfig(model="augmented", recipe="paper").decay_epochs == 25


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write_fruit(
        tmp_path_factory.mktemp("data") / "colors", num_train=4, num_test=3, size=32, colors=True
    )


@pytest.fixture(scope="module", autouse=True)
def _line_by_line():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def config(run_dir, data_dir, **changes):
    return TrainConfig(
        model="augmented",
        recipe="paper",
        image_size=32,
        data_dir=str(data_dir),
        run_dir=str(run_dir),
        batch_size=2,
        epochs=1,
        sample_interval=2,
        ema=0.5,
        evaluate_every=2,
        extractor="none",
        **TINY,
        **changes,
    )


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """A run without a break, of two steps."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train_run(config(folder, data_dir))
    return folder


@pytest.mark.slow  # As below, in a whole run; see tests/models/test_third_model.py for those.
def test_it_resumes_bit_for_bit(run, data_dir, monkeypatch):
    steps = []
    real = AugmentedCycleGAN.train_step

    def train_step(self, batch):
        logs = real(self, batch)
        steps.append(logs)
        if len(steps) == 1:
            signal.raise_signal(signal.SIGTERM)
        return logs

    resumed = run.parent / "resumed"
    monkeypatch.setattr(AugmentedCycleGAN, "train_step", train_step)
    with pytest.raises(Interrupted):
        train_run(config(resumed, data_dir))
    train_run(config(resumed, data_dir))
    assert len(steps) == 2
    assert_same_state(run, resumed)
    weights = [load_encoder(place / "e_B.keras").get_weights() for place in (run, resumed)]
    for mine, theirs in zip(*weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for name in ("translations.png", "best.json"):
        assert (run / name).read_bytes() == (resumed / name).read_bytes()


@pytest.mark.integration
def test_saved_weights_hold_all_that_a_step_depends_on(random_images, tmp_path, untraced):
    settings = {**TINY, "latents": "both", "ema": 0.5, "source_negatives": 0.5}
    settings |= {"diffaugment_color": 1.0}
    one, other = (AugmentedCycleGAN(SHAPE, seed=seed, **settings) for seed in (0, 1))
    batches = [random_images(2, 2, *SHAPE, seed=step) for step in range(2)]
    one.train_step(tuple(batches[0]))
    one.save_weights(tmp_path / "gan.weights.h5")
    other.load_weights(tmp_path / "gan.weights.h5")
    logs = [gan.train_step(tuple(batches[1])) for gan in (one, other)]
    mine, theirs = ({name: float(x) for name, x in each.items()} for each in logs)
    assert mine == theirs
    networks = ({**gan.networks, **gan.saved_networks} for gan in (one, other))
    mine, theirs = ({n: each.get_weights() for n, each in known.items()} for known in networks)
    assert mine.keys() == theirs.keys()
    for name, weights in mine.items():
        for weight, same in zip(weights, theirs[name], strict=True):
            np.testing.assert_array_equal(weight, same, err_msg=name)


@pytest.mark.integration
def test_a_run_has_its_encoder_beside_its_generators(run, data_dir):
    names = {path.name for path in run.glob("*.keras")}
    last = {"g_AB.keras", "g_BA.keras", "e_B.keras"}
    assert names == last | {name.replace(".keras", ".best.keras") for name in last}
    columns = (run / "history.csv").read_text().splitlines()[0].split(",")
    assert {"d_z_B_loss", "valid_z_B_loss", "reconstr_z_B_loss"} <= set(columns)
    # The averages, and the moving statistics of batches as they are.
    gan = make_model(config(run, data_dir))
    assert load_encoder(run / "e_B.keras").count_params() == gan.e_B.count_params()


@pytest.mark.slow
def test_it_is_evaluated_reported_and_compared(run, capsys):
    assert main(["evaluate", "--run-dir", str(run), "--extractor", "none"]) == 0
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["translators"] == ["g_AB.keras", "g_BA.keras", "e_B.keras"]
    assert {"mse_AB", "truth_encoded_AB", "latent_error_AB", "noisy_cycle_5_A"} <= set(metrics)
    assert "latent_error_BA" not in metrics
    report = (run / "report.html").read_text()
    for words in ("error of the latent", "Hidden code", "latent 1"):
        assert (words in report) == (words != "latent 1"), words
    best = ["evaluate", "--run-dir", str(run), "--best", "--extractor", "none"]
    assert main([*best, "--output", str(run.parent / "best")]) == 0
    other = run.parent / "copied"
    other.mkdir()
    for path in run.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    page = run.parent / "comparison.html"
    assert main(["compare", str(run), str(other), "--output", str(page)]) == 0
    assert page.stat().st_size > 10_000
    assert "mean squared error" in capsys.readouterr().out


def pictures(folder):
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.iterdir())}


@pytest.mark.integration
def test_it_translates_with_latents(run, data_dir, tmp_path):
    one = str(data_dir / "testA" / "0000.png")

    def translated(*flags, name):
        assert main(["translate", str(run), one, "--output", str(tmp_path / name), *flags]) == 0
        return tmp_path / name

    usual = pictures(translated(name="usual"))["0000.png"]
    zero = pictures(translated("--latent-seed", "0", name="zero"))["0000.png"]
    three = pictures(translated("--latent-seed", "3", name="three"))["0000.png"]
    np.testing.assert_array_equal(usual, zero)
    assert np.any(usual != three)
    samples = translated("--samples", "3", "--latent-seed", "3", name="samples")
    found = [pictures(samples / f"sample{n}")["0000.png"] for n in (1, 2, 3)]
    np.testing.assert_array_equal(found[0], three)
    assert np.any(found[0] != found[1])
    g, e, back = (
        load(run / f"{name}.keras")
        for load, name in (
            (load_generator, "g_AB"),
            (load_encoder, "e_B"),
            (load_generator, "g_BA"),
        )
    )
    reference = data_dir / "testB" / "0001.png"
    like = pictures(translated("--like", str(reference), name="like"))["0000.png"]
    img = np.asarray(Image.open(reference), np.float32)[None] / 127.5 - 1
    latent = np.asarray(e([np.asarray(back(img)), img], training=False))
    source = np.asarray(Image.open(one), np.float32)[None] / 127.5 - 1
    expected = (np.asarray(g([source, latent], training=False))[0] + 1) * 127.5
    assert np.abs(like - expected).max() < 1.01


@pytest.mark.integration
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--samples", "0"], "--samples must be at least 1"),
        (["--samples", "2", "--like", "x.png"], "--like gives one latent"),
        (["--latent-seed", "-1"], "`seed` must be a whole number"),
        (["--like", "absent.png"], "absent.png"),
        (["--way", "BA", "--samples", "2"], "--samples is for generators that take a latent"),
        (["--way", "BA", "--latent-seed", "2"], "--latent-seed is for generators"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(flags, words, run, data_dir, tmp_path, capsys):
    one = str(data_dir / "testA" / "0000.png")
    given = ["translate", str(run), one, "--output", str(tmp_path / "out"), *flags]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.integration
def test_samples_lose_nothing(run, data_dir, tmp_path, capsys):
    given = ["translate", str(run), str(data_dir / "testA"), "--samples", "2"]
    there = tmp_path / "out" / "sample2" / "0001.png"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"mine")
    assert main([*given, "--output", str(tmp_path / "out")]) == 2
    assert there.read_bytes() == b"mine"
    assert not (tmp_path / "out" / "sample1").exists()
    assert main([*given, "--output", str(tmp_path / "out"), "--skip-existing"]) == 0
    assert there.read_bytes() == b"mine"
    assert len(list((tmp_path / "out" / "sample1").iterdir())) == 3
    assert main([*given, "--output", str(tmp_path / "a.png")]) == 2
    assert "--samples takes a folder" in capsys.readouterr().err


@pytest.mark.integration
def test_a_missing_encoder_is_named(run, data_dir, tmp_path, capsys):
    for name in ("g_AB", "g_BA"):
        (tmp_path / f"{name}.keras").write_bytes((run / f"{name}.keras").read_bytes())
    one = str(data_dir / "testA" / "0000.png")
    given = ["translate", str(tmp_path / "g_AB.keras"), one, "--output", str(tmp_path / "o.png")]
    assert main([*given, "--like", str(data_dir / "testB" / "0000.png")]) == 2
    assert "'e_B.keras'" in capsys.readouterr().err
