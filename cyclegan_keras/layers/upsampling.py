"""Doubling by repeated pixels and a convolution."""

from typing import Any, Literal

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.layers import forms
from cyclegan_keras.layers._fast_convolution import (
    DoublingKernel,
    double_and_convolve,
    doubled,
    regroup,
)
from cyclegan_keras.layers.convolution import convolve
from cyclegan_keras.replicas import per_replica


@keras.saving.register_keras_serializable(package=PACKAGE)
class UpsampleConv2D(keras.layers.Layer):
    """Doubles height and width by repeating pixels, then convolves.

    The same function as `UpSampling2D(2)` followed by `Conv2D(filters, kernel_size,
    padding="same")`, with the same weights: `kernel` and `bias`. Where images are large enough (see
    `forms`), it is computed without the doubled image, with 25 instead of 64 multiplications for a
    4×4 kernel; that changes no more than the rounding, and files do not know of it.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the kernel, in pixels of the output.
        activation: Name or function, as for `keras.layers.Conv2D`.
        kernel_initializer: As for `keras.layers.Conv2D`.
        padding: What lies beyond the borders: "zeros"; or, for kernels of 3 to 5 pixels, "reflect":
            the mirror image of what comes in, before it is doubled.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, filters)`.

    Raises:
        ValueError: If there is no such padding, or none for such a kernel.

    Reference:
        *GANs in Action*, listing 9.4 (`deconv2d`);
        [Odena et al., 2016](https://distill.pub/2016/deconv-checkerboard/) on why not a strided
        transposed convolution.
    """

    _prepared: DoublingKernel | None = per_replica()

    def __init__(
        self,
        filters: int,
        kernel_size: int = 4,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        padding: Literal["zeros", "reflect"] = "zeros",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if padding != "zeros" and (padding != "reflect" or kernel_size not in (3, 4, 5)):
            raise ValueError(
                '`padding` must be "zeros", or, for a `kernel_size` of 3 to 5, "reflect": a larger '
                "kernel meets more than one mirrored pixel. "
                f"Received: padding={padding!r}, kernel_size={kernel_size}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.padding = padding

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `kernel` and `bias`, shaped as those of `keras.layers.Conv2D`."""
        channels = input_shape[-1]
        if len(input_shape) != 4 or channels is None:
            raise ValueError(
                "`UpsampleConv2D` wants images of shape (batch, height, width, channels) with a "
                f"known number of channels. Received: input_shape={input_shape}"
            )
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, channels, self.filters),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.bias = self.add_weight(shape=(self.filters,), initializer="zeros", name="bias")
        self._built_for = keras.KerasTensor(input_shape, self.compute_dtype)

    def call(self, inputs: Any) -> Any:
        """Returns the doubled and convolved images."""
        form, border = self._form(inputs), int(self.padding == "reflect")
        if border:
            inputs = ops.pad(inputs, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
        if form != forms.PLAIN:
            y = double_and_convolve(inputs, self._prepared or self._regrouped(form), border)
        else:
            y = convolve(doubled(inputs), ops.cast(self.kernel, self.compute_dtype), 1, "same")
            y = y[:, 2:-2, 2:-2] if border else y
        return self.activation(y + self.bias)

    def _form(self, inputs: Any) -> str:
        return forms.form_of(inputs, self.kernel.shape, doubles=True)

    def _regrouped(self, form: str) -> DoublingKernel:
        kernel = ops.cast(self.kernel, self.compute_dtype)
        return regroup(kernel, with_phases=form == forms.REGROUPED)

    def prepare(self) -> None:
        """Prepares the kernel for several calls; see `kernels_prepared_once`."""
        form = self._form(self._built_for)
        if form != forms.PLAIN:
            self._prepared = self._regrouped(form)

    def forget(self) -> None:
        """Undoes `prepare`."""
        self._prepared = None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with height and width doubled and `filters` channels."""
        batch, height, width, _ = input_shape
        return (batch, height and 2 * height, width and 2 * width, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        config = {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "padding": self.padding,
        }
        return {**super().get_config(), **config}
