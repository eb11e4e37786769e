import json
import types

import numpy as np
import pytest

from benchmarks import equal_time

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("minutes", "epochs"),
    [
        # 20 steps in the first 15 s, 40 in each 10 s after them: 4 steps a second, and 10 s for
        # tracing. In 110 s there is time for 400 steps, which are 4 epochs of 100.
        (110 / 60, 4),
        (147 / 60, 5),
        (0.01, 1),
    ],
)
def test_epochs_by_hand(minutes, epochs):
    rows = [{"step": "20", "seconds": "15.0"}, {"step": "100", "seconds": "35.0"}]
    assert equal_time.epochs_in(60 * minutes, rows, steps=100) == epochs


def test_rows_are_the_flags_of_training():
    config = equal_time.settings_of("--recipe paper --lambda-id 0")
    assert (config.generator, config.lambda_id, config.pool_size) == ("resnet", 0, 50)
    assert equal_time.name_of("--recipe paper --lambda-id 0") == "recipe-paper-lambda-id-0"
    assert equal_time.name_of(equal_time.BOOK_LOOP) == "book-loop"


def test_the_picture_has_translations_below_their_images():
    greys = {"A": 255, "B": 100}
    pixels = {domain: np.full((40, 8, 8, 3), grey, np.uint8) for domain, grey in greys.items()}
    stub = types.SimpleNamespace(pixels=pixels)

    def black(imgs, training):
        return np.full_like(imgs, -1)

    shown = np.asarray(equal_time.picture({"g_AB": black, "g_BA": black}, stub))
    assert shown.shape == (8 * 8, 20 * 8, 3)
    assert [int(row[0, 0]) for row in shown[::8]] == [255, 0, 255, 0, 100, 0, 100, 0]
    # A row that is not full is filled with white.
    stub.pixels["B"] = stub.pixels["B"][:3]
    shown = np.asarray(equal_time.picture({"g_AB": black, "g_BA": black}, stub))
    assert shown.shape == (6 * 8, 20 * 8, 3)
    assert [int(row[0, 0]) for row in shown[::8]] == [255, 0, 255, 0, 100, 0]
    assert set(shown[32:, 24:].flat) == {255}


def test_rows_of_other_images_and_too_few_images_are_told_before_anything_is_trained(tmp_path):
    pixels = {domain: np.zeros((4, 8, 8, 3), np.uint8) for domain in "AB"}
    for domain in "AB":
        (tmp_path / f"{domain}.png").write_bytes(domain.encode())
    paths = {domain: [tmp_path / f"{domain}.png"] for domain in "AB"}
    stub = types.SimpleNamespace(pixels=pixels, paths=paths, real=None)
    equal_time.check(stub, tmp_path)
    (tmp_path / "asked.json").write_text(json.dumps(equal_time.asked(stub)))
    equal_time.check(stub, tmp_path)
    (tmp_path / "B.png").write_bytes(b"another")
    with pytest.raises(ValueError, match=r"are of other images.*another --output"):
        equal_time.check(stub, tmp_path)
    with pytest.raises(FileExistsError, match="is a file"):
        equal_time.check(stub, tmp_path / "A.png")
    pixels["B"] = pixels["B"][:3]
    with pytest.raises(ValueError, match=r"at least 4 test images.*Received: 3 of B"):
        equal_time.check(stub, tmp_path / "new")


def test_a_line_by_hand(tmp_path):
    (tmp_path / "history.csv").write_text("step,seconds\n10,9.0\n400,60.0\n", "utf-8")
    metrics = {"kernel_AB": 0.02, "kernel_BA": 0.12345, "strength_AB": 0.5, "strength_BA": 1.0}
    assert equal_time.line("--recipe fast", tmp_path, metrics) == (
        "| --recipe fast | 400 | 0.150 | 1.0 | 0.0200 | 0.1235 | 50% | 100% |"
    )


@pytest.mark.parametrize(
    ("row", "words"),
    [("--recipe paper --lambda-id -1", "`lambda_id` must be"), ("book-loop", "No images of")],
)
def test_what_is_wrong_is_told_before_anything_is_trained(row, words, tmp_path, capsys):
    argv = ["--data-dir", str(tmp_path), "--output", str(tmp_path / "out"), row]
    assert equal_time.main(argv) == 2
    err = capsys.readouterr().err
    assert err.startswith("equal_time.py: error: ")
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
