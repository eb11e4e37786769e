"""From the bytes of one file to a picture: what its tags and profiles say is done."""

import collections
import contextlib
import dataclasses
from typing import IO, Any, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image, ImageOps, TiffImagePlugin, UnidentifiedImageError

from cyclegan_keras.data import color, integrity, jpeg2000, metadata, tiff
from cyclegan_keras.data.formats import FORMATS
from cyclegan_keras.data.metadata import INTEROP, INTEROP_INDEX, ORIENTATION, Metadata
from cyclegan_keras.data.picture import Picture

ICC_PROFILE = 34675
GRAY_MODES = ("1", "L", "LA", "La")

# 16,384 × 4,096: a panorama or a photo of 60 megapixels is still read. Seen: one read of so many
# takes at most 1.4 GB, a WebP with transparency.
MAX_PIXELS = 2**26
# Scaling takes 32 bytes for each column or row, however few pixels there are.
MAX_SIDE = 2**20

# What of a file was left aside, and how often, by a noun.
LeftOut = collections.Counter[str]
BAD_PROFILE, LATER_PAGE, LATER_FRAME = "color profile", "TIFF page", "animation frame"
WHY = {
    BAD_PROFILE: "that cannot be used",
    LATER_PAGE: "after the first of a file",
    LATER_FRAME: "after the first of a file",
}


class Wanted(NamedTuple):
    """What is wanted of a file.

    Attributes:
        at_least: `(height, width)` in pixels that the image will be shrunk to, so that a far larger
            JPEG may be decoded smaller.
        exact: Whether numbers of more than 8 bits are wanted as they are.
        whole: Whether metadata and profile are wanted as well; the result then is a picture.
        in_profile: Whether colors are wanted in the profile of the file.
    """

    at_least: tuple[int, int] | None = None
    exact: bool = False
    whole: bool = False
    in_profile: bool = False


def decode(file: IO[bytes], wanted: Wanted, left_out: LeftOut) -> Image.Image | Picture:
    """Decodes a file, upright and in sRGB.

    Args:
        file: The file, at its start.
        wanted: What is wanted of it.
        left_out: Where what is left aside is counted.

    Returns:
        An image of any 8-bit mode, where that holds what is in the file or is enough; else a
        picture.

    Raises:
        Exception: If it cannot be read.
    """
    start = file.read(4)
    file.seek(0)
    try:
        opened_image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        if start.startswith(integrity.JPEG_START):
            file.seek(0)
            raise ValueError(integrity.why_no_jpeg(file.read())) from None
        if start not in tiff.STARTS:
            raise
        # TIFF has more types of numbers than Pillow has modes.
        return _picture_of_tiff(file, wanted, left_out)
    with opened_image as image:
        if image.width * image.height > MAX_PIXELS or max(image.size) > MAX_SIDE:
            raise ValueError(
                f"it must have at most {MAX_PIXELS} pixels, and {MAX_SIDE} on a side; it has "
                f"{image.width} × {image.height}"
            )
        depth = 8
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            tags: Any = image.tag_v2
            tiff.check(tags.get)
            if not tiff.is_exact(tags.get) and (wanted.exact or not tiff.is_enough(tags.get)):
                return _picture_of_tiff(file, wanted, left_out)
            depth = tags.get(tiff.BITS, (1,))[0]
        integrity.check(file, image)
        _name_profile(file, image, left_out)
        if image.format == "PNG" and _is_deep_color(image):
            return _picture_of_png(file, image, wanted, left_out)
        beside = Metadata()
        if image.format == "JPEG2000":
            file.seek(0)
            header = jpeg2000.header_of(data := file.read())
            if header.profile:
                image.info["icc_profile"] = header.profile
            if wanted.whole:
                beside = metadata.of_parts(header.exif, header.xmp, left_out)
            # Pillow makes all numbers of 9 bits and more 16, and lifts signed ones above 0.
            is_deep = header.is_signed or (wanted.exact and header.bits > 8)
            if is_deep and header.is_plain and image.mode != "P":
                pixels = jpeg2000.read(data, header, (image.height, image.width))
                found = Found(header.bits, "JPEG2000", image.info, beside)
                return _finished(_parted(pixels), found, wanted, left_out)
            file.seek(0)
        if wanted.at_least is not None:
            # The EXIF orientation may yet swap height and width, so both sides get the larger.
            # `None` keeps the mode. Formats other than JPEG know no draft and do nothing.
            side = 2 * max(wanted.at_least)
            image.draft(None, (side, side))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # In place: it may be large.
        if wanted.whole and image.format != "JPEG2000":
            if image.format == "TIFF":
                beside = metadata.of_tiff(file, left_out)
            else:
                beside = metadata.of_image(image, left_out)
        kind = "JPEG" if image.format == "MPO" else image.format or ""
        result: Image.Image | Picture
        if image.mode[0] in "IF":
            result = _picture_of_numbers(image, depth, beside, wanted, left_out)
        elif wanted.whole:
            found = Found(8, kind, image.info, beside)
            result = _picture_of_8_bits(image, found, wanted, left_out)
        else:
            result = in_srgb(image, left_out)
            if result is image:
                result = image.copy()
            result.format = kind
        _count_frames(image, left_out)
        return result


