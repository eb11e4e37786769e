"""The settings of the networks. Each class builds the network that it describes."""

import dataclasses
from typing import Literal

from cyclegan_keras.config.fields import Needs, setting
from cyclegan_keras.config.parts import NetworkConfig

_NORM = "normalization of the generators; pixel and none are for a resnet; contrib, the layer of "
_NORM += "keras_contrib that the book's listing imports, is for the book's U-Net"
_D_NORM = "normalization of the discriminators; contrib is for the book's, pixel and none are for "
_D_NORM += "the others"
_DROPOUT = "dropout rate of a U-Net, below 1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorConfig(NetworkConfig):
    """What all generators have.

    Args:
        gf: Filters of the first layer.
        residual: Whether the output is a change of the input, which has values of its own where
            black and white are; see `layers.residual_output`.
        exact_residual: Whether black and white pass through such an output unchanged.
        blend: Whether the output is a blend of the input and a new image; see
            `layers.blended_output`.

    Raises:
        ValueError: If both `residual` and `blend` are wanted.
    """

    gf: int = setting("networks", 64, "filters of the generators' first layer", least=1)
    residual: bool = setting(
        "networks",
        False,
        "residual output: generators predict a change of their input instead of a new image",
        name="residual_output",
        was=["residual"],
        excludes="blended_output",
    )
    exact_residual: bool = setting(
        "networks",
        True,
        "let black and white pass through a residual output unchanged; without it, they become "
        "levels 3 and 252, as in runs from before this setting",
        needs=Needs("residual_output"),
        off=(None, True),
    )
    blend: bool = setting(
        "networks",
        False,
        "blended output: generators predict a new image, and a mask by which it is blended with "
        "their input",
        name="blended_output",
        excludes="residual_output",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.residual and self.blend:
            raise ValueError(
                "A generator's output is either residual or blended. Give one of "
                "`residual_output` and `blended_output`. Received: both"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class UNetConfig(GeneratorConfig):
    """The book's U-Net; see `networks.unet`.

    Args:
        dropout: Share of the features dropped after each doubling, in [0, 1).
        norm: "instance", or "contrib" for that of keras_contrib, which the book's listing imports.

    Reference:
        *GANs in Action*, listing 9.4.
    """

    kind = "unet"
    builder = "cyclegan_keras.networks.unet:unet"
    gf: int = setting("networks", 32, "filters of the generators' first layer", least=1)
    dropout: float = setting("networks", 0.0, _DROPOUT, least=0, below=1)
    norm: Literal["instance", "contrib"] = setting("networks", "instance", _NORM)

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        return 16, "four times"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ResNetConfig(GeneratorConfig):
    """The residual generator of the CycleGAN paper; see `networks.resnet`.

    Args:
        num_blocks: Number of residual blocks. `None` means 6 if height and width are below 256
            pixels, else 9, as in the paper; 9 also where they are not known.
        upsampling: `"transposed"` for the paper's transposed convolutions, `"resize"` for nearest
            neighbour and a convolution, which draws no checkerboards.
        padding: `"paper"` pads with mirrored pixels at the outer convolutions and in the blocks,
            and with zeros where sizes change; `"reflect"` with mirrored pixels everywhere, so that
            the border does not show. Transposed convolutions have zeros in any case.
        norm: `"instance"` as in the paper, `"pixel"` over the channels of each pixel, or `"none"`.
        skips: Whether the features from before a halving are concatenated to those of the same size
            after a doubling, as in a U-Net.
        outer_kernel: Height and width of the first and the last convolution's kernel: 3, 5, or 7 as
            in the paper.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), appendix 7.2;
        [Odena et al., 2016](https://distill.pub/2016/deconv-checkerboard/) on `"resize"`.
    """

    kind = "resnet"
    builder = "cyclegan_keras.networks.resnet:resnet"
    num_blocks: int | None = setting(
        "networks",
        None,
        "number of residual blocks of a resnet; the paper has 6 below 256 pixels and 9 from there "
        "on",
        least=0,
    )
    upsampling: Literal["transposed", "resize"] = setting(
        "networks", "transposed", "how a resnet doubles the size of its feature maps"
    )
    padding: Literal["paper", "reflect"] = setting(
        "networks",
        "paper",
        "of a resnet: paper has zeros where sizes change; reflect has mirrored pixels everywhere",
    )
    norm: Literal["instance", "pixel", "none"] = setting("networks", "instance", _NORM)
    skips: bool = setting(
        "networks",
        False,
        "give a resnet the skip connections of a U-Net",
        off=(),  # A U-Net has them, so False is not true of it either.
    )
    outer_kernel: Literal[3, 5, 7] = setting(
        "networks",
        7,
        "height and width of the kernel of a resnet's first and last convolution; the paper has 7",
    )

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        return 4, "twice"


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeepUNetConfig(GeneratorConfig):
    """The U-Net of pix2pix, which halves images down to one pixel; see `networks.unet`.

    Args:
        dropout: Share of the features dropped in the inner doublings, between the innermost and
            those with fewer filters, in [0, 1): three at 256 pixels, none at 32.
        norm: "instance".

    Reference:
        [Isola et al., 2017](https://arxiv.org/abs/1611.07004), appendix 6.1.1.
    """

    kind = "deep_unet"
    builder = "cyclegan_keras.networks.unet:deep_unet"
    dropout: float = setting("networks", 0.5, _DROPOUT, least=0, below=1)
    norm: Literal["instance"] = setting("networks", "instance", _NORM)

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        words = "until one pixel of the shorter side is left, or eight times"
        return 2 ** min(8, shorter.bit_length() - 1), words


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(NetworkConfig):
    """What all discriminators have.

    Args:
        df: Filters of the first layer.
    """

    df: int = setting("networks", 64, "filters of the discriminators' first layer", least=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BookDiscriminatorConfig(DiscriminatorConfig):
    """The book's discriminator, whose patches have 94 pixels; see `networks.patch`.

    Args:
        norm: "instance", or "contrib" for that of keras_contrib, which the book's listing imports.

    Reference:
        *GANs in Action*, listing 9.5.
    """

    kind = "book"
    builder = "cyclegan_keras.networks.patch:book"
    norm: Literal["instance", "contrib"] = setting("networks", "instance", _D_NORM, name="d_norm")

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by."""
        return 16, "four times"


# Receptive fields of PatchGANs and, for each, the shorter side of the smallest images, in pixels:
# three rows are left after the halvings, two of them to be normalised, and one score. A field of
# one pixel leaves all that there are, and one alone cannot be normalised.
_Field = Literal[1, 16, 34, 70, 142, 286]
_FIELDS: dict[_Field, int] = {1: 2, 16: 6, 34: 12, 70: 24, 142: 48, 286: 96}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatchGANConfig(DiscriminatorConfig):
    """A PatchGAN of the pix2pix paper; CycleGAN's has 70 pixels; see `networks.patch`.

    Args:
        receptive_field: Height and width of the patch that a score is given for, in pixels: 1, 16,
            34, 70, 142 or 286.
        norm: "instance" as in the papers, "pixel" over the channels of each pixel, or "none".
        affine: Whether the norms have factors and offsets and, for that, no biases before them,
            which is what pix2pix's batch norm is at batch size 1. CycleGAN's have not.
        detail: How far the detail of an image is amplified that it sees beside the image (see
            `layers.AddDetail`); with 0, as in the papers, it sees the image alone.
        detail_size: Height and width, in pixels, of the surroundings that detail differs from, odd.

    Reference:
        [Isola et al., 2017](https://arxiv.org/abs/1611.07004), appendix 6.1.2.
    """

    builder = "cyclegan_keras.networks.patch:patch_gan"
    receptive_field: _Field = 70
    norm: Literal["instance", "pixel", "none"] = setting(
        "networks", "instance", _D_NORM, name="d_norm"
    )
    affine: bool = setting(
        "networks",
        False,
        "give the norms of a PatchGAN factors and offsets",
        name="d_affine",
        flag="",
    )
    detail: float = setting(
        "networks",
        0.0,
        "how far the detail of an image is amplified that a PatchGAN sees beside the image; 0 "
        "leaves it out",
        name="d_detail",
        least=0,
    )
    detail_size: int = setting(
        "networks",
        3,
        "height and width, in pixels, of the surroundings that detail differs from; an odd number",
        name="d_detail_size",
        least=3,
        needs=Needs("d_detail"),
        off=(None, 3),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.receptive_field not in _FIELDS:
            raise ValueError(
                f"`receptive_field` must be one of {', '.join(map(str, _FIELDS))} pixels, or None "
                "for the book's discriminator. "
                f"Received: receptive_field={self.receptive_field!r}"
            )
        if self.detail_size % 2 == 0:
            raise ValueError(
                "`d_detail_size` must be odd, since a pixel is in the middle of its surroundings. "
                f"Received: d_detail_size={self.detail_size}"
            )

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The value of the setting `discriminator`."""
        return f"patch{self.receptive_field}"

    @property
    def least(self) -> int:  # type: ignore[override]
        """The shorter side of the smallest images, in pixels."""
        return max(_FIELDS[self.receptive_field], self._least_of_detail)

    @property
    def least_because(self) -> str:  # type: ignore[override]
        """What takes no smaller images."""
        if self._least_of_detail == self.least:
            return f"d_detail_size={self.detail_size} mirrors half as many pixels at each border"
        return f"discriminator={self.kind} leaves nothing to score of smaller images"

    @property
    def _least_of_detail(self) -> int:
        return self.detail_size // 2 + 1 if self.detail else 1


GENERATORS: dict[str, GeneratorConfig] = {
    each.kind: each for each in (UNetConfig(), ResNetConfig(), DeepUNetConfig())
}
PATCHES = tuple(PatchGANConfig(receptive_field=pixels) for pixels in _FIELDS)
DISCRIMINATORS: dict[str, DiscriminatorConfig] = {
    each.kind: each for each in (BookDiscriminatorConfig(), *PATCHES)
}
