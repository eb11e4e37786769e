import itertools
import pathlib

import keras
import numpy as np
import pytest
from keras import layers

from cyclegan_keras.layers import InstanceNormalization, LeanConv2D, UpsampleConv2D
from cyclegan_keras.networks import build_deep_unet_generator, build_unet_generator

GOLDEN = np.load(pathlib.Path(__file__).parents[1] / "golden" / "unet_tfa.npz")


def kinds_of(network):
    return [type(layer) for layer in network.layers]


def test_the_books_is_that_of_the_book_with_tensorflow_addons():
    # Made once by TensorFlow 2.15 with tensorflow-addons' own InstanceNormalization.
    network = build_unet_generator((32, 32, 3), gf=4)
    names = GOLDEN["generator/names"]
    network.set_weights([GOLDEN[f"generator/w{index}"] for index in range(len(names))])
    y = network(GOLDEN["x"], training=False)
    np.testing.assert_allclose(np.asarray(y), GOLDEN["generator/y"], rtol=0, atol=2e-5)


def test_the_books_shapes_and_sizes_at_128():
    generator = build_unet_generator()
    assert generator.input_shape == generator.output_shape == (None, 128, 128, 3)
    # By hand, 4×4 kernels: 3→32, 32→64, 64→128, 128→256 down; 256→128, 256→64, 128→32, 64→3 up;
    # biases; two values for each normalised channel.
    kernels = 16 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256)
    kernels += 16 * (256 * 128 + 256 * 64 + 128 * 32 + 64 * 3)
    channels = 32 + 64 + 128 + 256 + 128 + 64 + 32
    assert generator.count_params() == kernels + channels + 3 + 2 * channels == 1_546_819


def test_the_books_normalisation_stands_after_the_activation():
    kinds = kinds_of(build_unet_generator((32, 32, 3), gf=2, dropout=0.5))
    down = [LeanConv2D, layers.LeakyReLU, InstanceNormalization]
    up = [UpsampleConv2D, layers.Dropout, InstanceNormalization, layers.Concatenate]
    last = [UpsampleConv2D, layers.Activation]
    assert kinds == [layers.InputLayer, *down * 4, *up * 3, *last]


def test_the_books_starts_from_keras_own_initial_weights():
    network = build_unet_generator((32, 32, 3), gf=2, seed=5)
    kernels = [w for w in network.get_weights() if w.ndim == 4]
    assert len(kernels) == 8
    for index, kernel in enumerate(kernels):
        expected = keras.initializers.GlorotUniform(seed=5 + index)(kernel.shape)
        np.testing.assert_array_equal(kernel, expected)


@pytest.mark.parametrize("shape", [(40, 32, 3), (16, 16, 3), (32, 32), (32.0, 32, 3), (0, 32, 3)])
def test_the_books_refuses_sizes_that_cannot_be_halved(shape):
    with pytest.raises(ValueError, match=r"divisible by 16 .* Received: img_shape="):
        build_unet_generator(shape)


def test_the_books_images_need_not_be_square(random_images):
    x = random_images(1, 32, 64, 1)
    assert build_unet_generator((32, 64, 1), gf=2)(x).shape == (1, 32, 64, 1)


@pytest.mark.parametrize(("size", "expected"), [(256, 54_413_955), (128, 41_828_995)])
def test_deep_sizes_are_those_of_the_literature(size, expected):
    # 54.414 M and 41.829 M. By hand, 4×4 kernels, from the outside in: what goes down to a level,
    # what comes up from it with the skip connection; the innermost has none.
    levels = 8 if size == 256 else 7
    downs = [3, 64, 128, 256] + [512] * (levels - 3)
    kernels = sum(16 * before * after for before, after in itertools.pairwise(downs))
    ups = [3, 64, 128, 256] + [512] * (levels - 4)
    kernels += sum(16 * 2 * inner * outer for outer, inner in itertools.pairwise(ups))
    kernels += 16 * 512 * 512
    normalized = 128 + 256 + 512 * (levels - 4) + 512 * (levels - 4) + 256 + 128 + 64
    network = build_deep_unet_generator((size, size, 3))
    assert network.count_params() == kernels + 2 * normalized + 3 == expected


