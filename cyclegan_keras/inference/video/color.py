"""Frames as RGB and back, by the tags that say how a video codes its colors."""

import dataclasses
from typing import Any

import numpy as np

from cyclegan_keras.inference.video import libav

# Pictures at least so large are high definition, whose colors are coded by BT.709 where no tag says
# otherwise; smaller ones, by BT.601. Players take it so, too.
HD_WIDTH, HD_HEIGHT = 1280, 720

_UNSPECIFIED = 2
# Transfer functions of HDR, as in ITU-T H.273: PQ and HLG.
HDR = {16: "PQ", 18: "HLG"}


@dataclasses.dataclass(frozen=True)
class Coding:
    """How a video codes its colors.

    Attributes:
        pix_fmt: FFmpeg's name of the pixel format.
        full_range: Whether black is 0 and white 255, and not 16 and 235.
        matrix: FFmpeg's number of the matrix between RGB and YUV, for swscale.
        has_alpha: Whether there is transparency.
        tags: `color_range`, `colorspace`, `color_primaries` and `color_trc`, as they are written.
    """

    pix_fmt: str
    full_range: bool
    matrix: int
    has_alpha: bool
    tags: dict[str, int]

    @classmethod
    def of(cls, picture: Any) -> "Coding":
        """Reads the tags of a frame.

        Args:
            picture: PyAV's frame.

        Returns:
            How its colors are coded.
        """
        from av.video.reformatter import ColorRange

        name = picture.format.name
        is_jpeg = name.startswith("yuvj")
        full_range = is_jpeg or picture.color_range == ColorRange.JPEG
        # An outdated way to say "full range", which encoders warn of.
        pix_fmt = name.replace("yuvj", "yuv") if is_jpeg else name
        return cls(
            pix_fmt,
            full_range,
            _matrix(picture.colorspace, picture.width, picture.height),
            any(component.is_alpha for component in picture.format.components),
            {
                "color_range": int(ColorRange.JPEG if is_jpeg else picture.color_range),
                "colorspace": int(picture.colorspace),
                "color_primaries": int(picture.color_primaries),
                "color_trc": int(picture.color_trc),
            },
        )

    def to_rgb(
        self, picture: Any, size: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Converts a frame to RGB; what is transparent is shown on white, as in pictures.

        Args:
            picture: PyAV's frame, coded this way.
            size: `(width, height)` in pixels, if the frame is to be scaled.

        Returns:
            `(height, width, 3)`, uint8, and its opacity, `(height, width)`, uint8, if it has any.
        """
        width, height = size or (picture.width, picture.height)
        array = picture.reformat(
            width,
            height,
            "rgba" if self.has_alpha else "rgb24",
            src_colorspace=self.matrix,
            src_color_range=self._range(),
            dst_color_range=_full(),
            interpolation=_scaling(),
        ).to_ndarray()
        if not self.has_alpha:
            return array, None
        rgb, alpha = array[..., :3], np.ascontiguousarray(array[..., 3])
        opacity = alpha[..., None].astype(np.float32) / 255
        shown = np.rint(rgb * opacity + 255 * (1 - opacity)).astype(np.uint8)
        return shown, alpha

    def from_rgb(self, rgb: np.ndarray, alpha: np.ndarray | None, pix_fmt: str) -> Any:
        """Converts RGB to a frame that is coded this way.

        Args:
            rgb: `(height, width, 3)`, uint8.
            alpha: Its opacity, `(height, width)`, uint8, or `None`.
            pix_fmt: The pixel format that the encoder takes.

        Returns:
            PyAV's frame.
        """
        av = libav.load()
        pixels = rgb if alpha is None else np.dstack([rgb, alpha])
        frame = av.VideoFrame.from_ndarray(
            np.ascontiguousarray(pixels), "rgb24" if alpha is None else "rgba"
        ).reformat(
            format=pix_fmt,
            src_color_range=_full(),
            dst_colorspace=self.matrix,
            dst_color_range=self._range(),
            interpolation=_scaling(),
        )
        for name, value in self.tags.items():
            setattr(frame, name, value)
        return frame

    def _range(self) -> Any:
        from av.video.reformatter import ColorRange

        return ColorRange.JPEG if self.full_range else ColorRange.MPEG


def _matrix(colorspace: int, width: int, height: int) -> int:
    """Returns swscale's number for a matrix of H.273."""
    from av.video.reformatter import Colorspace

    known = {
        1: Colorspace.ITU709,
        4: Colorspace.FCC,
        5: Colorspace.ITU601,
        6: Colorspace.ITU601,
        7: Colorspace.SMPTE240M,
        9: Colorspace.BT2020,
        10: Colorspace.BT2020,
    }
    is_hd = width >= HD_WIDTH or height >= HD_HEIGHT
    return int(known.get(colorspace, Colorspace.ITU709 if is_hd else Colorspace.ITU601))


def _full() -> Any:
    from av.video.reformatter import ColorRange

    return ColorRange.JPEG


def _scaling() -> Any:
    """How chroma is scaled: with these flags, luma comes back within a level; without, it may not.

    Seen in a photo as yuv420p: 0.01 levels on average, and 1.05 with swscale's defaults.
    """
    from av.video.reformatter import Interpolation

    return (
        Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP
    )
