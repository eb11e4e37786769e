import keras
import numpy as np
import pytest
from PIL import Image

from benchmarks import facades
from cyclegan_keras.metrics.segmentation import FACADES

pytestmark = pytest.mark.integration

PERFECT = {"pixel_accuracy": 1.0, "class_accuracy": 1.0, "class_iou": 1.0}


@pytest.fixture
def directory(tmp_path):
    """Two pictures, 16×16: photos are gray; labels are class 1 on top of 2, and 1 on top of 5."""
    (tmp_path / "set" / "test").mkdir(parents=True)
    for number, lower in enumerate((2, 5)):
        both = np.full((16, 32, 3), 100, np.uint8)
        both[:, 16:] = FACADES[1]
        both[12:, 16:] = FACADES[lower]
        Image.fromarray(both).save(tmp_path / "set" / "test" / f"{number}.png")
    return tmp_path / "set"


@pytest.fixture
def painter(tmp_path):
    """Saves translators that paint everything in the colour of one class."""

    def save(label: int, size: int | None = 16) -> str:
        img = keras.Input((size, size, 3))
        colour = np.float32(FACADES[label]) / 127.5 - 1
        painted = keras.layers.Rescaling(0.0, offset=colour.tolist())(img)
        path = tmp_path / f"{label}-{size}.keras"
        keras.Model(img, painted).save(path)
        return str(path)

    return save


def test_the_rows_by_hand(directory, painter, capsys):
    argv = [
        "--data-dir",
        str(directory),
        painter(2),
        "--label",
        "two",
        painter(1),
        "--label",
        "one",
    ]
    assert facades.main(argv) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| | per-pixel acc. | per-class acc. | class IoU |",
        "| --- | --- | --- | --- |",
        # An eighth is of class 2, one class of three; its overlap is an eighth.
        "| two | 0.125 | 0.333 | 0.042 |",
        # Three quarters are of class 1.
        "| one | 0.750 | 0.333 | 0.250 |",
        "| true labels, as scaled for training | 1.000 | 1.000 | 1.000 |",
        "| always the most frequent class | 0.750 | 0.333 | 0.250 |",
    ]


def test_the_truth_keeps_its_classes_when_it_is_scaled(directory):
    """Scaling as for training mixes two colours into that of a third class; the truth has none."""
    loader = facades.DataLoader("set", (9, 9), directory.parent)
    truth = facades.true_classes(loader)
    # Pixel centres lie at 16/9 · (row + 1/2), the 7th at 11.6, the 8th at 13.3; the seam, at 12.
    for classes, lower in zip(truth, (2, 5), strict=True):
        assert [set(row) for row in classes.tolist()] == [{1}] * 7 + [{lower}] * 2
    scaled = facades.nearest_labels(loader.pixels("B", is_testing=True), FACADES)
    assert set(scaled[1].ravel()) - {1, 5}


def test_labels_in_a_folder_of_their_own_are_whole(directory, painter):
    classes = np.random.default_rng(0).integers(0, 12, (16, 16))
    picture = np.concatenate([np.zeros((16, 16, 3)), np.array(FACADES)[classes]], axis=1)
    Image.fromarray(picture.astype(np.uint8)).save(directory / "test" / "0.png")
    apart = directory.parent / "apart"
    for domain, left in (("A", 0), ("B", 16)):
        (apart / f"test{domain}").mkdir(parents=True)
        for path in (directory / "test").iterdir():
            half = Image.open(path).crop((left, 0, left + 16, 16))
            half.save(apart / f"test{domain}" / f"{path.stem}_{domain}.png")
    generators = {"one": facades.load_generator(painter(1))}
    assert facades.measure(apart, generators) == facades.measure(directory, generators)
    (apart / "testA" / "0_A.png").unlink()
    with pytest.raises(ValueError, match="1 photos and 2 images of labels"):
        facades.measure(apart, generators)


def test_a_translator_of_any_size_gets_the_archives(directory, painter, monkeypatch):
    monkeypatch.setattr(facades, "OWN_SIZE", 8)
    rows = facades.measure(directory, {"one": facades.load_generator(painter(1, None))})
    assert rows["one"]["pixel_accuracy"] == 0.75
    assert rows["true labels, as scaled for training"] == PERFECT


def test_errors_are_one_line(directory, painter, capsys):
    one, other = painter(1), painter(2, 32)
    data = ["--data-dir", str(directory)]
    for argv, words in (
        ([*data, "nowhere.keras"], "No model 'nowhere.keras'"),
        ([*data, one, "--label", "a", "--label", "b"], "Each model needs a --label of its own"),
        ([*data, one, one], "Each model needs a --label of its own"),
        ([*data, one, other], "must have one size"),
        (["--data-dir", str(directory / "test"), one], "No images of two domains"),
    ):
        assert facades.main(argv) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.count("\n") == 1
        assert output.err.startswith("facades.py: error: ")
        assert words in output.err


def test_what_scaling_costs_on_real_facades(real_images):
    loader = facades.DataLoader("facades_paired", (128, 128), real_images)
    row = facades.score(facades.true_classes(loader), loader.pixels("B", is_testing=True))
    # A fifth of the overlap is lost at the edges, for which no translator is to blame.
    assert 0.75 < row["class_iou"] < 0.85
    assert 0.9 < row["pixel_accuracy"] < 0.95
