import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import CycleGAN, Pix2Pix, TrainConfig
from cyclegan_keras.layers.residual_output import ChangeImage
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)


def changed(change, image, **kwargs):
    inputs = [np.full((1, 1, 1, 1), x, "float32") for x in (change, image)]
    return float(ChangeImage(**kwargs)(inputs)[0, 0, 0, 0])


LEVELS = (np.arange(256) / 127.5 - 1).reshape(1, 16, 16, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_no_change_leaves_every_image_as_it_is(dtype):
    x = keras.ops.cast(LEVELS, dtype)
    y = ChangeImage(dtype=dtype)([keras.ops.zeros_like(x), x])
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    np.testing.assert_array_equal(np.asarray(y), np.asarray(x))


def test_a_change_by_hand():
    # tanh(1 + atanh 0.5), where atanh x is half of ln((1 + x) / (1 - x)).
    power = np.exp(2 * (1 + 0.5 * np.log(3)))
    assert changed(1, 0.5) == pytest.approx((power - 1) / (power + 1), abs=1e-6)
    assert changed(-1, -0.5) == -changed(1, 0.5)


def test_the_ends_of_the_range_can_be_left_and_reached():
    for end in (-1, 1):
        assert changed(-50 * end, end) == -end
        assert changed(50 * end, end) == end
        # As from the limit, stretched so that it begins at the end: of the way from white down to
        # black, tanh(atanh 0.976 - 2) has gone (0.976 - 0.2026) / 1.976.
        way = (0.976 - np.tanh(np.arctanh(0.976) - 2)) / 1.976
        assert changed(-2 * end, end) == pytest.approx(end * (1 - 2 * way), abs=1e-6)
        way = (0.5 - np.tanh(np.arctanh(0.5) - 2)) / 1.5
        assert changed(-2 * end, end, limit=0.5) == pytest.approx(end * (1 - 2 * way), abs=1e-6)


def gradients_of(change, image, dtype="float32"):
    change, image = (tf.constant(x, dtype) for x in (change, image))
    with tf.GradientTape() as tape:
        tape.watch([change, image])
        y = ChangeImage(dtype=dtype)([change, image])
    return y, tape.gradient(y, [change, image])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_nothing_leaves_the_range_and_every_gradient_is_a_number(dtype):
    for change in (-6e4, -20, -8, -1, -1e-3, 0, 1e-3, 1, 8, 20, 6e4):
        y, gradients = gradients_of(np.full(LEVELS.shape, change), LEVELS, dtype)
        assert float(tf.reduce_max(tf.abs(y))) <= 1
        for gradient in gradients:
            assert bool(tf.reduce_all(tf.math.is_finite(gradient)))


def test_the_slope_of_a_change_is_that_of_the_formula_and_that_of_the_limit_beyond_it():
    change = np.repeat([-1.5, 0.0, 1.5], 5).reshape(3, 5)
    image = np.tile([-1, -0.9, 0.3, 0.95, 1], 3).reshape(3, 5)
    near = np.clip(image, -0.976, 0.976)
    expected = 1 - np.tanh(change + np.arctanh(near)) ** 2
    # Stretched where it leads away from an end, 2 instead of 1.976 up to the other one.
    leaves = (image == -1) & (change >= 0) | (image == 1) & (change < 0)
    _, (slope, _) = gradients_of(change, image, "float64")
    np.testing.assert_allclose(slope, np.where(leaves, 2 / 1.976, 1) * expected, rtol=1e-9)


def test_the_slope_of_an_image_is_what_is_left_of_it():
    change = np.repeat([-1.5, 0.0, 1.5], 5).reshape(3, 5)
    image = np.tile([-0.99, -0.9, 0.3, 0.95, 0.985], 3).reshape(3, 5)
    _, (_, slope) = gradients_of(change, image, "float64")
    step = 1e-6
    above, below = (gradients_of(change, image + d, "float64")[0] for d in (step, -step))
    np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=1e-6)


@pytest.mark.integration
def test_training_moves_black_and_white():
    # Also from a change that leads beyond the end, and shows in nothing yet.
    end = np.repeat(np.float32([-1, 1]), 3)
    change = end * np.tile(np.float32([0, 0.5, 3]), 2)
    for _ in range(400):
        y, (slope, _) = gradients_of(change, end)
        change -= np.float32(0.02) * np.sign(slope * (y - 0.2 * end))
    np.testing.assert_allclose(y, 0.2 * end, rtol=0, atol=0.02)


def test_files_from_before_give_what_they_gave():
    config = ChangeImage(limit=0.5).get_config()
    assert ChangeImage.from_config(config).exact
    assert config.pop("exact") is True
    layer = ChangeImage.from_config(config)
    assert (layer.limit, layer.exact) == (0.5, False)
    assert ChangeImage.from_config(layer.get_config()).exact is False
    change, image = (np.float32([[[x]]]) for x in ([0, 1, -1], [1, 0.3, -0.2]))
    expected = np.tanh(change + np.arctanh(np.clip(image, -0.5, 0.5)))
    np.testing.assert_allclose(layer([change, image]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("limit", [0, 1, -0.5])
def test_the_limit_is_inside_the_range(limit):
    with pytest.raises(ValueError, match=f"between 0 and 1. Received: limit={limit}"):
        ChangeImage(limit)


@pytest.mark.integration
@pytest.mark.parametrize(
    "build", [build_unet_generator, build_deep_unet_generator, build_resnet_generator]
)
def test_every_generator_can_change_its_input(build, random_images, tmp_path):
    x = random_images(1, 32, 32, 3)
    plain = build((32, 32, 3), gf=2, seed=0)
    g = build((32, 32, 3), gf=2, residual=True, seed=0)
    # The same weights; only what is made of their result differs.
    inside = np.clip(x, -0.976, 0.976)
    expected = np.tanh(np.arctanh(plain(inside)) + np.arctanh(inside))
    np.testing.assert_allclose(g(inside), expected, rtol=0, atol=1e-5)
    x[0, 0, :2] = [[-1] * 3, [1] * 3]
    g.set_weights([np.zeros_like(w) for w in g.get_weights()])
    np.testing.assert_array_equal(g(x), x)
    g.save(tmp_path / "g.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "g.keras")(x), g(x))


def test_under_mixed_precision_the_image_is_not_rounded(dtype_policy, random_images):
    dtype_policy("mixed_bfloat16")
    x = random_images(1, 32, 32, 3)
    g = build_unet_generator((32, 32, 3), gf=2, residual=True, seed=0)
    g.set_weights([np.zeros_like(w) for w in g.get_weights()])
    np.testing.assert_array_equal(g(x), x)


@pytest.mark.parametrize(
    "build", [build_unet_generator, build_deep_unet_generator, build_resnet_generator]
)
def test_a_generator_as_before_can_still_be_built(build):
    g = build((32, 32, 3), gf=2, residual=True, exact_residual=False)
    assert g.get_layer("translation").exact is False


@pytest.mark.integration
@pytest.mark.parametrize("model", ["cyclegan", "pix2pix"])
def test_runs_from_before_go_on_with_the_networks_that_they_had(model):
    settings = {"gf": 2, "df": 2, "image_size": 32, "residual": True, "generator": "resnet"}
    for exact in (True, False):
        config = TrainConfig.make(model=model, exact_residual=exact, num_blocks=0, **settings)
        gan = {"cyclegan": CycleGAN, "pix2pix": Pix2Pix}[model](**config.model_settings())
        for g in gan.generators.values():
            assert g.get_layer("translation").exact is exact
