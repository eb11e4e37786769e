"""Layers that Keras does not have, or not in this form."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.convolutions import DoublingKernel, convolve, double_and_convolve, regroup
from cyclegan_keras.normalization import normalize


@keras.saving.register_keras_serializable(package=PACKAGE)
class InstanceNormalization(keras.layers.Layer):
    """Normalises each channel of each image by its own mean and variance.

    Equal to `tfa.layers.InstanceNormalization` of tensorflow-addons 0.23 with its defaults, and to
    `keras.layers.GroupNormalization(groups=-1)`. The book's listings import another one, from
    keras_contrib; see `contrib_norm.ContribNormalization`. Statistics are taken in float32 at
    least, so that `mixed_float16` neither overflows nor rounds them away.

    Args:
        epsilon: Added to the variance. Float, 1e-3 by default, as in tensorflow-addons; the paper's
            networks use 1e-5.
        center: Whether to add a trained offset per channel, `beta`.
        scale: Whether to multiply by a trained factor per channel, `gamma`.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input's.

    Reference:
        [Ulyanov et al., 2016](https://arxiv.org/abs/1607.08022); *GANs in Action*, chapter 9, the
        footnote on instance normalisation.
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
        channels = x.shape[-1]
        ones, zeros = tf.ones(channels, x.dtype), tf.zeros(channels, x.dtype)
        gamma = ones if self.gamma is None else tf.convert_to_tensor(self.gamma)
        beta = zeros if self.beta is None else tf.convert_to_tensor(self.beta)
        return ops.cast(normalize(x, gamma, beta, self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        config = {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable(package=PACKAGE)
class LeanConv2D(keras.layers.Conv2D):
    """Keras's `Conv2D`, with a faster gradient of the kernel where few pixels meet many weights.

    Outputs and gradients are those of `keras.layers.Conv2D`, but for the gradients' rounding.

    Args:
        *args: Of `keras.layers.Conv2D`.
        **kwargs: Of `keras.layers.Conv2D`.
    """

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Returns the convolution, without bias and activation."""
        settings = (self.padding, self.data_format, self.dilation_rate, self.groups)
        is_plain = settings == ("same", "channels_last", (1, 1), 1)
        is_square = len({*self.kernel_size}) == len({*self.strides}) == 1
        if not (is_plain and is_square):
            return super().convolution_op(inputs, kernel)
        return convolve(inputs, kernel, self.strides[0])


@keras.saving.register_keras_serializable(package=PACKAGE)
class ReflectionPadding2D(keras.layers.Layer):
    """Pads images with their own mirror image; the pixels at the border are not repeated.

    Args:
        padding: Pixels on each side, or `((top, bottom), (left, right))`.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`; height and width larger than the padding on each side.

    Output shape:
        `(batch, top + height + bottom, left + width + right, channels)`.

    Raises:
        ValueError: If the padding is no such number, or not smaller than the images.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), appendix 7.2.
    """

    def __init__(self, padding: int | Sequence[Sequence[int]] = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = _pairs(padding)

    def call(self, inputs: Any) -> Any:
        """Returns the padded images."""
        self._check(inputs.shape)
        return ops.pad(inputs, [(0, 0), *self.padding, (0, 0)], mode="reflect")

    def _check(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 4 or any(
            size is not None and size <= max(sides)
            for size, sides in zip(input_shape[1:3], self.padding, strict=True)
        ):
            raise ValueError(
                "`ReflectionPadding2D` wants images of shape (batch, height, width, channels) with "
                "height and width larger than the padding, because there must be as many pixels "
                f"beside the border to reflect. Received: input_shape={tuple(input_shape)} with "
                f"padding={self.padding}"
            )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with the padding added to height and width."""
        self._check(input_shape)
        batch, *sizes, channels = input_shape
        height, width = (
            size and size + sum(sides) for size, sides in zip(sizes, self.padding, strict=True)
        )
        return (batch, height, width, channels)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {**super().get_config(), "padding": self.padding}


def _pairs(padding: int | Sequence[Sequence[int]]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Spells a padding out as `((top, bottom), (left, right))`."""
    try:
        (top, bottom), (left, right) = (
            ((padding, padding), (padding, padding)) if isinstance(padding, int) else padding
        )
        are_numbers = all(isinstance(n, int) and n >= 0 for n in (top, bottom, left, right))
    except (TypeError, ValueError):
        are_numbers = False
    if not are_numbers:
        raise ValueError(
            "`padding` must be a number of pixels, or ((top, bottom), (left, right)), from 0 on. "
            f"Received: padding={padding!r}"
        )
    return (top, bottom), (left, right)


@keras.saving.register_keras_serializable(package=PACKAGE)
class UpsampleConv2D(keras.layers.Layer):
    """Doubles height and width by repeating pixels, then convolves.

    The same function as `UpSampling2D(2)` followed by `Conv2D(filters, kernel_size,
    padding="same")`, with the same weights: `kernel` and `bias`. Where images are large enough, it
    is computed without the doubled image, with 25 instead of 64 multiplications for a 4×4 kernel;
    that changes no more than the rounding, and files do not know of it.

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
    MANY_PIXELS = 64

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
        self._regrouped: DoublingKernel | None = None

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
        if (height or 1) * (width or 1) < self.MANY_PIXELS:
            doubled = ops.repeat(ops.repeat(inputs, 2, axis=1), 2, axis=2)
            y = convolve(doubled, ops.convert_to_tensor(self.kernel), 1)
        else:
            y = double_and_convolve(inputs, self._regrouped or self._regroup())
        return self.activation(y + self.bias)

    def _regroup(self) -> DoublingKernel:
        return regroup(ops.cast(self.kernel, self.compute_dtype))

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


@keras.saving.register_keras_serializable(package=PACKAGE)
class TransposedConv2D(keras.layers.Conv2DTranspose):
    """Doubles height and width by a transposed 3×3 convolution, aligned as the paper's authors do.

    Equal to PyTorch's `ConvTranspose2d(3, stride=2, padding=1, output_padding=1)`. Keras's own
    stands one pixel further down and to the right, and to cut that off costs time.

    Args:
        filters: Number of output channels.
        **kwargs: Of `keras.layers.Conv2DTranspose`, but for the size, the stride and the padding.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        `(batch, 2 * height, 2 * width, filters)`.
    """

    # Of the convolution that this one is the transpose of: one pixel above and on the left.
    PADDING = ((0, 0), (1, 0), (1, 0), (0, 0))

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(filters, 3, strides=2, **kwargs)

    def call(self, inputs: Any) -> Any:
        """Returns the doubled and convolved images."""
        batch, height, width, _ = tf.unstack(tf.shape(inputs))
        _, known_height, known_width, _ = inputs.shape
        size = (2 * (known_height or height), 2 * (known_width or width))
        y = tf.nn.conv2d_transpose(
            inputs,
            ops.convert_to_tensor(self.kernel),
            (batch, *size, self.filters),
            strides=2,
            padding=self.PADDING,
        )
        if self.use_bias:
            y = tf.nn.bias_add(y, ops.convert_to_tensor(self.bias))
        return self.activation(y)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape with height and width doubled and `filters` channels."""
        batch, height, width, _ = input_shape
        return (batch, height and 2 * height, width and 2 * width, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        fixed = ("kernel_size", "strides")
        return {name: value for name, value in super().get_config().items() if name not in fixed}


@contextlib.contextmanager
def kernels_regrouped_once(*models: keras.Model) -> Iterator[None]:
    """Lets each `UpsampleConv2D` regroup its kernel once, however often it is called inside.

    Args:
        *models: Models with such layers in them, or without. Their weights must not change inside.

    Yields:
        Nothing; call the models inside, in the same function or gradient tape.
    """
    upsampling = [
        layer
        for model in models
        for layer in model._flatten_layers()
        if isinstance(layer, UpsampleConv2D) and layer.built
    ]
    try:
        for layer in upsampling:
            layer._regrouped = layer._regroup()
        yield
    finally:
        for layer in upsampling:
            layer._regrouped = None
