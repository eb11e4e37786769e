"""Writes translations in the format, bit depth and quality of their sources."""

import collections
import dataclasses
import os
import pathlib
from typing import IO, Any

import imagecodecs
import numpy as np
from PIL import Image, JpegImagePlugin

from cyclegan_keras._files import PathLike, written_whole
from cyclegan_keras.data import color, hush, jpeg2000
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.inference import png_files, tiff_files
from cyclegan_keras.inference.attached import Attached, attached_to

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

ALPHA = "alpha channel"
WITH_PROFILE = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "JPEG2000")
WITH_GRAY = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "JPEG2000", "AVIF")
# Of a BMP, hardly a program reads transparency.
WITHOUT_ALPHA = ("JPEG", "BMP")
WITH_GRAY_AND_ALPHA = ("PNG", "TIFF", "JPEG2000")


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
        Settings for `write`: the quantization tables, subsampling and order of a JPEG, whether a
        WebP is lossless, the compression of a TIFF. Empty if there are none, or Pillow cannot tell.
    """
    try:
        with hush.hushed(), Image.open(path, formats=("JPEG", "WEBP", "TIFF")) as image:
            if isinstance(image, JpegImagePlugin.JpegImageFile):
                sampling = JpegImagePlugin.get_sampling(image)
                settings: dict[str, Any] = {"qtables": image.quantization}
                if sampling >= 0 and image.mode == "RGB":
                    settings["subsampling"] = sampling
                if image.info.get("progressive"):
                    settings["progressive"] = True
                return {"JPEG": settings}
            if image.format == "TIFF":
                return {"TIFF": {"compression": image.info.get("compression", "raw")}}
        with open(path, "rb") as file:
            is_lossless = _is_lossless_webp(file)
            # Exact: colors stay where nothing of them shines through.
            return {"WEBP": {"lossless": is_lossless, "exact": is_lossless}}
    except Exception:  # Any damage is reported when the picture itself is read.
        return {}


def _is_lossless_webp(file: IO[bytes]) -> bool:
    file.seek(12)
    while len(head := file.read(8)) == 8:  # A profile and the like may come first.
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"ANMF":  # A frame of an animation, with parts of its own.
            file.seek(16, os.SEEK_CUR)
            continue
        if head[:4] in (b"VP8L", b"VP8 "):
            return head[:4] == b"VP8L"
        file.seek(size + size % 2, os.SEEK_CUR)
    return False


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


def write(
    path: PathLike, picture: Picture, settings: dict[str, Any] | None = None
) -> collections.Counter[str]:
    """Writes a picture atomically, with what its file said beside its pixels.

    Its colors are written in its profile, if the format can carry one of such pictures; else in
    sRGB.

    Args:
        path: The file; the suffix determines the format. An existing file is replaced.
        picture: With pixels of a type from `dtype_for`.
        settings: From `settings_of`, for the source.

    Returns:
        What the format has no place for, and how often, by a noun.

    Raises:
        OSError: If it cannot be written.
        ValueError: If no format has the suffix.
    """
    file_format = format_of(path)
    picture, profile = _in_written_colors(picture, file_format)
    is_turned = picture.profile is not None and profile is None
    with hush.hushed():
        attached = attached_to(picture.metadata, picture.size, profile, is_turned)
    left_out = attached.restrict_to(file_format)
    if file_format in WITHOUT_ALPHA and picture.alpha is not None:
        left_out.update([ALPHA] if (picture.alpha < picture.opaque).any() else [])
    own_settings = (settings or {}).get(file_format, {})
    with hush.hushed(), written_whole(path) as partial:
        if file_format == "TIFF":
            tiff_files.write(
                partial, picture, attached, own_settings.get("compression"), _bits(picture)
            )
        elif picture.pixels.dtype != np.uint8:
            _write_deep(partial, file_format, picture, attached)
        else:
            options = _options(file_format, own_settings) | attached.options(file_format)
            _image(picture, file_format).save(partial, file_format, **options)
            if file_format == "JPEG2000":
                partial.write_bytes(_with_boxes(partial.read_bytes(), attached))
    return left_out


def _in_written_colors(picture: Picture, file_format: str) -> tuple[Picture, bytes | None]:
    """Brings colors to those that are written; `None` in place of a profile means sRGB."""
    bands = 1 if picture.is_gray and file_format in WITH_GRAY else 3
    profile = picture.profile
    if (
        profile is None
        or file_format not in WITH_PROFILE
        or bands != picture.pixels.shape[2]
        or not color.is_reversible(profile, bands)
    ):
        return picture.to_srgb(), None
    return picture.to_profile(), profile


def _write_deep(path: pathlib.Path, file_format: str, picture: Picture, attached: Attached) -> None:
    """Writes what Pillow does not support: colors of more than 8 bits."""
    bands = [picture.pixels]
    if picture.alpha is not None:
        bands.append(picture.alpha[..., None])
    pixels = np.concatenate(bands, axis=2)
    pixels = np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if file_format == "PNG":
        data = bytes(imagecodecs.png_encode(pixels, level=COMPRESS_LEVEL))
        path.write_bytes(png_files.with_options(data, attached.options("PNG")))
    else:
        encoded = imagecodecs.jpeg2k_encode(
            pixels, codecformat="jp2", reversible=True, bitspersample=_bits(picture)
        )
        path.write_bytes(_with_boxes(bytes(encoded), attached))


def _with_boxes(data: bytes, attached: Attached) -> bytes:
    exif = None if attached.exif is None else attached.exif.removeprefix(b"Exif\0\0")
    return jpeg2000.with_metadata(data, attached.profile, exif, attached.xmp)


def _bits(picture: Picture) -> int | None:
    """Bits of a number in the file, if they are not those of its type."""
    # 12-bit values in a 16-bit file would be almost black.
    return picture.depth if _is_packed(picture) else None


def _is_packed(picture: Picture) -> bool:
    """Whether the values have fewer bits than their type, and fit into these."""
    has_fewer = picture.pixels.dtype == np.uint16 and 8 < picture.depth < 16
    return has_fewer and int(picture.pixels.max()) < 1 << picture.depth


def _image(picture: Picture, file_format: str) -> Image.Image:
    """Makes an image in a mode that the format supports."""
    if picture.alpha is None or file_format in WITHOUT_ALPHA:
        if picture.alpha is not None:
            # The picture is put on white, which is the same in every profile.
            as_it_is = dataclasses.replace(picture, profile=None, in_profile=False)
            levels = np.rint(as_it_is.shares() * 255).astype(np.uint8)
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
    return {}
