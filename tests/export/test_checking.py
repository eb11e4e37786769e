import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.export import checking
from cyclegan_keras.export.checking import Pictures, compare, sizes_for

LEVEL = 2 / 255


@pytest.fixture
def model() -> keras.Model:
    img = keras.Input((16, 16, 3))
    return keras.Model(img, keras.layers.Activation("linear")(img))


def test_differences_are_in_8_bit_levels(model):
    def run(images):
        received = images.copy()
        received[:, :1, :1] += 10 * LEVEL  # Less than a percent of a picture.
        return received + LEVEL

    small, large = compare(run, model, Pictures(None, 3, count=4))
    assert (small.size, small.num_pictures) == ((16, 16), 4)
    assert (large.size, large.num_pictures) == ((32, 48), 3)
    assert small.max_levels == pytest.approx(11, abs=1e-3)
    assert small.difference == pytest.approx(11 * LEVEL, abs=1e-5)
    assert small.p99_levels == pytest.approx(1, abs=1e-3)
    assert small.mean_levels == pytest.approx(1 + 10 / 256, abs=1e-3)
    assert small.seconds > 0
    assert small.keras_seconds > 0


def test_nan_and_other_shapes_differ_infinitely(model):
    def one_nan(images):
        received = images.copy()
        received[0, 3, 4, 1] = np.nan
        return received

    for run in (one_nan, lambda images: images[:, :-1], lambda images: images + np.inf):
        for each in compare(run, model, Pictures(None, 3, count=1)):
            assert each.difference == np.inf


def test_a_shift_by_one_pixel_is_far_beyond_the_bounds(model):
    from cyclegan_keras.export.exporting import BOUNDS

    def shifted(images):
        return np.roll(images, 1, axis=2)

    for each in compare(shifted, model, Pictures(None, 3)):
        assert each.p99_levels > 2 * max(BOUNDS.values())


def test_the_models_own_nan_is_not_blamed_on_the_file():
    img = keras.Input((16, 16, 3))
    model = keras.Model(img, keras.ops.log(img - 2))
    with pytest.raises(ValueError, match="Keras model itself"):
        compare(lambda images: images, model, Pictures(None, 3, count=1))


@pytest.mark.parametrize(
    ("shape", "size", "wanted"),
    [
        ((64, 64, 3), None, ((64, 64), (128, 192))),
        ((64, 128, 3), None, ((64, 128), (128, 384))),
        ((512, 512, 3), None, ((512, 512), (512, 1024))),
        ((None, None, 3), None, ((128, 128), (256, 384))),
        ((None, None, 3), (64, 96), ((64, 96), (128, 288))),
    ],
)
def test_sizes(shape, size, wanted):
    img = keras.Input(shape)
    assert sizes_for(keras.Model(img, keras.layers.Activation("tanh")(img)), size) == wanted


def test_pictures_are_spread_over_the_files_and_those_to_calibrate_on_are_others(tmp_path):
    paths = []
    for number in range(20):
        path = tmp_path / f"{number:02}.png"
        Image.new("RGB", (5, 4), (number, 0, 255)).save(path)
        paths.append(path)
    checked, others = Pictures(paths, 3, count=4), Pictures(paths, 3, count=4, others=True)
    reds = [round((batch[0, 0, 0, 0] + 1) * 127.5) for batch in checked.batches((8, 8))]
    assert reds == [0, 5, 10, 15]
    assert not {*checked.paths} & {*others.paths}
    (first, *_) = checked.batches((8, 6))
    assert first.shape == (1, 8, 6, 3)
    assert first.dtype == np.float32
    assert first[0, 0, 0].tolist() == [-1, -1, 1]


def test_gray_pictures_and_value_ranges(tmp_path):
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((4, 4), 1000, np.uint16)).save(path)
    pictures = Pictures([path], 1, value_range=ValueRange(0, 2000))
    (batch,) = pictures.batches((4, 4))
    assert batch.shape == (1, 4, 4, 1)
    assert batch.mean() == pytest.approx(0, abs=0.01)


def test_there_must_be_pictures():
    with pytest.raises(ValueError, match="no pictures"):
        checking.Pictures([], 3)
