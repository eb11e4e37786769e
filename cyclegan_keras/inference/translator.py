"""A generator together with how it translates pictures, and the networks made for their sizes."""

import os
from typing import Any

import keras
import numpy as np
from PIL import Image, ImageOps

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import decoding, images
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.inference import pictures
from cyclegan_keras.inference.manner import Manner
from cyclegan_keras.inference.pictures import Ranges
from cyclegan_keras.inference.whole import AnySize


class Translator:
    """Translates pictures, one after the other.

    Where pictures are translated in sizes of their own (`detail="network"`, `size`, `fit="crop"`,
    or a generator for any size), networks of the last few sizes are kept, which `translate_image`
    makes anew for each picture. They have the weights that the generator has when they are made.

    Args:
        generator: From `load_generator`.
        manner: How pictures are translated; `None` means `Manner()`, the default.
        ranges: The values of black and white in pictures and in translations; `None` means the
            whole range of their type.

    Raises:
        ValueError: If the generator cannot work in that way.
    """

    def __init__(
        self,
        generator: keras.Model,
        manner: Manner | None = None,
        ranges: Ranges | None = None,
    ) -> None:
        self.generator = generator
        self.manner = manner or Manner()
        self.ranges = ranges or Ranges()
        self._whole: AnySize | None = None
        if self.manner.rebuilds(generator):
            self._whole = AnySize(generator, self.manner.tile)

    def __call__(self, image: Any) -> Any:
        """Translates one picture.

        Args:
            image: A path, a PIL image or an array, as for `translate_image`.

        Returns:
            The translation, as of `translate_image`.

        Raises:
            FileNotFoundError: If the file does not exist.
            ValueError: If `image` is no picture, its values of black and white are not known, or
                the generator cannot translate one of this size.
        """
        if isinstance(image, str | bytes | os.PathLike):
            return self._as_image(self.picture(images.read_picture(os.fsdecode(image))))
        if isinstance(image, Image.Image):
            upright = decoding.in_srgb(ImageOps.exif_transpose(image), decoding.LeftOut())
            return self._as_image(self.picture(decoding.picture_of(upright)))
        array = np.asarray(image)
        translation = self.picture(_from_array(array, self.ranges.source))
        pixels = translation.pixels
        if array.ndim == 3 and array.shape[2] > 2 and translation.is_gray:
            pixels = np.repeat(pixels, 3, axis=2)
        if translation.alpha is not None:
            pixels = np.concatenate([pixels, translation.alpha[..., None]], axis=2)
        if not self.manner.side_by_side:
            return pixels.reshape(array.shape)
        return pixels[..., 0] if array.ndim == 2 else pixels

    def picture(self, picture: Picture) -> Picture:
        """Translates a picture that has been read.

        Args:
            picture: The picture, of any size.

        Returns:
            The translation.

        Raises:
            ValueError: If its values of black and white are not known, or the generator cannot
                translate one of this size.
        """
        generator, manner = self.generator, self.manner
        placement = manner.placement(generator, picture.size)
        if self._whole is not None:
            try:
                self._whole.check(placement.size)
            except ValueError as error:
                raise ValueError(f"Cannot translate the image: {error}.") from None
        small = pictures.pixels_for(
            generator.input_shape[3], picture, placement.size, self.ranges.source
        )
        if self._whole is not None:
            translation = self._whole(small)
        else:
            seen = placement.padded(small)
            translation = placement.inner(generator.predict_on_batch(seen[np.newaxis])[0])
        return pictures.finished(
            translation,
            picture,
            self.ranges,
            small=small if manner.is_guided(picture.size, placement.size) else None,
            keep_colors=manner.keep_colors,
            side_by_side=manner.side_by_side,
        )

    def _as_image(self, picture: Picture) -> Image.Image:
        return _as_image(picture, self.ranges.target)


def _from_array(array: np.ndarray, value_range: ValueRange | None) -> Picture:
    is_number = array.dtype in (np.uint8, np.uint16) or array.dtype.kind == "f"
    is_shaped = array.ndim == 2 or (array.ndim == 3 and 1 <= array.shape[2] <= 4)
    if not is_number or not is_shaped or not array.size:
        raise ValueError(
            "`image` must be a PIL image, a path, or an array of shape (height, width) or (height, "
            "width, 1 to 4), uint8, uint16 or float. Received: "
            + (
                f"an array of shape {array.shape}, {array.dtype}"
                if array.ndim
                else f"{array.item()!r}"[:80]
            )
        )
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise ValueError("`image` must have finite numbers only.")
        low, high = array.min(), array.max()
        if value_range is None and (low < 0 or high > 1):
            raise ValueError(
                "`image` must be in [0, 1] if it is float; for an array from a `DataLoader`, give "
                f"value_range=(-1, 1). Received: an array in [{low:g}, {high:g}]"
            )
    array = array[..., None] if array.ndim == 2 else array
    depth = 8 * array.dtype.itemsize
    if array.shape[2] in (2, 4):
        return Picture(np.ascontiguousarray(array[..., :-1]), array[..., -1].copy(), depth)
    return Picture(np.ascontiguousarray(array), None, depth)


def _as_image(picture: Picture, value_range: ValueRange | None) -> Image.Image:
    """Makes a PIL image of the most suitable mode."""
    pixels, alpha = picture.pixels, picture.alpha
    if pixels.dtype != np.uint8 and (not picture.is_gray or alpha is not None):
        # Pillow has no such mode.
        shares = (value_range or picture.own_range).shares(pixels)
        pixels = np.rint(shares * 255).astype(np.uint8)
        if alpha is not None:
            alpha = np.rint(alpha / picture.opaque * 255).astype(np.uint8)
    if alpha is not None:
        return Image.fromarray(np.dstack([pixels, alpha]))
    if picture.is_gray:
        gray = pixels[..., 0]
        kind = {"f": np.float32, "i": np.int32}.get(gray.dtype.kind, gray.dtype)
        return Image.fromarray(gray.astype(kind))
    return Image.fromarray(pixels)
