"""Runs a network over a whole picture, layer by layer, with a part of its results in memory.

Each convolution is computed in strips of rows and its results are kept until the last layer that
reads them, in memory or, beyond a limit, in a temporary file. What makes each pixel of its own
place alone (activations, sums, concatenations) is computed when a convolution reads it, for its
rows. Normalization takes the statistics of the whole picture, from all rows. So the result is that
of a single pass but for rounding, however far the network looks.
"""

import math
import tempfile
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from cyclegan_keras.inference import frozen, reach
from cyclegan_keras.inference.rebuilding import as_functional, is_rebuildable, operations_of
from cyclegan_keras.layers import (
    LeanConv2D,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)

# Of the results that are kept at the same time; beyond, they go to a file.
MAX_KEPT_BYTES = 1_500_000_000
# Of a strip of a layer's results, or of what it is made of, whichever is larger; there are several
# copies on the way.
STRIP_BYTES = 1 << 25

_CONVOLUTIONS = (layers.Conv2D, LeanConv2D)
_DOUBLING = (layers.Conv2DTranspose, TransposedConv2D, UpsampleConv2D)
_MOVING = (ReflectionPadding2D, layers.ZeroPadding2D, layers.Cropping2D, layers.UpSampling2D)

# From the first row and the one behind the last to `(1, rows, width, channels)`.
Rows = Callable[[int, int], Any]


class Image:
    """The results of a layer, or the picture, of which one has some rows at a time.

    Args:
        size: `(height, width)`, in pixels.
        rows: Gives rows.
        row_bytes: What one row takes while it is computed: its own numbers, or those that it is
            made of, if these are more.
    """

    def __init__(self, size: tuple[int, int], rows: Rows, row_bytes: float) -> None:
        self.size = size
        self.rows = rows
        self.row_bytes = row_bytes


def takes_strips(network: keras.Model) -> bool:
    """Tells whether a network can be run in strips.

    Args:
        network: From images to images.

    Returns:
        Whether all of its layers are known.
    """
    if not is_rebuildable(network):
        return False
    models, is_known = [network], True
    for model in models:
        for node in _nodes(model):
            operation = node.operation
            if is_rebuildable(operation):
                models.append(operation)
            else:
                is_known &= _is_known(operation, node)
    return is_known and any(True for _ in operations_of(network))


