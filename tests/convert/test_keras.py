"""Files by Keras 2.2.4 with keras_contrib, and by TF 2.15 with tensorflow-addons."""

import pathlib
import shutil

import h5py
import numpy as np
import pytest

from cyclegan_keras import load_generator
from cyclegan_keras.cli import main as cli
from cyclegan_keras.convert.conversion import convert_generator, read_generator

LEGACY = pathlib.Path(__file__).parents[1] / "golden" / "legacy"
LIBRARIES = {"tfa": "instance", "contrib": "contrib", "contrib_channel": "contrib-channel"}
by_library = pytest.mark.parametrize("library", LIBRARIES)


def assert_same(generator, library, part="g_AB"):
    arrays = np.load(LEGACY / f"{library}.npz")
    np.testing.assert_allclose(np.asarray(generator(arrays["x"])), arrays[part], atol=5e-5, rtol=0)


@by_library
def test_a_whole_model_computes_what_it_did(library, tmp_path):
    what = convert_generator(LEGACY / f"{library}.h5", tmp_path / "g.keras")
    assert LIBRARIES[library] in what
    assert_same(load_generator(tmp_path / "g.keras"), library)


@by_library
def test_weights_and_their_description(library):
    generator, _ = read_generator(
        LEGACY / f"{library}_weights.h5", config=LEGACY / f"{library}.json"
    )
    assert_same(generator, library)


@by_library
def test_weights_alone(library):
    path = LEGACY / f"{library}_weights.h5"
    if library != "contrib":
        with pytest.raises(ValueError, match="--norm"):
            read_generator(path)
    generator, _ = read_generator(path, norm=LIBRARIES[library])
    assert generator.input_shape == (None, None, None, 3)
    assert_same(generator, library)


@pytest.mark.parametrize(
    ("library", "part"), [("tfa", "g_BA"), ("contrib", "g_AB"), ("contrib", "g_BA")]
)
def test_a_part_of_a_combined_model(library, part):
    path = LEGACY / f"{library}_combined.h5"
    with pytest.raises(ValueError, match="--part"):
        read_generator(path)
    assert_same(read_generator(path, part=part).generator, library, part)


def test_the_wrong_norm_is_refused(tmp_path):
    for path, norm in (("tfa.h5", "contrib"), ("contrib_weights.h5", "instance")):
        with pytest.raises(ValueError, match=f"not {norm}|--norm {norm} cannot"):
            read_generator(LEGACY / path, norm=norm)


def _link(file):
    file["away"] = h5py.ExternalLink("/etc/passwd", "/x")


def _soft(file):
    file["away"] = h5py.SoftLink("/model_weights")


def _described(old, new):
    def change(file):
        text = file.attrs["model_config"]
        text = text.decode() if isinstance(text, bytes) else text
        assert old in text
        file.attrs["model_config"] = text.replace(old, new)

    return change


def _short(file):
    layer = file["model_weights/conv2d_3"]
    name = layer.attrs["weight_names"][0]
    del layer[name]
    layer[name] = np.zeros(3, np.float32)


DAMAGE = {
    "ExternalLink": _link,
    "SoftLink": _soft,
    "is a Lambda": _described('"LeakyReLU"', '"Lambda"'),
    "more than 64": _described('"size": [2, 2]', '"size": [2000000, 2]'),
    "weights": _described('"filters": 16', '"filters": 2000000000'),
    "description": _described("{", ""),
    "do not fit": _short,
}


@pytest.mark.parametrize("reason", DAMAGE)
def test_a_hostile_file_is_refused_in_one_line(reason, tmp_path, capsys):
    path = tmp_path / "g.h5"
    shutil.copy(LEGACY / "contrib.h5", path)
    with h5py.File(path, "r+") as file:
        DAMAGE[reason](file)
    assert cli.main(["convert", str(path), "--output", str(tmp_path / "g.keras")]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["g.h5"]


def test_truncated_files_are_refused(tmp_path):
    whole = (LEGACY / "contrib.h5").read_bytes()
    path = tmp_path / "g.h5"
    for length in (0, 8, 100, 4000, len(whole) - 1000):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="Cannot convert"):
            read_generator(path)


def test_nothing_is_overwritten(tmp_path, capsys):
    target = tmp_path / "g.keras"
    target.write_text("mine")
    words = ["convert", str(LEGACY / "tfa.h5"), "--output", str(target)]
    assert cli.main(words) == 2
    assert target.read_text() == "mine"
    assert cli.main([*words, "--overwrite"]) == 0
    assert "norm instance" in capsys.readouterr().out
    assert load_generator(target).input_shape == (None, 32, 32, 3)
