import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data import fitting, images
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.runs import run_data

RNG = np.random.default_rng(0)


def ramp(height: int, width: int) -> Image.Image:
    """Its red is the row, its green the column, in pixels."""
    rows, columns = np.indices((height, width))
    return Image.fromarray(np.stack([rows, columns, rows * 0], -1).astype(np.uint8))


def fitted(image, img_res, fit):
    result = fitting.fitted(image, img_res, fit)
    assert result.size == img_res[::-1]
    return np.asarray(result).astype(int)


def test_stretch_is_what_it_always_was():
    image = Image.fromarray(RNG.integers(0, 256, (37, 90, 3), np.uint8))
    expected = np.asarray(image.resize((24, 16), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(fitted(image, (16, 24), "stretch"), expected)


def test_crop_takes_the_middle():
    # 200 columns to 100, and then the half: columns 50 to 149, every second.
    pixels = fitted(ramp(100, 200), (50, 50), "crop")
    np.testing.assert_allclose(pixels[:, :, 1], np.tile(50.5 + 2 * np.arange(50), (50, 1)), atol=1)
    np.testing.assert_allclose(pixels[:, 0, 0], 0.5 + 2 * np.arange(50), atol=1)


def test_crop_takes_the_middle_of_a_high_picture():
    pixels = fitted(ramp(200, 100), (50, 100), "crop")
    np.testing.assert_array_equal(pixels[:, :, 0], np.tile(75 + np.arange(50)[:, None], (1, 100)))


def test_pad_mirrors_the_edges():
    pixels = fitted(ramp(50, 100), (100, 100), "pad")
    rows = [*range(25, 0, -1), *range(50), *range(48, 23, -1)]
    np.testing.assert_array_equal(pixels[:, 0, 0], rows)
    np.testing.assert_array_equal(pixels[0, :, 1], range(100))


def test_pad_keeps_proportions():
    box = fitting.padded_box((300, 400), (128, 128))
    assert box == (16, 0, 96, 128)
    assert fitting.padded_box((400, 300), (64, 128)) == (0, 40, 64, 48)


@pytest.mark.parametrize("fit", fitting.FITS)
@pytest.mark.parametrize("size", [(1, 1), (7, 500), (500, 7), (33, 32), (64, 64), (32, 32)])
def test_any_size_becomes_the_training_size(size, fit):
    image = Image.fromarray(RNG.integers(0, 256, (*size, 3), np.uint8))
    assert fitted(image, (32, 48), fit).shape == (32, 48, 3)


@pytest.mark.parametrize("fit", fitting.FITS)
def test_equal_proportions_need_no_fit(fit):
    image = Image.fromarray(RNG.integers(0, 256, (60, 90, 3), np.uint8))
    np.testing.assert_array_equal(fitted(image, (20, 30), fit), fitted(image, (20, 30), "stretch"))


@pytest.fixture
def wide(tmp_path):
    """Pictures of 20 × 60: red, more than their middle third green, blue; one of B is square."""
    colors = 255 * np.eye(3, dtype=np.uint8)
    pixels = np.repeat(np.repeat(colors[None], [15, 30, 15], 1), 20, 0)
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "wide" / folder).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "wide" / folder / "0.png")
    Image.fromarray(pixels[:, :20]).save(tmp_path / "wide" / "trainB" / "1.png")
    return tmp_path


def make(wide, **options):
    return DataLoader("wide", (32, 32), wide, flip=False, **options)


@pytest.mark.parametrize("is_testing", [False, True])
def test_training_and_test_images_alike(wide, is_testing):
    crop = make(wide, fit="crop").pixels("A", is_testing)
    np.testing.assert_array_equal(crop, np.broadcast_to([0, 255, 0], (1, 32, 32, 3)))
    # 32 / 3 rows become 11, in the middle, and are mirrored.
    pad = make(wide, fit="pad").pixels("A", is_testing)
    np.testing.assert_array_equal(pad[0], np.broadcast_to(pad[0, :1], (32, 32, 3)))
    assert [tuple(pad[0, 0, x]) for x in (2, 16, 29)] == [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def test_one_image_is_fitted_as_well(wide):
    loader = make(wide, fit="crop")
    image = loader.load_img(wide / "wide" / "trainA" / "0.png")
    np.testing.assert_array_equal(image, images.normalize(loader.pixels("A")))
    np.testing.assert_array_equal(loader.evaluation_pixels("B"), loader.pixels("B", True))


def test_random_crops_come_after_the_fit(wide):
    loader = make(wide, fit="crop", load_res=(36, 36))
    assert loader.pixels("A").shape == (1, 36, 36, 3)
    batch = loader.load_data("A")
    np.testing.assert_array_equal(batch, np.broadcast_to(np.float32([-1, 1, -1]), batch.shape))


def test_both_halves_of_a_pair_alike(tmp_path):
    """Each half is three times as high as wide, and has its middle third in another color."""
    (tmp_path / "pairs" / "train").mkdir(parents=True)
    pixels = np.zeros((60, 40, 3), np.uint8)
    pixels[15:45, :20] = [255, 0, 0]
    pixels[15:45, 20:] = [0, 0, 255]
    Image.fromarray(pixels).save(tmp_path / "pairs" / "train" / "0.png")
    loader = DataLoader("pairs", (32, 32), tmp_path, paired=True, flip=False, fit="crop")
    imgs_A, imgs_B = next(loader.load_batch(1))
    np.testing.assert_array_equal(imgs_A, np.broadcast_to(np.float32([1, -1, -1]), (1, 32, 32, 3)))
    np.testing.assert_array_equal(imgs_B, np.broadcast_to(np.float32([-1, -1, 1]), (1, 32, 32, 3)))


def test_far_from_the_training_size_is_told_once(wide):
    (note,) = make(wide).notes()
    assert all(part in note for part in ("4 images", "'0.png'", "--fit", "3 times"))
    assert make(wide, fit="crop").notes() == make(wide, fit="pad").notes() == []
    loader = DataLoader("wide", (32, 96), wide)
    (note,) = loader.notes()
    assert all(part in note for part in ("1 image of", "'1.png'"))


def test_a_fit_that_is_none(wide):
    with pytest.raises(ValueError, match=r"`fit` must be one of stretch, crop, pad\. .*'squash'"):
        make(wide, fit="squash")


def test_the_setting_of_a_run_reaches_its_images_and_its_record(wide):
    config = TrainConfig(data_dir=str(wide / "wide"), fit="crop", image_size=32, enlarge=1.0)
    assert run_data.make_loader(config).fit == "crop"
    (wide / "config.json").write_text(config.to_json())
    assert TrainConfig.from_json(wide / "config.json").fit == "crop"
    with pytest.raises(ValueError, match="`fit` must be one of"):
        TrainConfig(fit="squash")
