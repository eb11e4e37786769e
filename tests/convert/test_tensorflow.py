"""Checkpoints that TensorFlow 2.15 wrote, as two tutorials have it, against their outputs."""

import pathlib
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import load_generator
from cyclegan_keras.cli import main as cli
from cyclegan_keras.convert import tensorflow_checkpoints
from cyclegan_keras.convert.conversion import read_generator

LEGACY = pathlib.Path(__file__).parents[1] / "golden" / "legacy"
EXPECTED = np.load(LEGACY / "checkpoints.npz")
# In the order in which the script draws them.
IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, 256, 256, 3))


def outputs(generator, part):
    """Of the outputs of U-Nets, every 16th pixel is known."""
    if part.startswith("gen_"):
        return np.asarray(generator(EXPECTED["small"]))
    return np.asarray(generator(IMAGE))[:, ::16, ::16]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "part", "key", "norm"),
    [
        ("tutorial-1", "generator_g", "g", None),
        ("tutorial-1", "generator_f", "f", "instance"),
        ("pix2pix-1", None, "batch", "batch"),
        ("example", "gen_G", "gen_G", None),
        ("example", "gen_F", "gen_F", None),
    ],
)
def test_networks_compute_what_they_did(name, part, key, norm):
    generator, _ = read_generator(LEGACY / f"{name}.index", part=part, norm=norm)
    np.testing.assert_allclose(outputs(generator, key), EXPECTED[key], atol=1e-6, rtol=0)


def test_a_checkpoint_is_named_by_any_of_its_files(tmp_path, capsys):
    for ending in ("", ".index", ".data-00000-of-00001"):
        found = tensorflow_checkpoints.prefix_of(LEGACY / f"example{ending}")
        assert found == LEGACY / "example"
    command = ["convert", str(LEGACY / "example.index"), "--output", str(tmp_path / "g.keras")]
    assert cli.main([*command, "--part", "gen_G"]) == 0
    said = capsys.readouterr().out
    assert "2 blocks" in said
    assert "2 filters" in said
    assert "norm instance" in said
    generator = load_generator(tmp_path / "g.keras")
    np.testing.assert_allclose(outputs(generator, "gen_G"), EXPECTED["gen_G"], atol=5e-5, rtol=0)


def test_batch_norm_by_the_statistics_of_each_image_is_that_of_training(tmp_path):
    """As the tutorial translates: `generator(image, training=True)`, one image at a time."""
    with pytest.raises(ValueError, match="--norm instance"):
        read_generator(LEGACY / "pix2pix-1")
    instance = read_generator(LEGACY / "pix2pix-1", norm="instance").generator
    batch = read_generator(LEGACY / "pix2pix-1", norm="batch").generator
    for layer in batch.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0
    x = IMAGE.astype(np.float32)
    # At one pixel, only the offset is left, to which rounding adds nothing.
    np.testing.assert_allclose(instance(x), batch(x, training=True), atol=1e-4)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["tutorial-1"], "give --part, one of: generator_f, generator_g"),
        (["tutorial-1", "--part", "discriminator_x"], "no part 'discriminator_x'"),
        (["pix2pix-1", "--norm", "contrib"], "--norm must be batch or instance"),
        (["example", "--part", "gen_G", "--norm", "batch"], "which it has not"),
        (["example", "--config", "x.json"], "No file"),
        (["none.index"], "No file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(words, told, tmp_path, capsys):
    command = ["convert", str(LEGACY / words[0]), *words[1:], "--output", str(tmp_path / "g.keras")]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def copied(tmp_path):
    """The name of a checkpoint that may be damaged, and its two files."""
    for file in LEGACY.glob("example.*"):
        shutil.copy(file, tmp_path)
    return tmp_path / "example", sorted(tmp_path.iterdir())


@pytest.mark.parametrize("which", [0, 1])
def test_parts_of_checkpoints_are_refused(which, copied):
    prefix, files = copied
    whole = files[which].read_bytes()
    for count in (0, 100, 3000):
        files[which].write_bytes(whole[:count])
        with pytest.raises(ValueError, match="Cannot convert"):
            read_generator(prefix, part="gen_G")
    files[which].unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=r"Cannot convert|No file"):
        read_generator(prefix, part="gen_G")


@pytest.mark.parametrize("which", [0, 1])
def test_damaged_checkpoints_end_in_words_if_at_all(which, copied):
    prefix, files = copied
    whole = files[which].read_bytes()
    outcomes = set()
    for place in np.random.default_rng(0).integers(0, len(whole), 20):
        changed = bytearray(whole)
        changed[place] ^= 255
        files[which].write_bytes(bytes(changed))
        try:
            # What was changed may belong to another network.
            read_generator(prefix, part="gen_G")
            outcomes.add("read")
        except ValueError as error:
            outcomes.add(str(error).split(" ", 2)[1])
    assert "convert" in outcomes
    assert outcomes <= {"read", "convert"}


def test_more_numbers_than_bytes_are_refused(tmp_path, monkeypatch):
    shapes = {"gen_G/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE": [10**6, 10**6, 3, 3]}

    class Reader:
        def get_variable_to_shape_map(self):
            return shapes

    monkeypatch.setattr(tf.train, "load_checkpoint", lambda _: Reader())
    with pytest.raises(ValueError, match="names 9000000000000 numbers"):
        tensorflow_checkpoints.read(LEGACY / "example")


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop(1),
        lambda weights: weights.pop(-1),
        lambda weights: weights.append(weights[1]),
        lambda weights: weights[0].pop("kernel"),
        lambda weights: weights[2].update(kernel=weights[2]["kernel"][..., :1]),
    ],
)
def test_layers_in_another_order_are_refused(change):
    weights = tensorflow_checkpoints.read(LEGACY / "example")["gen_G"]
    change(weights)
    with pytest.raises(ValueError, match=r"known generator|fit together|left over|two halvings"):
        tensorflow_checkpoints.build(weights)
