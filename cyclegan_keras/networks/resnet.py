"""The residual generator of the CycleGAN paper."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from cyclegan_keras.config.networks import ResNetConfig
from cyclegan_keras.layers import (
    LeanConv2D,
    ReflectionPadding2D,
    TransposedConv2D,
    UpsampleConv2D,
)
from cyclegan_keras.networks.common import (
    ImgShape,
    by_name,
    check_img_shape,
    norm_of,
    normal_initializers,
    num_features,
    translation,
)


def build_resnet_generator(
    img_shape: ImgShape = (256, 256, 3),
    *args: Any,
    seed: int | None = None,
    name: str | None = None,
    **settings: Any,
) -> keras.Model:
    """Builds the paper's generator: `ResNetConfig(**settings).build(img_shape, seed, name)`.

    Args:
        img_shape: `(height, width, channels)`; height and width divisible by 4, at least 8. Either
            may be `None`: any such size.
        *args: Settings without their names: `gf`, `num_blocks`, `upsampling`, `padding`, `norm`,
            `skips`, `residual`, `exact_residual`.
        seed: Of the initial weights, N(0, 0.02); `None` draws other ones each time.
        name: Of the model.
        **settings: Those of `ResNetConfig`.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)`, float32 in [-1, 1], to the same.

    Raises:
        ValueError: If the images cannot be halved twice, or a setting has no such value.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), appendix 7.2.
    """
    settings = by_name(
        args,
        "gf num_blocks upsampling padding norm skips residual exact_residual".split(),
        settings,
    )
    return ResNetConfig(**settings).build(img_shape, seed, name)


def resnet(
    config: ResNetConfig, img_shape: ImgShape, seed: int | None, name: str | None
) -> keras.Model:
    """Builds the paper's generator: two halvings, residual blocks, two doublings.

    In the paper's words c7s1-64, d128, d256, R256 as often as there are blocks, u128, u64, c7s1-3.
    It pads as the authors' PyTorch code does, so that weights trained there fit in here.

    Args:
        config: Its settings.
        img_shape: As for `build_resnet_generator`.
        seed: Likewise.
        name: Likewise.

    Returns:
        The model.
    """
    reason = "the network halves them twice and reflects the borders of what is left"
    check_img_shape(img_shape, factor=4, reason=reason, any_size=True)
    gf, num_blocks = config.gf, config.num_blocks
    if num_blocks is None:
        num_blocks = num_blocks_for(img_shape)
    parts = Parts(config, normal_initializers(seed))
    img = keras.Input(img_shape, name="img")
    x = parts.features(img, gf, num_blocks, outer_kernel=config.outer_kernel)
    x = parts.convolve(x, num_features(img_shape, config), config.outer_kernel)  # c7s1-3
    return keras.Model(img, translation(x, img, config), name=name)


def num_blocks_for(img_shape: ImgShape) -> int:
    """Returns how many residual blocks the paper has for images of this size."""
    return 6 if all(size is not None and size < 256 for size in img_shape[:2]) else 9


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of the network, each as the settings have it.

    Args:
        config: The settings.
        kernels: Initializers, one for each convolution.
    """

    config: ResNetConfig
    kernels: Iterator[Any]

    def features(
        self, x: Any, gf: int, num_blocks: int, halvings: int = 2, outer_kernel: int = 7
    ) -> Any:
        """Makes features of images: all of the network but its last convolution.

        Args:
            x: The images.
            gf: Filters of the first layer, which each halving doubles.
            num_blocks: Number of residual blocks.
            halvings: How often images are halved, and doubled again.
            outer_kernel: Height and width of the first convolution's kernel.

        Returns:
            `gf` features of each pixel, or twice as many with skips.
        """
        x = self.norm_and_relu(self.convolve(x, gf, outer_kernel))  # c7s1-64
        before_halving, filters = [], gf
        for _ in range(halvings):  # d128, d256
            before_halving.append(x)
            filters *= 2
            x = self.halve(x, filters)
        for _ in range(num_blocks):
            x = self.residual_block(x, filters)
        for _ in range(halvings):  # u128, u64
            filters //= 2
            x = self.double(x, filters)
            if self.config.skips:
                x = layers.Concatenate()([x, before_halving.pop()])
        return x

    def normalize(self, x: Any) -> Any:
        """Normalizes features."""
        return x if self.config.norm == "none" else norm_of(self.config.norm)(x)

    def norm_and_relu(self, x: Any) -> Any:
        """Normalizes features, and cuts off what is negative."""
        return layers.ReLU()(self.normalize(x))

    def convolve(self, x: Any, filters: int, size: int) -> Any:
        """Convolves with mirrored borders."""
        x = ReflectionPadding2D(size // 2)(x)
        return LeanConv2D(filters, size, kernel_initializer=next(self.kernels))(x)

    def halve(self, x: Any, filters: int) -> Any:
        """Halves height and width."""
        # PyTorch pads all sides, and then the first row and column are used. "same" would pad the
        # last.
        pad = ReflectionPadding2D if self.config.padding == "reflect" else layers.ZeroPadding2D
        x = layers.Conv2D(filters, 3, strides=2, kernel_initializer=next(self.kernels))(pad(1)(x))
        return self.norm_and_relu(x)

    def residual_block(self, x: Any, filters: int) -> Any:
        """Adds a change to features."""
        change = self.norm_and_relu(self.convolve(x, filters, 3))
        change = self.normalize(self.convolve(change, filters, 3))
        return layers.Add()([x, change])

    def double(self, x: Any, filters: int) -> Any:
        """Doubles height and width."""
        kernel = next(self.kernels)
        if self.config.upsampling == "transposed":
            x = TransposedConv2D(filters, kernel_initializer=kernel)(x)
        else:
            x = UpsampleConv2D(
                filters,
                3,
                kernel_initializer=kernel,
                padding="reflect" if self.config.padding == "reflect" else "zeros",
            )(x)
        return self.norm_and_relu(x)
