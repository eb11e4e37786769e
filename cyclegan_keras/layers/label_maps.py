"""Label maps as networks take them: a channel for each class, and where two of them meet."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class OneHotLabels(keras.layers.Layer):
    """Gives each pixel of a label map the class of the nearest colour, as a channel of its own.

    Values are rounded to 8 bits first; of colours that are equally near, the first one counts, as
    in `metrics.segmentation.nearest_labels`.

    Args:
        colors: The colour of each class: a list of levels in [0, 255], three for RGB or one for
            gray.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, in [-1, 1].

    Output shape:
        `(batch, height, width, classes)`, 1 for the class of the pixel and else 0.

    Raises:
        ValueError: If there are fewer than two colours, or they have other numbers of channels.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), section 3.1.
    """

    def __init__(self, colors: Sequence[Sequence[int]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.colors = [[int(level) for level in color] for color in colors]
        lengths = {len(color) for color in self.colors}
        if len(self.colors) < 2 or len(lengths) > 1 or not lengths <= {1, 3}:
            raise ValueError(
                "`colors` must have at least two colours, each of three levels (RGB) or of one "
                f"(gray). Received: {str(colors)[:200]}"
            )

    def call(self, inputs: Any) -> Any:
        """Returns the classes as channels."""
        return ops.cast(self.classes(inputs), self.compute_dtype)

    def classes(self, inputs: Any) -> Any:
        """Finds the classes by operations of Keras alone.

        Args:
            inputs: As for `call`.

        Returns:
            The classes as channels.
        """
        levels = ops.round(inputs * 127.5 + 127.5)
        colors = np.asarray(self.colors, "float32").T[:, None, None, None]
        # Sums of squares of whole numbers, which float32 has exactly: ties stay ties.
        distances = [ops.square(levels[..., i : i + 1] - color) for i, color in enumerate(colors)]
        distance = distances[0]
        for other in distances[1:]:
            distance = distance + other
        # Of whole numbers: of floats, Keras looks for negative zeros by what LiteRT does not have.
        nearest = ops.argmin(ops.cast(distance, "int32"), axis=-1)
        return ops.one_hot(nearest, len(self.colors), dtype=self.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with a channel for each class."""
        return (*input_shape[:-1], len(self.colors))

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "colors": self.colors}


@keras.saving.register_keras_serializable(package=PACKAGE)
class LabelBoundaries(keras.layers.Layer):
    """Marks the pixels of a label map that have a neighbour of another class.

    Neighbours are the four pixels above, below and beside. Without maps of instances, an instance
    is a connected part of one class. Two neighbours then are of different instances just where
    they are of different classes, so these boundaries are those of the instances.

    Args:
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, classes)`, from `OneHotLabels`.

    Output shape:
        `(batch, height, width, 1)`, 1 on both sides of each boundary and else 0.

    Reference:
        [Wang et al., 2018](https://arxiv.org/abs/1711.11585), section 3.3.
    """

    def call(self, inputs: Any) -> Any:
        """Returns the boundaries."""
        return ops.cast(self.boundaries(inputs), self.compute_dtype)

    def boundaries(self, inputs: Any) -> Any:
        """Finds the boundaries by operations of Keras alone.

        Args:
            inputs: As for `call`.

        Returns:
            The boundaries.
        """
        down = _differ(inputs[:, 1:], inputs[:, :-1])
        right = _differ(inputs[:, :, 1:], inputs[:, :, :-1])
        sides = [
            ops.pad(differ, [(0, 0), rows, columns, (0, 0)])
            for differ, rows, columns in (
                (down, (1, 0), (0, 0)),
                (down, (0, 1), (0, 0)),
                (right, (0, 0), (1, 0)),
                (right, (0, 0), (0, 1)),
            )
        ]
        found = sides[0]
        for side in sides[1:]:
            found = ops.maximum(found, side)
        return found

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with one channel."""
        return (*input_shape[:-1], 1)


def _differ(one: Any, other: Any) -> Any:
    """1 where two pixels are of different classes: then two of their channels differ."""
    share = ops.mean(ops.absolute(one - other), axis=-1, keepdims=True)
    return ops.minimum(share * one.shape[-1], 1.0)
