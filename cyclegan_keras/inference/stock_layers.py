"""Networks in Keras's own layers, for files that need no other package, and back.

A `.keras` file names the layers of its model. With this package's layers in it, only a program that
has this package can load it. So generators are saved in the layers and operations of Keras that
compute the same, and get the faster layers again when this package loads them.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops

from cyclegan_keras.inference import stock_conditional, stock_contrib
from cyclegan_keras.inference.rebuilding import Call, is_rebuildable, operations_of, rebuilt
from cyclegan_keras.layers import (
    BlendImages,
    ConditionalInstanceNormalization,
    ContribNormalization,
    HalveImages,
    InstanceNormalization,
    LabelBoundaries,
    LeanConv2D,
    OneHotLabels,
    PixelNormalization,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.layers.residual_output import ChangeImage

# Keras's transposed convolution has one row too many at the top, and one column on the left.
_CROPPING = ((1, 0), (1, 0))


def to_stock_layers(model: keras.Model) -> keras.Model:
    """Rebuilds a network with layers and operations of Keras alone.

    Outputs are the same but for rounding. What this package does not know is left as it is.

    Args:
        model: A functional or sequential model, with others in it or without; a model of any other
            kind is returned as it is.

    Returns:
        A new model of the same name and weights, functional and not compiled.
    """
    return rebuilt(model, _stock_form)


def to_fast_layers(model: keras.Model) -> keras.Model:
    """Undoes `to_stock_layers`: finds what this package computes faster.

    Args:
        model: A functional or sequential model, such as one from a file; a model of any other kind
            is returned as it is.

    Returns:
        A new model of the same name and weights; `model` itself if there is nothing to replace.
    """
    if not is_rebuildable(model):
        return model
    operations = [*operations_of(model)]
    found = {id(op): form for op in operations if (form := _fast_form(op)) is not None}
    for op in operations:
        found |= {**stock_contrib.found(op), **stock_conditional.found(op)}
    return rebuilt(model, lambda op: found.get(id(op))) if found else model


def _stock_form(op: Any) -> Call | None:
    """Returns the stock equivalent of one of this package's layers; `None` for any other."""
    make = _STOCK.get(type(op))
    return None if make is None else make(op)


def _conv(op: Any) -> Call:
    return layers.Conv2D.from_config(op.get_config())


def _group_norm(op: Any) -> Call:
    return layers.GroupNormalization(
        groups=-1,
        epsilon=op.epsilon,
        center=op.center,
        scale=op.scale,
        dtype=op.variable_dtype,
        name=op.name,
    )


def _pixel_norm(op: Any) -> Call:
    return layers.RMSNormalization.from_config(op.get_config())


def _pad(op: Any) -> Call:
    widths = [(0, 0), *op.padding, (0, 0)]
    return lambda x: ops.pad(x, widths, mode="reflect")


def _double_and_convolve(op: Any) -> Call:
    settings = op.get_config()
    # Independent of Keras's settings, under which the file is loaded later.
    last = {"data_format": "channels_last"}
    double = layers.UpSampling2D(2, name=f"{op.name}_double", dtype=settings["dtype"], **last)
    convolve = layers.Conv2D.from_config({**settings, "padding": "same", **last})
    if op.padding == "zeros":
        return lambda x: convolve(double(x))
    pad = _pad(ReflectionPadding2D(1))
    crop = layers.Cropping2D(2, name=f"{op.name}_crop", dtype=settings["dtype"], **last)
    return lambda x: crop(convolve(double(pad(x))))


def _transposed(op: Any) -> Call:
    last = {"data_format": "channels_last"}
    settings = {**op.get_config(), "kernel_size": 3, "strides": 2, "padding": "valid", **last}
    convolve = layers.Conv2DTranspose.from_config(settings)
    crop = layers.Cropping2D(_CROPPING, name=f"{op.name}_crop", dtype=settings["dtype"], **last)
    return lambda x: crop(convolve(x))


def _change_image(op: Any) -> Call:
    return op.change  # Made of operations of Keras.


def _blend_images(op: Any) -> Call:
    return op.blend  # Likewise.


def _one_hot_labels(op: Any) -> Call:
    return op.classes  # Likewise.


def _label_boundaries(op: Any) -> Call:
    return op.boundaries  # Likewise.


def _halve(op: Any) -> Call:
    last = {"data_format": "channels_last"}
    pool = layers.AveragePooling2D(3, 2, name=f"{op.name}_pool", dtype=op.variable_dtype, **last)
    return lambda x: op.halve(x, pool)


_STOCK: dict[type, Callable[[Any], Call]] = {
    BlendImages: _blend_images,
    ChangeImage: _change_image,
    ConditionalInstanceNormalization: stock_conditional.to_stock,
    ContribNormalization: stock_contrib.to_stock,
    HalveImages: _halve,
    InstanceNormalization: _group_norm,
    LabelBoundaries: _label_boundaries,
    LeanConv2D: _conv,
    OneHotLabels: _one_hot_labels,
    PixelNormalization: _pixel_norm,
    ReflectionPadding2D: _pad,
    TransposedConv2D: _transposed,
    UpsampleConv2D: _double_and_convolve,
}


