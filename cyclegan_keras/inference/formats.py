"""Writes translations in the format, bit depth and quality of their sources."""

import dataclasses
import os
import pathlib
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, JpegImagePlugin

from cyclegan_keras._files import PathLike, written_whole
from cyclegan_keras.data.picture import Picture

# By suffix. Pictures in other formats are written as PNG, with .png appended to their names.
FORMATS = {
    ".apng": "PNG",
    ".avif": "AVIF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".jfif": "JPEG",
    ".j2k": "JPEG2000",
    ".jp2": "JPEG2000",
    ".jpe": "JPEG",
    ".jpeg": "JPEG",
    ".jpf": "JPEG2000",
    ".jpg": "JPEG",
    ".jpx": "JPEG2000",
    ".mpo": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WEBP",
}
# The choices of `--format`, and their suffixes.
SUFFIXES = {
    name: f".{name}" for name in ("png", "jpg", "webp", "tiff", "bmp", "gif", "avif", "jp2")
}

# Of JPEG, WebP and AVIF if the source does not tell; the loss is small.
QUALITY = 95
# Lossless at any level. This one is two to four times as fast as Pillow's default, 6, and the files
# are a fifth to a third larger.
COMPRESS_LEVEL = 1

WITH_EXIF = ("JPEG", "PNG", "WEBP", "AVIF")
WITH_GRAY = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "JPEG2000", "AVIF")
WITH_GRAY_AND_ALPHA = ("PNG", "TIFF", "JPEG2000")
# Lossless compressions of Pillow's TIFF; others, such as JPEG, become deflate.
TIFF_COMPRESSIONS = {"raw": None, "tiff_lzw": "tiff_lzw", "packbits": "packbits"}


def format_of(path: PathLike) -> str:
    """Returns the format of a path's suffix.

    Args:
        path: The file to write.

    Returns:
        The format, such as "JPEG".

    Raises:
        ValueError: If no format that can be written has this suffix.
    """
    suffix = pathlib.Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"Cannot write {os.fspath(path)!r}: the suffix must be one of "
            f"{', '.join(FORMATS)}. Received: {suffix!r}"
        )
    return FORMATS[suffix]


def settings_of(path: PathLike) -> dict[str, Any]:
    """Reads the compression settings of a file, so that its translation gets the same quality.

    Args:
        path: The file of a picture.

    Returns:
        Settings for `write`: the quantization tables of a JPEG, whether a WebP is lossless, the
        compression of a TIFF. Empty if there are none, or Pillow cannot tell.
    """
    try:
        with Image.open(path, formats=("JPEG", "WEBP", "TIFF")) as image:
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                sampling = JpegImagePlugin.get_sampling(image)
                settings: dict[str, Any] = {"qtables": image.quantization}
                if sampling >= 0 and image.mode == "RGB":
                    settings["subsampling"] = sampling
                return {"JPEG": settings}
            if image.format == "TIFF":
                return {"TIFF": {"compression": image.info.get("compression", "raw")}}
        with open(path, "rb") as file:
            return {"WEBP": {"lossless": b"VP8L" in file.read(64)}}
    except Exception:  # Any damage is reported when the picture itself is read.
        return {}


def dtype_for(file_format: str, dtype: Any) -> Any:
    """Returns the data type of a format that is nearest to another type.

    Args:
        file_format: From `format_of`.
        dtype: The type of the source's pixels.

    Returns:
        The same type, or uint16 or uint8.
    """
    if file_format == "TIFF" or dtype == np.uint8:
        return dtype
    return np.dtype(np.uint16 if file_format in ("PNG", "JPEG2000") else np.uint8)


def write(path: PathLike, picture: Picture, settings: dict[str, Any] | None = None) -> None:
    """Writes a picture atomically.

    Args:
        path: The file; the suffix determines the format. An existing file is replaced.
        picture: With pixels of a type from `dtype_for`.
        settings: From `settings_of`, for the source.

    Raises:
        OSError: If it cannot be written.
        ValueError: If no format has the suffix.
    """
    file_format = format_of(path)
    with written_whole(path) as partial:
        if picture.pixels.dtype != np.uint8:
            _write_deep(partial, file_format, picture)
            return
        options = _options(file_format, (settings or {}).get(file_format, {}))
        if picture.exif is not None and file_format in WITH_EXIF and picture.format != "TIFF":
            options["exif"] = picture.exif
        _image(picture, file_format).save(partial, file_format, **options)


def _write_deep(path: pathlib.Path, file_format: str, picture: Picture) -> None:
    """Writes what Pillow does not support: colors of more than 8 bits, and values of any type."""
    bands = [picture.pixels]
    if picture.alpha is not None:
        bands.append(picture.alpha[..., None])
    pixels = np.concatenate(bands, axis=2)
    pixels = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    # 12-bit values in a 16-bit file would be almost black.
    bits = picture.depth if _is_packed(picture) else None
    if file_format == "TIFF":
        kind = "minisblack" if picture.is_gray else "rgb"
        extra = ["unassalpha"] if picture.alpha is not None else []
        tifffile.imwrite(
            path, pixels, photometric=kind, extrasamples=extra, bitspersample=bits, metadata=None
        )
    elif file_format == "PNG":
        path.write_bytes(imagecodecs.png_encode(pixels, level=COMPRESS_LEVEL))
    else:
        path.write_bytes(
            imagecodecs.jpeg2k_encode(
                pixels, codecformat="jp2", reversible=True, bitspersample=bits
            )
        )


def _is_packed(picture: Picture) -> bool:
    """Whether the values have fewer bits than their type, and fit into these."""
    has_fewer = picture.pixels.dtype == np.uint16 and 8 < picture.depth < 16
    return has_fewer and int(picture.pixels.max()) < 1 << picture.depth


def _image(picture: Picture, file_format: str) -> Image.Image:
    """Makes an image in a mode that the format supports."""
    if picture.alpha is None or file_format == "JPEG":
        if picture.alpha is not None:
            # JPEG has no transparency, so the picture is put on white.
            levels = np.rint(picture.shares() * 255).astype(np.uint8)
            picture = dataclasses.replace(picture, pixels=levels, alpha=None)
        if picture.is_gray:
            image = Image.fromarray(picture.pixels[..., 0])
            return image if file_format in WITH_GRAY else image.convert("RGB")
        return Image.fromarray(picture.pixels)
    image = Image.fromarray(np.dstack([picture.pixels, picture.alpha]))
    return image if file_format in WITH_GRAY_AND_ALPHA else image.convert("RGBA")


def _options(file_format: str, settings: dict[str, Any]) -> dict[str, Any]:
    if file_format == "JPEG":
        return dict(settings) or {"quality": QUALITY, "subsampling": 0}
    if file_format == "PNG":
        return {"compress_level": COMPRESS_LEVEL}
    if file_format == "WEBP":
        return {"quality": QUALITY, **settings}
    if file_format == "AVIF":
        return {"quality": QUALITY}
    if file_format == "TIFF" and settings:
        return {"compression": TIFF_COMPRESSIONS.get(settings["compression"], "tiff_adobe_deflate")}
    return {}
