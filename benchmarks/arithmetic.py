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


def _halving(size: int, widths: list[tuple[int, int]]) -> list[Layer]:
    return [
        Layer((size // 2 ** (index + 1)) ** 2 * 16 * channels * filters, is_first=index == 0)
        for index, (channels, filters) in enumerate(widths)
    ]


def step_multiplications(size: int, batch_size: int, gf: int = 32, df: int = 64) -> int:
    """Counts the multiplications of one step, each fake made once.

    Args:
        size: Height and width of the images, in pixels.
        batch_size: Images of each domain.
        gf: Filters of the generators' first layer.
        df: Filters of the discriminators' first layer.

    Returns:
        Multiplications, each of them with its addition.
    """
    g, d = generator_layers(size, gf), discriminator_layers(size, df)
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
