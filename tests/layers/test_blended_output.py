import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import CycleGAN, TrainConfig
from cyclegan_keras.layers.blended_output import BlendImages
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)


def blended(new, mask, image, **kwargs):
    features = np.array([new, mask], "float32").reshape(1, 1, 1, 2)
    return float(
        BlendImages(**kwargs)([features, np.full((1, 1, 1, 1), image, "float32")])[0, 0, 0, 0]
    )


def test_by_hand():
    # tanh(0.5 ln 3) is 0.5; sigmoid(2 + ln 3 - 2) is 0.75.
    new, mask = 0.5 * np.log(3), 2 + np.log(3)
    assert blended(new, mask, -0.5) == pytest.approx(-0.5 + 0.75 * 1.0, abs=1e-6)
    assert blended(0, 0, 0.5) == pytest.approx(0.5 - 0.5 / (1 + np.exp(2)), abs=1e-6)
    assert blended(9, -30, 0.25) == 0.25
    assert blended(30, 30, 0.25) == 1


def test_each_channel_has_a_mask_of_its_own():
    features = np.array([[0, 0, 30, 30, -30, 30]], "float32").reshape(1, 1, 1, 6)
    image = np.array([[0.5, 0.5, 0.5]], "float32").reshape(1, 1, 1, 3)
    np.testing.assert_allclose(BlendImages()([features, image])[0, 0, 0], [0, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_nothing_leaves_the_range_and_every_gradient_is_a_number(dtype):
    values = [-6e4, -20, -1, 0, 1, 20, 6e4]
    grid = np.stack(np.meshgrid(values, values, [-1, -0.3, 0.0, 1]), axis=-1).reshape(1, -1, 1, 3)
    features, image = (tf.constant(x, dtype) for x in (grid[..., :2], grid[..., 2:]))
    with tf.GradientTape() as tape:
        tape.watch([features, image])
        y = BlendImages(dtype=dtype)([features, image])
    assert y.dtype == dtype
    assert float(tf.reduce_max(tf.abs(tf.cast(y, "float32")))) <= 1
    for gradient in tape.gradient(y, [features, image]):
        assert np.isfinite(np.asarray(tf.cast(gradient, "float32"))).all()


@pytest.mark.parametrize(
    "build", [build_unet_generator, build_resnet_generator, build_deep_unet_generator]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_generator_can_end_with_it(build, channels, random_images):
    network = build((32, 32, channels), gf=2, blend=True, seed=0)
    plain = build((32, 32, channels), gf=2, seed=0)
    assert network.output_shape == (None, 32, 32, channels)
    last, its = (net.weights[-1].shape[-1] for net in (network, plain))
    assert (last, its) == (2 * channels, channels)
    # A network that has learned nothing leaves images nearly as they are.
    for weight in network.weights:
        weight.assign(0 * weight)
    x = random_images(1, 32, 32, channels)
    np.testing.assert_allclose(network(x), x * (1 - 1 / (1 + np.exp(2))), atol=1e-6)


def test_an_output_is_of_one_kind():
    with pytest.raises(ValueError, match=r"`residual_output` and `blended_output`. Received: both"):
        TrainConfig(residual_output=True, blended_output=True)
    with pytest.raises(ValueError, match="Received: both"):
        CycleGAN((32, 32, 3), gf=2, df=2, residual_output=True, blended_output=True)
    fast = TrainConfig.make(recipe="fast")
    assert (fast.blended_output, fast.residual_output) == (True, False)
    # The one that is asked for takes the other's place.
    residual = fast.replace(residual_output=True)
    assert (residual.blended_output, residual.residual_output) == (False, True)
    again = residual.replace(blended_output=True)
    assert (again.blended_output, again.residual_output) == (True, False)
    neither = fast.replace(blended_output=False)
    assert (neither.blended_output, neither.residual_output) == (False, False)