@pytest.mark.parametrize(
    ("height", "width", "halvings"),
    [(32, 32, 5), (64, 32, 5), (64, 64, 6), (128, 384, 7), (256, 256, 8), (512, 768, 8)],
)
def test_deep_halves_the_shorter_side_down_to_one_pixel(height, width, halvings):
    network = build_deep_unet_generator((height, width, 1), gf=1)
    assert network.output_shape == (None, height, width, 1)
    kinds = kinds_of(network)
    assert kinds.count(LeanConv2D) == kinds.count(layers.Conv2DTranspose) == halvings
    norms = [layer for layer in network.layers if isinstance(layer, InstanceNormalization)]
    assert len(norms) == 2 * halvings - 3  # neither the first, nor the innermost, nor the last
    assert min(norm.input.shape[1] * norm.input.shape[2] for norm in norms) > 1
    dropped = [x.output.shape[1] for x in network.layers if isinstance(x, layers.Dropout)]
    innermost = height // 2**halvings
    assert dropped == [4 * innermost, 8 * innermost, 16 * innermost][: halvings - 5]


def test_deep_activation_stands_before_the_convolution():
    kinds = kinds_of(build_deep_unet_generator((64, 64, 3), gf=2))
    down = [layers.LeakyReLU, LeanConv2D, InstanceNormalization]
    up = [layers.ReLU, layers.Conv2DTranspose, InstanceNormalization]
    skip, drop = layers.Concatenate, layers.Dropout
    last = [layers.ReLU, layers.Conv2DTranspose, layers.Activation]
    downs = [layers.InputLayer, LeanConv2D, *down * 4, *down[:2]]
    assert kinds == [*downs, *up, skip, *up, drop, skip, *[*up, skip] * 3, *last]
    assert layers.Dropout not in kinds_of(build_deep_unet_generator((64, 64, 3), gf=2, dropout=0))


def torch_deep_unet(halvings, gf, leaky_relu):
    """The same in PyTorch, with the innermost level built first as its authors do."""
    import torch
    from torch import nn

    class Level(nn.Module):
        def __init__(self, before, after, inside, is_first):
            super().__init__()
            self.is_first = is_first
            down = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)
            self.down = down if is_first else nn.Sequential(leaky_relu(), down)
            self.norm = nn.InstanceNorm2d(after, affine=True) if inside and not is_first else None
            self.inside = inside
            last = nn.ConvTranspose2d(
                2 * after if inside else after, before, 4, stride=2, padding=1, bias=is_first
            )
            self.up = nn.Sequential(nn.ReLU(), last)
            self.up.append(nn.Tanh() if is_first else nn.InstanceNorm2d(before, affine=True))

        def forward(self, x):
            y = self.down(x)
            y = y if self.norm is None else self.norm(y)
            y = self.up(y if self.inside is None else self.inside(y))
            return y if self.is_first else torch.cat([x, y], 1)

    filters = [3] + [gf * min(2**level, 8) for level in range(halvings)]
    level = None
    for index in reversed(range(halvings)):
        level = Level(filters[index], filters[index + 1], level, index == 0)
    return level


@pytest.mark.parametrize(("height", "width", "halvings"), [(32, 64, 5), (128, 64, 6)])
def test_deep_is_the_one_in_pytorch(height, width, halvings, assert_same_as_torch, leaky_relu):
    network = build_deep_unet_generator((height, width, 3), gf=2)
    twin = torch_deep_unet(halvings, 2, leaky_relu)
    assert_same_as_torch(network, twin, (2, height, width, 3))


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((16, 16, 3), "divisible by 32 and at least 32"),
        ((48, 48, 3), "divisible by 32"),
        ((96, 96, 3), "divisible by 64 and at least 64 pixels, because the network halves them 6"),
        ((288, 256, 3), "divisible by 256"),
        ((32, 32), "divisible by 32"),
        ((None, 256, 3), "known height and width"),
        ((256, None, 3), "known height and width"),
    ],
)
def test_deep_refuses_sizes_that_cannot_be_halved(shape, wanted):
    with pytest.raises(ValueError, match=rf"{wanted}.* Received: img_shape="):
        build_deep_unet_generator(shape, gf=1)


@pytest.mark.parametrize("build", [build_unet_generator, build_deep_unet_generator])
def test_a_seed_decides_what_is_dropped(build, random_images):
    size = 64  # At 32, the deep one drops nothing.
    imgs = random_images(1, size, size, 3)
    one, same, other = (build((size, size, 3), gf=2, dropout=0.5, seed=seed) for seed in (3, 3, 4))
    for network in (same, other):
        network.set_weights(one.get_weights())
    first, again, unlike = (np.asarray(n(imgs, training=True)) for n in (one, same, other))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, unlike)
    # Each layer has a chance of its own, and each call another one.
    assert not np.array_equal(first, np.asarray(one(imgs, training=True)))
    states = {tuple(v.numpy()) for v in one.variables if "seed" in v.name}
    assert len(states) == kinds_of(one).count(layers.Dropout) >= 1