class Found(NamedTuple):
    """What was found of a picture beside its numbers.

    Attributes:
        depth: Bits of a number in the file.
        format: Such as `"PNG"`.
        info: What Pillow says of its colors.
        metadata: What it says beside that.
    """

    depth: int
    format: str
    info: dict[Any, Any]
    metadata: Metadata = Metadata()


def _name_profile(file: IO[bytes], image: Image.Image, left_out: LeftOut) -> None:
    """Adds the profile that a file means and does not have, as if it had it."""
    codes = None
    if image.format == "PNG":
        codes = integrity.png_part(file, b"cICP")
    elif image.format == "AVIF" and "icc_profile" not in image.info:
        file.seek(0)
        _, found, behind = file.read(integrity.BLOCK).partition(b"colrnclx")
        codes = bytes(behind[place] for place in (1, 3)) if found and len(behind) > 3 else None
    elif (
        image.format in ("JPEG", "MPO") and "icc_profile" not in image.info and _is_adobe_rgb(image)
    ):
        image.info["icc_profile"] = color.adobe_rgb()
    if codes is None or len(codes) < 2:
        return
    for key in ("icc_profile", "gamma", "chromaticity", "srgb"):
        image.info.pop(key, None)  # PNG: the codes override these.
    try:
        profile = color.profile_of_codes(codes[0], codes[1])
    except color.BadProfileError:
        left_out[BAD_PROFILE] += 1
    else:
        if profile is not None:
            image.info["icc_profile"] = profile


def _is_adobe_rgb(image: Image.Image) -> bool:
    with contextlib.suppress(Exception):  # Broken EXIF says nothing.
        if "exif" in image.info:
            index = image.getexif().get_ifd(INTEROP).get(INTEROP_INDEX, "")
            return str(index).startswith("R03")
    return False


def picture_of(image: Image.Image) -> Picture:
    """Makes a picture of an image of any mode.

    Args:
        image: The image, upright and in sRGB.

    Returns:
        The picture.
    """
    if image.mode[0] in "IF":
        return _picture_of_numbers(image, 8, Metadata(), Wanted(), LeftOut())
    is_gray = image.mode in GRAY_MODES
    has_alpha = image.has_transparency_data
    pixels = np.asarray(image.convert(("L" if is_gray else "RGB") + "A" * has_alpha))
    return Picture(format=image.format or "", **_parted(pixels.reshape(*pixels.shape[:2], -1)))


def _picture_of_8_bits(
    image: Image.Image, found: Found, wanted: Wanted, left_out: LeftOut
) -> Picture:
    if image.mode in ("LAB", "CMYK"):  # Of other bands than a result can have.
        plain = in_srgb(image, left_out)
        return dataclasses.replace(picture_of(plain), format=found.format, metadata=found.metadata)
    mode = "L" if image.mode in GRAY_MODES else "RGB"
    pixels = np.asarray(image.convert(mode + "A" * image.has_transparency_data))
    return _finished(_parted(pixels.reshape(*pixels.shape[:2], -1)), found, wanted, left_out)


def _parted(pixels: np.ndarray) -> dict[str, Any]:
    """Parts colors and transparency."""
    bands = pixels.shape[2]
    if bands not in (2, 4):
        return {"pixels": pixels}
    return {"pixels": np.ascontiguousarray(pixels[..., :-1]), "alpha": pixels[..., -1].copy()}


def _picture_of_numbers(
    image: Image.Image, depth: int, beside: Metadata, wanted: Wanted, left_out: LeftOut
) -> Picture:
    """Makes a picture of an image in gray, of 16 or 32 bits."""
    is_short = image.mode.startswith("I;16")
    pixels = np.array(image).astype(np.uint16, copy=False) if is_short else np.array(image)
    alpha = None
    depth = (depth if 8 < depth < 16 else 16) if is_short else 32
    if isinstance(transparent := image.info.get("transparency"), int):
        opaque = 65535 if is_short else np.iinfo(pixels.dtype).max
        alpha = np.where(pixels == transparent, 0, opaque).astype(pixels.dtype)
    found = Found(depth, image.format or "", image.info, beside)
    return _finished({"pixels": pixels[..., None], "alpha": alpha}, found, wanted, left_out)


def _is_deep_color(image: Any) -> bool:
    """Whether a PNG has 16 bits of color, or of gray with transparency, to Pillow RGBA as well."""
    arguments = image.tile[0].args if image.tile else ""
    raw_mode = arguments if isinstance(arguments, str) else arguments[0]
    return image.mode in ("RGB", "RGBA") and raw_mode.endswith(";16B")


