"""Decides how convolutions are computed: as they are written, or by what gives the same sooner.

Every form gives the numbers of the plain one but for rounding, and has the same weights. Which form
is the fastest depends on the sizes; it was measured on two CPU cores, in float32, by
`benchmarks/convolutions.py`. On GPUs every form is the plain one, since the library that convolves
there chooses among forms of its own.
"""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any, NamedTuple

import tensorflow as tf

PLAIN = "plain"
# The gradient of the kernel, and in the second form that of the images as well, is one matrix
# product.
PATCHES, ALL_PATCHES = "patches", "all patches"
# Doubling without the doubled image: with one small kernel for each place, or by the adjoint.
REGROUPED, ADJOINT = "regrouped", "adjoint"
# Winograd's minimal filtering.
WINOGRAD = "winograd"
# One row of the kernel at a time, as filters of their own.
ROWS = "rows"

_INFINITE = float("inf")


class Rule(NamedTuple):
    """Where a form is the fastest. Limits are the least and the largest value, both included.

    Attributes:
        form: The form.
        doubles: Whether images are doubled before they are convolved.
        kernel: Height and width of the kernel.
        strides: Of the convolution. They must divide `kernel` for the forms by patches.
        pixels: Height times width of what comes out or, where images are doubled, of what goes in.
        pixels_of_batch: The same of the whole batch.
        channels: Of what goes in.
        filters: Of what comes out.
        dtypes: Of the numbers.
    """

    form: str
    doubles: bool = False
    kernel: tuple[float, float] = (1, _INFINITE)
    strides: tuple[float, float] = (1, _INFINITE)
    pixels: tuple[float, float] = (1, _INFINITE)
    pixels_of_batch: tuple[float, float] = (1, _INFINITE)
    channels: tuple[float, float] = (1, _INFINITE)
    filters: tuple[float, float] = (1, _INFINITE)
    dtypes: tuple[str, ...] = ("float16", "bfloat16", "float32", "float64")


# The first rule that fits counts; where none does, the form is the plain one.
ON_CPU = (
    Rule(
        WINOGRAD,
        kernel=(3, 3),
        strides=(1, 1),
        pixels=(512, _INFINITE),
        channels=(96, _INFINITE),
        filters=(96, _INFINITE),
        dtypes=("float32",),
    ),
    Rule(
        ROWS,
        kernel=(4, _INFINITE),
        strides=(1, 1),
        channels=(48, _INFINITE),
        filters=(1, 3),
        dtypes=("float32",),
    ),
    Rule(ALL_PATCHES, strides=(2, _INFINITE), pixels_of_batch=(1, 64)),
    Rule(PATCHES, pixels_of_batch=(1, 256)),
    Rule(ADJOINT, doubles=True, pixels=(64, _INFINITE), filters=(1, 7)),
    Rule(REGROUPED, doubles=True, pixels=(64, _INFINITE)),
)
RULES: dict[str, tuple[Rule, ...]] = {"CPU": ON_CPU, "GPU": ()}

_all_plain = contextvars.ContextVar("all_plain", default=False)


def form_of(
    x: Any,
    kernel_shape: Any,
    strides: int = 1,
    padding: str = "same",
    *,
    doubles: bool = False,
    device: str | None = None,
) -> str:
    """Decides how a convolution is computed.

    Args:
        x: What goes in, `(batch, height, width, channels)`; its shape and its type count.
        kernel_shape: `(size, size, channels, filters)`.
        strides: In both directions.
        padding: "same" or "valid".
        doubles: Whether the images are doubled first.
        device: "CPU" or "GPU"; `None` means a GPU if TensorFlow sees one.

    Returns:
        The form.
    """
    size, _, channels, filters = kernel_shape
    batch, *lengths, _ = x.shape
    if _all_plain.get() or None in lengths:
        return PLAIN
    if device is None:
        device = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    if not doubles:
        border = 0 if padding == "same" else size - 1
        lengths = [-(-(length - border) // strides) for length in lengths]
    pixels = lengths[0] * lengths[1]
    values = {
        "kernel": size,
        "strides": strides,
        "pixels": pixels,
        # A batch of any size may be a large one.
        "pixels_of_batch": _INFINITE if batch is None else batch * pixels,
        "channels": channels,
        "filters": filters,
    }
    for rule in RULES[device]:
        if (
            rule.doubles == doubles
            and tf.as_dtype(x.dtype).name in rule.dtypes
            and all(
                getattr(rule, name)[0] <= value <= getattr(rule, name)[1]
                for name, value in values.items()
            )
            and not (rule.form in (PATCHES, ALL_PATCHES) and (size % strides or padding != "same"))
        ):
            return rule.form
    return PLAIN


@contextlib.contextmanager
def plain_convolutions(are_wanted: bool = True) -> Iterator[None]:
    """Computes convolutions inside as they are written. What is traced inside stays so.

    Args:
        are_wanted: Whether to do so.

    Yields:
        Nothing.
    """
    token = _all_plain.set(are_wanted)
    try:
        yield
    finally:
        _all_plain.reset(token)
