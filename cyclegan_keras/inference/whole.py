"""Runs a generator on whole pictures of any size, in one pass or in tiles."""

import collections
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras.inference import reach
from cyclegan_keras.inference.rebuilding import with_size

Size = tuple[int, int]

# What a network may need at once, by estimate; with the picture, it stays below 4 GB.
MAX_BYTES = 3_000_000_000
# In tiles, it is less, because smaller tiles are hardly slower.
MAX_TILE_BYTES = 1_000_000_000
# Where the generator does not say what it was trained at.
PROBED_SIZE = 256
# Networks reflect borders, for which there must be something beside them.
LEAST = 32
# Convolutions and `tanh` round otherwise where the last pixels do not fill a vector of the
# processor. With sizes of so many pixels of the smallest layer, tiles give the bits of one pass.
ALIGNED = 16
# For each size, TensorFlow traces the network anew; so many are kept.
KEPT = 4


class AnySize:
    """A generator for pictures of any size.

    Pictures are mirrored at their lower and right edges, up to a multiple of what the network
    halves. Where a pixel depends only on its neighborhood, large pictures are divided into tiles,
    which overlap by so much that the result is the same.

    Args:
        generator: A functional or sequential model from images to images.
        tile: Height and width of the tiles in pixels; `None` means that memory decides.

    Raises:
        ValueError: If the network cannot be rebuilt for other sizes, or `tile` is given and it
            cannot be tiled or needs larger tiles.
    """

    def __init__(self, generator: keras.Model, tile: int | None = None) -> None:
        self._generator = generator
        self._own_size = generator.input_shape[1:3]
        sizes = [size or PROBED_SIZE for size in generator.input_shape[1:3]]
        probe = with_size(generator, (sizes[0], sizes[1]))
        self.factor = reach.factor_of(probe)
        self.least = -(-LEAST // self.factor) * self.factor
        self.reach = reach.reach_of(probe)
        # More than the network needs, and harmless if it looks at neighborhoods only.
        self._multiple = self.factor if self.reach is None else self.factor * ALIGNED
        self._bytes_per_pixel = reach.bytes_per_pixel(probe)
        self._functions: collections.OrderedDict[Size, Callable[[np.ndarray], np.ndarray]]
        self._functions = collections.OrderedDict()
        self._tile = None if tile is None else self._checked(tile)

    @property
    def margin(self) -> int:
        """By how much tiles reach beyond what is taken from them: `reach`, up to `factor`."""
        assert self.reach is not None
        return -(-self.reach // self.factor) * self.factor

    def padded(self, size: Size) -> Size:
        """Finds the size that a picture is mirrored to.

        Args:
            size: `(height, width)`, in pixels.

        Returns:
            `(height, width)`, at least as large; the same for the size that the generator has.
        """
        if size == self._own_size:
            return size
        height, width = (max(self.least, -(-n // self._multiple) * self._multiple) for n in size)
        return height, width

    def check(self, size: Size) -> None:
        """Checks that a picture can be translated.

        Args:
            size: Its `(height, width)`, in pixels.

        Raises:
            ValueError: If the network needs too much memory for that and cannot be tiled; what is
                wrong, to come after the picture's name.
        """
        self._tile_for(self.padded(size))

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Translates a picture.

        Args:
            pixels: `(height, width, channels)`, float32 in [-1, 1].

        Returns:
            The translation, of the same shape.

        Raises:
            ValueError: If the network needs too much memory for that and cannot be tiled.
        """
        height, width = pixels.shape[:2]
        size = self.padded((height, width))
        tile = self._tile_for(size)
        rest = ((0, size[0] - height), (0, size[1] - width), (0, 0))
        padded = np.pad(pixels, rest, mode="symmetric") if size != (height, width) else pixels
        if tile is None:
            return self._function(size)(padded)[:height, :width]
        result = np.empty_like(padded)
        window = (min(tile, size[0]), min(tile, size[1]))
        run = self._function(window)
        for rows in _spans(size[0], window[0], self.margin):
            for columns in _spans(size[1], window[1], self.margin):
                part = run(np.ascontiguousarray(padded[rows.whole, columns.whole]))
                result[rows.taken, columns.taken] = part[rows.inner, columns.inner]
        return result[:height, :width]

    def _checked(self, tile: int) -> int:
        if self.reach is None:
            raise ValueError(
                "This network cannot be tiled: a pixel of its output depends on the whole image, "
                "as with instance normalization. Leave the tile size out, or take detail='guided'. "
                f"Received: tile={tile}"
            )
        least = -(-(2 * self.margin + self.factor) // self._multiple) * self._multiple
        if tile < least:
            raise ValueError(
                f"`tile` must be at least {least} for this network, because its pixels depend on "
                f"others up to {self.reach} pixels away. Received: tile={tile}"
            )
        return tile // self._multiple * self._multiple

    def _tile_for(self, size: Size) -> int | None:
        needed = self._bytes_per_pixel * size[0] * size[1]
        if self._tile is not None:
            return self._tile if max(size) > self._tile else None
        if needed <= MAX_BYTES:
            return None
        if self.reach is None:
            raise ValueError(
                f"the network needs about {needed / 1e9:.1f} GB for {size[0]} × {size[1]} pixels, "
                f"of at most {MAX_BYTES / 1e9:g}, and cannot be tiled, because its normalization "
                "takes the whole image; give --detail guided, which --size makes finer"
            )
        side = int((MAX_TILE_BYTES / self._bytes_per_pixel) ** 0.5) // self._multiple
        return max(side, -(-4 * self.margin // self._multiple)) * self._multiple

    def _function(self, size: Size) -> Callable[[np.ndarray], np.ndarray]:
        if size in self._functions:
            self._functions.move_to_end(size)
            return self._functions[size]
        network = with_size(self._generator, size)

        @tf.function
        def translate(batch: tf.Tensor) -> tf.Tensor:
            return network(batch, training=False)

        # At once, since TensorFlow warns of functions that are traced again and again.
        spec = tf.TensorSpec((1, *network.input_shape[1:]))
        traced = translate.get_concrete_function(spec)

        def run(pixels: np.ndarray) -> np.ndarray:
            return np.asarray(traced(tf.constant(pixels[np.newaxis])).numpy()[0], np.float32)

        self._functions[size] = run
        while len(self._functions) > KEPT:
            self._functions.popitem(last=False)
        return run


class _Span(NamedTuple):
    """The rows or columns of a tile.

    Attributes:
        whole: Where they are in the picture.
        taken: Those of the picture that are taken from it.
        inner: The same, counted in the tile.
    """

    whole: slice
    taken: slice
    inner: slice


def _spans(length: int, window: int, margin: int) -> Iterator[_Span]:
    """Divides a side into windows of equal length; each lends its inner part."""
    start = done = 0
    while done < length:
        start = min(start, length - window)
        end = length if start + window == length else start + window - margin
        inner = slice(done - start, end - start)
        yield _Span(slice(start, start + window), slice(done, end), inner)
        done, start = end, end - margin
