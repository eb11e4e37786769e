"""Convolutions computed by other means than they are written down: the same numbers, sooner.

A convolution library arranges the kernel anew at every call, so where few pixels meet many weights,
a plain matrix product is faster on a CPU. It multiplies vectors of filters, which are nearly empty
where there are few. And doubling an image before a convolution makes it multiply each pixel with up
to four weights that could have been added up beforehand.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


def convolve_by_patches(x: Any, kernel: Any, strides: int, *, of_images: bool) -> Any:
    """Convolves with "same" padding, and takes gradients by matrix products.

    Args:
        x: `(batch, height, width, channels)`.
        kernel: `(size, size, channels, filters)`, with a size that the stride divides.
        strides: In both directions.
        of_images: Whether the gradient of `x` is a matrix product as well.

    Returns:
        `(batch, ceil(height / strides), ceil(width / strides), filters)`.
    """
    patches = _Patches(_shape(x), kernel.shape[0], strides)

    @tf.custom_gradient
    def function(x: Any, kernel: Any) -> Any:
        def gradient(dy: Any) -> tuple[Any, Any]:
            dy_rows = tf.reshape(dy, (-1, dy.shape[-1]))
            dkernel = tf.matmul(patches.of(x), dy_rows, transpose_a=True)
            dkernel = tf.reshape(dkernel, kernel.shape)
            if not of_images:
                return tf.nn.conv2d_transpose(dy, kernel, tf.shape(x), strides, "SAME"), dkernel
            weights = tf.reshape(kernel, (-1, kernel.shape[-1]))
            return patches.added_up(tf.matmul(dy_rows, weights, transpose_b=True)), dkernel

        return tf.nn.conv2d(x, kernel, strides, "SAME"), gradient

    return function(x, kernel)


def convolve_by_rows(x: Any, kernel: Any, padding: str) -> Any:
    """Convolves with each row of the kernel, and adds up the results, each shifted by its row.

    Rows become filters of their own, since a convolution library leaves its vectors nearly empty
    where there are only one or a few.

    Args:
        x: `(batch, height, width, channels)`.
        kernel: `(size, size, channels, filters)`.
        padding: "same" or "valid".

    Returns:
        The convolved images.
    """
    size, _, channels, filters = kernel.shape
    if padding == "same":
        sides = [(size - 1) // 2, size // 2]
        x = tf.pad(x, [(0, 0), sides, sides, (0, 0)])
    rows = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3)), (1, size, channels, size * filters))
    results = tf.split(tf.nn.conv2d(x, rows, 1, "VALID"), size, axis=-1)
    height = _shape(x)[1] - size + 1
    return tf.add_n([result[:, row : row + height] for row, result in enumerate(results)])


class _Patches:
    """Lays out, for each pixel of a convolution's result, all that it is made of, in one row.

    The kernel's size is divisible by its stride. Then what a row of the kernel meets lies side by
    side in memory, in blocks of one stride, and nothing needs to be picked pixel by pixel.

    Args:
        shape: Of the images.
        size: Height and width of the kernel.
        strides: In both directions.
    """

    def __init__(self, shape: list[Any], size: int, strides: int) -> None:
        batch, height, width, channels = shape
        self.size, self.channels = size, channels
        self.rows, self.columns = -(-height // strides), -(-width // strides)
        self.reach = size // strides
        self.crop, paddings = [], []
        for length, count in ((height, self.rows), (width, self.columns)):
            total = (count - 1) * strides + size - length
            before = max(0, total) // 2  # "same" padding puts the smaller half first
            paddings.append((before, total - before))
            self.crop.append(slice(before, before + length))
        self.paddings = [(0, 0), *paddings, (0, 0)]
        rows, columns = self.rows + self.reach - 1, self.columns + self.reach - 1
        self.blocks = (batch, rows, strides, columns, strides * channels)
        self.image = (batch, rows * strides, columns * strides, channels)
        self.parts = (batch, self.rows, self.columns, self.reach, strides, self.reach)

    def of(self, x: Any) -> Any:
        """Returns `(number of results, size² * channels)`, in the order of a kernel's weights."""
        batch, rows, strides, columns, width = self.blocks

        # All in one operation: of a slice for each tap, there would be hundreds in a step.
        @tf.custom_gradient
        def function(x: Any) -> Any:
            x = tf.reshape(tf.pad(x, self.paddings), (batch, rows * strides * columns, width))
            taps = tf.gather(x, self._places(), axis=1)
            return tf.reshape(taps, (-1, self.size**2 * self.channels)), self.added_up

        return function(x)

    def _places(self) -> np.ndarray:
        """The block that each tap of each result is in."""
        rows, columns = np.arange(self.rows), np.arange(self.columns)
        taps, inner = np.arange(self.reach), np.arange(self.blocks[2])
        lines = (rows[:, None, None] + taps[:, None]) * self.blocks[2] + inner
        lines = lines[:, None, :, :, None] * self.blocks[3]
        return (lines + (columns[:, None] + taps)[:, None, None]).astype("int32").ravel()

    def added_up(self, rows: Any) -> Any:
        """Adds each element back to the pixel that `of` took it from."""

        @tf.custom_gradient
        def function(rows: Any) -> Any:
            parts = tf.reshape(rows, (*self.parts, self.blocks[-1]))
            parts = tf.unstack(tf.transpose(parts, (3, 5, 0, 1, 4, 2, 6)))
            total = 0
            for i, line in enumerate(parts):
                for j, part in enumerate(tf.unstack(line)):
                    i_rest, j_rest = self.reach - 1 - i, self.reach - 1 - j
                    total += tf.pad(part, [(0, 0), (i, i_rest), (0, 0), (j, j_rest), (0, 0)])
            return tf.reshape(total, self.image)[:, self.crop[0], self.crop[1]], self.of

        return function(rows)


