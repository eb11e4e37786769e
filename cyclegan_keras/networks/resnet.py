"""The residual generator of the CycleGAN paper."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from cyclegan_keras.layers import ReflectionPadding2D, TransposedConv2D, UpsampleConv2D
from cyclegan_keras.networks.common import (
    ImgShape,
    check_img_shape,
    full_precision,
    normal_initializers,
    paper_norm,
)

UPSAMPLINGS = ("transposed", "resize")


def build_resnet_generator(
    img_shape: ImgShape = (256, 256, 3),
    gf: int = 64,
    num_blocks: int | None = None,
    upsampling: str = "transposed",
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
    _check_choices(num_blocks, upsampling)
    kernels = normal_initializers(seed)
    img = keras.Input(img_shape, name="img")

    x = _norm_and_relu(_reflect_and_convolve(img, gf, 7, kernels))  # c7s1-64
    for filters in (2 * gf, 4 * gf):  # d128, d256
        x = _halve(x, filters, kernels)
    for _ in range(num_blocks):
        x = _residual_block(x, 4 * gf, kernels)
    for filters in (2 * gf, gf):  # u128, u64
        x = _double(x, filters, upsampling, kernels)
    x = _reflect_and_convolve(x, img_shape[2], 7, kernels)  # c7s1-3
    return keras.Model(img, full_precision("tanh", "translation")(x), name=name)


def _num_blocks_for(img_shape: ImgShape) -> int:
    return 6 if all(size is not None and size < 256 for size in img_shape[:2]) else 9


def _check_choices(num_blocks: int, upsampling: str) -> None:
    if not isinstance(num_blocks, int) or num_blocks < 0:
        raise ValueError(
            "`num_blocks` must be a whole number from 0 on, or None for the paper's 6 or 9. "
            f"Received: num_blocks={num_blocks!r}"
        )
    if upsampling not in UPSAMPLINGS:
        raise ValueError(
            f"`upsampling` must be one of {', '.join(UPSAMPLINGS)}. "
            f"Received: upsampling={upsampling!r}"
        )


def _norm_and_relu(x: Any) -> Any:
    return layers.ReLU()(paper_norm()(x))


def _reflect_and_convolve(x: Any, filters: int, size: int, kernels: Iterator[Any]) -> Any:
    x = ReflectionPadding2D(size // 2)(x)
    return layers.Conv2D(filters, size, kernel_initializer=next(kernels))(x)


def _halve(x: Any, filters: int, kernels: Iterator[Any]) -> Any:
    # PyTorch pads all sides, and then the first row and column are used. "same" would pad the last.
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(filters, 3, strides=2, kernel_initializer=next(kernels))(x)
    return _norm_and_relu(x)


def _residual_block(x: Any, filters: int, kernels: Iterator[Any]) -> Any:
    change = _norm_and_relu(_reflect_and_convolve(x, filters, 3, kernels))
    change = paper_norm()(_reflect_and_convolve(change, filters, 3, kernels))
    return layers.Add()([x, change])


def _double(x: Any, filters: int, upsampling: str, kernels: Iterator[Any]) -> Any:
    kernel = next(kernels)
    if upsampling == "resize":
        x = UpsampleConv2D(filters, 3, kernel_initializer=kernel)(x)
    else:
        x = TransposedConv2D(filters, kernel_initializer=kernel)(x)
    return _norm_and_relu(x)
