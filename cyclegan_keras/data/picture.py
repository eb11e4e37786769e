"""A picture as its file has it: depth, transparency and numbers are those of the file."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange

# A type of numbers that reaches less of a value range is that of other data.
LEAST_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class Picture:
    """What one file holds, upright, in gray or in sRGB.

    Attributes:
        pixels: `(height, width, 1)` of gray or `(height, width, 3)` of RGB, in the type of the
            file: uint8, uint16, or of a scan any other real type.
        alpha: `(height, width)`, in that type: 0 is transparent, and `opaque` opaque. `None` if
            nothing is transparent. Colors are not multiplied with it.
        depth: Bits of a number in the file, such as 8, or 12 in a uint16.
        format: Such as `"PNG"` or `"JPEG"`, by the content.
        exif: What the file says of how it was made, as Pillow saves it, without orientation, for
            the pixels are upright; `None` if nothing, and for a TIFF.
        left_out: What of the file was left aside, and how often, by a noun.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    depth: int = 8
    format: str = ""
    exif: bytes | None = None
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def is_gray(self) -> bool:
        """Whether it has no color."""
        return self.pixels.shape[2] == 1

    @property
    def size(self) -> tuple[int, int]:
        """Its `(height, width)` in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def opaque(self) -> int | float:
        """What `alpha` is where nothing shines through."""
        return 1.0 if self.pixels.dtype.kind == "f" else self._largest

    @property
    def _largest(self) -> int:
        if self.pixels.dtype.kind == "u" and 8 < self.depth < 8 * self.pixels.itemsize:
            return (1 << self.depth) - 1
        return int(np.iinfo(self.pixels.dtype).max)

    @property
    def own_range(self) -> ValueRange:
        """What is black and what is white by the type of its numbers.

        Raises:
            ValueError: If its type says nothing of that: integers beyond 0 to 65,535, or floats
                beyond 0 to 1; what is wrong, to come after its name.
        """
        pixels = self.pixels
        if pixels.dtype.kind == "f":
            low, high, kind = 0, 1, "float"
        elif pixels.dtype in (np.uint8, np.uint16):
            return ValueRange(0, self._largest)
        else:
            low, high, kind = 0, 65535, "integer"
        least, most = pixels.min(), pixels.max()
        if least < low or most > high:
            raise ValueError(
                f"{kind} pixels must be in [{low}, {high}], these are in [{least:g}, {most:g}]; "
                "say what is black and what is white, with `value_range` (--value-range LOW HIGH, "
                "or auto)"
            )
        return ValueRange(low, high)

    def shares(self, value_range: ValueRange | None = None) -> np.ndarray:
        """Gives its pixels as shares of white, on white where it is transparent.

        Args:
            value_range: What is black and what is white; `None` means `own_range`.

        Returns:
            `(height, width, 1 or 3)`, float32 in [0, 1].

        Raises:
            ValueError: As `own_range` says; or if most of `value_range` lies beyond what the type
                of its numbers can hold.
        """
        if value_range is not None:
            self._check_reaches(value_range)
        shares = (value_range or self.own_range).shares(self.pixels)
        if self.alpha is None:
            return shares
        seen = self.alpha[..., None].astype(np.float32) / np.float32(self.opaque)
        return shares * seen + (1 - seen)

    def _check_reaches(self, value_range: ValueRange) -> None:
        """An 8-bit picture among 12-bit ones would be all black."""
        if self.pixels.dtype.kind == "f":
            return
        least, most = int(np.iinfo(self.pixels.dtype).min), self._largest
        if value_range.share_within(least, most) < LEAST_SHARE:
            raise ValueError(
                f"its numbers can be {least} to {most}, and the value range is {value_range.low:g} "
                f"to {value_range.high:g}, of which they reach less than a quarter; scale them, or "
                "give their own value range"
            )

    def in_rgb(self, value_range: ValueRange | None = None) -> Image.Image:
        """Gives it in 8-bit RGB, on white where it is transparent.

        Args:
            value_range: What is black and what is white; `None` means `own_range`.

        Returns:
            An RGB image.

        Raises:
            ValueError: As `own_range` says.
        """
        levels = np.rint(self.shares(value_range) * 255).astype(np.uint8)
        return Image.fromarray(np.repeat(levels, 3, axis=2) if self.is_gray else levels)
