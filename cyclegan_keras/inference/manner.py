"""How pictures are translated: in which size, and where their detail comes from."""

import dataclasses
import typing
from typing import Any, Literal

import keras

from cyclegan_keras.inference import guided

Detail = Literal["guided", "network", "plain"]
DETAILS: tuple[Detail, ...] = typing.get_args(Detail)
LEAST_SIZE, MOST_SIZE = 8, 16_384
LEAST_TILE = 32


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

    Raises:
        ValueError: If one of them has no such value, or they contradict each other.
    """

    detail: Detail = "guided"
    size: int | None = None
    tile: int | None = None
    keep_colors: bool = False
    side_by_side: bool = False

    def __post_init__(self) -> None:
        if self.detail not in DETAILS:
            raise ValueError(
                f"`detail` must be one of {', '.join(DETAILS)}. Received: detail={self.detail!r}"
            )
        _check_number("size", self.size, LEAST_SIZE, MOST_SIZE)
        _check_number("tile", self.tile, LEAST_TILE, MOST_SIZE)
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
        is_own = self.detail == "network" or self.size is not None
        return is_own or None in generator.input_shape[1:3]

    def size_for(self, generator: keras.Model, size: guided.Size) -> guided.Size:
        """Finds the size in which a generator sees a picture.

        Args:
            generator: The generator.
            size: `(height, width)` of the picture.

        Returns:
            `(height, width)`, in pixels.
        """
        if self.size is not None:
            height, width = (max(1, round(own * self.size / max(size))) for own in size)
            return height, width
        if self.rebuilds(generator):
            return size
        return generator.input_shape[1:3]

    def is_guided(self, size: guided.Size, network_size: guided.Size) -> bool:
        """Tells whether a picture is translated with the detail of its own.

        Args:
            size: `(height, width)` of the picture.
            network_size: `(height, width)` in which the generator sees it.

        Returns:
            Whether it is so.
        """
        return self.detail == "guided" and guided.has_more_detail(size, network_size)


def _check_number(name: str, value: Any, least: int, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(
            f"`{name}` must be a number of pixels from {least} to {most}. "
            f"Received: {name}={value!r}"
        )
