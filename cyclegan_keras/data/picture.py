"""A picture as its file has it: depth, transparency and numbers are those of the file."""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import color
from cyclegan_keras.data.metadata import BLOCKS, Metadata

# A type of numbers that reaches less of a value range is that of other data.
LEAST_SHARE = 0.25

# Pixels that are made shares at a time.
AT_ONCE = 2**20


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
        metadata: What the file says beside its pixels.
        profile: The ICC profile of the file, in whose colors a translation is written; `None` if
            there is none, or none that is of use.
        in_profile: Whether `pixels` are in the colors of `profile`, as they are in the file, and
            not in those of sRGB. Integers beyond uint16 and floats always are.
        left_out: What of the file was left aside, and how often, by a noun.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    depth: int = 8
    format: str = ""
    metadata: Metadata = dataclasses.field(default_factory=Metadata)
    profile: bytes | None = None
    in_profile: bool = False
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

    @property
    def _has_colors(self) -> bool:
        """Whether its numbers are of a type whose black and white profiles know."""
        return self.pixels.dtype in (np.uint8, np.uint16)

    def to_srgb(self) -> "Picture":
        """Turns its colors into those of sRGB, which is what networks take them for.

        What lies outside of sRGB becomes the nearest color in it.

        Returns:
            The picture with `in_profile` false; itself if its pixels are in sRGB, or of a type that
            profiles say nothing of.

        Raises:
            BadProfileError: If its profile is damaged or of another kind of picture.
        """
        if not self.in_profile or not self._has_colors:
            return self
        return dataclasses.replace(self, pixels=self._turned(color.to_srgb), in_profile=False)

    def to_profile(self) -> "Picture":
        """Turns its colors from those of sRGB into those of its profile.

        Returns:
            The picture with `in_profile` true; itself if it is so, or has no profile.

        Raises:
            BadProfileError: If its profile is damaged, of another kind of picture, or not
                reversible.
        """
        if self.in_profile or self.profile is None:
            return self
        pixels = self._turned(color.from_srgb) if self._has_colors else self.pixels
        return dataclasses.replace(self, pixels=pixels, in_profile=True)

    def without_metadata(self) -> "Picture":
        """Drops all that its file says beside its pixels, except of its colors.

        Returns:
            The picture, with nothing of that counted as left out.
        """
        left_out = {what: count for what, count in self.left_out.items() if what not in BLOCKS}
        return dataclasses.replace(self, metadata=Metadata(), left_out=left_out)

    def _turned(self, turn: Callable[[np.ndarray, bytes], np.ndarray]) -> np.ndarray:
        """Turns its colors; profiles know 8 and 16 bits only, so others become 16 on the way."""
        assert self.profile is not None
        if self._largest in (255, 65535):
            return turn(self.pixels, self.profile)
        scale = 65535 / self._largest
        full = np.rint(np.minimum(self.pixels, self._largest) * scale).astype(np.uint16)
        turned = turn(full, self.profile)
        return self.pixels if turned is full else np.rint(turned / scale).astype(np.uint16)

    def shares(self, value_range: ValueRange | None = None) -> np.ndarray:
        """Gives its pixels in sRGB as shares of white, on white where it is transparent.

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
        return self._shares(value_range or self.own_range)

    def _shares(self, value_range: ValueRange) -> np.ndarray:
        shares = value_range.shares(self.to_srgb().pixels)
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
        if value_range is not None:
            self._check_reaches(value_range)
        known = value_range or self.own_range
        levels = np.empty(self.pixels.shape, np.uint8)
        # In strips, because shares take up to 16 times the memory of levels.
        num_rows = max(1, AT_ONCE // self.size[1])
        for top in range(0, self.size[0], num_rows):
            rows = slice(top, top + num_rows)
            alpha = None if self.alpha is None else self.alpha[rows]
            strip = dataclasses.replace(self, pixels=self.pixels[rows], alpha=alpha)
            levels[rows] = np.rint(strip._shares(known) * 255)
        return Image.fromarray(np.repeat(levels, 3, axis=2) if self.is_gray else levels)