def doubled(x: Any) -> Any:
    """Repeats each pixel 2×2.

    Args:
        x: `(batch, height, width, channels)`.

    Returns:
        `(batch, 2 * height, 2 * width, channels)`.
    """
    batch, height, width, channels = _shape(x)
    x = tf.reshape(x, (batch, height, 1, width, 1, channels))
    x = tf.broadcast_to(x, (batch, height, 2, width, 2, channels))
    return tf.reshape(x, (batch, 2 * height, 2 * width, channels))


class DoublingKernel(NamedTuple):
    """A kernel that is to follow nearest-neighbour doubling, with what falls together added up.

    In the doubled image, neighbouring taps of the kernel fall on the same pixel. So the result at
    an even place is a convolution of the small image with one small kernel, and at an odd place
    with another, along each axis; together they have the `(size + 1)²` taps of the kernel added to
    itself shifted by one.

    Attributes:
        adjoint: `(size + 1, size + 1, filters, channels)`: all these taps in the order in which
            they make up the adjoint, a convolution of stride 2. Gradients go through this one.
        phases: The four small kernels `(·, ·, channels, filters)` for even and odd rows and
            columns, or nothing to convolve by the adjoint.
    """

    adjoint: Any
    phases: tuple[Any, ...]


def regroup(kernel: Any, with_phases: bool) -> DoublingKernel:
    """Prepares a kernel for `double_and_convolve`.

    Args:
        kernel: `(size, size, channels, filters)`, meant for the doubled image, "same" padding.
        with_phases: Whether to convolve with small kernels, or else by the adjoint, which serves
            better for few filters.

    Returns:
        The same kernel, regrouped.
    """
    size, _, channels, filters = kernel.shape
    by_filter = tf.reshape(tf.transpose(kernel, (0, 1, 3, 2)), (size * size, -1))
    turned = tf.cast(_sums(size)[::-1], kernel.dtype)
    adjoint = tf.matmul(turned, by_filter)
    adjoint = tf.reshape(adjoint, (size + 1, size + 1, filters, channels))
    if not with_phases:
        return DoublingKernel(adjoint, ())
    by_channel = tf.reshape(tf.stop_gradient(kernel), (size * size, -1))
    phases = []
    for rows in _phases(size):
        for columns in _phases(size):
            chosen = [row * (size + 1) + column for row in rows for column in columns]
            taps = tf.matmul(tf.cast(_sums(size)[chosen], kernel.dtype), by_channel)
            phases.append(tf.reshape(taps, (len(rows), len(columns), channels, filters)))
    return DoublingKernel(adjoint, tuple(phases))


