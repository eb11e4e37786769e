import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from cyclegan_keras.layers import InstanceNormalization, LeanConv2D
from cyclegan_keras.networks import build_patch_discriminator

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "unet_tfa.npz")


def test_the_books_is_that_of_the_book_with_tensorflow_addons():
    # Made once by TensorFlow 2.15 with tensorflow-addons' own InstanceNormalization.
    network = build_patch_discriminator((32, 32, 3), df=4)
    names = GOLDEN["discriminator/names"]
    network.set_weights([GOLDEN[f"discriminator/w{index}"] for index in range(len(names))])
    y = network(GOLDEN["x"], training=False)
    np.testing.assert_allclose(np.asarray(y), GOLDEN["discriminator/y"], rtol=0, atol=2e-5)


def test_the_books_shapes_and_sizes_at_128():
    discriminator = build_patch_discriminator()
    assert discriminator.output_shape == (None, 8, 8, 1)
    kernels = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1)
    # Biases, and two values for each normalised channel.
    assert discriminator.count_params() == kernels + 960 + 1 + 2 * 896 == 2_766_529


def test_the_books_normalisation_stands_after_the_activation():
    kinds = [type(layer) for layer in build_patch_discriminator((32, 32, 3), df=2).layers]
    down = [LeanConv2D, layers.LeakyReLU, InstanceNormalization]
    last = [LeanConv2D, layers.Activation]
    assert kinds == [layers.InputLayer, *down[:2], *down * 3, *last]


def test_the_books_starts_from_keras_own_initial_weights():
    network = build_patch_discriminator((32, 32, 3), df=2, seed=5)
    kernels = [w for w in network.get_weights() if w.ndim == 4]
    assert len(kernels) == 5
    for index, kernel in enumerate(kernels):
        expected = keras.initializers.GlorotUniform(seed=5 + index)(kernel.shape)
        np.testing.assert_array_equal(kernel, expected)


@pytest.mark.parametrize("shape", [(40, 32, 3), (16, 16, 3), (32, 32), (32.0, 32, 3), (0, 32, 3)])
def test_the_books_refuses_sizes_that_cannot_be_halved(shape):
    with pytest.raises(ValueError, match=r"divisible by 16 .* Received: img_shape="):
        build_patch_discriminator(shape)


def test_the_books_images_need_not_be_square(random_images):
    x = random_images(1, 32, 64, 1)
    assert build_patch_discriminator((32, 64, 1), df=2)(x).shape == (1, 2, 4, 1)


@pytest.mark.parametrize(
    ("receptive_field", "scores", "kernels", "biases"),
    [
        (1, 256, 3 * 64 + 64 * 128 + 128, 64 + 128 + 1),
        (16, 126, 16 * (3 * 64 + 64 * 128 + 128), 64 + 128 + 1),
        (34, 62, 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256), 448 + 1),
        (70, 30, 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512), 960 + 1),
        (
            142,
            14,
            16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 512 + 512),
            960 + 512 + 1,
        ),
        (
            286,
            6,
            16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 2 * 512 * 512 + 512),
            960 + 2 * 512 + 1,
        ),
    ],
)
def test_the_papers_shapes_and_sizes_at_256(receptive_field, scores, kernels, biases):
    network = build_patch_discriminator((256, 256, 3), receptive_field=receptive_field)
    assert network.output_shape == (None, scores, scores, 1)
    assert network.count_params() == kernels + biases
    assert receptive_field != 70 or network.count_params() == 2_764_737


def test_the_papers_normalisation_stands_before_the_activation():
    network = build_patch_discriminator((32, 32, 3), df=2, receptive_field=70)
    down = [LeanConv2D, InstanceNormalization, layers.LeakyReLU]
    first = [layers.InputLayer, LeanConv2D, layers.LeakyReLU]
    pad, last = layers.ZeroPadding2D, [layers.ZeroPadding2D, LeanConv2D, layers.Activation]
    assert [type(layer) for layer in network.layers] == [*first, *down * 2, pad, *down, *last]
    norms = [layer for layer in network.layers if isinstance(layer, InstanceNormalization)]
    assert {(norm.epsilon, norm.center, norm.scale) for norm in norms} == {(1e-5, False, False)}


def without_norms(network):
    """The same with all weights 1, and without normalisation, which looks at the whole image."""

    def kept(layer):
        return layers.Identity() if isinstance(layer, InstanceNormalization) else layer

    bare = keras.models.clone_model(network, clone_function=kept)
    bare.set_weights([np.ones_like(weight) for weight in bare.get_weights()])
    return bare


