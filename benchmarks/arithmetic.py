"""Counts the multiplications that one step cannot do without.

Only those of the convolutions, which are all but a few hundredths; and a convolution that follows
nearest-neighbour doubling counts 25 instead of 64 for a 4×4 kernel, since more are not needed.
"""

from typing import NamedTuple


class Layer(NamedTuple):
    """One convolution: its multiplications for one image, and whether it is the first one."""

    multiplications: int
    is_first: bool = False


def generator_layers(size: int, gf: int = 32) -> list[Layer]:
    """Lists the convolutions of the book's U-Net.

    Args:
        size: Height and width of the images, in pixels.
        gf: Filters of the first layer.

    Returns:
        Eight layers.
    """
    downs = [(3, gf), (gf, 2 * gf), (2 * gf, 4 * gf), (4 * gf, 8 * gf)]
    ups = [(8 * gf, 4 * gf), (8 * gf, 2 * gf), (4 * gf, gf), (2 * gf, 3)]
    layers = _halving(size, downs)
    for index, (channels, filters) in enumerate(ups):
        pixels = (size // 16 * 2**index) ** 2
        layers.append(Layer(pixels * 25 * channels * filters))
    return layers


def discriminator_layers(size: int, df: int = 64) -> list[Layer]:
    """Lists the convolutions of the book's discriminator.

    Args:
        size: Height and width of the images, in pixels.
        df: Filters of the first layer.

    Returns:
        Five layers.
    """
    layers = _halving(size, [(3, df), (df, 2 * df), (2 * df, 4 * df), (4 * df, 8 * df)])
    return [*layers, Layer((size // 16) ** 2 * 16 * 8 * df)]


def resnet_layers(size: int, gf: int = 64, num_blocks: int = 6) -> list[Layer]:
    """Lists the convolutions of the paper's generator, with transposed ones.

    Args:
        size: Height and width of the images, in pixels.
        gf: Filters of the first layer.
        num_blocks: Residual blocks.

    Returns:
        Six layers, and two for each block.
    """
    half, quarter = (size // 2) ** 2, (size // 4) ** 2
    # A transposed convolution multiplies each pixel that comes in by the whole kernel.
    first, last = Layer(size**2 * 49 * 3 * gf, is_first=True), Layer(size**2 * 49 * gf * 3)
    downs = [Layer(half * 9 * gf * 2 * gf), Layer(quarter * 9 * 2 * gf * 4 * gf)]
    ups = [Layer(quarter * 9 * 4 * gf * 2 * gf), Layer(half * 9 * 2 * gf * gf)]
    blocks = [Layer(quarter * 9 * (4 * gf) ** 2)] * (2 * num_blocks)
    return [first, *downs, *blocks, *ups, last]


def patch70_layers(size: int, df: int = 64) -> list[Layer]:
    """Lists the convolutions of the 70×70 PatchGAN.

    Args:
        size: Height and width of the images, in pixels.
        df: Filters of the first layer.

    Returns:
        Five layers.
    """
    layers = _halving(size, [(3, df), (df, 2 * df), (2 * df, 4 * df)])
    eighth = size // 8
    inner = Layer((eighth - 1) ** 2 * 16 * 4 * df * 8 * df)
    return [*layers, inner, Layer((eighth - 2) ** 2 * 16 * 8 * df)]


def _halving(size: int, widths: list[tuple[int, int]]) -> list[Layer]:
    return [
        Layer((size // 2 ** (index + 1)) ** 2 * 16 * channels * filters, is_first=index == 0)
        for index, (channels, filters) in enumerate(widths)
    ]


def step_multiplications(g: list[Layer], d: list[Layer], batch_size: int) -> int:
    """Counts the multiplications of one step, each fake made once; the book's or the paper's.

    Args:
        g: The layers of a generator.
        d: The layers of a discriminator.
        batch_size: Images of each domain.

    Returns:
        Multiplications, each of them with its addition.
    """
    forward = {"g": _sum(g), "d": _sum(d)}
    inner = {"g": _sum(x for x in g if not x.is_first), "d": _sum(x for x in d if not x.is_first)}
    # A backward pass takes as much for the weights and as much again for what came in; the latter
    # not in the first layer where what came in is a given image.
    of_fakes_and_identities = 4 * (2 * forward["g"] + inner["g"])
    of_reconstructions = 2 * 3 * forward["g"]
    of_discriminators = 4 * (2 * forward["d"] + inner["d"])
    of_validities = 2 * 2 * forward["d"]  # no weights' gradients
    total = of_fakes_and_identities + of_reconstructions + of_discriminators + of_validities
    return batch_size * total


def _sum(layers) -> int:
    return sum(layer.multiplications for layer in layers)