@functools.cache
def _sums(size: int) -> np.ndarray:
    """Which taps of a `size`² kernel make up each of the `(size + 1)²` taps, as a matrix."""
    one_axis = np.eye(size + 1, size) + np.eye(size + 1, size, -1)
    return np.kron(one_axis, one_axis)


def _phases(size: int) -> list[range]:
    """Which of the `size + 1` taps, along one axis, make even and odd places of the result."""
    before = (size - 1) // 2  # "same" padding puts the smaller half first
    # Tap t stands for the original taps t − 1 and t; place p of the result meets, at distance q,
    # the original taps 2q − p + before and the one after.
    return [range((before - place + 1) % 2, size + 1, 2) for place in (0, 1)]


def double_and_convolve(x: Any, kernel: DoublingKernel, border: int = 0) -> Any:
    """Does what repeating each pixel 2×2 and then convolving with "same" padding does.

    Args:
        x: `(batch, height, width, channels)`.
        kernel: From `regroup`.
        border: How many pixels on each side, at most 1, are there as neighbours only.

    Returns:
        `(batch, 2 * (height - 2 * border), 2 * (width - 2 * border), filters)`.
    """
    size = kernel.adjoint.shape[0] - 1
    after = (size - 1) // 2
    sides = [size - 1 - after + 2 * border, after + 2 * border]
    paddings = [[0, 0], sides, sides, [0, 0]]

    @tf.custom_gradient
    def function(x: Any, adjoint: Any) -> Any:
        def gradient(dy: Any) -> tuple[Any, Any]:
            dy = tf.pad(dy, paddings)
            dadjoint = tf.raw_ops.Conv2DBackpropFilter(
                input=dy,
                filter_sizes=adjoint.shape,
                out_backprop=x,
                strides=[1, 2, 2, 1],
                padding="VALID",
            )
            return tf.nn.conv2d(dy, adjoint, 2, "VALID"), dadjoint

        if kernel.phases:
            return _interleaved(x, kernel.phases, size, border), gradient
        batch, height, width, _ = _shape(x)
        sizes = [2 * (length - 2 * border) for length in (height, width)]
        shape = (batch, *sizes, adjoint.shape[2])
        return tf.nn.conv2d_transpose(x, adjoint, shape, 2, paddings), gradient

    return function(x, kernel.adjoint)


def _interleaved(x: Any, phases: tuple[Any, ...], size: int, border: int) -> Any:
    """Convolves with each of the four small kernels, and deals the results out to their places."""
    before = (size - 1) // 2
    pads, parts = [], []
    for place, taps in enumerate(_phases(size)):
        first = (taps[0] - 1 - before + place) // 2 if taps else 0  # distance of the first tap
        missing = (-first - border, len(taps) - 1 + first - border)
        pads.append([max(0, number) for number in missing])
        start, end = (max(0, -number) for number in missing)
        parts.append(slice(start, -end or None))
    results = [
        tf.nn.conv2d(
            x[:, parts[row], parts[column]],
            phases[2 * row + column],
            1,
            [[0, 0], pads[row], pads[column], [0, 0]],
        )
        for row in (0, 1)
        for column in (0, 1)
    ]
    batch, height, width, filters = _shape(results[0])
    y = tf.stack([tf.stack(results[:2], axis=3), tf.stack(results[2:], axis=3)], axis=2)
    return tf.reshape(y, (batch, 2 * height, 2 * width, filters))


def _shape(x: Any) -> list[Any]:
    """The sizes of a tensor: numbers where they are known, else tensors."""
    if None not in x.shape:
        return [*x.shape]
    dynamic = tf.shape(x)
    return [dynamic[i] if length is None else length for i, length in enumerate(x.shape)]
