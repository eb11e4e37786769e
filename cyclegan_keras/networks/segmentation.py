"""A small network that says of each pixel of a photo what it shows."""

from typing import Any

import keras
from keras import layers

from cyclegan_keras.networks.common import glorot_initializers

MAX_HALVINGS = 3


def build_segmentation_network(
    img_shape: tuple[int, int, int], num_classes: int, filters: int = 16, seed: int | None = None
) -> keras.Model:
    """Builds a U-Net with batch normalization, as often halving as the sides allow, thrice at most.

    It is a measuring device for `metrics.segmenter`, not a translator: it has one purpose, and no
    more settings than that needs. It computes in float32, whatever the precision of others.

    Args:
        img_shape: `(height, width, channels)` of the photos, any size.
        num_classes: How many classes there are.
        filters: Of the first layer; each halving doubles them.
        seed: Of the initial weights; `None` draws other ones each time.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to scores of
        the classes, `(batch, height, width, num_classes)`; a softmax makes shares of them.

    Reference:
        [Ronneberger et al., 2015](https://arxiv.org/abs/1505.04597).
    """
    kernels = glorot_initializers(seed)

    def convolve(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = layers.Conv2D(
                filters,
                3,
                padding="same",
                use_bias=False,
                kernel_initializer=next(kernels),
                dtype="float32",
            )(x)
            # Its averages must have settled within some hundred steps.
            x = layers.BatchNormalization(momentum=0.9, dtype="float32")(x)
            x = layers.ReLU(dtype="float32")(x)
        return x

    img = keras.Input(img_shape, name="img", dtype="float32")
    halvings = _halvings(img_shape)
    x, skips = img, []
    for level in range(halvings):
        x = convolve(x, filters * 2**level)
        skips.append(x)
        x = layers.MaxPooling2D(dtype="float32")(x)
    x = convolve(x, filters * 2**halvings)
    for level in reversed(range(halvings)):
        x = layers.UpSampling2D(dtype="float32")(x)
        x = layers.Concatenate(dtype="float32")([x, skips[level]])
        x = convolve(x, filters * 2**level)
    scores = layers.Conv2D(num_classes, 1, kernel_initializer=next(kernels), dtype="float32")(x)
    return keras.Model(img, scores, name="segmentation")


def _halvings(img_shape: tuple[int, int, int]) -> int:
    found = 0
    while found < MAX_HALVINGS and not any(side % 2 ** (found + 1) for side in img_shape[:2]):
        found += 1
    return found
