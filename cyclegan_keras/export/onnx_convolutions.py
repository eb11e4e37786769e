"""Convolutions in operators of ONNX, aligned as Keras's are."""

from typing import Any

import numpy as np
from keras import ops

from cyclegan_keras.export.onnx_activations import activated
from cyclegan_keras.export.onnx_builder import Builder, Value
from cyclegan_keras.export.regrouping import regrouped


def convolution(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `Conv2D`, with groups or dilation or without."""
    kernel = _array(layer.kernel).transpose(3, 2, 0, 1)
    name = _conv(graph, layer, x, kernel, layer.groups, layer.bias if layer.use_bias else None)
    return activated(graph, layer.activation, Value(name, x.shape), layer.name)


def depthwise(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `DepthwiseConv2D`."""
    bias = layer.bias if layer.use_bias else None
    name = _conv(graph, layer, x, _depthwise_kernel(layer.kernel), x.shape[-1], bias)
    return activated(graph, layer.activation, Value(name, x.shape), layer.name)


def separable(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `SeparableConv2D`: one channel at a time, then one pixel at a time."""
    kernel = _depthwise_kernel(layer.depthwise_kernel)
    name = _conv(graph, layer, x, kernel, x.shape[-1], None)
    pointwise = _array(layer.pointwise_kernel).transpose(3, 2, 0, 1)
    name = graph.add("Conv", name, pointwise, *([_array(layer.bias)] if layer.use_bias else []))
    return activated(graph, layer.activation, Value(name, x.shape), layer.name)


def _depthwise_kernel(kernel: Any) -> np.ndarray:
    kernel = _array(kernel)
    return kernel.transpose(2, 3, 0, 1).reshape(-1, 1, *kernel.shape[:2])


def _conv(graph: Builder, layer: Any, x: Value, kernel: np.ndarray, groups: Any, bias: Any) -> str:
    strides, dilation = tuple(layer.strides), tuple(layer.dilation_rate)
    settings: dict[str, Any] = {}
    if layer.padding == "same":
        if strides == (1, 1):
            widths = [
                rate * (size - 1) for rate, size in zip(dilation, kernel.shape[2:], strict=True)
            ]
            before = [width // 2 for width in widths]
            settings["pads"] = [*before, *(w - b for w, b in zip(widths, before, strict=True))]
        else:
            settings["auto_pad"] = "SAME_UPPER"  # How much it is depends on the size.
    return graph.add(
        "Conv",
        x,
        kernel,
        *([] if bias is None else [_array(bias)]),
        strides=strides,
        dilations=dilation,
        group=groups,
        **settings,
    )


def transposed(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `Conv2DTranspose`, whose paddings ONNX wants to be told."""
    # The output has `stride * length + surplus` pixels; the size asked about is of no account.
    asked = 64
    shape = layer.compute_output_shape((1, asked, asked, x.shape[-1]))
    pads, extra = [], []
    for length, stride, size, rate in zip(
        shape[1:3], layer.strides, layer.kernel_size, layer.dilation_rate, strict=True
    ):
        # What a convolution of that output would have to pad, to come back to the input.
        total = (asked - 1) * stride + rate * (size - 1) + 1 - length
        before = max(0, total) // 2 if layer.padding == "same" else 0
        pads.append((before, max(0, total) - before))
        extra.append(max(0, -total))
    return _transposed(graph, layer, x, pads, extra)


def aligned_transposed(graph: Builder, layer: Any, x: Value) -> str:
    """Writes a `TransposedConv2D`: its first row and column fall away."""
    return _transposed(graph, layer, x, [(1, 0), (1, 0)], [0, 0])


def _transposed(
    graph: Builder, layer: Any, x: Value, pads: list[tuple[int, int]], extra: list[int]
) -> str:
    (top, bottom), (left, right) = pads
    name = graph.add(
        "ConvTranspose",
        x,
        _array(layer.kernel).transpose(3, 2, 0, 1),
        *([_array(layer.bias)] if layer.use_bias else []),
        strides=tuple(layer.strides),
        dilations=tuple(layer.dilation_rate),
        pads=[top, left, bottom, right],
        output_padding=extra if any(extra) else None,
    )
    return activated(graph, layer.activation, Value(name, x.shape), layer.name)


def doubling(graph: Builder, layer: Any, x: Value) -> str:
    """Writes an `UpsampleConv2D`: a convolution to four times the filters, which become pixels.

    Neighbouring pixels of the doubled image are equal. So the taps of the kernel that fall on the
    same pixel are added up beforehand, differently for even and odd rows and columns.
    """
    kernel, before, after = regrouped(_array(layer.kernel))
    height, width, channels, *_ = kernel.shape
    kernel = kernel.transpose(3, 4, 5, 2, 0, 1).reshape(-1, channels, height, width)
    bias = np.tile(_array(layer.bias), 4)
    pads, padded = [before, before, after, after], x.name
    if layer.padding == "reflect":
        sides = graph.integers(0, 0, *pads[:2], 0, 0, *pads[2:])
        pads, padded = [0, 0, 0, 0], graph.add("Pad", x, sides, mode="reflect")
    name = graph.add("Conv", padded, kernel, bias, pads=pads)
    name = graph.add("DepthToSpace", name, blocksize=2, mode="DCR")
    return activated(graph, layer.activation, Value(name, x.shape), layer.name)


def _array(weight: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(weight), np.float32)
