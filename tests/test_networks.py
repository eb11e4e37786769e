import pathlib

import keras
import numpy as np
import pytest

from cyclegan_keras.layers import InstanceNormalization, LeanConv2D, UpsampleConv2D
from cyclegan_keras.networks import (
    build_patch_discriminator,
    build_unet_generator,
    treats_images_alone,
)

GOLDEN = np.load(pathlib.Path(__file__).parent / "golden" / "unet_tfa.npz")


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: build_unet_generator((32, 32, 3), gf=4), "generator"),
        (lambda: build_patch_discriminator((32, 32, 3), df=4), "discriminator"),
    ],
)
def test_networks_are_those_of_the_book_with_tensorflow_addons(build, name):
    # Made once by TensorFlow 2.15 with tensorflow-addons' own InstanceNormalization.
    network = build()
    weights = [GOLDEN[f"{name}/w{index}"] for index in range(len(GOLDEN[f"{name}/names"]))]
    network.set_weights(weights)
    y = network(GOLDEN["x"], training=False)
    np.testing.assert_allclose(np.asarray(y), GOLDEN[f"{name}/y"], rtol=0, atol=2e-5)


def test_shapes_and_sizes_at_128():
    generator, discriminator = build_unet_generator(), build_patch_discriminator()
    assert generator.input_shape == generator.output_shape == (None, 128, 128, 3)
    assert discriminator.output_shape == (None, 8, 8, 1)
    # By hand, 4×4 kernels: 3→32, 32→64, 64→128, 128→256 down; 256→128, 256→64, 128→32, 64→3 up;
    # biases; two values for each normalised channel.
    kernels = 16 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256)
    kernels += 16 * (256 * 128 + 256 * 64 + 128 * 32 + 64 * 3)
    channels = 32 + 64 + 128 + 256 + 128 + 64 + 32
    assert generator.count_params() == kernels + channels + 3 + 2 * channels == 1_546_819
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    assert discriminator.count_params() == kernels + 960 + 1 + 2 * 896 == 2_766_529


def test_normalisation_stands_after_the_activation():
    kinds = [type(layer) for layer in build_patch_discriminator((32, 32, 3), df=2).layers]
    down = [LeanConv2D, keras.layers.LeakyReLU, InstanceNormalization]
    last = [LeanConv2D, keras.layers.Activation]
    assert kinds == [keras.layers.InputLayer, *down[:2], *down * 3, *last]
    kinds = [type(layer) for layer in build_unet_generator((32, 32, 3), gf=2, dropout=0.5).layers]
    up = [UpsampleConv2D, keras.layers.Dropout, InstanceNormalization, keras.layers.Concatenate]
    last = [UpsampleConv2D, keras.layers.Activation]
    assert kinds == [keras.layers.InputLayer, *down * 4, *up * 3, *last]


def test_a_seed_gives_the_same_weights_and_other_layers_others():
    one, same, other = (build_unet_generator((32, 32, 3), gf=2, seed=s) for s in (1, 1, 2))
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [w for w in one.get_weights() if w.ndim == 4]
    assert not np.array_equal(kernels[0], other.get_weights()[0])
    assert len({float(kernel.ravel()[0]) for kernel in kernels}) == len(kernels)


def test_mixed_precision_ends_in_float32(dtype_policy):
    dtype_policy("mixed_bfloat16")
    for network in (
        build_unet_generator((32, 32, 3), gf=2),
        build_patch_discriminator((32, 32, 3), df=2),
    ):
        assert network.output.dtype == "float32"
        assert {v.dtype for v in network.variables} == {"float32"}
        assert network.layers[-2].compute_dtype == "bfloat16"


@pytest.mark.parametrize("build", [build_unet_generator, build_patch_discriminator])
@pytest.mark.parametrize("shape", [(40, 32, 3), (16, 16, 3), (32, 32), (32.0, 32, 3), (0, 32, 3)])
def test_sizes_that_cannot_be_halved_are_refused(build, shape):
    with pytest.raises(ValueError, match=r"divisible by 16 .* Received: img_shape="):
        build(shape)


def test_images_need_not_be_square(random_images):
    x = random_images(1, 32, 64, 1)
    assert build_unet_generator((32, 64, 1), gf=2)(x).shape == (1, 32, 64, 1)
    assert build_patch_discriminator((32, 64, 1), df=2)(x).shape == (1, 2, 4, 1)


def test_networks_that_treat_images_alone_are_told_from_others():
    assert treats_images_alone(build_unet_generator((32, 32, 3), gf=2, dropout=0.5))
    assert treats_images_alone(build_patch_discriminator((32, 32, 3), df=2))
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