def _picture_of_png(
    file: IO[bytes], image: Image.Image, wanted: Wanted, left_out: LeftOut
) -> Picture:
    """Reads 16-bit color, of which Pillow keeps 8 bits."""
    image.load()  # What comes after the pixels, the orientation for one.
    orientation = image.getexif().get(ORIENTATION, 1)
    file.seek(0)
    parts = _parted(_turned(imagecodecs.png_decode(file.read()), orientation))
    beside = metadata.of_image(image, left_out) if wanted.whole else Metadata()
    picture = _finished(parts, Found(16, "PNG", image.info, beside), wanted, left_out)
    _count_frames(image, left_out)
    return picture


def _picture_of_tiff(file: IO[bytes], wanted: Wanted, left_out: LeftOut) -> Picture:
    file.seek(0)
    pixels, get = tiff.reads(file, MAX_PIXELS)
    depth = get(tiff.BITS, 1)
    depth = depth[0] if isinstance(depth, tuple) else depth
    if depth < 8:
        pixels = pixels.astype(np.uint8) * (255 / ((1 << depth) - 1))
        pixels = np.rint(pixels).astype(np.uint8)
    if pixels.dtype == np.float16:
        pixels = pixels.astype(np.float32)
    parts = _parted(_turned(pixels, get(ORIENTATION, 1)))
    if pages := tiff.num_pages(file) - 1:
        left_out[LATER_PAGE] += pages
    beside = metadata.of_tiff(file, left_out) if wanted.whole else Metadata()
    info = {"icc_profile": get(ICC_PROFILE, None)}
    return _finished(parts, Found(depth, "TIFF", info, beside), wanted, left_out)


def _finished(parts: dict[str, Any], found: Found, wanted: Wanted, left_out: LeftOut) -> Picture:
    """Makes a picture of its parts, and brings its colors to sRGB."""
    pixels = parts["pixels"]
    if pixels.dtype.kind == "f" and (bad := np.count_nonzero(~np.isfinite(pixels))):
        raise ValueError(f"{bad} of its numbers are infinite or none at all (NaN)")
    plain = Picture(depth=found.depth, format=found.format, metadata=found.metadata, **parts)
    try:
        profile = color.profile_of(found.info)
        if profile is None:
            return plain
        in_profile = dataclasses.replace(plain, profile=profile, in_profile=True)
        srgb = in_profile.to_srgb()
    except color.BadProfileError:
        left_out[BAD_PROFILE] += 1
        return plain
    is_reversible = color.is_reversible(profile, pixels.shape[2])
    if srgb is in_profile:  # Its numbers are of a type that stays as it is.
        if color.is_other(profile):
            left_out[BAD_PROFILE] += 1
        return in_profile if is_reversible else plain
    if not is_reversible:
        return dataclasses.replace(srgb, profile=None)
    return in_profile if wanted.in_profile else srgb


def _turned(pixels: np.ndarray, orientation: Any) -> np.ndarray:
    """Turns an array as `ImageOps.exif_transpose` turns an image."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    rows, columns = {
        2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)
    }.get(orientation, (1, 1))  # fmt: skip
    return pixels[::rows, ::columns]


def _pixels_in_srgb(pixels: np.ndarray, info: dict[Any, Any], left_out: LeftOut) -> np.ndarray:
    try:
        profile = color.profile_of(info)
        return pixels if profile is None else color.to_srgb(pixels, profile)
    except color.BadProfileError:
        left_out[BAD_PROFILE] += 1
        return pixels


def in_srgb(image: Image.Image, left_out: LeftOut) -> Image.Image:
    """Turns the colors of an 8-bit image into those of sRGB.

    Args:
        image: Of any mode; those of more than 8 bits are left alone.
        left_out: Where a color profile that cannot be used is counted.

    Returns:
        The image, the same object if it is in sRGB or says nothing.
    """
    if image.mode[0] in "IF":
        return image
    if image.mode == "LAB":
        return color.lab_to_rgb(image)
    if not {"icc_profile", "gamma", "chromaticity"} & image.info.keys():
        return image
    plain = image
    if image.mode != "CMYK":
        mode = "L" if image.mode in GRAY_MODES else "RGB"
        plain = image.convert(mode + "A" * image.has_transparency_data)
    pixels = np.asarray(plain).reshape(image.height, image.width, -1)
    parts = {"pixels": pixels} if image.mode == "CMYK" else _parted(pixels)
    colors = _pixels_in_srgb(parts["pixels"], image.info, left_out)
    if colors is parts["pixels"]:
        return image
    turned = Image.fromarray(colors[..., 0] if colors.shape[2] == 1 else colors)
    if "alpha" in parts:
        turned.putalpha(Image.fromarray(parts["alpha"]))
    if exif := image.info.get("exif"):
        turned.info["exif"] = exif
    return turned


def _count_frames(image: Any, left_out: LeftOut) -> None:
    """Counts what follows the first picture; what phones append to a photo is no other picture."""
    if image.format not in ("GIF", "PNG", "TIFF", "WEBP", "AVIF"):
        return
    with contextlib.suppress(Exception):  # The first is whole; what comes then may be damaged.
        if more := image.n_frames - 1:
            left_out[LATER_PAGE if image.format == "TIFF" else LATER_FRAME] += more
