import keras

from benchmarks import arithmetic
from cyclegan_keras.layers import UpsampleConv2D
from cyclegan_keras.networks import (
    build_patch_discriminator,
    build_resnet_generator,
    build_unet_generator,
)

SIZE = 32


def counted(network) -> list[int]:
    """The multiplications of each convolution, from the shapes that the layers really have."""
    counts = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            counts.append(height * width * layer.kernel.shape.num_elements())
        elif isinstance(layer, keras.layers.Conv2DTranspose):
            _, height, width, _ = layer.input.shape
            counts.append(height * width * layer.kernel.shape.num_elements())
        elif isinstance(layer, UpsampleConv2D):
            _, height, width, channels = layer.input.shape
            counts.append(height * width * 25 * channels * layer.filters)
    return counts


def test_layers_are_those_of_the_networks():
    generator = build_unet_generator((SIZE, SIZE, 3), gf=4)
    discriminator = build_patch_discriminator((SIZE, SIZE, 3), df=8)
    of_g, of_d = arithmetic.generator_layers(SIZE, 4), arithmetic.discriminator_layers(SIZE, 8)
    assert [layer.multiplications for layer in of_g] == counted(generator)
    assert [layer.multiplications for layer in of_d] == counted(discriminator)


def test_layers_are_those_of_the_papers_networks():
    generator = build_resnet_generator((SIZE, SIZE, 3), gf=4, num_blocks=2)
    discriminator = build_patch_discriminator((SIZE, SIZE, 3), df=8, receptive_field=70)
    of_g, of_d = arithmetic.resnet_layers(SIZE, 4, 2), arithmetic.patch70_layers(SIZE, 8)
    assert [layer.multiplications for layer in of_g] == counted(generator)
    assert [layer.multiplications for layer in of_d] == counted(discriminator)


def test_a_step_by_hand():
    # Generators: 4 passes of given images (forward, weights, and inputs but of the first layer) and
    # 2 of translations (forward, weights, inputs). Discriminators: 4 updates, likewise of given
    # images, and 2 passes forward and back to the images, for the generators' sake.
    layers = arithmetic.generator_layers(SIZE, 4), arithmetic.discriminator_layers(SIZE, 8)
    g, d = ([layer.multiplications for layer in network] for network in layers)
    by_hand = 4 * (3 * sum(g) - g[0]) + 2 * 3 * sum(g) + 4 * (3 * sum(d) - d[0]) + 2 * 2 * sum(d)
    assert arithmetic.step_multiplications(*layers, 1) == by_hand
    assert arithmetic.step_multiplications(*layers, 5) == 5 * by_hand
