import functools

import keras
import numpy as np
import pytest

from cyclegan_keras.layers import InstanceNormalization, UpsampleConv2D
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_patch_discriminator,
    build_resnet_generator,
    build_unet_generator,
    check_img_shape,
    treats_images_alone,
)
from cyclegan_keras.networks.common import norm_of

# Every kind of network, as small as it gets, for images of 32 × 64 pixels.
BUILDERS = {
    "unet": functools.partial(build_unet_generator, gf=2, dropout=0.5),
    "deep unet": functools.partial(build_deep_unet_generator, gf=2),
    "resnet": functools.partial(build_resnet_generator, gf=2, num_blocks=1),
    "resnet, resize": functools.partial(
        build_resnet_generator, gf=2, num_blocks=1, upsampling="resize"
    ),
    "resnet, all of it another way": functools.partial(
        build_resnet_generator,
        gf=2,
        num_blocks=1,
        upsampling="resize",
        padding="reflect",
        norm="pixel",
        skips=True,
        residual=True,
        outer_kernel=3,
    ),
    "book's patches": functools.partial(build_patch_discriminator, df=2),
    **{
        f"patches of {field}": functools.partial(
            build_patch_discriminator, df=2, receptive_field=field
        )
        for field in (1, 16, 70)
    },
}
EVERY_NETWORK = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS.keys())
SHAPE = (32, 64, 3)


@EVERY_NETWORK
def test_every_network_treats_images_alone(build, random_images, stir):
    network = stir(build(SHAPE))
    assert treats_images_alone(network)
    x = random_images(2, *SHAPE)
    x[1] = 0.2 * x[1] + 0.5  # of another brightness and contrast
    alone = np.concatenate([np.asarray(network(image[None])) for image in x])
    assert np.std(alone) > 0.05
    np.testing.assert_allclose(np.asarray(network(x)), alone, rtol=0, atol=1e-5)


@EVERY_NETWORK
def test_a_seed_gives_the_same_weights_and_other_layers_others(build):
    one, same, other = (build(SHAPE, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels, others = (
        [w for w in network.get_weights() if w.ndim == 4] for network in (one, other)
    )
    assert not np.array_equal(kernels[0], others[0])
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize(
    "build",
    [
        lambda: build_resnet_generator((16, 16, 3), gf=16, num_blocks=1, seed=0),
        lambda: build_deep_unet_generator((32, 32, 3), gf=16, seed=0),
        lambda: build_patch_discriminator((24, 24, 3), df=16, receptive_field=70, seed=0),
    ],
    ids=["resnet", "deep unet", "patches"],
)
def test_the_papers_networks_start_from_a_normal_distribution(build):
    weights = build().get_weights()
    large = [weight for weight in weights if weight.size > 10_000]
    assert len(large) >= 2
    for kernel in large:
        # Two numbers for 10 000 draws and more, each with four times its standard error at most.
        assert abs(kernel.mean()) < 4 * 0.02 / kernel.size**0.5
        assert kernel.std() == pytest.approx(0.02, rel=4 / (2 * kernel.size) ** 0.5)
        assert np.abs(kernel).max() > 0.06  # not cut off at two standard deviations
    # Biases and offsets, and factors where normalisation is trained.
    assert {value for weight in weights if weight.ndim == 1 for value in weight} <= {0.0, 1.0}


@EVERY_NETWORK
def test_a_file_gives_the_same_bits(build, random_images, tmp_path):
    network = build(SHAPE, name="one")
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    x = random_images(1, *SHAPE)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(network(x)))
    assert again.name == "one"


@EVERY_NETWORK
def test_mixed_precision_ends_in_float32(build, dtype_policy):
    dtype_policy("mixed_bfloat16")
    network = build(SHAPE)
    assert network.output.dtype == "float32"
    assert {v.dtype for v in network.trainable_variables} == {"float32"}
    assert {layer.compute_dtype for layer in network.layers[1:-1]} == {"bfloat16"}


@EVERY_NETWORK
def test_a_network_for_any_size_is_the_one_for_a_known_size(build, random_images, stir):
    if build.func is build_deep_unet_generator:
        with pytest.raises(ValueError, match=r"known height and width.* Received: img_shape="):
            build((None, 64, 3))
        return
    any_size = stir(build((None, None, 3)))
    for height, width in ((32, 64), (48, 32)):
        known = build((height, width, 3))
        known.set_weights(any_size.get_weights())
        x = random_images(1, height, width, 3)
        y = np.asarray(known(x))
        assert np.std(y) > 0.05
        assert y.shape[1:] == known.output_shape[1:]
        np.testing.assert_allclose(np.asarray(any_size(x)), y, rtol=0, atol=1e-5)


def test_networks_that_treat_images_alone_are_told_from_others():
    img = keras.Input((8, 8, 3))
    normalized = keras.Model(img, keras.layers.BatchNormalization()(img))
    inner = keras.Input((8, 8, 3))

    class Own(keras.Model):
        def call(self, x):
            return x

    for other in (
        normalized,
        keras.Model(inner, normalized(inner)),
        keras.Model(img, img - keras.ops.mean(img, axis=0)),  # no layer, but an operation
        keras.Sequential([img, keras.layers.Lambda(lambda x: x)]),
        Own(),
    ):
        assert not treats_images_alone(other)
    nested = keras.Model(inner, keras.Model(img, InstanceNormalization()(img))(inner))
    assert treats_images_alone(nested)


def over_the_batch(x):
    return keras.ops.softmax(x, axis=0)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: keras.layers.Conv2D(2, 3, activation=over_the_batch),
        lambda: keras.layers.Conv2D(
            2, 3, activation=functools.partial(keras.activations.softmax, axis=0)
        ),
        lambda: keras.layers.Activation(over_the_batch),
        lambda: UpsampleConv2D(2, 3, activation=over_the_batch),
        lambda: keras.layers.Lambda(over_the_batch),
        lambda: keras.layers.RMSNormalization(axis=0),
        lambda: keras.layers.Conv2D(2, 3, activity_regularizer="l2"),
        lambda: keras.layers.Dropout(0.5, noise_shape=(4, 1, 1, 1)),
    ],
)
def test_settings_of_layers_that_let_images_meet(layer):
    img = keras.Input((8, 8, 3), batch_size=4)
    network = keras.Model(img, layer()(img))
    assert not treats_images_alone(network)
    assert not treats_images_alone(keras.Model(img, network(img)))


