import numpy as np
import pytest
from keras import layers
from matplotlib.patches import Rectangle

from cyclegan_keras import plotting
from cyclegan_keras.layers import (
    InstanceNormalization,
    LeanConv2D,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.networks import build_resnet_generator


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize(("num_blocks", "expected"), [(9, 11_378_179), (6, 7_837_699)])
def test_sizes_are_those_of_the_literature(num_blocks, expected, upsampling):
    # By hand: c7s1-64, d128, d256, two convolutions in each block, u128, u64, c7s1-3, with biases.
    ends = 49 * 3 * 64 + 64 + 49 * 64 * 3 + 3
    halvings = 9 * 64 * 128 + 128 + 9 * 128 * 256 + 256
    doublings = 9 * 256 * 128 + 128 + 9 * 128 * 64 + 64
    blocks = num_blocks * 2 * (9 * 256 * 256 + 256)
    network = build_resnet_generator(num_blocks=num_blocks, upsampling=upsampling)
    assert network.count_params() == ends + halvings + blocks + doublings == expected
    assert network.output_shape == (None, 256, 256, 3)


def test_the_layers_are_the_papers():
    network = build_resnet_generator((16, 16, 3), gf=2, num_blocks=1)
    norm_relu = [InstanceNormalization, layers.ReLU]
    conv = [ReflectionPadding2D, LeanConv2D]
    block = [*conv, *norm_relu, *conv, InstanceNormalization, layers.Add]
    down = [layers.ZeroPadding2D, layers.Conv2D, *norm_relu]
    up = [TransposedConv2D, *norm_relu]
    kinds = [layers.InputLayer, *conv, *norm_relu, *down * 2, *block, *up * 2, *conv]
    assert [type(layer) for layer in network.layers] == [*kinds, layers.Activation]
    paddings = [x.padding[0][0] for x in network.layers if isinstance(x, ReflectionPadding2D)]
    assert paddings == [3, 1, 1, 3]
    norms = [layer for layer in network.layers if isinstance(layer, InstanceNormalization)]
    assert {(norm.epsilon, norm.center, norm.scale) for norm in norms} == {(1e-5, False, False)}
    resized = build_resnet_generator((16, 16, 3), gf=2, num_blocks=1, upsampling="resize")
    kinds = [type(layer) for layer in resized.layers]
    assert kinds.count(UpsampleConv2D) == 2
    assert TransposedConv2D not in kinds


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(252, 252, 6), (256, 252, 9), (128, 256, 9), (8, 8, 6), (None, 128, 9), (None, None, 9)],
)
def test_there_are_six_blocks_below_256_pixels_and_nine_from_there_on(height, width, expected):
    network = build_resnet_generator((height, width, 1), gf=1)
    assert [type(layer) for layer in network.layers].count(layers.Add) == expected


