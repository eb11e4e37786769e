"""Convolutions with 3×3 kernels by Winograd's minimal filtering: fewer multiplications.

A tile of 4×4 results takes 9 · 16 multiplications of each pair of a channel and a filter. Seen as
polynomials that are multiplied at six points along each axis, it takes 36: the images and the
kernel are transformed to their values at these points, which needs hardly more than additions, the
values are multiplied, and the products are transformed back. Rounding errors are about seven times
those of a plain convolution in float32.
"""

from typing import Any

import numpy as np
import tensorflow as tf

# Results along each axis of a tile, and pixels that they are made of.
_RESULTS, _PIXELS = 4, 6
_PLACES, _OVERLAP = _PIXELS**2, _PIXELS - _RESULTS

# One axis of F(4×4, 3×3), at the points 0, ±1, ±2 and infinity: of pixels, kernels and results.
_OF_PIXELS = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_OF_KERNELS = (
    np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
)
_TO_RESULTS = np.array(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
)


def transformed(kernel: Any) -> Any:
    """Transforms a kernel for `convolve_by_tiles`.

    Args:
        kernel: `(3, 3, channels, filters)`.

    Returns:
        `(36, channels, filters)`.
    """
    *_, channels, filters = kernel.shape
    values = _both_axes(_OF_KERNELS, tf.reshape(kernel, (9, channels * filters)))
    return tf.reshape(values, (_PLACES, channels, filters))


def convolve_by_tiles(x: Any, kernel: Any, padding: str) -> Any:
    """Convolves in tiles.

    Args:
        x: `(batch, height, width, channels)`, with known height, width and channels.
        kernel: From `transformed`.
        padding: "valid", or "same" for a border of zeros around the images.

    Returns:
        `(batch, height - 2, width - 2, filters)`, or with "same" `(batch, height, width, filters)`.

    Reference:
        [Lavin & Gray, 2015](https://arxiv.org/abs/1509.09308), section 4.
    """
    _, height, width, channels = x.shape
    border = 1 if padding == "same" else 0
    axes = _Axis(height, border), _Axis(width, border)
    values = tf.reshape(_both_axes(_OF_PIXELS, _tiled(x, axes)), (_PLACES, -1, channels))
    products = tf.reshape(tf.matmul(values, kernel), (_PLACES, -1))
    results = _both_axes(_TO_RESULTS, products)
    results = tf.reshape(results, (-1, *(axis.tiles for axis in axes), kernel.shape[2]))
    return tf.batch_to_space(results, (_RESULTS, _RESULTS), [axis.surplus for axis in axes])


class _Axis:
    """How the tiles lie along one axis.

    Args:
        length: Of the images, in pixels.
        border: Zeros at each end.
    """

    def __init__(self, length: int, border: int) -> None:
        results = length + 2 * border - 2
        self.tiles = -(-results // _RESULTS)
        self.surplus = (0, self.tiles * _RESULTS - results)
        # One block of pixels more than there are tiles, for the last ones reach into it.
        self.padding = (border, (self.tiles + 1) * _RESULTS - length - border)


def _both_axes(matrix: np.ndarray, values: Any) -> Any:
    """Transforms both axes at once, which is one matrix product."""
    return tf.matmul(tf.constant(np.kron(matrix, matrix), values.dtype), values)


def _tiled(x: Any, axes: tuple[_Axis, _Axis]) -> Any:
    """Cuts images into overlapping tiles: `(36, batch * tiles * channels)`."""
    channels = x.shape[3]

    # Each is the other's gradient, however often they are differentiated.
    @tf.custom_gradient
    def cut(images: Any) -> Any:
        return _cut(images, axes), put_back

    @tf.custom_gradient
    def put_back(pixels: Any) -> Any:
        return _added_up(pixels, axes, channels), cut

    return cut(x)


def _cut(images: Any, axes: tuple[_Axis, _Axis]) -> Any:
    rows, columns = (axis.tiles for axis in axes)
    paddings = [axis.padding for axis in axes]
    blocks = tf.space_to_batch(images, (_RESULTS, _RESULTS), paddings)
    blocks = tf.reshape(blocks, (_RESULTS, _RESULTS, -1, rows + 1, columns + 1, images.shape[3]))
    blocks = tf.concat([blocks[:, :, :, :-1], blocks[:_OVERLAP, :, :, 1:]], axis=0)
    blocks = tf.concat([blocks[:, :, :, :, :-1], blocks[:, :_OVERLAP, :, :, 1:]], axis=1)
    return tf.reshape(blocks, (_PLACES, -1))


def _added_up(pixels: Any, axes: tuple[_Axis, _Axis], channels: int) -> Any:
    """Adds the pixels of tiles to those that they were cut from."""
    rows, columns = (axis.tiles for axis in axes)
    blocks = tf.reshape(pixels, (_PIXELS, _PIXELS, -1, rows, columns, channels))
    blocks = _shifted_together(blocks, place=1, block=4)
    blocks = _shifted_together(blocks, place=0, block=3)
    blocks = tf.reshape(blocks, (-1, rows + 1, columns + 1, channels))
    return tf.batch_to_space(blocks, (_RESULTS, _RESULTS), [axis.padding for axis in axes])


def _shifted_together(blocks: Any, place: int, block: int) -> Any:
    """Adds what reaches into the next block to that block, along one axis."""
    own, next_ones = tf.split(blocks, (_RESULTS, _OVERLAP), axis=place)
    before, after = ([[0, 0] for _ in range(6)] for _ in range(2))
    before[block], after[block] = [1, 0], [0, 1]
    before[place] = [0, _RESULTS - _OVERLAP]
    return tf.pad(own, after) + tf.pad(next_ones, before)
