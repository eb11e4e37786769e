"""The output of a generator as a change of its input."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class ChangeImage(keras.layers.Layer):
    """Adds a change to an image, in such a way that the result stays in [-1, 1].

    `tanh(change + atanh(image))`, computed as `image` and what is added to it: a change of 0 leaves
    every image as it is, black and white included, and none leads out of the range. A generator
    that ends with it need not learn to draw its input anew.

    The ends of the range are infinitely far away: there the formula's slope is 0, and no pixel
    could learn to leave them. Nearer to an end than `limit`, a pixel therefore takes the slope of
    `limit`, and only its value is stretched so that it starts at the image and still reaches both
    ends. A change beyond white leaves white as it is; its gradient is the one that it would have at
    `limit`, so that it can be taken back.

    Args:
        limit: From where on an image is near to an end of the range, in (0, 1). The default is
            three 8-bit levels from the ends: from farther, no change would come back in time.
        exact: Whether images beyond `limit` pass unchanged. With `False`, they are clipped to
            `[-limit, limit]` first, as files from before this setting have it.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        Two of `(batch, height, width, channels)`: the change, any float, and the image in [-1, 1].

    Output shape:
        Same as each input's.
    """

    def __init__(self, limit: float = 0.976, exact: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < limit < 1:
            raise ValueError(f"`limit` must be between 0 and 1. Received: limit={limit}")
        self.limit = limit
        self.exact = exact

    def call(self, inputs: Any) -> Any:
        """Returns the changed images."""
        changed, pull = self._changed(inputs)
        # Adds 0, and to the gradient what is missing where white should become whiter.
        straight_through = 0 if pull is None else pull - ops.stop_gradient(pull)
        return ops.cast(changed + straight_through, self.compute_dtype)

    def change(self, inputs: Any) -> Any:
        """Changes images by operations of Keras alone, with other gradients at the ends.

        Args:
            inputs: As for `call`.

        Returns:
            The changed images, float32 at least.
        """
        return self._changed(inputs)[0]

    def _changed(self, inputs: Any) -> tuple[Any, Any]:
        change, image = inputs
        if not self.exact:
            near = ops.clip(image, -self.limit, self.limit)
            return ops.tanh(change + ops.arctanh(near)), None
        # Half precision would round the slope at the limit away.
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        t = ops.tanh(ops.cast(change, dtype))
        image = ops.clip(ops.cast(image, dtype), -1, 1)
        near = ops.clip(image, -self.limit, self.limit)
        # Not beyond the limit, image + added is (t + image) / (1 + t * image), tanh's sum formula.
        scale = t / (1 + near * t)
        room = ops.where(ops.less(t, 0), (1 - near) * (1 + image), (1 + near) * (1 - image))
        missing = ops.stop_gradient(ops.relu((1 - near) * (1 + near) - room))
        return ops.clip(image + scale * room, -1, 1), scale * missing

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Returns the shape of the change."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "limit": self.limit, "exact": self.exact}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ChangeImage":
        """Makes a layer from what `get_config` returned, here or in an earlier version."""
        return super().from_config({"exact": False, **config})
