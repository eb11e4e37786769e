"""Pictures that are larger than the network: their detail, and their colors."""

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from cyclegan_keras.data import images
from cyclegan_keras.data.fruit import still_life
from cyclegan_keras.inference import files, guided, pictures, translate
from cyclegan_keras.inference.manner import Manner

IDENTITY = np.concatenate([np.eye(3), np.zeros((3, 1))], axis=1)
AFFINE = np.array([[0.2, 0.7, 0, 0.1], [0.3, 0.3, -0.5, 0], [0.1, 0, 0.6, -0.2]])


def mapped(pixels, maps=AFFINE):
    return pixels @ maps[..., :-1].T + maps[..., -1]


@pytest.fixture
def small(random_images):
    return random_images(1, 24, 16, 3)[0]


def applied(maps, pixels):
    rows = list(guided.strips(pixels.shape[:2]))
    return np.concatenate(
        [guided.apply_maps(maps, pixels[part], part, len(pixels)) for part in rows]
    )


def test_a_translation_that_changes_nothing_gives_the_identity(small):
    maps = guided.fit_maps(small, small)
    np.testing.assert_array_equal(maps, np.broadcast_to(IDENTITY, maps.shape))


def test_an_affine_map_is_found_and_the_ridge_draws_it_to_the_identity(small):
    exact = guided.fit_maps(small, mapped(small), ridge=0)
    np.testing.assert_allclose(exact, np.broadcast_to(AFFINE, exact.shape), atol=1e-6)
    drawn = guided.fit_maps(small, mapped(small), ridge=1e6)
    weights = np.broadcast_to(np.eye(3), (*small.shape[:2], 3, 3))
    np.testing.assert_allclose(drawn[..., :3], weights, atol=1e-5)


def test_a_window_is_five_by_five_pixels(small):
    # The change of one pixel is the mean change of those that it is at most two away from.
    translated = small.copy()
    translated[10, 8] += 0.5
    maps = guided.fit_maps(small, translated)
    changed = np.any(maps != IDENTITY.astype(np.float32), axis=(2, 3))
    assert sorted(zip(*np.nonzero(changed), strict=True)) == [
        (y, x) for y in range(8, 13) for x in range(6, 11)
    ]
    # An edge's windows have fewer pixels: a flat picture shows their means.
    flat, corner = np.zeros((6, 6, 1)), np.zeros((6, 6, 1))
    corner[0, 0] = 0.9
    offsets = guided.fit_maps(flat, corner)[..., 0, 1]
    np.testing.assert_allclose(offsets[0, :4], [0.9 / 9, 0.9 / 12, 0.9 / 15, 0], rtol=1e-6)


def test_maps_are_interpolated_between_the_centers_of_pixels():
    maps = np.zeros((2, 2, 1, 2), np.float32)
    maps[0, 0, 0] = (1, 0)
    maps[0, 1, 0] = (3, 0)
    maps[1, :, 0] = (1, 4)
    pixels = np.full((4, 4, 1), 2, np.float32)
    # By hand: shares of a quarter and three quarters, weights 1 to 3 above and offset 4 below.
    above, below = np.array([1, 1.5, 2.5, 3]), 1.0
    shares = np.array([0, 0.25, 0.75, 1])[:, None]
    by_hand = ((1 - shares) * above + shares * below) * 2 + shares * 4
    np.testing.assert_allclose(applied(maps, pixels)[..., 0], by_hand, rtol=1e-6)


def test_strips_change_nothing(small, random_images, monkeypatch):
    maps = guided.fit_maps(small, mapped(small) * 0.5)
    (pixels,) = random_images(1, 50, 37, 3)
    whole = applied(maps, pixels)
    monkeypatch.setattr(guided, "PIXELS_PER_STRIP", 7 * 37)
    assert len(list(guided.strips((50, 37)))) == 8
    np.testing.assert_array_equal(applied(maps, pixels), whole)


@pytest.mark.parametrize("size", [(1, 1), (7, 5000), (65, 67), (5000, 7)])
def test_any_size_comes_back(size, network):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    translation = translate.translate_image(network(lambda x: x), pixels)
    assert translation.shape == pixels.shape
    if max(size) > 1:
        np.testing.assert_array_equal(translation, pixels)


@pytest.fixture
def network():
    def make(function, channels=3, size=(16, 12)):
        image = keras.Input((*size, channels))
        return keras.Model(image, function(image))

    return make


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 3), (np.uint16, 4), (np.float32, 2)])
def test_what_changes_nothing_gives_back_every_level(dtype, channels, network):
    largest = 1 if dtype == np.float32 else np.iinfo(dtype).max
    pixels = (np.random.default_rng(0).random((50, 40, channels)) * largest).astype(dtype)
    if channels in (2, 4):
        pixels[..., -1] = largest
    translation = translate.translate_image(network(lambda x: x), pixels)
    np.testing.assert_allclose(translation, pixels, rtol=1e-6, atol=1e-7)


def test_sixteen_bits_stay_sixteen_bits(network):
    pixels = np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3) * 5
    half = translate.translate_image(network(lambda x: (x - 1) / 2), pixels)
    # Darker by a local offset and weights near to it; no step is as coarse as one of 8 bits.
    assert len(np.unique(half)) > 5000
    assert half.dtype == np.uint16


