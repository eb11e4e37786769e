"""What a network looks at: how far around each pixel, how often it halves, how much memory."""

import dataclasses
from typing import Any

import keras
import numpy as np

from cyclegan_keras.inference.frozen import FrozenNormalization
from cyclegan_keras.layers import (
    BlendImages,
    LeanConv2D,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.layers.residual_output import ChangeImage

layers = keras.layers

# Layers and operations that make each pixel of what lies at its own place.
_POINTWISE = (
    layers.Activation, layers.Add, layers.Average, layers.Concatenate, layers.Dropout, layers.ELU,
    layers.LeakyReLU, layers.Maximum, layers.Minimum, layers.Multiply, layers.PReLU, layers.ReLU,
    layers.RMSNormalization, layers.Rescaling, layers.Subtract, ChangeImage,
    layers.BatchNormalization, BlendImages, FrozenNormalization, PixelNormalization,
)  # fmt: skip
_POINTWISE_OPERATIONS = frozenset(
    "Abs Absolute Add Arctanh Cast Clip Divide Exp Less LeakyRelu Maximum Minimum Multiply "
    "Negative Relu Sigmoid Square Subtract Tanh TrueDivide Where".split()
)


class _NotLocalError(Exception):
    """A pixel depends on pixels anywhere in the image, or nobody knows on which."""


@dataclasses.dataclass(frozen=True)
class _Place:
    """Of which pixels of the image a pixel of a layer is made, at the same place.

    Attributes:
        scale: How many pixels of the image stand beside each other in one of the layer.
        before: How many further ones above, and on the left.
        behind: How many further ones below, and on the right.
    """

    scale: float
    before: float = 0
    behind: float = 0

    def shifted(self, count: int) -> "_Place":
        """With so many pixels of the layer added above and on the left."""
        by = count * self.scale
        return _Place(self.scale, self.before + by, self.behind - by)

    def convolved(self, reach: int, strides: int) -> "_Place":
        """By a kernel of so many pixels, without padding."""
        scale = self.scale * strides
        return _Place(scale, self.before, self.behind + reach * self.scale - scale)

    def doubled(self, factor: int = 2) -> "_Place":
        """With each pixel repeated."""
        scale = self.scale / factor
        more = self.scale - scale
        return _Place(scale, self.before + more, self.behind + more)


def reach_of(network: keras.Model) -> int | None:
    """Finds how far from a pixel of the output the pixels are that it depends on.

    Args:
        network: Of `rebuilding.with_size`.

    Returns:
        The distance in pixels, at most so large; `None` if a pixel may depend on the whole image,
        as with instance normalization.
    """
    places: dict[int, _Place] = {id(network.inputs[0]): _Place(1)}
    try:
        for operation in network.operations:
            if isinstance(operation, layers.InputLayer):
                continue
            for node in operation._inbound_nodes:
                before = [places[id(tensor)] for tensor in node.input_tensors]
                place = _behind(operation, before, node.arguments.args)
                places |= {id(tensor): place for tensor in node.output_tensors}
        last = places[id(network.outputs[0])]
    except (_NotLocalError, KeyError):
        return None
    return int(max(0, last.before, last.behind) + 0.999)


def _behind(operation: Any, before: list[_Place], arguments: Any) -> _Place:
    first = before[0]
    if any(place.scale != first.scale for place in before):
        raise _NotLocalError
    if is_pointwise(operation, arguments):
        return _Place(
            first.scale,
            max(place.before for place in before),
            max(place.behind for place in before),
        )
    return _of_layer(operation, first)


def is_pointwise(operation: Any, arguments: Any) -> bool:
    """Tells whether a layer makes each pixel of what lies at its own place.

    Args:
        operation: A layer or operation.
        arguments: The positional ones of its call.

    Returns:
        Whether it is known to.
    """
    if type(operation).__name__ == "GetItem":
        return _takes_channels(arguments[1])
    is_known = type(operation) in _POINTWISE or (
        type(operation).__name__ in _POINTWISE_OPERATIONS
        and type(operation).__module__.startswith("keras.")
    )
    # Of one axis or a list of them.
    return is_known and {*np.ravel(getattr(operation, "axis", -1)).tolist()} <= {-1, 3}


def _takes_channels(key: Any) -> bool:
    """Whether `tensor[key]` has all pixels, and perhaps not all channels."""
    if not isinstance(key, tuple | list) or not key:
        return False
    whole, parts = (Ellipsis, slice(None)), list(key)
    is_last = len(parts) == 4 or Ellipsis in parts
    return is_last and all(part in whole for part in parts[:-1]) and isinstance(parts[-1], slice)


def _of_layer(layer: Any, place: _Place) -> _Place:
    if type(layer) in (ReflectionPadding2D, layers.ZeroPadding2D):
        (top, _), (left, _) = layer.padding
        return _both(place.shifted(top), place.shifted(left))
    if type(layer).__name__ == "Pad" and type(layer).__module__.startswith("keras."):
        _, (top, _), (left, _), _ = layer.pad_width
        return _both(place.shifted(top), place.shifted(left))
    if type(layer) is layers.Cropping2D:
        (top, _), (left, _) = layer.cropping
        return _both(place.shifted(-top), place.shifted(-left))
    if type(layer) is layers.UpSampling2D and layer.interpolation == "nearest":
        return _both(*(place.doubled(factor) for factor in layer.size))
    if type(layer) is UpsampleConv2D:
        return _same(place.doubled(), layer.kernel_size, 1)
    if type(layer) in (layers.Conv2DTranspose, TransposedConv2D):
        size, strides = max(layer.kernel_size), layer.strides[0]
        place = place.doubled(strides)
        by = size * place.scale
        return _Place(place.scale, place.before + by, place.behind + by)
    if type(layer) in (layers.Conv2D, LeanConv2D):
        sizes = zip(layer.kernel_size, layer.dilation_rate, strict=True)
        reaches = [(size - 1) * dilation + 1 for size, dilation in sizes]
        (strides,) = {*layer.strides} if len({*layer.strides}) == 1 else (0,)
        if strides and layer.padding == "valid":
            return _both(*(place.convolved(reach, strides) for reach in reaches))
        if strides and layer.padding == "same":
            return _both(*(_same(place, reach, strides) for reach in reaches))
    raise _NotLocalError


def _same(place: _Place, reach: int, strides: int) -> _Place:
    return place.shifted(max(0, reach - strides) // 2).convolved(reach, strides)


def _both(one: _Place, other: _Place) -> _Place:
    """Both directions take the farther."""
    if one.scale != other.scale:
        raise _NotLocalError
    return _Place(one.scale, max(one.before, other.before), max(one.behind, other.behind))


def factor_of(network: keras.Model) -> int:
    """Finds what height and width must be multiples of, by how often the network halves.

    Args:
        network: Of `rebuilding.with_size`, for a size that it takes.

    Returns:
        The largest ratio of the image to what a layer makes of it.
    """
    height = network.input_shape[1]
    least = min(shape[1] for shape in _shapes(network) if len(shape) == 4)
    return -(-height // least)


def bytes_per_pixel(network: keras.Model) -> float:
    """Estimates the memory that a network needs at once, beside its weights.

    Args:
        network: Of `rebuilding.with_size`.

    Returns:
        Bytes for each pixel of the image: of the largest set of results that are still needed at
        the same time, each twice, since convolutions copy what they read.
    """
    nodes = [
        node
        for operation in network.operations
        for node in operation._inbound_nodes
        if node.input_tensors
    ]
    last_use = {id(tensor): i for i, node in enumerate(nodes) for tensor in node.input_tensors}
    live, most = {id(network.inputs[0]): _count(network.input_shape)}, 0.0
    for i, node in enumerate(nodes):
        live |= {id(tensor): _count(tensor.shape) for tensor in node.output_tensors}
        most = max(most, sum(live.values()))
        live = {key: count for key, count in live.items() if last_use.get(key, i) > i}
    return 2 * 4 * most / (network.input_shape[1] * network.input_shape[2])


def _count(shape: Any) -> int:
    count = 1
    for size in shape[1:]:
        count *= size or 1
    return count


def _shapes(network: keras.Model) -> list[Any]:
    return [
        tensor.shape
        for operation in network.operations
        for node in operation._inbound_nodes
        for tensor in node.output_tensors
    ]
