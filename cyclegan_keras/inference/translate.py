"""Translates pictures with a saved generator."""

import collections
import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any

import keras
import tqdm

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data.fitting import Fit
from cyclegan_keras.inference import files
from cyclegan_keras.inference.latents import with_some_latent
from cyclegan_keras.inference.manner import Detail, Manner
from cyclegan_keras.inference.planning import plan
from cyclegan_keras.inference.safe_loading.model_files import load_generator
from cyclegan_keras.inference.targets import Jobs
from cyclegan_keras.inference.translator import Translator

__all__ = [
    "Manner",
    "Outcome",
    "Translator",
    "load_generator",
    "plan",
    "translate_files",
    "translate_image",
]


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
    fit: Fit = "stretch",
    latent: Any = None,
) -> Any:
    """Translates one picture; for many, make one `Translator`.

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
        fit: How a picture of other proportions is brought to the generator's size: as the run was
            trained, by which it is `"stretch"`, `"crop"` or `"pad"`; see `Manner`.
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
    manner = Manner(detail, size, tile, keep_colors, side_by_side, fit)
    generator = with_some_latent(generator, latent)
    wanted = None if value_range is None else ValueRange(*value_range)
    return Translator(generator, manner, files.Ranges(wanted, wanted))(image)


def translate_files(
    generator: keras.Model,
    jobs: Jobs,
    batch_size: int = files.BATCH_SIZE,
    *,
    continue_on_error: bool = False,
    ranges: files.Ranges | None = None,
    strip_metadata: bool = False,
    manner: Manner | None = None,
    on_written: files.OnWritten | None = None,
    on_failed: files.OnFailed | None = None,
    fixed_size: bool = False,
) -> Outcome:
    """Translates image files, and keeps the size, bit depth and format of each.

    It reads, translates and writes in parallel, with only a few images in memory at a time.

    Args:
        generator: From `load_generator`. If it takes a latent, all get the same random one; see
            `with_latent` for another.
        jobs: From `plan`, or a `Plan`.
        batch_size: Maximum number of images in a batch.
        continue_on_error: Whether to continue with the others if an image cannot be read or
            written.
        ranges: The values of black and white in the sources and in their translations; `None`
            means the whole range of a file's type.
        strip_metadata: Whether EXIF, XMP, IPTC, texts, comments and resolutions are left out of the
            translations. Color profiles are kept, for they belong to the pixels.
        manner: How they are translated; `None` means `Manner()`, the default.
        on_written: Called after each image that was written, with it and with its translation.
        on_failed: Called with each image that could not be translated, and with the reason.
        fixed_size: Whether the network always computes `batch_size` images at a time, so that the
            last bits do not depend on how many there are.

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
    written = 0
    failed: dict[pathlib.Path, str] = {}
    with tqdm.tqdm(total=len(jobs), unit="image", disable=len(jobs) < 2) as progress:

        def count(source: pathlib.Path, target: pathlib.Path) -> None:
            nonlocal written
            written += 1
            progress.update()
            if on_written is not None:
                on_written(source, target)

        def note(source: pathlib.Path, reason: str) -> None:
            failed[source] = reason
            if on_failed is not None:
                on_failed(source, reason)

        left_out = files.translate(
            generator,
            jobs,
            batch_size,
            count,
            ranges,
            note if continue_on_error else None,
            strip_metadata,
            manner,
            fixed_size,
        )
    return Outcome(written, failed, left_out)