@pytest.mark.parametrize(("channels", "shape"), [(1, (40, 30)), (3, (40, 30)), (1, (40, 30, 3))])
def test_gray_pictures_and_gray_networks(channels, shape, network):
    pixels = np.random.default_rng(0).integers(60, 200, shape, np.uint8)
    brighter = network(lambda x: x + 0.2, channels)
    translation = translate.translate_image(brighter, pixels).astype(int)
    expected = pixels if pixels.ndim == 2 else pixels @ pictures.LUMA
    expected = expected if pixels.ndim == 2 else np.repeat(expected[..., None], 3, axis=2)
    assert np.abs(translation - (expected + 25.5)).max() <= 1


def test_a_picture_that_is_not_larger_is_translated_plainly(network):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 12, 3), np.uint8)
    blind = network(lambda x: ops.zeros_like(x) + 0.5)
    for detail in ("guided", "plain"):
        translation = translate.translate_image(blind, pixels, detail=detail)
        np.testing.assert_array_equal(translation, np.full_like(pixels, 191))


def test_kept_colors_are_those_of_the_picture(network):
    pixels = np.random.default_rng(0).uniform(0.3, 0.7, (30, 40, 3)).astype(np.float32)
    swapped = network(lambda x: x[..., ::-1] * 0.5 + 0.1)
    for detail in ("guided", "plain"):
        free = translate.translate_image(swapped, pixels, detail=detail)
        kept = translate.translate_image(swapped, pixels, detail=detail, keep_colors=True)
        # One number is added to red, green and blue, which leaves Cb and Cr as they were.
        assert np.ptp(kept - pixels, axis=2).max() <= 1e-6
        np.testing.assert_allclose(kept @ pictures.LUMA, free @ pictures.LUMA, atol=1e-6)
        assert np.abs(kept - free).max() > 0.1
    gray = network(lambda x: x + 0.2, channels=1)
    kept = translate.translate_image(gray, pixels, keep_colors=True)
    np.testing.assert_allclose(kept, pixels + 0.1, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
def test_side_by_side(mode, network, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 200, (30, 40, 4), np.uint8)
    image = Image.fromarray(pixels[..., 0])
    if mode.startswith("RGB"):
        image = Image.fromarray(pixels[..., : len(mode)])
    elif mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256)
    image.save(tmp_path / "x.png")
    jobs = translate.plan([tmp_path / "x.png"], tmp_path / "out")
    changeless = network(lambda x: x)
    translate.translate_files(changeless, jobs, manner=Manner(side_by_side=True))
    with Image.open(tmp_path / "out" / "x.png") as written:
        assert (written.mode, written.size) == (mode, (80, 30))
        both = np.asarray(written)
    if mode != "RGBA":
        np.testing.assert_array_equal(both[:, :40], image)
        np.testing.assert_array_equal(both[:, 40:], image)
    else:
        np.testing.assert_array_equal(both[..., 3], np.tile(pixels[..., 3], (1, 2)))
    array = np.asarray(image)
    expected = translate.translate_image(changeless, array, side_by_side=True)
    np.testing.assert_array_equal(both, expected)


def test_files_are_translated_as_single_pictures(network, tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (70, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    negative = network(lambda x: x * -0.5)
    expected = translate.translate_image(negative, pixels)
    for held in (1 << 22, 0):  # Held in memory, and read again.
        monkeypatch.setattr(files, "HELD_BYTES", held)
        jobs = translate.plan([tmp_path / "x.png"], tmp_path / "out", overwrite=True)
        translate.translate_files(negative, jobs)
        np.testing.assert_array_equal(Image.open(tmp_path / "out" / "x.png"), expected)


def test_a_file_that_changes_meanwhile_is_told(network, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "HELD_BYTES", 0)
    Image.new("RGB", (50, 70)).save(tmp_path / "x.png")
    read_picture, sizes = images.read_picture, iter([(50, 70), (51, 70)])

    def read(path):
        Image.new("RGB", next(sizes)).save(path)
        return read_picture(path)

    monkeypatch.setattr(images, "read_picture", read)
    jobs = translate.plan([tmp_path / "x.png"], tmp_path / "out")
    with pytest.raises(ValueError, match=r"x\.png.*changed"):
        translate.translate_files(network(lambda x: x), jobs)
    assert not list((tmp_path / "out").glob("*"))


def test_a_change_of_colors_is_nearer_to_the_truth_than_enlarged(network):
    scene = still_life.Scene.random(np.random.default_rng(3))
    apple = still_life.draw_scene(scene, "apple", 256)
    # Neither linear nor the same everywhere: the middle is lighter, and red bends into green.
    light = np.linspace(-1, 1, 256)
    truth = recolored(apple / 127.5 - 1, 0.3 * (1 - light[:, None, None] ** 2))
    small_light = 0.3 * (1 - np.linspace(-1, 1, 64)[:, None, None] ** 2).astype(np.float32)
    painter = network(lambda x: recolored(x, small_light), size=(64, 64))
    errors = {
        detail: np.abs(
            translate.translate_image(painter, apple, detail=detail) - (truth + 1) * 127.5
        ).mean()
        for detail in ("guided", "plain")
    }
    assert errors["guided"] < 0.6 * errors["plain"]


def recolored(x, light):
    red, green, blue = x[..., :1], x[..., 1:2], x[..., 2:]
    stack = np.concatenate if isinstance(x, np.ndarray) else ops.concatenate
    return stack([0.7 * red + 0.2 * light, 0.5 * green + 0.4 * red**2 - 0.2, 0.8 * blue], -1)