def _fast_form(op: Any) -> Call | None:
    """Returns this package's equivalent of a layer of Keras; `None` for most layers."""
    if type(op) is layers.GroupNormalization:
        return _instance_norm(op)
    if type(op) is layers.RMSNormalization:
        # Equal only over the channels of images.
        is_per_pixel = [*op.axis] in ([-1], [3]) and len(op.input.shape) == 4
        return PixelNormalization.from_config(_without(op, "axis")) if is_per_pixel else None
    if type(op) is layers.UpSampling2D:
        return None if _convolution_behind(op) is None else stock_contrib.handed_on
    if type(op) is layers.Cropping2D:
        is_last = _transposed_before(op) is not None or _is_mirrored(_only(_previous(op)))
        return stock_contrib.handed_on if is_last else None
    if _mirrors(op):
        convolution = _convolution_behind(_only(_next(op)))
        return stock_contrib.handed_on if _is_mirrored(convolution) else None
    if type(op) is layers.Conv2DTranspose:
        behind = _only(_next(op))
        is_ours = type(behind) is layers.Cropping2D and _transposed_before(behind) is op
        return TransposedConv2D.from_config(_without(op, "padding")) if is_ours else None
    if type(op) is layers.Conv2D:
        before = _only(_previous(op))
        if _convolution_behind(before) is op:
            names = ("filters", "kernel_size", "activation", "kernel_initializer", "name", "dtype")
            config = {name: value for name, value in op.get_config().items() if name in names}
            config |= {"padding": "reflect" if _is_mirrored(op) else "zeros"}
            return UpsampleConv2D.from_config({**config, "kernel_size": op.kernel_size[0]})
        is_3x3 = (*op.kernel_size, *op.strides) == (3, 3, 1, 1)
        is_lean = (op.padding == "same" or is_3x3) and op.data_format == "channels_last"
        return LeanConv2D.from_config(op.get_config()) if is_lean else None
    return None


def _instance_norm(op: Any) -> Call | None:
    # Equal only over images: of other shapes, and along another axis, it is something else.
    is_per_channel = op.groups in (-1, op.input.shape[-1]) and len(op.input.shape) == 4
    if not is_per_channel or op.axis not in (-1, 3):
        return None
    return InstanceNormalization(
        op.epsilon, op.center, op.scale, dtype=op.variable_dtype, name=op.name
    )


def _convolution_behind(op: Any) -> Any:
    """Finds the convolution after an `UpSampling2D`, if nothing else uses its output."""
    if type(op) is not layers.UpSampling2D:
        return None
    behind = _only(_next(op))
    if type(behind) is not layers.Conv2D or _only(_previous(behind)) is not op:
        return None
    doubles = tuple(op.size) == (2, 2) and op.interpolation == "nearest"
    is_plain = (
        behind.padding == "same"
        and (*behind.strides, *behind.dilation_rate, behind.groups) == (1, 1, 1, 1, 1)
        and behind.kernel_size[0] == behind.kernel_size[1]
        and behind.use_bias
        and {op.data_format, behind.data_format} == {"channels_last"}
        and _has_no_penalties(behind)
    )
    return behind if doubles and is_plain else None


def _is_mirrored(convolve: Any) -> bool:
    """Whether a convolution of doubled images is cut to what mirrored pixels are neighbours of."""
    double = None if convolve is None else _only(_previous(convolve))
    if double is None or _convolution_behind(double) is not convolve:
        return False
    pad, crop = _only(_previous(double)), _only(_next(convolve))
    return (
        _mirrors(pad)
        and [*map(tuple, pad.pad_width)] == [(0, 0), (1, 1), (1, 1), (0, 0)]
        and _only(_next(pad)) is double
        and type(crop) is layers.Cropping2D
        and (crop.cropping, crop.data_format) == (((2, 2), (2, 2)), "channels_last")
        and convolve.kernel_size[0] in (3, 4, 5)
    )


def _mirrors(op: Any) -> bool:
    is_kerass = type(op).__name__ == "Pad" and type(op).__module__.startswith("keras.")
    return is_kerass and op.mode == "reflect"


def _transposed_before(op: Any) -> Any:
    """Finds the `Conv2DTranspose` whose first row and column a `Cropping2D` removes."""
    before = _only(_previous(op))
    if type(before) is not layers.Conv2DTranspose or _only(_next(before)) is not op:
        return None
    is_ours = (
        op.cropping == _CROPPING
        and before.padding == "valid"
        and (*before.kernel_size, *before.strides, *before.dilation_rate) == (3, 3, 2, 2, 1, 1)
        and before.output_padding is None
        and {op.data_format, before.data_format} == {"channels_last"}
        and _has_no_penalties(before)
    )
    return before if is_ours else None


def _has_no_penalties(op: Any) -> bool:
    penalties = [f"{of}_regularizer" for of in ("kernel", "bias", "activity")]
    penalties += [f"{of}_constraint" for of in ("kernel", "bias")]
    return all(getattr(op, name) is None for name in penalties)


def _without(op: Any, *names: str) -> dict[str, Any]:
    fixed = ("kernel_size", "strides", *names)
    return {name: value for name, value in op.get_config().items() if name not in fixed}


def _next(op: Any) -> list[Any]:
    return [node.operation for node in op._outbound_nodes]


def _previous(op: Any) -> list[Any]:
    return [parent.operation for node in op._inbound_nodes for parent in node.parent_nodes]


def _only(operations: list[Any]) -> Any:
    """Returns the only element; `None` if there are several, or none."""
    return operations[0] if len(operations) == 1 else None
