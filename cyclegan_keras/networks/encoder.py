"""The encoder inside a generator: the features of images that contrastive losses compare."""

from typing import Any

import keras
from keras import layers

MAX_HALVINGS = 4  # Deeper ones, of the deep U-Net, have a few pixels, which are no patches.
BLOCKS = (1, 5)  # Which residual blocks count, from one on; the last of fewer stands for the fifth.


def encoder_outputs(generator: keras.Model) -> list[Any]:
    """Chooses the features of a generator that contrastive losses compare.

    This is the one place that knows. The paper takes five layers of its ResNet: the pixels, the
    convolutions of both halvings (before the norm), and the first and the fifth residual block. In
    the authors' code, these are layers 0, 4, 8, 12 and 16, and each feature sees 1, 9, 15, 35 and
    99 pixels of the image; there, images are blurred before they are halved, which the ResNet of
    this package does not do, so here it is 1, 9, 13, 29 and 93. Their pixels have the mirrored
    margin that the first convolution wants; here, they have none.

    Of the U-Nets, which have no blocks, it is the pixels and the convolutions of the first four
    halvings. Of any other network of layers, it is what it has of all these.

    Args:
        generator: A functional model of images.

    Returns:
        `(batch, height, width, channels)` each, symbolic: the pixels first, and then from the
        largest to the smallest.

    Raises:
        ValueError: If the network is not made of layers that are known, or none of them halves
            images.
    """
    found = getattr(generator, "layers", []) if getattr(generator, "outputs", None) else []
    halvings = [layer for layer in found if _halves(layer)][:MAX_HALVINGS]
    blocks = [layer for layer in found if isinstance(layer, layers.Add)]
    if not halvings:
        raise ValueError(
            "Contrastive losses compare what a generator's convolutions make of an image when they "
            "halve it, so the generator must be a functional keras.Model with such convolutions. "
            "Take another `generator`, or override `build_encoder`. "
            f"Received: {generator.name!r}, which has none"
        )
    chosen = [blocks[number - 1] for number in BLOCKS if number <= len(blocks)]
    if len(blocks) > len(chosen) == 1:
        chosen.append(blocks[-1])
    return [generator.inputs[0], *(layer.output for layer in (*halvings, *chosen))]


def _halves(layer: Any) -> bool:
    return isinstance(layer, layers.Conv2D) and max(layer.strides) > 1
