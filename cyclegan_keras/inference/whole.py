"""Runs a generator on whole pictures of any size, in one pass, in tiles or in strips."""

import collections
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras.inference import frozen, reach, strips
from cyclegan_keras.inference.rebuilding import with_size

Size = tuple[int, int]

# What a network may need at once, by estimate; with the picture, it stays below 4 GB.
MAX_BYTES = 3_000_000_000
# In tiles, it is less, because smaller tiles are hardly slower.
MAX_TILE_BYTES = 1_000_000_000
# To measure statistics takes about twice what a pass takes, for squares and centered copies.
MAX_MEASURED_BYTES = MAX_BYTES / 2
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
    which overlap by so much that the result is the same. Other networks, such as those with
    instance normalization, run layer by layer over a large picture, which is the same but for
    rounding (`strips`). With `tile`, they are divided into tiles as well, and normalized with the
    statistics of a smaller copy, which are not those of the picture.

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
        # Whether tiles give the same as a single pass.
        self.is_exact = self.reach is not None
        self._takes_strips = not self.is_exact and strips.takes_strips(generator)
        self._frozen = None
        # A copy, which may be large.
        is_tiled = tile is not None or not self._takes_strips
        if self.reach is None and is_tiled and frozen.can_be_frozen(generator):
            self._frozen = frozen.frozen(generator)
            self.reach = reach.reach_of(with_size(self._frozen, (sizes[0], sizes[1])))
        # More than the network needs, and harmless if it looks at neighborhoods only.
        self.multiple = self.factor * ALIGNED if self.is_exact else self.factor
        self._bytes_per_pixel = reach.bytes_per_pixel(probe)
        self._functions: collections.OrderedDict[tuple[str, Size], Any]
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
        height, width = (max(self.least, -(-n // self.multiple) * self.multiple) for n in size)
        return height, width

    def check(self, size: Size) -> None:
        """Checks that a picture can be translated.

        Args:
            size: Its `(height, width)`, in pixels.

        Raises:
            ValueError: If the network needs too much memory for that and cannot be tiled; what is
                wrong, to come after the picture's name.
        """
        self._way(self.padded(size))

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
        way = self._way(size)
        rest = ((0, size[0] - height), (0, size[1] - width), (0, 0))
        padded = np.pad(pixels, rest, mode="symmetric") if size != (height, width) else pixels
        if way == "strips":
            return strips.run(self._generator, padded)[:height, :width]
        if way == "whole":
            _, run = self._function(size, self._generator)
            return run(padded)[:height, :width]
        tile = way
        result = np.empty_like(padded)
        window = (min(tile, size[0]), min(tile, size[1]))
        network, run = self._function(window, self._frozen or self._generator)
        if self._frozen is not None:
            frozen.set_statistics(network, self._statistics_of(pixels))
        for rows in _spans(size[0], window[0], self.margin):
            for columns in _spans(size[1], window[1], self.margin):
                part = run(np.ascontiguousarray(padded[rows.whole, columns.whole]))
                result[rows.taken, columns.taken] = part[rows.inner, columns.inner]
        return result[:height, :width]

    def _checked(self, tile: int) -> int:
        if self.reach is None:
            raise ValueError(
                "This network cannot be tiled: a pixel of its output depends on the whole image. "
                "Leave the tile size out, or take detail='guided'. "
                f"Received: tile={tile}"
            )
        least = -(-(2 * self.margin + self.factor) // self.multiple) * self.multiple
        if tile < least:
            raise ValueError(
                f"`tile` must be at least {least} for this network, because its pixels depend on "
                f"others up to {self.reach} pixels away. Received: tile={tile}"
            )
        return tile // self.multiple * self.multiple

    def _way(self, size: Size) -> int | Literal["whole", "strips"]:
        """How a picture is translated: in one pass, in strips, or in tiles of which size."""
        needed = self._bytes_per_pixel * size[0] * size[1]
        if self._tile is not None:
            return self._tile if max(size) > self._tile else "whole"
        if needed <= MAX_BYTES:
            return "whole"
        if self.is_exact:
            return self._largest_tile()
        if self._takes_strips:
            return "strips"
        if self.reach is not None:
            tile = self._largest_tile()
            height, width = (min(tile, own) for own in size)
            if self._bytes_per_pixel * height * width <= MAX_BYTES:
                return tile
        raise ValueError(
            f"the network needs about {needed / 1e9:.1f} GB for {size[0]} × {size[1]} pixels, "
            f"of at most {MAX_BYTES / 1e9:g}, and can neither be tiled nor run in strips, because "
            + (
                "it has layers that are not known here"
                if self.reach is None
                else f"its pixels depend on others up to {self.reach} pixels away"
            )
            + "; give --detail guided, which --size makes finer"
        )

    def _largest_tile(self) -> int:
        side = int((MAX_TILE_BYTES / self._bytes_per_pixel) ** 0.5) // self.multiple
        return max(side, -(-4 * self.margin // self.multiple)) * self.multiple

    def _statistics_of(self, pixels: np.ndarray) -> frozen.Statistics:
        """Measures a smaller copy, mirrored as pictures are."""
        height, width = pixels.shape[:2]
        size = frozen.thumbnail_size((height, width), MAX_MEASURED_BYTES / self._bytes_per_pixel)
        # Not more than fits: upwards, the last multiple would.
        size = (
            max(self.least, size[0] // self.factor * self.factor),
            max(self.least, size[1] // self.factor * self.factor),
        )
        measure = self._kept(
            "measure", size, lambda: frozen.measuring(with_size(self._generator, size))
        )
        return measure(frozen.thumbnail(pixels, size))

    def _function(
        self, size: Size, generator: keras.Model
    ) -> tuple[keras.Model, Callable[[np.ndarray], np.ndarray]]:
        """Makes the network of a size, and a function that runs it."""

        def make() -> tuple[keras.Model, Callable[[np.ndarray], np.ndarray]]:
            network = with_size(generator, size)

            @tf.function(
                input_signature=[tf.TensorSpec((1, *network.input_shape[1:]))], autograph=False
            )
            def translate(batch: tf.Tensor) -> tf.Tensor:
                return network(batch, training=False)

            def run(pixels: np.ndarray) -> np.ndarray:
                return np.asarray(translate(pixels[np.newaxis]).numpy()[0], np.float32)

            return network, run

        return self._kept("frozen" if generator is self._frozen else "own", size, make)

    def _kept(self, kind: str, size: Size, make: Callable[[], Any]) -> Any:
        """Makes what is traced for a size, or takes what was made earlier."""
        key = (kind, size)
        if key in self._functions:
            self._functions.move_to_end(key)
        else:
            self._functions[key] = make()
            while len(self._functions) > KEPT:
                self._functions.popitem(last=False)
        return self._functions[key]


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
