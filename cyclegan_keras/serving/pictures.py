"""Translates a picture that somebody has sent: nothing about it is trusted."""

import io
import pathlib
import warnings

from PIL import Image, UnidentifiedImageError

from cyclegan_keras.data.formats import FORMATS
from cyclegan_keras.inference.formats import COMPRESS_LEVEL
from cyclegan_keras.inference.translator import Translator

# What an error calls the picture, in place of its file here.
SENT = "that was sent"


class TooLargeError(ValueError):
    """The picture has more pixels than the server accepts."""


def translated(translator: Translator, path: pathlib.Path, max_pixels: int) -> bytes:
    """Translates the file of a picture.

    Args:
        translator: Of the generator.
        path: The file, which may be anything.
        max_pixels: The most that are accepted, by the start of the file, before it is decoded.

    Returns:
        The translation as PNG, in the size of the picture.

    Raises:
        TooLargeError: If it has more pixels.
        ValueError: If it is not a picture, or damaged. The message does not name the file.
    """
    _check_size(path, max_pixels)
    try:
        translation = translator(path)
    except (ValueError, OSError) as error:
        message = str(error).replace(repr(str(path)), SENT)
        if path.name in message or str(path.parent) in message:
            message = f"Cannot read the image {SENT}."
        raise ValueError(message) from None
    file = io.BytesIO()
    translation.save(file, "PNG", compress_level=COMPRESS_LEVEL)
    return file.getvalue()


def _check_size(path: pathlib.Path, max_pixels: int) -> None:
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(path, formats=FORMATS) as image,
        ):
            width, height = image.size
    except Image.DecompressionBombError:
        raise TooLargeError(f"The picture must have at most {max_pixels:,} pixels.") from None
    except UnidentifiedImageError:
        return  # Reading it tells what is wrong; kinds that Pillow does not know have a limit, too.
    except Exception as error:  # The decoders raise whatever the damage led to.
        raise ValueError(f"Cannot read the image {SENT}: {type(error).__name__}.") from None
    if width * height > max_pixels:
        raise TooLargeError(
            f"The picture must have at most {max_pixels:,} pixels. "
            f"Received: {width} × {height} pixels"
        )
