import json
import pathlib
import zipfile

import keras
import numpy as np
import pytest

from cyclegan_keras import export_generator
from cyclegan_keras.export import exporting, runtimes
from tests import tiny
from tests.export import networks

pytestmark = pytest.mark.integration

onnx = pytest.importorskip("onnx", reason="needs onnx: pip install onnx onnxruntime")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")


@pytest.fixture(scope="module")
def model():
    return networks.generator("resnet_fast")


def test_an_export_is_checked_and_says_what_it_is(model, tmp_path: pathlib.Path):
    path = tmp_path / "g.onnx"
    comparisons = export_generator(model, path, about={"way": "AB", "domain_A": "apples"})
    assert [each.size for each in comparisons] == [(32, 32), (64, 96)]
    assert all(0 < each.difference < 1e-4 for each in comparisons)
    notes = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert notes["way"] == "AB"
    assert notes["domain_A"] == "apples"
    assert (notes["training_height"], notes["training_width"]) == ("32", "32")
    assert notes["value_range"] == "-1 1"
    assert [file.name for file in tmp_path.iterdir()] == ["g.onnx"]


def wrong(change):
    """Replaces the runtime by one that computes something else."""

    def opened(path):
        run = runtimes.onnx_runtime(path)
        return lambda images: change(run(images))

    return opened


@pytest.mark.parametrize(
    ("change", "settings"),
    [
        (lambda y: np.roll(y, 1, axis=1), {}),
        (lambda y: np.roll(y, 1, axis=1), {"float16": True}),
        (lambda y: np.where(y == y.max(), np.nan, y), {}),
        (lambda y: np.where(y == y.max(), np.nan, y), {"float16": True, "bound": 300}),
        (lambda y: y + 0.11 * 2 / 255, {}),
        (lambda y: y[:, 1:], {"bound": 300}),
    ],
    ids=["shifted", "shifted_float16", "nan", "nan_float16", "offset", "cropped"],
)
def test_a_file_that_computes_something_else_does_not_appear(
    change, settings, model, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    class Changed:
        onnx_runtime = staticmethod(wrong(change))

    monkeypatch.setattr(exporting, "runtimes", Changed)
    path = tmp_path / "g.onnx"
    path.write_text("what was there")
    with pytest.raises(ValueError, match="does not compute"):
        export_generator(model, path, overwrite=True, **settings)
    assert path.read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["g.onnx"]


def test_a_bound_of_its_own(model, tmp_path: pathlib.Path):
    with pytest.raises(ValueError, match="--bound"):
        export_generator(model, tmp_path / "g.onnx", float16=True, bound=1e-6)
    assert not [*tmp_path.iterdir()]


def test_int8_leaves_the_first_and_the_last_convolution_as_they_are(model, tmp_path: pathlib.Path):
    path = tmp_path / "g.onnx"
    comparisons = export_generator(model, path, int8=True, about={"way": "BA"})
    assert all(0.001 < each.mean_levels < 3 for each in comparisons)
    written = onnx.load(path)
    made_by = {name: node for node in written.graph.node for name in node.output}
    convolutions = [node for node in written.graph.node if node.op_type == "Conv"]
    are_int8 = [
        node.input[0] in made_by and made_by[node.input[0]].op_type == "DequantizeLinear"
        for node in convolutions
    ]
    assert are_int8 == [False, *[True] * (len(convolutions) - 2), False]
    assert {entry.key: entry.value for entry in written.metadata_props}["way"] == "BA"


def test_a_litert_file_says_what_it_is(tmp_path: pathlib.Path):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    image = keras.Input((32, 32, 3))
    network = keras.Model(image, tiny.convolution(3, 1, "tanh", 0)(image))
    path = tmp_path / "g.tflite"
    # It is run with what is behind it.
    (first, _) = export_generator(network, path, "litert", about={"way": "BA"})
    assert first.difference < 1e-5
    assert litert.Interpreter(str(path)).get_input_details()[0]["shape"][3] == 3
    with zipfile.ZipFile(path) as archive:
        notes = json.loads(archive.read("cyclegan.json"))
    assert (notes["way"], notes["training_height"]) == ("BA", "32")


@pytest.mark.slow
def test_a_saved_model_is_replaced_whole_and_only_if_it_may_be(
    model, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "g"
    export_generator(model, folder, "saved_model", about={"way": "AB"})
    assert json.loads((folder / "assets.extra" / "cyclegan.json").read_text())["way"] == "AB"
    before = (folder / "saved_model.pb").read_bytes()
    with pytest.raises(FileExistsError, match="--overwrite"):
        export_generator(model, folder, "saved_model")
    monkeypatch.setattr(exporting, "BOUNDS", {"float32": -1})
    with pytest.raises(ValueError, match="does not compute"):
        export_generator(model, folder, "saved_model", overwrite=True)
    assert (folder / "saved_model.pb").read_bytes() == before
    monkeypatch.undo()
    export_generator(model, folder, "saved_model", overwrite=True)
    assert "way" not in (folder / "assets.extra" / "cyclegan.json").read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["g"]


@pytest.mark.parametrize(
    ("name", "file_format", "settings", "error"),
    [
        ("g.tflite", "onnx", {}, "must end with .onnx"),
        ("g.onnx", "litert", {}, "must end with .tflite"),
        ("g.onnx", "tflite", {}, "one of onnx, litert, saved_model"),
        ("g.onnx", "onnx", {"float16": True, "int8": True}, "Received both"),
        ("g", "saved_model", {"int8": True}, "float32"),
        ("g.onnx", "onnx", {"bound": -1}, "0 or more"),
        ("g.onnx", "onnx", {"bound": float("nan")}, "0 or more"),
        ("none/g.onnx", "onnx", {}, "No folder"),
        ("folder.onnx", "onnx", {"overwrite": True}, "something else"),
        ("folder.onnx", "saved_model", {"overwrite": True}, "something else"),
        ("file", "saved_model", {"overwrite": True}, "something else"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_done(
    name, file_format, settings, error, tmp_path: pathlib.Path
):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises((ValueError, OSError), match=error):
        export_generator(None, tmp_path / name, file_format, **settings)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_missing_package_is_named_with_how_to_install_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    from cyclegan_keras._backend import SetupError

    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r'pip install "onnx.*"onnxruntime'):
        export_generator(None, tmp_path / "g.onnx")
