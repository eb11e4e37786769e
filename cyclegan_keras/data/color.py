"""Colors of a file as those of sRGB, which is what all pictures are taken for, and back."""

import functools
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

# What a picture with a profile is turned into if its numbers change by more than this, of 255. The
# many versions of sRGB's own profile differ by one.
TOLERANCE = 2
# 1 / 2.2, which all write who mean the curve of sRGB and its primaries.
GAMMA = 0.45455

PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
WHITE_POINT = (0.3127, 0.3290)

# Of Adobe RGB, which cameras name in the EXIF part of a JPEG and often nowhere else.
ADOBE_PRIMARIES, ADOBE_GAMMA = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06), 563 / 256

# By the numbers of ITU-T H.273, with which a PNG or an AVIF may name its colors.
PRIMARIES_BY_CODE = {
    1: PRIMARIES,
    9: (0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    12: (0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
# `None` is the curve of sRGB; those of video are shown with it as well.
GAMMA_BY_CODE = {1: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}
HIGH_RANGE = {16: "PQ", 18: "HLG"}
UNSPECIFIED = 2

# The spaces of profiles that pictures of so many bands can have.
SPACES = {b"GRAY": ("gray", 1), b"RGB ": ("rgb", 3), b"CMYK": ("cmyk", 4)}


# Of Little CMS: 16-bit colors are computed. Its table of 33 steps is five times as fast, and wrong
# by up to 15 of 255 levels in dark, saturated colors.
NO_TABLES = 0x0100

WRONG = "its color profile is damaged or of another kind of picture"


class BadProfileError(ValueError):
    """Says that a profile cannot be used."""


def profile_of(info: dict[Any, Any]) -> bytes | None:
    """Finds what a file says of its colors.

    Args:
        info: What Pillow tells of the file: an ICC profile or, of a PNG, the parts `gAMA` and
            `cHRM`, which a profile and the part `sRGB` override.

    Returns:
        An ICC profile, made from those parts if need be; `None` if nothing is said, or sRGB.

    Raises:
        BadProfileError: If the numbers in those parts mean nothing.
    """
    if info.get("icc_profile"):
        return info["icc_profile"]
    gamma, where = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or (gamma is None and where is None):
        return None
    return _profile(gamma, tuple(where or (*WHITE_POINT, *PRIMARIES)))


def adobe_rgb() -> bytes:
    """Makes a profile of Adobe RGB."""
    profile = _profile(1 / ADOBE_GAMMA, (*WHITE_POINT, *ADOBE_PRIMARIES))
    assert profile is not None
    return profile


def profile_of_codes(primaries: int, transfer: int) -> bytes | None:
    """Makes a profile of the numbers with which a PNG (`cICP`) or an AVIF may name its colors.

    Args:
        primaries: Of ITU-T H.273.
        transfer: Likewise.

    Returns:
        An ICC profile; `None` if nothing is said, or sRGB.

    Raises:
        BadProfileError: If they are not known.
        ValueError: If what they mean is brighter than white; what it is, to come after its name.
    """
    if transfer in HIGH_RANGE:
        raise ValueError(
            f"its numbers are of a high dynamic range ({HIGH_RANGE[transfer]}); save it in sRGB"
        )
    transfer, primaries = (
        default if code == UNSPECIFIED else code
        for code, default in ((transfer, 13), (primaries, 1))
    )
    if primaries not in PRIMARIES_BY_CODE or transfer not in GAMMA_BY_CODE:
        raise BadProfileError(f"primaries {primaries} and transfer {transfer}")
    gamma = GAMMA_BY_CODE[transfer]
    where = (*WHITE_POINT, *PRIMARIES_BY_CODE[primaries])
    return _profile(None if gamma is None else 1 / gamma, where)


@functools.lru_cache(16)
def _profile(gamma: float | None, where: tuple[float, ...]) -> bytes | None:
    is_srgb = gamma is None or abs(gamma / GAMMA - 1) < 0.05
    if is_srgb and np.allclose(where, (*WHITE_POINT, *PRIMARIES), atol=0.005):
        return None
    curve: dict[str, Any] = {"transferfunction": _linear(np.linspace(0, 1, 4096))}
    if gamma is not None:
        if not 0.05 < gamma < 20:
            raise BadProfileError(f"a gamma of {gamma:g}")
        curve = {"gamma": 1 / gamma}
    try:
        primaries = [number for k in (2, 4, 6) for number in (where[k], where[k + 1], 1.0)]
        return imagecodecs.cms_profile(
            "rgb", whitepoint=(*where[:2], 1.0), primaries=primaries, **curve
        )
    except Exception as error:
        raise BadProfileError(str(error)) from None


def _linear(shares: np.ndarray) -> np.ndarray:
    """The curve of sRGB."""
    curve = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return curve.astype(np.float32)


def to_srgb(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """Turns the colors of a profile into those of sRGB.

    Args:
        pixels: `(height, width, bands)`, uint8 or uint16, in their full range: 1 band of gray, 3 of
            RGB, or 4 of CMYK.
        profile: An ICC profile.

    Returns:
        Of the same size and type: gray stays gray and RGB stays RGB, CMYK becomes RGB. The same
        object if the profile is that of sRGB.

    Raises:
        BadProfileError: If it is damaged, or of pictures of another kind.
    """
    bands = pixels.shape[2]
    space, wanted = SPACES.get(profile[16:20], ("", 0))
    # Gray pictures often have a profile of RGB, in which gray is as well defined.
    if wanted != bands and (bands, wanted) != (1, 3):
        raise BadProfileError(WRONG)
    try:
        if not _changes(profile, space, wanted):
            return pixels
        result = _transformed(np.repeat(pixels, 3, 2) if wanted > bands else pixels, profile, space)
    except Exception as error:
        raise BadProfileError(str(error)) from None
    return result[:, :, 1:2] if bands == 1 else result


def from_srgb(pixels: np.ndarray, profile: bytes) -> np.ndarray:
    """Turns the colors of sRGB into those of a profile.

    Args:
        pixels: `(height, width, bands)`, uint8 or uint16, in their full range: 1 band of gray or 3
            of RGB.
        profile: An ICC profile of the same number of bands.

    Returns:
        Of the same shape and type. The same object if the profile is that of sRGB.

    Raises:
        BadProfileError: If it is damaged, of pictures of another kind, or only says what colors its
            numbers are and not the reverse, as those of scanners may.
    """
    bands = pixels.shape[2]
    space, wanted = SPACES.get(profile[16:20], ("", 0))
    if wanted != bands:
        raise BadProfileError(WRONG)
    try:
        if not _changes(profile, space, wanted):
            return pixels
        return _reversed(np.repeat(pixels, 3, 2) if bands == 1 else pixels, profile, space)
    except Exception as error:
        raise BadProfileError(str(error)) from None


@functools.lru_cache(64)
def is_reversible(profile: bytes, bands: int) -> bool:
    """Tells whether pictures can be written in the colors of a profile.

    Args:
        profile: An ICC profile.
        bands: Of the pictures: 1 for gray, 3 for RGB.

    Returns:
        Whether `from_srgb` can turn them.
    """
    try:
        from_srgb(np.zeros((1, 1, bands), np.uint8), profile)
    except BadProfileError:
        return False
    return True


def is_other(profile: bytes) -> bool:
    """Tells whether a profile is of other colors than those of sRGB.

    Args:
        profile: An ICC profile.

    Returns:
        Whether it is; so is one that cannot be used.
    """
    space, bands = SPACES.get(profile[16:20], ("", 0))
    try:
        return not bands or _changes(profile, space, bands)
    except Exception:  # The library raises what the damage led to.
        return True


@functools.lru_cache(64)
def _changes(profile: bytes, space: str, bands: int) -> bool:
    """Whether a profile is another one than that of sRGB."""
    if bands == 4:
        return True
    steps = np.linspace(0, 255, 18 if bands == 3 else 256).astype(np.uint8)
    colors = np.stack(np.meshgrid(*[steps] * bands), axis=-1).reshape(1, -1, bands)
    changes = _transformed(colors, profile, space).astype(int) - colors
    return bool(np.abs(changes).max() > TOLERANCE)


def _reversed(pixels: np.ndarray, profile: bytes, space: str) -> np.ndarray:
    result = imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        _srgb(),
        profile,
        colorspace="rgb",
        outcolorspace=space,
        flags=_flags(pixels),
    )
    return result.reshape(*pixels.shape[:2], -1)


def _flags(pixels: np.ndarray) -> int | None:
    return None if pixels.dtype == np.uint8 else NO_TABLES


def _transformed(pixels: np.ndarray, profile: bytes, space: str) -> np.ndarray:
    if space == "gray":
        pixels = pixels[:, :, 0]
    return imagecodecs.cms_transform(
        np.ascontiguousarray(pixels),
        profile,
        _srgb(),
        colorspace=space,
        outcolorspace="rgb",
        flags=_flags(pixels),
    )


@functools.cache
def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def lab_to_rgb(image: Image.Image) -> Image.Image:
    """Turns a picture in CIELAB into RGB.

    Args:
        image: Of the mode `LAB`.

    Returns:
        An RGB image.
    """
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    turned = ImageCms.applyTransform(image, ImageCms.buildTransform(lab, srgb, "LAB", "RGB"))
    assert turned is not None  # Only in place there is none.
    return turned
