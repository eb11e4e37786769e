import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import levels


def scan(folder, name: str, low: int, high: int, hot: int = 0) -> None:
    """A slope of 12 bits in a file of 16, with some hot pixels."""
    pixels = np.linspace(low, high, 64 * 64).round().astype(np.uint16)
    pixels[:hot] = 65535
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.reshape(64, 64)).save(folder / name)


@pytest.fixture
def scans(tmp_path):
    for domain, low, high in (("A", 1000, 4000), ("B", 0, 65535)):
        for number in range(3):
            scan(tmp_path / "set" / f"train{domain}", f"{number}.png", low, high)
    return tmp_path


def make(folder, **options) -> DataLoader:
    return DataLoader("set", (64, 64), folder, flip=False, **options)


def test_12_bits_in_16_are_told(scans):
    """1,000 of 65,535 are 4 of 255, and 4,000 are 16."""
    (note,) = make(scans).notes()
    assert "images of A are in levels 4 to 16 of 0 to 255, less than a quarter" in note
    assert "--value-range LOW HIGH" in note


def test_a_value_range_says_what_is_black_and_white(scans):
    loader = make(scans, value_range=((1000, 4000), (0, 65535)))
    for domain in "AB":
        pixels = loader.pixels(domain)[0, :, :, 0]
        assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
        # The middle of the slope, within one level.
        assert abs(int(pixels[32, 0]) - 128) <= 1
    assert loader.notes() == []
    path = scans / "set" / "trainA" / "0.png"
    assert loader.imread(path, "A").max() == 1
    assert loader.load_img(path, "B").max() < -0.8
    with pytest.raises(ValueError, match="Say which `domain`"):
        loader.imread(path)


def test_auto_finds_a_range_for_each_domain(scans):
    # The quantiles of a slope: 1,000 + 3,000 × 0.5 / 512 = 1,003 and its mirror.
    scan(scans / "set" / "trainA", "hot.png", 1000, 4000, hot=1)
    loader = make(scans, value_range="auto")
    low, high = loader.value_ranges["A"].low, loader.value_ranges["A"].high
    assert (low, high) == (pytest.approx(1003, abs=2), pytest.approx(3997, abs=2))
    assert loader.value_ranges["B"].high == pytest.approx(65471, abs=32)
    assert make(scans, value_range="auto").value_ranges == loader.value_ranges
    pixels = loader.pixels("A")
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert loader.notes() == []


def test_auto_is_of_training_images_and_serves_test_images(scans):
    for domain in "AB":
        scan(scans / "set" / f"test{domain}", "0.png", 2500, 2500)
    loader = make(scans, value_range="auto")
    assert loader.value_ranges["A"].high < 4000
    level = loader.pixels("A", is_testing=True)[0, 0, 0, 0]
    assert abs(int(level) - 128) <= 1


def test_halves_of_pairs_have_ranges_of_their_own(tmp_path):
    pixels = np.zeros((8, 16), np.uint16)
    pixels[:, :8] = np.linspace(1000, 4000, 64).reshape(8, 8)
    pixels[:, 8:] = np.linspace(5000, 60000, 64).reshape(8, 8)
    (tmp_path / "set" / "train").mkdir(parents=True)
    Image.fromarray(pixels).save(tmp_path / "set" / "train" / "0.png")
    loader = DataLoader("set", (8, 8), tmp_path, value_range="auto")
    assert loader.value_ranges == {"A": ValueRange(1000, 4000), "B": ValueRange(5000, 60000)}
    for domain in "AB":
        assert [loader.pixels(domain)[0, *at, 0] for at in ((0, 0), (7, 7))] == [0, 255]


def test_pictures_of_one_number_have_no_range(tmp_path):
    for domain in "AB":
        scan(tmp_path / "set" / f"train{domain}", "0.png", 7, 7)
    with pytest.raises(ValueError, match="pictures of A are all of the number 7"):
        _ = make(tmp_path, value_range="auto").value_ranges


def test_a_bad_image_is_told_by_reading(scans):
    (scans / "set" / "trainA" / "bad.png").write_bytes(b"no picture")
    loader = make(scans, value_range="auto")
    assert loader.value_ranges["A"].low == pytest.approx(1003, abs=2)
    with pytest.raises(ValueError, match=r"1 of the 4 images of trainA cannot be used.*bad\.png"):
        loader.pixels("A")


def test_the_levels_used_leave_out_a_thousandth():
    pixels = np.repeat(np.array([0, 100, 150, 255], np.uint8), [1, 5000, 5000, 1])
    assert levels.used(pixels) == (100, 150)
    assert levels.used(np.arange(256, dtype=np.uint8)) == (0, 255)


@pytest.mark.parametrize(("high", "told"), [(162, True), (163, True), (164, False)])
def test_a_quarter_of_the_levels_is_enough(high, told):
    pixels = np.array([100, high], np.uint8)
    assert (levels.in_words(pixels, "A", False) is not None) == told


def test_a_wrong_range_is_told_too(scans):
    notes = make(scans, value_range=(0, 2 * 10**5)).notes()
    assert "Is the value range the right one?" in notes[0]


def test_drawn_fruit_and_photos_are_no_alarm(loader):
    assert loader.notes() == []


@pytest.mark.integration
def test_real_photos_are_no_alarm(real_images):
    for name in ("apple2orange_web", "summer2winter_subset", "facades_paired"):
        found = DataLoader(name, (32, 32), real_images)
        assert not [note for note in found.notes() if "levels" in note]