def test_settings_of_layers_that_do_not():
    img = keras.Input((8, 8, 3), batch_size=4)
    for activation in (None, "relu", "softmax", keras.activations.gelu):
        x = keras.layers.Conv2D(2, 3, activation=activation)(img)
        assert treats_images_alone(keras.Model(img, keras.layers.RMSNormalization()(x)))
    x = keras.layers.Concatenate(axis=0)([img, img])
    assert not treats_images_alone(keras.Model(img, x))


@pytest.mark.parametrize(
    ("img_shape", "options"),
    [
        ((40, 32, 3), {}),
        ((32, 40, 3), {}),
        ((16, 32, 3), {}),
        ((32, 32), {}),
        ((32.0, 32, 3), {}),
        ((0, 32, 3), {}),
        ((32, 32, 0), {"any_size": True}),
        ((32, 32, None), {"any_size": True}),
        ((None, 32, 3), {}),
        ((None, 40, 3), {"any_size": True}),
        ((6, 8, 3), {"factor": 4, "least": 4}),
        ((4, 8, 3), {"factor": 4}),
        ((6, 7, 3), {"factor": 1, "least": 7}),
    ],
)
def test_shapes_that_do_not_fit_are_refused(img_shape, options):
    with pytest.raises(ValueError, match=r"because .*\. Received: img_shape="):
        check_img_shape(img_shape, **options)


@pytest.mark.parametrize(
    ("img_shape", "options"),
    [
        ((32, 48, 1), {}),
        ((None, 32, 3), {"any_size": True}),
        ((4, 8, 3), {"factor": 4, "least": 4}),
        ((7, 9, 3), {"factor": 1, "least": 7}),
    ],
)
def test_shapes_that_fit_are_let_through(img_shape, options):
    check_img_shape(img_shape, **options)


def test_a_refusal_says_what_was_wanted_and_what_came():
    with pytest.raises(
        ValueError, match="divisible by 8 and at least 24 pixels, because of it"
    ) as e:
        check_img_shape((20, 32, 3), 8, 24, "of it")
    assert str(e.value).endswith("Received: img_shape=(20, 32, 3)")
    with pytest.raises(ValueError, match="height and width at least 24 pixels"):
        check_img_shape((20, 32, 3), 1, 24, "of it")


def test_pixels_are_normed_by_hand():
    """(3, 4) have a root mean square of √12.5, (0, -2) of √2; each channel then has its factor."""
    norm = norm_of("pixel")
    x = np.array([[[[3.0, 4.0], [0.0, -2.0]]]], "float32")
    wanted = np.array([[[[3 / 12.5**0.5, 4 / 12.5**0.5], [0.0, -(2**0.5)]]]])
    np.testing.assert_allclose(norm(x), wanted, rtol=1e-5)
    norm.set_weights([np.array([2.0, 10.0])])
    np.testing.assert_allclose(norm(x), wanted * [2.0, 10.0], rtol=1e-5)
