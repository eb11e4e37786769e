"""Translates pictures with a saved generator."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tqdm
from PIL import Image, ImageOps

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import decoding, images
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.inference import files, pictures
from cyclegan_keras.inference.latents import with_some_latent
from cyclegan_keras.inference.manner import Detail, Manner
from cyclegan_keras.inference.planning import plan
from cyclegan_keras.inference.safe_loading.model_files import load_generator
from cyclegan_keras.inference.whole import AnySize

__all__ = ["Manner", "Outcome", "load_generator", "plan", "translate_files", "translate_image"]


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of translating many files.

    Attributes:
        num_written: The number of translations that were written.
        failed: For the path of each image that could not be translated, the reason.
        left_out: The number of parts of the files that were ignored, such as later frames of an
            animation, by kind.
    """

    num_written: int
    failed: dict[pathlib.Path, str]
    left_out: collections.Counter[str]

    @classmethod
    def of_all(cls, outcomes: Iterable["Outcome"]) -> "Outcome":
        """Sums outcomes up.

        Args:
            outcomes: Of several batches of files.

        Returns:
            One for all.
        """
        whole = cls(0, {}, collections.Counter())
        for each in outcomes:
            whole = cls(
                whole.num_written + each.num_written,
                {**whole.failed, **each.failed},
                whole.left_out + each.left_out,
            )
        return whole


def translate_image(
    generator: keras.Model,
    image: Any,
    value_range: tuple[float, float] | None = None,
    *,
    detail: Detail = "guided",
    size: int | None = None,
    tile: int | None = None,
    keep_colors: bool = False,
    side_by_side: bool = False,
    latent: Any = None,
) -> Any:
    """Translates one picture.

    Args:
        generator: From `load_generator`, or of a model in training.
        image: A picture of any size. Either a PIL image of any mode; or the path of a file; or an
            array, uint8 in [0, 255], uint16 in [0, 65535] or float in [0, 1], of shape `(height,
            width)` or `(height, width, 1)` for gray, `(height, width, 2)` for gray with
            transparency, `(height, width, 3)` for RGB, or `(height, width, 4)` for RGB with
            transparency. Its orientation is corrected, transparency is replaced by white, and its
            channels are converted to those of the generator.
        value_range: The values of black and white, in `image` and in the result, if they differ
            from these: `(-1, 1)` for an array from a `DataLoader`.
        detail: How a picture is translated that is larger than the generator's size: `"guided"`
            gives the translation of a small copy the detail of the picture, and `"plain"` enlarges
            that translation. `"network"` translates the picture in its own size, whatever it is.
        size: The longer side of the small copy, in pixels, which then keeps the proportions of the
            picture; `None` means the generator's size or, if it takes any size, the picture's own.
        tile: Height and width in pixels of the tiles in which `"network"` translates; `None` means
            that memory decides.
        keep_colors: Whether the result has the colors of `image`, and only its brightness (luma) is
            translated.
        side_by_side: Whether `image` stands on the left of its translation in the result.
        latent: If the generator takes one, `(size,)` numbers, as `draw_latents` and `encode_image`
            return them. `None` means always the same random one. For many pictures with one latent,
            fix it once, by `with_latent`.

    Returns:
        The translation with the size, depth and transparency of `image` (twice its width if
        `side_by_side`), gray if `image` or the generator is gray. For a PIL image or a path, a PIL
        image (RGB, L, RGBA, LA, I;16, I or F; files with 16-bit colors are reduced to 8 bits); for
        an array, an array of the same shape and type.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If `image` is not such a picture, or its values of black and white are not
            known; if a setting has no such value, or the generator cannot work in that way.
    """
    manner = Manner(detail, size, tile, keep_colors, side_by_side)
    generator = with_some_latent(generator, latent)
    wanted = None if value_range is None else ValueRange(*value_range)
    if isinstance(image, str | bytes | os.PathLike):
        picture = images.read_picture(os.fsdecode(image))
        return _as_image(_translated(generator, picture, wanted, manner), wanted)
    if isinstance(image, Image.Image):
        upright = decoding.in_srgb(ImageOps.exif_transpose(image), decoding.LeftOut())
        return _as_image(
            _translated(generator, decoding.picture_of(upright), wanted, manner), wanted
        )
    array = np.asarray(image)
    translation = _translated(generator, _from_array(array, wanted), wanted, manner)
    pixels = translation.pixels
    if array.ndim == 3 and array.shape[2] > 2 and translation.is_gray:
        pixels = np.repeat(pixels, 3, axis=2)
    if translation.alpha is not None:
        pixels = np.concatenate([pixels, translation.alpha[..., None]], axis=2)
    if not side_by_side:
        return pixels.reshape(array.shape)
    return pixels[..., 0] if array.ndim == 2 else pixels


def _translated(
    generator: keras.Model, picture: Picture, value_range: ValueRange | None, manner: Manner
) -> Picture:
    whole = AnySize(generator, manner.tile) if manner.rebuilds(generator) else None
    size = manner.size_for(generator, picture.size)
    if whole is not None:
        try:
            whole.check(size)
        except ValueError as error:
            raise ValueError(f"Cannot translate the image: {error}.") from None
    small = pictures.pixels_for(generator.input_shape[3], picture, size, value_range)
    if whole is not None:
        translation = whole(small)
    else:
        translation = generator.predict_on_batch(small[np.newaxis])[0]
    is_guided = manner.is_guided(picture.size, size)
    return pictures.finished(
        translation,
        picture,
        pictures.Ranges(value_range, value_range),
        small=small if is_guided else None,
        keep_colors=manner.keep_colors,
        side_by_side=manner.side_by_side,
    )


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


def translate_files(
    generator: keras.Model,
    jobs: Sequence[files.Job],
    batch_size: int = files.BATCH_SIZE,
    *,
    continue_on_error: bool = False,
    ranges: files.Ranges | None = None,
    strip_metadata: bool = False,
    manner: Manner | None = None,
) -> Outcome:
    """Translates image files, and keeps the size, bit depth and format of each.

    It reads, translates and writes in parallel, with only a few images in memory at a time.

    Args:
        generator: From `load_generator`. If it takes a latent, all get the same random one; see
            `with_latent` for another.
        jobs: From `plan`.
        batch_size: Maximum number of images in a batch.
        continue_on_error: Whether to continue with the others if an image cannot be read or
            written.
        ranges: The values of black and white in the sources and in their translations; `None`
            means the whole range of a file's type.
        strip_metadata: Whether EXIF, XMP, IPTC, texts, comments and resolutions are left out of the
            translations. Color profiles are kept, for they belong to the pixels.
        manner: How they are translated; `None` means `Manner()`, the default.

    Returns:
        The outcome.

    Raises:
        FileNotFoundError: If an image was removed since it was planned.
        OSError: If a translation cannot be written; if the disk is full, always.
        ValueError: If `batch_size` is less than 1, or an image cannot be read; those before it are
            translated.
    """
    generator = with_some_latent(generator)
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: batch_size={batch_size}")
    failed: dict[pathlib.Path, str] = {}
    on_failed = failed.__setitem__ if continue_on_error else None
    with tqdm.tqdm(total=len(jobs), unit="image", disable=len(jobs) < 2) as progress:
        left_out = files.translate(
            generator, jobs, batch_size, progress.update, ranges, on_failed, strip_metadata, manner
        )
    return Outcome(len(jobs) - len(failed), failed, left_out)
