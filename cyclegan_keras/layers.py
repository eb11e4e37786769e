"""Layers that Keras does not have, or not in this form."""

from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalises each channel of each image by its own mean and variance.

    Equal to `tfa.layers.InstanceNormalization` of tensorflow-addons 0.23 with its defaults, and to
    `keras.layers.GroupNormalization(groups=-1)`. Statistics are taken in float32 at least, so that
    `mixed_float16` neither overflows nor rounds them away.

    Args:
        epsilon: Added to the variance. Float, 1e-3 by default as in the book's layer; the paper's
            networks use 1e-5.
        center: Whether to add a trained offset per channel, `beta`.
        scale: Whether to multiply by a trained factor per channel, `gamma`.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input's.

    Reference:
        [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022); *GANs in Action*, listing 9.4.
    """

    def __init__(
        self, epsilon: float = 1e-3, center: bool = True, scale: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.supports_masking = True
        # Keras must not round a float32 input to half precision before it is measured.
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `gamma` and `beta`, one value per channel."""
        channels = input_shape[-1]
        if len(input_shape) != 4 or channels is None:
            raise ValueError(
                "`InstanceNormalization` wants images of shape (batch, height, width, channels) "
                f"with a known number of channels. Received: input_shape={input_shape}"
            )
        self.gamma = self._add_weight(channels, "ones", "gamma") if self.scale else None
        self.beta = self._add_weight(channels, "zeros", "beta") if self.center else None

    def _add_weight(self, channels: int, initializer: str, name: str) -> Any:
        return self.add_weight(
            shape=(channels,), initializer=initializer, name=name, autocast=False
        )

    def call(self, inputs: Any) -> Any:
        """Returns the normalised images in the layer's compute dtype."""
        x = ops.cast(inputs, keras.backend.result_type(self.variable_dtype, "float32"))
        # The mean goes first: x·factor − mean·factor and mean(x²) − mean(x)² would cancel where the
        # mean is large against the contrast.
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        variance = ops.mean(ops.square(x), axis=(1, 2), keepdims=True)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self.gamma
        x = x * factor
        if self.beta is not None:
            x = x + self.beta
        return ops.cast(x, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        config = {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package=PACKAGE)
class UpsampleConv2D(keras.layers.Layer):
    """Doubles height and width by repeating pixels, then convolves.

    The same function as `UpSampling2D(2)` followed by `Conv2D(filters, kernel_size,
    padding="same")`, with the same weights: `kernel` and `bias`. Where images are large, it is
    computed without the doubled image, with 36 instead of 64 multiplications for a 4×4 kernel; that
    changes no more than the rounding, and files do not know of it.

    Args:
        filters: Number of output channels.
        kernel_size: Height and width of the kernel, in pixels of the output.
        activation: Name or function, as for `keras.layers.Conv2D`.
        kernel_initializer: As for `keras.layers.Conv2D`.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, filters)`.

    Reference:
        *GANs in Action*, listing 9.4 (`deconv2d`);
        [Odena et al., 2016](https://distill.pub/2016/deconv-checkerboard/) on why not a strided
        transposed convolution.
    """

    # From here on, on two CPU cores, the work that is saved outweighs regrouping the kernel.
    _MANY_PIXELS = 256

    def __init__(
        self,
        filters: int,
        kernel_size: int = 4,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

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

    def call(self, inputs: Any) -> Any:
        """Returns the doubled and convolved images."""
        # Never by the batch: it is known or not as the tracing will have it, and a loaded model
        # must give the same bits as the one that was saved.
        _, height, width, _ = inputs.shape
        many_pixels = (height or 1) * (width or 1) >= self._MANY_PIXELS
        convolve = _convolve_small if many_pixels else _convolve_doubled
        return self.activation(convolve(inputs, self.kernel) + self.bias)

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
        }
        return {**super().get_config(), **config}


def _convolve_doubled(x: Any, kernel: Any) -> Any:
    """Repeats each pixel 2×2 and convolves."""
    return ops.conv(ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2), kernel, padding="same")


def _convolve_small(x: Any, kernel: Any) -> Any:
    """Does what `_convolve_doubled` does without making the doubled image.

    In the doubled image, neighbouring taps of the kernel fall on the same pixel, so they can be
    added up beforehand: one small kernel for the even and one for the odd rows of the result, and
    likewise for the columns. The four results are then dealt out to their places.
    """
    small = [k for rows in _regrouped(kernel, axis=0) for k in _regrouped(rows, axis=1)]
    return _deal_out(ops.conv(x, ops.concatenate(small, axis=-1), padding="same"))


def _regrouped(kernel: Any, axis: int) -> list[Any]:
    """Adds up the taps that fall on the same pixel of the small image, along one axis.

    Returns:
        The small kernels for the even and for the odd places of the result. Both have the same odd
        size, filled up with zeros, and are centred.
    """
    taps = ops.unstack(kernel, axis=axis)
    before = (len(taps) - 1) // 2  # "same" padding puts the smaller half first
    reach = (len(taps) - before) // 2
    kernels = []
    for parity in (0, 1):
        sums: dict[int, Any] = {}
        for index, tap in enumerate(taps):
            place = (parity + index - before) // 2
            sums[place] = sums[place] + tap if place in sums else tap
        zero = ops.zeros_like(taps[0])
        places = range(-reach, reach + 1)
        kernels.append(ops.stack([sums.get(place, zero) for place in places], axis=axis))
    return kernels


def _deal_out(x: Any) -> Any:
    """Turns depth to space: `(batch, h, w, 4 * filters)` into `(batch, 2 * h, 2 * w, filters)`."""
    batch, height, width, channels = ops.shape(x)
    filters = channels // 4
    x = ops.reshape(x, (batch, height, width, 2, 2, filters))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (batch, 2 * height, 2 * width, filters))
