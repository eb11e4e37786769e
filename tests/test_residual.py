import keras
import numpy as np
import pytest

from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)
from cyclegan_keras.residual import ChangeImage


def changed(change, image, **kwargs):
    inputs = [np.full((1, 1, 1, 1), x, "float32") for x in (change, image)]
    return float(ChangeImage(**kwargs)(inputs)[0, 0, 0, 0])


def test_no_change_leaves_an_image_as_it_is(random_images):
    x = 0.97 * random_images(2, 4, 4, 3)
    np.testing.assert_allclose(ChangeImage()([np.zeros_like(x), x]), x, rtol=0, atol=1e-6)


def test_a_change_by_hand():
    # tanh(1 + atanh 0.5), where atanh x is half of ln((1 + x) / (1 - x)).
    power = np.exp(2 * (1 + 0.5 * np.log(3)))
    assert changed(1, 0.5) == pytest.approx((power - 1) / (power + 1), abs=1e-6)
    assert changed(-1, -0.5) == -changed(1, 0.5)


def test_the_ends_of_the_range_can_be_left():
    for end in (-1, 1):
        assert changed(0, end) == pytest.approx(0.976 * end, abs=1e-6)
        assert abs(changed(-2.2 * end, end)) < 0.01  # white becomes grey
        assert changed(0, end, limit=0.5) == pytest.approx(0.5 * end, abs=1e-6)
    assert -1 <= changed(-50, 1) < 1


@pytest.mark.parametrize("limit", [0, 1, -0.5])
def test_the_limit_is_inside_the_range(limit):
    with pytest.raises(ValueError, match=f"between 0 and 1. Received: limit={limit}"):
        ChangeImage(limit)


@pytest.mark.parametrize(
    "build", [build_unet_generator, build_deep_unet_generator, build_resnet_generator]
)
def test_every_generator_can_change_its_input(build, random_images, tmp_path):
    x = 0.9 * random_images(1, 32, 32, 3)
    plain = build((32, 32, 3), gf=2, seed=0)
    g = build((32, 32, 3), gf=2, residual=True, seed=0)
    # The same weights; only what is made of their result differs.
    expected = np.tanh(np.arctanh(plain(x)) + np.arctanh(x))
    np.testing.assert_allclose(g(x), expected, rtol=0, atol=1e-5)
    g.set_weights([np.zeros_like(w) for w in g.get_weights()])
    np.testing.assert_allclose(g(x), x, rtol=0, atol=1e-6)
    g.save(tmp_path / "g.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "g.keras")(x), g(x))


def test_under_mixed_precision_the_image_is_not_rounded(dtype_policy, random_images):
    dtype_policy("mixed_bfloat16")
    x = 0.9 * random_images(1, 32, 32, 3)
    g = build_unet_generator((32, 32, 3), gf=2, residual=True, seed=0)
    g.set_weights([np.zeros_like(w) for w in g.get_weights()])
    np.testing.assert_allclose(g(x), x, rtol=0, atol=1e-6)


def test_the_limit_is_saved():
    assert ChangeImage.from_config(ChangeImage(limit=0.5).get_config()).limit == 0.5