def run(network: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Runs a network in strips.

    Args:
        network: One that `takes_strips`.
        pixels: `(height, width, channels)`, float32 in [-1, 1], of a size that it can halve as
            often as it does.

    Returns:
        The output, `(height, width, channels)`, float32.

    Raises:
        OSError: If there is no room for a temporary file.
    """
    height, width, channels = pixels.shape
    room = _Room()
    dtype = network.inputs[0].dtype
    picture = Image(
        (height, width),
        lambda a, b: tf.cast(pixels[np.newaxis, a:b], dtype),
        _row_bytes(width, channels),
    )
    output = _through(network, picture, room)
    return _in_full(output).astype(np.float32, copy=False)


def _through(network: keras.Model, image: Image, room: "_Room") -> Image:
    """Runs a network, and forgets each result when the last layer has read it."""
    network = as_functional(network)
    nodes = _nodes(network)
    last_use = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.input_tensors}
    result = id(network.outputs[0])
    images = {id(network.inputs[0]): image}
    del image
    for i, node in enumerate(nodes):
        sources = {id(tensor): images[id(tensor)] for tensor in node.input_tensors}
        images[id(node.output_tensors[0])] = _behind(node, sources, room)
        del sources
        for key in [key for key in images if last_use.get(key, -1) <= i and key != result]:
            del images[key]
    return images[result]


def _nodes(network: keras.Model) -> list[Any]:
    """The calls of its layers, each behind those that it needs."""
    by_depth = as_functional(network)._nodes_by_depth
    return [
        node
        for depth in sorted(by_depth, reverse=True)
        for node in by_depth[depth]
        if not node.is_input
    ]


def _is_known(operation: Any, node: Any) -> bool:
    kind = type(operation)
    if len(node.output_tensors) != 1:
        return False
    if frozen.norm_of(operation) is not None or reach.is_pointwise(operation, node.arguments.args):
        return True
    if kind in _CONVOLUTIONS:
        return len({*operation.strides}) == 1
    if kind is layers.Conv2DTranspose:
        is_usual = operation.padding == "same" and operation.output_padding is None
        return is_usual and len({*operation.strides}) == 1 and {*operation.dilation_rate} == {1}
    if kind is layers.UpSampling2D:
        return operation.interpolation == "nearest"
    return kind in (*_DOUBLING, *_MOVING) or _is_mirror(operation)


def _is_mirror(operation: Any) -> bool:
    """Whether an operation is what `ReflectionPadding2D` becomes in files."""
    kind = type(operation)
    if kind.__name__ != "Pad" or not kind.__module__.startswith("keras."):
        return False
    sides = [tuple(side) for side in operation.pad_width]
    return operation.mode == "reflect" and len(sides) == 4 and sides[0] == sides[3] == (0, 0)


def _behind(node: Any, sources: dict[int, Image], room: "_Room") -> Image:
    """The results of a layer."""
    operation, source = node.operation, next(iter(sources.values()))
    channels = node.output_tensors[0].shape[-1]
    if is_rebuildable(operation):
        return _through(operation, source, room)
    if (norm := frozen.norm_of(operation)) is not None:
        fixed = frozen.fixed(operation, *_statistics(source, norm, channels))
        return Image(source.size, lambda a, b: fixed(source.rows(a, b)), source.row_bytes)
    if reach.is_pointwise(operation, node.arguments.args):
        needed = sum(each.row_bytes for each in sources.values())
        image = Image(
            source.size,
            _together(node, sources),
            max(needed, _row_bytes(source.size[1], channels)),
        )
        # A sum would keep all that it was made of, and so would the next one.
        return _kept(image, channels, room) if _forgets(operation, sources) else image
    if type(operation) in _MOVING or _is_mirror(operation):
        size, rows = _moved(operation, source)
        return _made_of(source, size, rows, channels)
    size, rows = _convolved(operation, source)
    return _kept(_made_of(source, size, rows, channels), channels, room)


def _made_of(source: Image, size: tuple[int, int], rows: Rows, channels: int) -> Image:
    needed = source.row_bytes * source.size[0] / size[0]
    return Image(size, rows, max(needed, _row_bytes(size[1], channels)))


def _row_bytes(width: int, channels: int) -> float:
    return 4.0 * width * channels


def _together(node: Any, sources: dict[int, Image]) -> Rows:
    def rows(first: int, last: int) -> Any:
        values = {key: source.rows(first, last) for key, source in sources.items()}
        args, kwargs = node.arguments.fill_in(values)
        return node.operation(*args, **kwargs)

    return rows


def _forgets(operation: Any, sources: dict[int, Image]) -> bool:
    return len(sources) > 1 and not isinstance(operation, layers.Concatenate)


def _convolved(layer: Any, source: Image) -> tuple[tuple[int, int], Rows]:
    """What a convolution makes: with a margin of rows, which is cut off, or the image's border."""
    height, width = source.size
    if type(layer) in _CONVOLUTIONS:
        strides = layer.strides[0]
        reaches = [
            (size - 1) * dilation + 1
            for size, dilation in zip(layer.kernel_size, layer.dilation_rate, strict=True)
        ]
        if layer.padding == "valid":
            size = ((height - reaches[0]) // strides + 1, (width - reaches[1]) // strides + 1)
            return size, lambda a, b: layer(
                source.rows(a * strides, (b - 1) * strides + reaches[0])
            )
        _check(height % strides == width % strides == 0, layer, source)
        margin = -(-reaches[0] // strides)

        def halved(a: int, b: int) -> Any:
            first = max(0, a - margin)
            last = min(height // strides, b + margin)
            y = layer(source.rows(first * strides, last * strides))
            return y[:, a - first : b - first]

        return (height // strides, width // strides), halved
    kernel = layer.kernel_size if isinstance(layer, UpsampleConv2D) else layer.kernel_size[0]
    factor = 2 if isinstance(layer, UpsampleConv2D) else layer.strides[0]
    margin = -(-kernel // factor) + 1

    def doubled(a: int, b: int) -> Any:
        first, last = max(0, a // factor - margin), min(height, -(-b // factor) + margin)
        y = layer(source.rows(first, last))
        return y[:, a - first * factor : b - first * factor]

    return (height * factor, width * factor), doubled


def _check(is_right: bool, layer: Any, source: Image) -> None:
    if not is_right:
        raise ValueError(
            f"The layer {layer.name!r} cannot halve {source.size[0]} × {source.size[1]} pixels."
        )


def _moved(layer: Any, source: Image) -> tuple[tuple[int, int], Rows]:
    """What a layer makes that takes pixels from other places, or adds zeros."""
    height, width = source.size
    if isinstance(layer, layers.UpSampling2D):
        down, along = layer.size

        def repeated(a: int, b: int) -> Any:
            y = layer(source.rows(a // down, -(-b // down)))
            return y[:, a % down : a % down + b - a]

        return (height * down, width * along), repeated
    if isinstance(layer, layers.Cropping2D):
        (top, bottom), (left, right) = layer.cropping
        size = (height - top - bottom, width - left - right)
        return size, lambda a, b: source.rows(a + top, b + top)[:, :, left : width - right]
    mirrors = not isinstance(layer, layers.ZeroPadding2D)
    sides = layer.pad_width[1:3] if _is_mirror(layer) else layer.padding
    (top, bottom), (left, right) = sides

    def rows(a: int, b: int) -> Any:
        places = np.arange(a, b) - top
        inside = np.clip(places, 0, height - 1)
        if mirrors:
            inside = np.abs(places)
            inside = np.where(inside < height, inside, 2 * (height - 1) - inside)
        first = int(inside.min())
        x = source.rows(first, int(inside.max()) + 1)
        x = tf.gather(x, inside - first, axis=1)
        if not mirrors:
            x = x * tf.cast((places == inside)[None, :, None, None], x.dtype)
        beside = ((0, 0), (0, 0), (left, right), (0, 0))
        return tf.pad(x, beside, "REFLECT" if mirrors else "CONSTANT")

    return (height + top + bottom, width + left + right), rows


def _statistics(image: Image, norm: frozen.Norm, channels: int) -> tuple[Any, Any]:
    """The mean of each channel and the square of what it is divided by, over the whole image."""

    def means(of: Callable[[Any], Any]) -> np.ndarray:
        total = np.zeros(channels)
        for first, last in _strips(image):
            x = image.rows(first, last)
            x = tf.cast(x, tf.float64 if x.dtype == tf.float64 else tf.float32)
            # Row by row: a single sum over millions of pixels would lose digits.
            of_rows = tf.reduce_mean(of(x), axis=2)
            total += tf.reduce_sum(tf.cast(of_rows, tf.float64), axis=(0, 1)).numpy()
        of_groups = total.reshape(norm.groups, -1).mean(axis=1) / image.size[0]
        return np.repeat(of_groups, channels // norm.groups)

    mean = means(lambda x: x)
    variance = means(lambda x: tf.square(x - tf.cast(mean, x.dtype)))
    return mean, norm.square_of_divisor(variance)


def _strips(image: Image) -> Iterator[tuple[int, int]]:
    height, _ = image.size
    count = max(1, int(STRIP_BYTES / image.row_bytes))
    for first in range(0, height, count):
        yield first, min(height, first + count)


def _kept(image: Image, channels: int, room: "_Room") -> Image:
    """Computes an image, and keeps it."""
    store: Any = None
    for first, last in _strips(image):
        strip = image.rows(first, last).numpy()[0]
        if store is None:
            store = room.store((image.size[0], *strip.shape[1:]), strip.dtype)
        store.write(first, strip)
    return Image(
        image.size,
        lambda a, b: tf.convert_to_tensor(store.read(a, b)[np.newaxis]),
        _row_bytes(image.size[1], channels),
    )


def _in_full(image: Image) -> np.ndarray:
    return np.concatenate([image.rows(a, b).numpy()[0] for a, b in _strips(image)])


class _Room:
    """Where results are kept: in memory, as long as they do not become too many."""

    def __init__(self) -> None:
        self._in_memory: weakref.WeakSet[_InMemory] = weakref.WeakSet()

    def store(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Makes room for an array of a shape, which is there until it is forgotten."""
        taken = sum(store.num_bytes for store in self._in_memory)
        if taken + math.prod(shape) * np.dtype(dtype).itemsize > MAX_KEPT_BYTES:
            return _InFile(shape, dtype)
        store = _InMemory(shape, dtype)
        self._in_memory.add(store)
        return store


class _InMemory:
    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._array = np.empty(shape, dtype)
        self.num_bytes = self._array.nbytes

    def write(self, first: int, rows: np.ndarray) -> None:
        self._array[first : first + len(rows)] = rows

    def read(self, first: int, last: int) -> np.ndarray:
        return self._array[first:last]


class _InFile:
    """Not mapped into memory, where its pages would count as those of the process."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._row, self._dtype = shape[1:], np.dtype(dtype)
        self._row_bytes = math.prod(self._row) * self._dtype.itemsize
        self._file = tempfile.TemporaryFile(prefix="cyclegan-")  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def write(self, first: int, rows: np.ndarray) -> None:
        self._file.seek(first * self._row_bytes)
        try:
            self._file.write(np.ascontiguousarray(rows).view(np.uint8).data)
            self._file.flush()
        except OSError as error:
            raise OSError(
                error.errno,
                f"no room in {tempfile.gettempdir()!r} for results on the way ({error.strerror}); "
                "make some, or name another folder in the environment variable TMPDIR",
            ) from error

    def read(self, first: int, last: int) -> np.ndarray:
        self._file.seek(first * self._row_bytes)
        data = self._file.read((last - first) * self._row_bytes)
        return np.frombuffer(data, self._dtype).reshape((last - first, *self._row))
