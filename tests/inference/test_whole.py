"""Networks in sizes that they were not trained at: in one pass, in tiles, or refused."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from PIL import Image

from cyclegan_keras import load_generator, save_generator
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.cyclegan import FAST
from cyclegan_keras.inference import frozen, reach, rebuilding, translate, whole
from cyclegan_keras.inference.manner import Manner
from cyclegan_keras.inference.whole import AnySize
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)

PIXEL = {"norm": "pixel", "gf": 4, "num_blocks": 1, "skips": True, "seed": 0}


@pytest.fixture(scope="module")
def local():
    """A network like that of the default recipe, in which pixels look at neighborhoods only."""
    return build_resnet_generator((32, 32, 3), padding="reflect", upsampling="resize", **PIXEL)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("build", "factor", "is_exact"),
    [
        (
            lambda *size: build_resnet_generator((*size, 3), gf=2, num_blocks=1, seed=0),
            4,
            False,
        ),
        (lambda *size: build_resnet_generator((*size, 3), **PIXEL), 4, True),
        # As those of unknown size, which are translated below.
        pytest.param(
            lambda *size: build_unet_generator((*size, 1), gf=2, norm="contrib"),
            16,
            False,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda *size: build_unet_generator((*size, 3), gf=2, seed=0),
            16,
            False,
            marks=pytest.mark.slow,
        ),
        pytest.param(
            lambda *size: build_deep_unet_generator((*size, 3), gf=2, seed=0),
            32,
            False,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_network_takes_another_size_with_the_same_weights(
    build, factor, is_exact, random_images, tmp_path
):
    network = build(32, 32)
    save_generator(network, tmp_path / "g.keras")
    for generator in (network, load_generator(tmp_path / "g.keras")):
        anysize = AnySize(generator)
        assert anysize.factor == factor
        assert anysize.is_exact == is_exact
        channels = network.input_shape[3]
        (own,) = random_images(1, 32, 32, channels)
        # In its own size, it is the same network.
        same = np.asarray(network(own[None]))[0]
        np.testing.assert_allclose(anysize(own), same, atol=1e-5)
        (x,) = random_images(1, 64, 128, channels)
        if factor < 32:  # The other one decides by the size how often it halves.
            larger = build(64, 128)
            larger.set_weights(network.get_weights())
            np.testing.assert_allclose(anysize(x), larger(x[None])[0], atol=1e-5)
        (x,) = random_images(1, 45, 33, channels)
        assert anysize(x).shape == x.shape


@pytest.mark.parametrize(
    "size", [(1, 1), (7, 500), pytest.param((65, 67), marks=pytest.mark.slow), (200, 130)]
)
def test_tiles_change_no_bit(size, local, random_images):
    (x,) = random_images(1, *size, 3)
    one_pass = AnySize(local)(x)
    assert one_pass.shape == x.shape
    for tile in (128, 192):
        np.testing.assert_array_equal(AnySize(local, tile)(x), one_pass)


@pytest.mark.integration
@pytest.mark.parametrize(
    "build",
    [
        lambda: build_unet_generator((32, 32, 3), gf=2, seed=0),
        pytest.param(
            lambda: build_unet_generator((None, None, 3), gf=2, norm="contrib", seed=0),
            marks=pytest.mark.slow,  # For these statistics, see tests/inference/test_frozen.py.
        ),
        lambda: build_resnet_generator((32, 32, 3), gf=2, num_blocks=2, seed=0),
    ],
)
def test_tiles_with_instance_norm_have_the_statistics_of_a_smaller_copy(
    build, random_images, monkeypatch
):
    generator = build()
    anysize = AnySize(generator, 192)
    seen = []
    thumbnail = frozen.thumbnail
    monkeypatch.setattr(
        frozen, "thumbnail", lambda x, size: seen.append((x.shape[:2], size)) or thumbnail(x, size)
    )
    for x in random_images(2, 100, 238, 3):  # The second one has statistics of its own.
        tiled = anysize(x)
        # The same network in one pass.
        whole_network = frozen.frozen(generator)
        sized = rebuilding.with_size(whole_network, anysize.padded((100, 238)))
        frozen.set_statistics(sized, anysize._statistics_of(x))
        rest = [(0, own - n) for own, n in zip(anysize.padded((100, 238)), (100, 238), strict=True)]
        padded = np.pad(x, [*rest, (0, 0)], mode="symmetric")
        one_pass = np.asarray(sized(padded[None]))[0, :100, :238]
        np.testing.assert_allclose(tiled, one_pass, atol=1e-5)
        # Not that of tiles on their own.
        alone = AnySize(generator)(x[:192, :192])
        assert np.abs(alone - tiled[:192, :192]).max() > 1e-3
    assert {*seen} == {((100, 238), (48, 112 + 4 * (anysize.factor == 4)))}


def test_pictures_of_one_tile_have_their_own_statistics(random_images):
    generator = build_unet_generator((32, 32, 3), gf=2, seed=0)
    (x,) = random_images(1, 64, 48, 3)
    np.testing.assert_allclose(AnySize(generator, 192)(x), generator_at(generator, x), atol=1e-5)


def generator_at(generator, x):
    return np.asarray(rebuilding.with_size(generator, x.shape[:2])(x[None]))[0]


def test_a_margin_that_is_too_small_shows(local, random_images, monkeypatch):
    (x,) = random_images(1, 200, 260, 3)
    monkeypatch.setattr(AnySize, "margin", 8)
    assert np.abs(AnySize(local, 128)(x) - AnySize(local)(x)).max() > 1e-4


@pytest.mark.parametrize(
    "settings", [{}, {"padding": "reflect", "upsampling": "resize"}, {"upsampling": "resize"}]
)
def test_the_reach_is_as_far_as_a_pixel_is_felt(settings, random_images):
    network = build_resnet_generator((128, 128, 3), **PIXEL, **settings)
    found = reach.reach_of(rebuilding.with_size(network, (128, 128)))
    (before,) = random_images(1, 128, 128, 3)
    after = before.copy()
    after[61:65, 62:66] *= -1  # All places in a group of four, which halving treats unlike.
    first, second = (network(x[None])[0] for x in (before, after))
    felt = np.argwhere(np.any(np.asarray(first) != np.asarray(second), axis=-1))
    farthest = max(61 - felt[:, 0].min(), felt[:, 0].max() - 64)
    assert farthest <= found <= farthest + 12


def test_the_reach_of_the_default_recipe_is_43_pixels():
    network = FAST.model.generator.build((64, 64, 3), 0, None)
    anysize = AnySize(network)
    assert (anysize.reach, anysize.margin) == (43, 44)


@pytest.mark.parametrize(
    "layer",
    [
        layers.GroupNormalization(1),
        layers.Softmax(axis=1),
        layers.Lambda(lambda x: x - ops.mean(x)),
        layers.RMSNormalization(axis=(1, 2, 3)),
    ],
)
def test_what_may_look_anywhere_is_not_tiled(layer):
    image = keras.Input((32, 32, 3))
    network = keras.Model(image, layer(image))
    assert reach.reach_of(network) is None


def anywhere():
    """A network whose pixels depend on the whole image, and not by normalization."""
    image = keras.Input((None, None, 3))
    return keras.Model(image, layers.Softmax(axis=1)(image))


def test_what_does_not_fit_into_memory_is_tiled_or_refused(local, random_images, monkeypatch):
    instance = anywhere()
    (x,) = random_images(1, 300, 300, 3)
    one_pass = AnySize(local)(x)
    monkeypatch.setattr(whole, "MAX_BYTES", 2e6)
    monkeypatch.setattr(whole, "MAX_TILE_BYTES", 1e6)
    sizes = []
    with_size = rebuilding.with_size
    monkeypatch.setattr(
        whole, "with_size", lambda g, size: sizes.append(size) or with_size(g, size)
    )
    np.testing.assert_array_equal(AnySize(local)(x), one_pass)
    assert max(sizes[1:]) < (300, 300)
    for make in (
        lambda: AnySize(instance)(x),
        lambda: translate.translate_image(instance, (x + 1) / 2, detail="network"),
    ):
        with pytest.raises(ValueError, match=r"GB for 30. × 30. .*--detail guided"):
            make()
    # A smaller copy fits.
    small = translate.translate_image(instance, (x + 1) / 2, size=64)
    assert small.shape == x.shape


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"detail": "best"}, "`detail` must be one of guided, network, plain"),
        ({"size": 0}, "`size` must be a number of pixels from 8"),
        ({"size": 64.0}, "`size` must be"),
        ({"detail": "network", "tile": 3}, "`tile` must be a number of pixels from 32"),
        ({"tile": 64}, "`tile` needs detail='network'"),
        ({"detail": "network", "size": 64}, "Leave one out"),
    ],
)
def test_settings_that_cannot_be_are_told(settings, told):
    with pytest.raises(ValueError, match=told):
        Manner(**settings)


def test_tiles_that_cannot_be_are_told(local):
    with pytest.raises(ValueError, match=r"cannot be tiled.*tile=64"):
        AnySize(anywhere(), 64)
    with pytest.raises(ValueError, match=r"at least 64 .*tile=32"):
        AnySize(local, 32)


@pytest.mark.integration
@pytest.mark.parametrize("kwargs", [{}, {"detail": "network"}])
def test_networks_of_unknown_size_translate(kwargs, tmp_path):
    generator = build_unet_generator((None, None, 3), gf=2, residual=True, seed=0)
    save_generator(generator, tmp_path / "g.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (50, 71, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    loaded = load_generator(tmp_path / "g.keras")
    expected = translate.translate_image(loaded, pixels, **kwargs)
    words = [word for key, value in kwargs.items() for word in (f"--{key}", str(value))]
    command = ["translate", tmp_path / "g.keras", tmp_path / "x.png", "--output", tmp_path / "o"]
    assert main([*map(str, command), *words]) == 0
    np.testing.assert_array_equal(Image.open(tmp_path / "o" / "x.png"), expected)
    if "size" not in kwargs:
        padded = np.pad(pixels, ((0, 14), (0, 9), (0, 0)), mode="symmetric")
        result = np.asarray(generator(padded[None] / np.float32(127.5) - 1))[0, :50, :71]
        assert np.abs(expected - (result + 1) * 127.5).max() <= 1


def test_the_network_sees_a_picture_in_its_own_size(local, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 71, 4), np.uint16)
    deep = translate.translate_image(local, pixels * 256, detail="network")
    assert (deep.shape, deep.dtype) == ((50, 71, 4), np.uint16)
    Image.fromarray(pixels[..., :3].astype(np.uint8)).save(tmp_path / "x.png")
    local.save(tmp_path / "g.keras")
    command = ["translate", tmp_path / "g.keras", tmp_path / "x.png", "--output", tmp_path / "o"]
    words = ["--detail", "network", "--tile", "128", "--side-by-side", "--keep-colors"]
    assert main([*map(str, command), *words]) == 0
    with Image.open(tmp_path / "o" / "x.png") as image:
        assert image.size == (142, 50)
    assert main([*map(str, command), "--overwrite", "--tile", "x"]) == 2


def test_a_network_that_knows_its_size_says_so(tmp_path, capsys):
    image = keras.Input((32, 32, 3))
    flat = layers.Dense(32 * 32 * 3)(layers.Flatten()(layers.AveragePooling2D(8)(image)))
    keras.Model(image, layers.Reshape((32, 32, 3))(flat)).save(tmp_path / "g.keras")
    Image.new("RGB", (50, 70)).save(tmp_path / "x.png")
    command = ["translate", tmp_path / "g.keras", tmp_path / "x.png", "--output", tmp_path / "o"]
    assert main([*map(str, command), "--detail", "network"]) == 2
    error = capsys.readouterr().err
    assert "does not take images of" in error
    assert main([*map(str, command)]) == 0
