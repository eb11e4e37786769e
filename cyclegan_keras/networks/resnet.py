"""The residual generator of the CycleGAN paper."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from cyclegan_keras.config import norms
from cyclegan_keras.layers import ReflectionPadding2D, TransposedConv2D, UpsampleConv2D
from cyclegan_keras.networks.common import (
    ImgShape,
    check_img_shape,
    norm_of,
    normal_initializers,
    translation,
)

UPSAMPLINGS = ("transposed", "resize")
PADDINGS = ("paper", "reflect")


def build_resnet_generator(
    img_shape: ImgShape = (256, 256, 3),
    gf: int = 64,
    num_blocks: int | None = None,
    upsampling: str = "transposed",
    padding: str = "paper",
    norm: str = "instance",
    skips: bool = False,
    residual: bool = False,
    exact_residual: bool = True,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Builds the paper's generator: two halvings, residual blocks, two doublings.

    In the paper's words c7s1-64, d128, d256, R256 as often as there are blocks, u128, u64, c7s1-3.
    It pads as the authors' PyTorch code does, so that weights trained there fit in here.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 4, at least 8. Either
            may be `None`: any such size.
        gf: Filters of the first layer.
        num_blocks: Number of residual blocks. `None` means 6 if height and width are below 256
            pixels, else 9, as in the paper; 9 also where they are not known.
        upsampling: `"transposed"` for the paper's transposed convolutions, `"resize"` for nearest
            neighbour and a convolution, which draws no checkerboards.
        padding: `"paper"` pads with mirrored pixels at the outer convolutions and in the blocks,
            and with zeros where sizes change; `"reflect"` with mirrored pixels everywhere, so that
            the border does not show. Transposed convolutions have zeros in any case.
        norm: `"instance"` as in the paper, `"pixel"` over the channels of each pixel, or `"none"`.
        skips: Whether what the layers before the halvings found is put beside what the layers of
            the same size behind the doublings find, as in a U-Net.
        residual: Whether the output is a change of the input; see `residual.ChangeImage`.
        exact_residual: Whether black and white pass through such an output unchanged.
        seed: Of the initial weights, N(0, 0.02); `None` draws other ones each time.
        name: Of the model.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to the same.

    Raises:
        ValueError: If the images cannot be halved twice, or an argument has no such value.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), appendix 7.2;
        [Odena et al., 2016](https://distill.pub/2016/deconv-checkerboard/) on `"resize"`.
    """
    reason = "the network halves them twice and reflects the borders of what is left"
    check_img_shape(img_shape, factor=4, reason=reason, any_size=True)
    num_blocks = _num_blocks_for(img_shape) if num_blocks is None else num_blocks
    _check_choices(num_blocks, upsampling=upsampling, padding=padding)
    norms.check(norm, "resnet")
    parts = _Parts(normal_initializers(seed), norm, padding, upsampling)
    img = keras.Input(img_shape, name="img")

    x = parts.norm_and_relu(parts.convolve(img, gf, 7))  # c7s1-64
    before_halving = []
    for filters in (2 * gf, 4 * gf):  # d128, d256
        before_halving.append(x)
        x = parts.halve(x, filters)
    for _ in range(num_blocks):
        x = parts.residual_block(x, 4 * gf)
    for filters in (2 * gf, gf):  # u128, u64
        x = parts.double(x, filters)
        if skips:
            x = layers.Concatenate()([x, before_halving.pop()])
    x = parts.convolve(x, img_shape[2], 7)  # c7s1-3
    return keras.Model(img, translation(x, img, residual, exact_residual), name=name)


def _num_blocks_for(img_shape: ImgShape) -> int:
    return 6 if all(size is not None and size < 256 for size in img_shape[:2]) else 9


def _check_choices(num_blocks: int, **choices: str) -> None:
    if not isinstance(num_blocks, int) or num_blocks < 0:
        raise ValueError(
            "`num_blocks` must be a whole number from 0 on, or None for the paper's 6 or 9. "
            f"Received: num_blocks={num_blocks!r}"
        )
    known = {"upsampling": UPSAMPLINGS, "padding": PADDINGS}
    for name, value in choices.items():
        if value not in known[name]:
            raise ValueError(
                f"`{name}` must be one of {', '.join(known[name])}. Received: {name}={value!r}"
            )


@dataclasses.dataclass(frozen=True)
class _Parts:
    """The parts of the network, each as the settings have it."""

    kernels: Iterator[Any]
    norm: str
    padding: str
    upsampling: str

    def normalize(self, x: Any) -> Any:
        return x if self.norm == "none" else norm_of(self.norm)(x)

    def norm_and_relu(self, x: Any) -> Any:
        return layers.ReLU()(self.normalize(x))

    def convolve(self, x: Any, filters: int, size: int) -> Any:
        x = ReflectionPadding2D(size // 2)(x)
        return layers.Conv2D(filters, size, kernel_initializer=next(self.kernels))(x)

    def halve(self, x: Any, filters: int) -> Any:
        # PyTorch pads all sides, and then the first row and column are used. "same" would pad the
        # last.
        pad = ReflectionPadding2D if self.padding == "reflect" else layers.ZeroPadding2D
        x = layers.Conv2D(filters, 3, strides=2, kernel_initializer=next(self.kernels))(pad(1)(x))
        return self.norm_and_relu(x)

    def residual_block(self, x: Any, filters: int) -> Any:
        change = self.norm_and_relu(self.convolve(x, filters, 3))
        change = self.normalize(self.convolve(change, filters, 3))
        return layers.Add()([x, change])

    def double(self, x: Any, filters: int) -> Any:
        kernel = next(self.kernels)
        if self.upsampling == "transposed":
            x = TransposedConv2D(filters, kernel_initializer=kernel)(x)
        elif self.padding == "paper":
            x = UpsampleConv2D(filters, 3, kernel_initializer=kernel)(x)
        else:
            # One mirrored pixel becomes two, of which the convolution wants one.
            x = ReflectionPadding2D(1)(x)
            x = UpsampleConv2D(filters, 3, kernel_initializer=kernel)(x)
            x = layers.Cropping2D(2)(x)
        return self.norm_and_relu(x)
