"""How pictures are translated: in which size, and where their detail comes from."""

import dataclasses
import typing
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from cyclegan_keras.data import fitting
from cyclegan_keras.inference import guided

Detail = Literal["guided", "network", "plain"]
DETAILS: tuple[Detail, ...] = typing.get_args(Detail)
LEAST_SIZE, MOST_SIZE = 8, 16_384
LEAST_TILE = 32


class Placement(NamedTuple):
    """How a picture lies in what a generator sees of it.

    Attributes:
        size: `(height, width)` of the small copy of the picture, in pixels.
        margins: The rows above and below it, and the columns on its left and right, which are its
            mirror image.
    """

    size: guided.Size
    margins: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))

    def padded(self, pixels: np.ndarray) -> np.ndarray:
        """Adds the margins.

        Args:
            pixels: `(*size, channels)`.

        Returns:
            What the generator sees.
        """
        if not any(map(any, self.margins)):
            return pixels
        return np.pad(pixels, (*self.margins, (0, 0)), mode="reflect")

    def inner(self, pixels: np.ndarray) -> np.ndarray:
        """Takes the margins off again.

        Args:
            pixels: What the generator sees, or what it makes of that.

        Returns:
            `(*size, channels)`.
        """
        (top, _), (left, _) = self.margins
        height, width = self.size
        return pixels[top : top + height, left : left + width]


@dataclasses.dataclass(frozen=True)
class Manner:
    """How pictures are translated.

    Attributes:
        detail: `"guided"` translates a small copy in the generator's size and gives the translation
            the detail of a larger picture; a picture that is not larger is translated as by
            `"plain"`, which enlarges the translation of the copy. `"network"` translates the
            picture in its own size.
        size: The longer side of the small copy in pixels, with the proportions of the picture;
            `None` means the generator's size, or the picture's own if it takes any size.
        tile: Height and width in pixels of the tiles in which `"network"` translates; `None` means
            that memory decides.
        keep_colors: Whether the translation has the colors of the picture: its brightness (luma)
            changes and its chroma does not.
        side_by_side: Whether the picture stands on the left of its translation.
        fit: How a picture of other proportions than the generator's size becomes a small copy, as
            in training (`data.fitting`): `"stretch"` gives the copy that size. `"pad"` makes the
            whole picture fit in and mirrors it to fill the rest, which is cut off again. `"crop"`
            scales it as in training, where only the middle was seen; the copy is the whole picture,
            and longer than the generator's size. It says nothing where the copy keeps the
            proportions anyway: with `size`, and for generators of any size.

    Raises:
        ValueError: If one of them has no such value, or they contradict each other.
    """

    detail: Detail = "guided"
    size: int | None = None
    tile: int | None = None
    keep_colors: bool = False
    side_by_side: bool = False
    fit: fitting.Fit = "stretch"

    def __post_init__(self) -> None:
        if self.detail not in DETAILS:
            raise ValueError(
                f"`detail` must be one of {', '.join(DETAILS)}. Received: detail={self.detail!r}"
            )
        _check_number("size", self.size, LEAST_SIZE, MOST_SIZE)
        _check_number("tile", self.tile, LEAST_TILE, MOST_SIZE)
        fitting.checked(self.fit)
        if self.fit != "stretch" and (self.size is not None or self.detail == "network"):
            other = "detail='network'" if self.size is None else f"size={self.size}"
            raise ValueError(
                "`fit` says how a picture gets the proportions of the generator's size, and with "
                f"{other} it keeps its own. Leave one out. Received: fit={self.fit!r}"
            )
        if self.size is not None and self.detail == "network":
            raise ValueError(
                "`size` is that of the small copy, and detail='network' makes none. Leave one out."
            )
        if self.tile is not None and self.detail != "network":
            raise ValueError(
                f"`tile` needs detail='network'. Received: tile={self.tile}, detail={self.detail!r}"
            )

    def rebuilds(self, generator: keras.Model) -> bool:
        """Tells whether pictures are translated one by one, each in a size of its own.

        Args:
            generator: The generator.

        Returns:
            Whether it is so: because the manner says so, or the generator has no size.
        """
        is_own = self.detail == "network" or self.size is not None or self.fit == "crop"
        return is_own or None in generator.input_shape[1:3]

    def placement(self, generator: keras.Model, size: guided.Size) -> Placement:
        """Finds what a generator sees of a picture.

        Args:
            generator: The generator.
            size: `(height, width)` of the picture.

        Returns:
            The size of the copy, and the margins around it.
        """
        if self.size is not None:
            return Placement(_scaled(size, self.size / max(size)))
        trained = generator.input_shape[1:3]
        if self.detail == "network" or None in trained:
            return Placement(size)
        if self.fit == "crop":
            scale = max(trained[0] / size[0], trained[1] / size[1])
            # A line of pixels would become a picture of many times as many.
            return Placement(_scaled(size, min(scale, MOST_SIZE / max(size))))
        if self.fit == "pad":
            top, left, *inner = map(int, fitting.padded_box(size, trained))
            rest = (trained[0] - inner[0] - top, trained[1] - inner[1] - left)
            return Placement((inner[0], inner[1]), ((top, rest[0]), (left, rest[1])))
        return Placement(trained)

    def is_guided(self, size: guided.Size, network_size: guided.Size) -> bool:
        """Tells whether a picture is translated with the detail of its own.

        Args:
            size: `(height, width)` of the picture.
            network_size: `(height, width)` of the copy that the generator sees.

        Returns:
            Whether it is so.
        """
        return self.detail == "guided" and guided.has_more_detail(size, network_size)


def _scaled(size: guided.Size, scale: float) -> guided.Size:
    height, width = (max(1, round(own * scale)) for own in size)
    return height, width


def _check_number(name: str, value: Any, least: int, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(
            f"`{name}` must be a number of pixels from {least} to {most}. "
            f"Received: {name}={value!r}"
        )
