"""The output of a generator as a change of its input."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class ChangeImage(keras.layers.Layer):
    """Adds a change to an image, in such a way that the result stays in [-1, 1].

    `tanh(change + atanh(image))`: a change of 0 leaves the image as it is, and none leads out of
    the range. A generator that ends with it need not learn to draw its input anew.

    Args:
        limit: Images are clipped to `[-limit, limit]` first, since the ends of the range are
            infinitely far away. The default is three 8-bit levels from the ends: from farther, no
            change would come back in time.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        Two of `(batch, height, width, channels)`: the change, any float, and the image in [-1, 1].

    Output shape:
        Same as each input's.
    """

    def __init__(self, limit: float = 0.976, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < limit < 1:
            raise ValueError(f"`limit` must be between 0 and 1. Received: limit={limit}")
        self.limit = limit

    def call(self, inputs: Any) -> Any:
        """Returns the changed images."""
        return self.change(inputs)

    def change(self, inputs: Any) -> Any:
        """Changes images by operations of Keras, which a file can hold without this layer."""
        change, image = inputs
        return ops.tanh(change + ops.arctanh(ops.clip(image, -self.limit, self.limit)))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the change."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "limit": self.limit}
