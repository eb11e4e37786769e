"""The projection heads of a contrastive loss."""

from collections.abc import Sequence

import keras
from keras import layers

from cyclegan_keras.networks.common import xavier_initializers

GAIN = 0.02  # Of the weights at the start, as in the authors' code.


def build_projection_heads(
    channels: Sequence[int], dim: int = 256, seed: int | None = None, name: str = "heads"
) -> keras.Model:
    """Builds two dense layers for each layer of features, from a patch's channels to a vector.

    Args:
        channels: Of the features, layer by layer.
        dim: Units of both dense layers.
        seed: Of the initial weights; `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from a list of `(batch, patches, channels)` to as many
        `(batch, patches, dim)`, in the precision of weights. The vectors have any length;
        `losses.patch_nce` makes it one.

    Reference:
        [Park et al., 2020](https://arxiv.org/abs/2007.15651), section 3 and appendix C.1.
    """
    dtype = keras.config.dtype_policy().variable_dtype
    inputs = [
        keras.Input((None, count), name=f"patches_{place}", dtype=dtype)
        for place, count in enumerate(channels)
    ]
    kernel = xavier_initializers(GAIN, seed)
    outputs = []
    for x in inputs:
        x = layers.Dense(dim, activation="relu", kernel_initializer=next(kernel), dtype=dtype)(x)
        outputs.append(layers.Dense(dim, kernel_initializer=next(kernel), dtype=dtype)(x))
    return keras.Model(inputs, outputs, name=name)
