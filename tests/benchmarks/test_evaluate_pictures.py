"""Pictures of another program are measured on the same images, and with the same metrics."""

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import evaluate_pictures
from cyclegan_keras.metrics import features

pytestmark = pytest.mark.integration

pytest.importorskip("sklearn", reason="needs scikit-learn")


@pytest.fixture
def extractor(tmp_path, monkeypatch):
    """Gives mean colours."""
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))
    monkeypatch.setattr(
        features, "choose", lambda name: features.Extractor(f"<{name}>", model, np.float32)
    )


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_truth_in_pictures_has_no_error(extractor, fruit_dir, tmp_path, capsys):
    # Scenes of testA and testB are pairs, so the images of B are the best translations of A.
    shutil.copytree(fruit_dir / "testB", tmp_path / "out" / "AB")
    argv = ["--data-dir", str(fruit_dir), "--size", "32", str(tmp_path / "out")]
    assert evaluate_pictures.main(argv) == 0
    header, _, row, untranslated, *second = capsys.readouterr().out.splitlines()
    assert cells(header)[0] == "features of <efficientnet>"
    assert cells(second[0])[0] == "features of <efficientnet-lite1>"
    assert second[2:] == [row, untranslated]
    name, kernel_AB, kernel_BA, rate_AB, rate_BA, error_AB, error_BA = cells(row)
    assert (name, error_AB, rate_AB) == (str(tmp_path / "out"), "0.00", "100%")
    assert (kernel_BA, rate_BA, error_BA) == ("–", "–", "–")
    A, B = (
        np.stack([np.asarray(Image.open(p)) for p in sorted((fruit_dir / f"test{d}").iterdir())])
        for d in "AB"
    )
    error = f"{np.abs(A.astype(float) - B).mean():.2f}"
    assert cells(untranslated)[5:] == [error, error]
    assert float(kernel_AB) < float(cells(untranslated)[1]) / 10
    assert cells(untranslated)[3:5] == ["0%", "0%"]


def test_a_line_by_hand():
    metrics = {"accuracy_A": 0.75, "accuracy_B": 1.0, "kernel_BA": 0.1, "strength_BA": 0.5}
    assert evaluate_pictures.line("x", metrics) == "| x | – | 0.1000 | – | 50% | – | – |"
    # An image of A that is taken for B counts as one that was translated.
    assert evaluate_pictures.untranslated(metrics) == {"strength_AB": 0.25, "strength_BA": 0.0}


def test_errors_are_one_line(extractor, fruit_dir, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    for name in ("fewer", "larger"):
        shutil.copytree(fruit_dir / "testB", tmp_path / name / "AB")
    max((tmp_path / "fewer" / "AB").iterdir()).unlink()
    for size, folder, words in (
        ("32", "none", "must have a folder AB or BA"),
        ("32", "fewer", "No image"),
        ("16", "larger", "must have the size that is measured, 16×16. Received: 32×32"),
    ):
        argv = ["--data-dir", str(fruit_dir), "--size", size, "--extractor", "colours"]
        assert evaluate_pictures.main([*argv, str(tmp_path / folder)]) == 2
        output = capsys.readouterr()
        assert output.err.count("\n") == 1
        assert output.err.startswith("evaluate_pictures.py: error: ")
        assert words in output.err