def torch_resnet(gf, num_blocks, upsampling):
    """The same in PyTorch, as its authors write it."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, filters):
            super().__init__()
            conv = [[nn.ReflectionPad2d(1), nn.Conv2d(filters, filters, 3)] for _ in range(2)]
            norms = [nn.InstanceNorm2d(filters) for _ in range(2)]
            self.change = nn.Sequential(*conv[0], norms[0], nn.ReLU(), *conv[1], norms[1])

        def forward(self, x):
            return x + self.change(x)

    def double(before, after):
        if upsampling == "resize":
            return [nn.Upsample(scale_factor=2), nn.Conv2d(before, after, 3, padding=1)]
        return [nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)]

    def norm_relu(filters):
        return [nn.InstanceNorm2d(filters), nn.ReLU()]

    stages = [nn.ReflectionPad2d(3), nn.Conv2d(3, gf, 7), *norm_relu(gf)]
    for filters in (gf, 2 * gf):
        stages += [nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1), *norm_relu(2 * filters)]
    stages += [Block(4 * gf) for _ in range(num_blocks)]
    for filters in (4 * gf, 2 * gf):
        stages += [*double(filters, filters // 2), *norm_relu(filters // 2)]
    return nn.Sequential(*stages, nn.ReflectionPad2d(3), nn.Conv2d(gf, 3, 7), nn.Tanh())


@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (36, 20)])
def test_it_is_the_one_in_pytorch(height, width, upsampling, assert_same_as_torch):
    network = build_resnet_generator((height, width, 3), gf=3, num_blocks=2, upsampling=upsampling)
    assert_same_as_torch(network, torch_resnet(3, 2, upsampling), (2, height, width, 3))


def first_of(network, kind):
    return next(layer for layer in network.layers if isinstance(layer, kind))


def test_halving_starts_at_the_padding_by_hand():
    # Of a kernel whose first weight alone is 1, the result at (i, j) is the pixel (2i − 1, 2j − 1).
    network = build_resnet_generator((8, 8, 1), gf=1, num_blocks=0)
    pad = first_of(network, layers.ZeroPadding2D)
    convolution = network.layers[network.layers.index(pad) + 1]
    kernel = np.zeros(convolution.kernel.shape)
    kernel[0, 0, 0, 0] = 1
    convolution.kernel.assign(kernel)
    y = convolution(pad(np.arange(16, dtype="float32").reshape(1, 4, 4, 1)))
    np.testing.assert_array_equal(np.asarray(y)[0, :, :, 0], [[0, 0], [0, 5]])


def test_doubling_by_hand():
    # Weight (k, l) of pixel (i, j) goes to (2i − 1 + k, 2j − 1 + l), where that exists.
    network = build_resnet_generator((8, 8, 1), gf=1, num_blocks=0)
    convolution = first_of(network, TransposedConv2D)
    kernel = np.zeros(convolution.kernel.shape)
    kernel[:, :, 0, 0] = np.arange(1, 10).reshape(3, 3)
    convolution.kernel.assign(kernel)
    x = np.zeros((1, 2, 2, convolution.kernel.shape[-1]), "float32")
    x[0, 1, 0, 0] = 1
    expected = [[0, 0, 0, 0], [2, 3, 0, 0], [5, 6, 0, 0], [8, 9, 0, 0]]
    np.testing.assert_array_equal(np.asarray(convolution(x))[0, :, :, 0], expected)


@pytest.mark.parametrize("shape", [(30, 32, 3), (32, 30, 3), (4, 4, 3), (None, 30, 3), (32, 32)])
def test_sizes_that_cannot_be_halved_are_refused(shape):
    with pytest.raises(ValueError, match=r"divisible by 4 and at least 8 .* Received: img_shape="):
        build_resnet_generator(shape)


def test_choices_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"transposed, resize.* Received: upsampling='bilinear'"):
        build_resnet_generator((16, 16, 3), upsampling="bilinear")
    for num_blocks in (-1, 1.5):
        with pytest.raises(ValueError, match=rf"`num_blocks` .* num_blocks={num_blocks}"):
            build_resnet_generator((16, 16, 3), num_blocks=num_blocks)


def test_a_drawing_shows_what_comes_out_of_each_convolution():
    network = build_resnet_generator((16, 16, 3), gf=2, num_blocks=1)
    (axes,) = plotting.network_drawing(network).axes
    bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert (len(bars), len(axes.patches)) == (9, 10)  # And the arc over the residual block.
    texts = [text.get_text().split("\n") for text in axes.texts]
    sizes, channels = zip(*texts, strict=True)
    assert sizes == tuple(f"{size}×{size}" for size in (16, 16, 8, 4, 4, 4, 8, 16, 16))
    assert channels == tuple(f"×{number}" for number in (3, 2, 4, 8, 8, 8, 4, 2, 3))


def test_mirrored_everywhere_there_are_no_zeros():
    """An image that is its own mirror image stays so, up to the border, and nothing is darker."""
    network = build_resnet_generator(
        (16, 16, 3), gf=2, num_blocks=1, upsampling="resize", padding="reflect", norm="none"
    )
    kinds = [type(layer) for layer in network.layers]
    assert layers.ZeroPadding2D not in kinds
    assert kinds.count(ReflectionPadding2D) == 2 + 2 + 2  # Ends, halvings, and the block.
    # A uniform image stays uniform, which zeros at any border would spoil.
    weights = [np.abs(w) for w in network.get_weights()]
    network.set_weights(weights)
    y = np.asarray(network(np.full((1, 16, 16, 3), 0.5, "float32")))
    assert np.ptp(y, axis=(1, 2)).max() < 1e-6
    assert np.abs(y).min() > 1e-6
    zeros = build_resnet_generator(
        (16, 16, 3), gf=2, num_blocks=1, upsampling="resize", norm="none"
    )
    zeros.set_weights(weights)
    assert np.ptp(np.asarray(zeros(np.full((1, 16, 16, 3), 0.5, "float32")))) > 1e-4


def test_reflecting_changes_nothing_but_the_border(random_images, stir):
    settings = {"gf": 2, "num_blocks": 0, "upsampling": "resize", "norm": "none", "seed": 0}
    one, other = (
        stir(build_resnet_generator((64, 64, 3), padding=padding, **settings))
        for padding in ("paper", "reflect")
    )
    x = random_images(1, 64, 64, 3)
    difference = np.abs(np.asarray(one(x)) - np.asarray(other(x)))[0].max(axis=2)
    assert difference[16:48, 16:48].max() < 1e-6
    assert difference.max() > 1e-4


def test_skips_put_what_was_before_the_halving_beside_what_is_behind_the_doubling():
    plain, skipping = (
        build_resnet_generator((16, 16, 3), gf=2, num_blocks=1, skips=skips)
        for skips in (False, True)
    )
    joined = [layer for layer in skipping.layers if isinstance(layer, layers.Concatenate)]
    sizes = [[tuple(x.shape[1:]) for x in layer.input] for layer in joined]
    assert sizes == [[(8, 8, 4), (8, 8, 4)], [(16, 16, 2), (16, 16, 2)]]
    # Twice as many channels into the last doubling (of 3×3) and into c7s1-3.
    more = 9 * 4 * 2 + 49 * 2 * 3
    assert skipping.count_params() == plain.count_params() + more


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_outer_kernels_are_as_large_as_they_are_told_to_be(size):
    network = build_resnet_generator((16, 16, 3), gf=2, num_blocks=1, outer_kernel=size)
    sizes = [w.shape[:2] for w in network.weights if len(w.shape) == 4]
    assert sizes == [(size, size), *[(3, 3)] * 6, (size, size)]
    assert network.output_shape == (None, 16, 16, 3)


def test_another_norm_is_in_the_same_places():
    plain, pixel, none = (
        build_resnet_generator((16, 16, 3), gf=2, num_blocks=1, norm=norm)
        for norm in ("instance", "pixel", "none")
    )
    kinds = [[type(layer) for layer in network.layers] for network in (plain, pixel, none)]
    norms = (InstanceNormalization, PixelNormalization)
    assert [norms[0] if kind is norms[1] else kind for kind in kinds[1]] == kinds[0]
    assert kinds[0].count(norms[0]) == kinds[1].count(norms[1]) == 7
    assert [kind for kind in kinds[0] if kind is not norms[0]] == kinds[2]
    # A factor for each channel.
    assert none.count_params() == plain.count_params()
    assert pixel.count_params() == plain.count_params() + 2 + 4 + 8 + 2 * 8 + 4 + 2


def test_normed_by_pixel_a_change_does_not_reach_farther_than_the_convolutions(stir):
    """Instance norm hands what is in one corner on to all of the image."""
    x = np.zeros((1, 128, 128, 3), "float32")
    other = x.copy()
    other[:, :4, :4] = 1.0
    reached = {}
    for norm in ("instance", "pixel"):
        network = stir(build_resnet_generator((128, 128, 3), gf=2, num_blocks=0, norm=norm))
        change = np.abs(np.asarray(network(x)) - np.asarray(network(other)))[0].max(axis=2)
        assert change[:4, :4].max() > 1e-3
        reached[norm] = change[64:, 64:].max()
    assert reached["pixel"] == 0.0 < reached["instance"]


@pytest.mark.parametrize("name", ["padding", "norm"])
def test_choices_that_there_are_not(name):
    with pytest.raises(ValueError, match=f"`{name}` must be one of.*Received: {name}='zero'"):
        build_resnet_generator((16, 16, 3), **{name: "zero"})
