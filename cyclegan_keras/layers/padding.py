"""Mirrored borders."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class ReflectionPadding2D(keras.layers.Layer):
    """Pads images with their own mirror image; the pixels at the border are not repeated.

    Args:
        padding: Pixels on each side, or `((top, bottom), (left, right))`.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`; height and width larger than the padding on each side.

    Output shape:
        `(batch, top + height + bottom, left + width + right, channels)`.

    Raises:
        ValueError: If the padding is no such number, or not smaller than the images.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), appendix 7.2.
    """

    def __init__(self, padding: int | Sequence[Sequence[int]] = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = _pairs(padding)

    def call(self, inputs: Any) -> Any:
        """Returns the padded images."""
        self._check(inputs.shape)
        return ops.pad(inputs, [(0, 0), *self.padding, (0, 0)], mode="reflect")

    def _check(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 4 or any(
            size is not None and size <= max(sides)
            for size, sides in zip(input_shape[1:3], self.padding, strict=True)
        ):
            raise ValueError(
                "`ReflectionPadding2D` wants images of shape (batch, height, width, channels) with "
                "height and width larger than the padding, because there must be as many pixels "
                f"beside the border to reflect. Received: input_shape={tuple(input_shape)} with "
                f"padding={self.padding}"
            )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with the padding added to height and width."""
        self._check(input_shape)
        batch, *sizes, channels = input_shape
        height, width = (
            size and size + sum(sides) for size, sides in zip(sizes, self.padding, strict=True)
        )
        return (batch, height, width, channels)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "padding": self.padding}


def _pairs(padding: int | Sequence[Sequence[int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Spells a padding out as `((top, bottom), (left, right))`."""
    try:
        (top, bottom), (left, right) = (
            ((padding, padding), (padding, padding)) if isinstance(padding, int) else padding
        )
        are_numbers = all(isinstance(n, int) and n >= 0 for n in (top, bottom, left, right))
    except (TypeError, ValueError):
        are_numbers = False
    if not are_numbers:
        raise ValueError(
            "`padding` must be a number of pixels, or ((top, bottom), (left, right)), from 0 on. "
            f"Received: padding={padding!r}"
        )
    return (top, bottom), (left, right)