@pytest.mark.parametrize(
    ("receptive_field", "pixels"),
    [(None, 94), *((size, size) for size in (1, 16, 34, 70, 142, 286))],
)
def test_a_score_sees_so_many_pixels(receptive_field, pixels):
    network = without_norms(
        build_patch_discriminator((384, 384, 1), df=1, receptive_field=receptive_field)
    )
    img = tf.ones((1, 384, 384, 1))
    with tf.GradientTape() as tape:
        tape.watch(img)
        scores = network(img)
        middle = scores[0, scores.shape[1] // 2, scores.shape[2] // 2, 0]
    seen = np.asarray(tape.gradient(middle, img))[0, :, :, 0] > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    for places in (rows, columns):
        assert len(places) == places[-1] - places[0] + 1 == pixels
        assert places[0] > 0
        assert places[-1] < 383  # else the border would have cut it


def torch_patches(receptive_field, df, leaky_relu):
    """The same in PyTorch, from the appendix's C64-C128-… with its strides."""
    from torch import nn

    multiples, strides = {
        1: ((1, 2), (1, 1)),
        16: ((1, 2), (2, 1)),
        34: ((1, 2, 4), (2, 2, 1)),
        70: ((1, 2, 4, 8), (2, 2, 2, 1)),
        142: ((1, 2, 4, 8, 8), (2, 2, 2, 2, 1)),
        286: ((1, 2, 4, 8, 8, 8), (2, 2, 2, 2, 2, 1)),
    }[receptive_field]
    size, padding = (1, 0) if receptive_field == 1 else (4, 1)
    stages, before = [], 3
    for multiple, stride in zip(multiples, strides, strict=True):
        stages.append(nn.Conv2d(before, multiple * df, size, stride, padding))
        stages += [nn.InstanceNorm2d(multiple * df)] if before != 3 else []
        stages.append(leaky_relu())
        before = multiple * df
    return nn.Sequential(*stages, nn.Conv2d(before, 1, size, 1, padding))


@pytest.mark.parametrize(
    ("receptive_field", "height", "width"),
    [
        (1, 5, 4),
        (16, 6, 9),
        (16, 8, 8),
        (34, 12, 19),
        (70, 24, 40),
        (70, 45, 50),
        (142, 48, 66),
        (286, 96, 130),
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_the_papers_are_those_in_pytorch(
    receptive_field, height, width, is_known, assert_same_as_torch, leaky_relu
):
    # Sizes that are not even, too, where "same" would pad otherwise.
    img_shape = (height, width, 3) if is_known else (None, None, 3)
    network = build_patch_discriminator(img_shape, df=4, receptive_field=receptive_field)
    twin = torch_patches(receptive_field, 4, leaky_relu)
    assert_same_as_torch(network, twin, (2, height, width, 3))


@pytest.mark.parametrize(
    ("receptive_field", "least", "scores"),
    [(1, 2, 2), (16, 6, 1), (34, 12, 1), (70, 24, 1), (142, 48, 1), (286, 96, 1)],
)
def test_the_least_size_that_works_is_told(receptive_field, least, scores):
    network = build_patch_discriminator((least, least, 3), df=1, receptive_field=receptive_field)
    assert network.output_shape == (None, scores, scores, 1)
    norms = [layer for layer in network.layers if isinstance(layer, InstanceNormalization)]
    assert min(norm.input.shape[1] for norm in norms) >= 2
    for shape in ((least - 1, 256, 3), (None, least - 1, 3)):
        with pytest.raises(ValueError, match=rf"at least {least} pixels, .* Received: img_shape="):
            build_patch_discriminator(shape, df=1, receptive_field=receptive_field)


def test_a_receptive_field_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"1, 16, 34, .* pixels.* Received: receptive_field=35"):
        build_patch_discriminator((256, 256, 3), receptive_field=35)


def test_without_norm_there_is_none_and_each_convolution_has_its_bias():
    network = build_patch_discriminator((64, 64, 3), df=2, receptive_field=70, norm="none")
    kinds = [type(layer).__name__ for layer in network.layers]
    assert "InstanceNormalization" not in kinds
    # Kernels of 4×4, and a bias each.
    sizes = [(3, 2), (2, 4), (4, 8), (8, 16), (16, 1)]
    assert network.count_params() == sum(16 * i * o + o for i, o in sizes)
    affine = build_patch_discriminator((64, 64, 3), 2, 70, affine=True, norm="none")
    assert affine.count_params() == network.count_params()
    # And for each but the first and the last, a factor for each channel.
    pixel = build_patch_discriminator((64, 64, 3), 2, 70, affine=True, norm="pixel")
    assert pixel.count_params() == network.count_params() + 4 + 8 + 16
    with pytest.raises(ValueError, match="`norm` must be one of instance, pixel, none"):
        build_patch_discriminator((64, 64, 3), df=2, receptive_field=70, norm="batch")
