import pathlib
import shutil

import pytest

from cyclegan_keras import save_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.train_config import TrainConfig
from tests.export import networks

pytestmark = pytest.mark.integration

pytest.importorskip("onnx", reason="needs onnx: pip install onnx onnxruntime")
pytest.importorskip("onnxruntime", reason="needs onnxruntime: pip install onnxruntime")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, fruit_dir: pathlib.Path) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("run")
    save_generator(networks.generator("resnet_resize"), folder / "g_AB.keras")
    shutil.copy(folder / "g_AB.keras", folder / "g_BA.keras")
    config = TrainConfig(data_dir=str(fruit_dir), image_size=32)
    (folder / "config.json").write_text(config.to_json())
    return folder


def test_a_run_is_exported_and_checked_on_its_own_test_images(run_dir, tmp_path, capsys):
    onnx = pytest.importorskip("onnx")
    output = tmp_path / "g.onnx"
    words = ["--run-dir", str(run_dir), "--way", "BA", "--format", "onnx", "--output", str(output)]
    assert main(["export", *words]) == 0
    said = capsys.readouterr().out
    assert "testB" in said
    assert "64×96" in said
    notes = {entry.key: entry.value for entry in onnx.load(output).metadata_props}
    assert (notes["way"], notes["domain_A"], notes["domain_B"]) == ("BA", "apples", "oranges")
    assert main(["export", *words]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["export", *words, "--overwrite", "--float16"]) == 0


def test_a_model_by_itself_is_checked_on_given_or_drawn_pictures(
    run_dir, fruit_dir, tmp_path, capsys
):
    model = shutil.copy(run_dir / "g_AB.keras", tmp_path / "mine.keras")
    words = ["export", "--model", str(model), "--format", "onnx", "--overwrite"]
    words += ["--output", str(tmp_path / "g.onnx")]
    assert main(words) == 0
    assert "Warning" in capsys.readouterr().out
    assert main([*words, "--check", str(fruit_dir / "testA")]) == 0
    assert "Warning" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--model", "none.keras", "--output", "g.onnx"], "No model"),
        (["--run-dir", "none", "--output", "g.onnx"], "no run in"),
        (["--model", "g_AB.keras", "--way", "AB", "--output", "g.onnx"], "--way"),
        (["--model", "g_AB.keras", "--output", "g.keras"], "must end with .onnx"),
        (["--model", "g_AB.keras", "--output", "g.onnx", "--check", "none"], "No folder"),
        (["--model", "g_AB.keras", "--output", "g.onnx", "--check", "empty"], "No images"),
        (["--model", "g_AB.keras", "--output", "g.onnx", "--bound", "-1"], "0 or more"),
        (["--model", "g_AB.keras", "--output", "g.onnx", "--float16", "--bound", "0"], "--bound"),
        (["--model", "damaged.keras", "--output", "g.onnx"], "Cannot load"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    words, error, run_dir, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(run_dir / "g_AB.keras", "g_AB.keras")
    pathlib.Path("damaged.keras").write_bytes(b"PK damaged")
    pathlib.Path("empty").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["export", "--format", "onnx", *words]) == 2
    said = capsys.readouterr().err.strip()
    assert error in said
    assert len(said.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
