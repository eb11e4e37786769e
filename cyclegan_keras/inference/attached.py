"""What is written beside the pixels of a translation, for each format."""

import collections
import dataclasses
from typing import Any

from PIL import PngImagePlugin

from cyclegan_keras.data import metadata
from cyclegan_keras.data.metadata import EXIF_BLOCK, XMP_BLOCK, Metadata

IPTC_BLOCK, TEXT, COMMENT = "IPTC block", "text", "comment"
# What each format has a place for, of the attributes of `Attached`.
PLACES = {
    "JPEG": ("exif", "xmp", "iptc", "dpi", "comment"),
    "PNG": ("exif", "xmp", "dpi", "texts"),
    "TIFF": ("exif", "xmp", "iptc", "dpi"),
    "WEBP": ("exif", "xmp"),
    "AVIF": ("exif", "xmp"),
    "JPEG2000": ("exif", "xmp"),
    "BMP": ("dpi",),
    "GIF": ("comment",),
}
NOUNS = {"exif": EXIF_BLOCK, "xmp": XMP_BLOCK, "iptc": IPTC_BLOCK, "comment": COMMENT}
# What one part of a JPEG can hold, less its own name.
MAX_IN_JPEG = {"exif": 65533, "xmp": 65533 - 29, "iptc": 65533 - 27, "comment": 65533}


@dataclasses.dataclass(kw_only=True)
class Attached:
    """What is written beside the pixels.

    Attributes:
        profile: An ICC profile; `None` means sRGB.
        exif: As of `Metadata`, true for the picture that is written; so are the others.
        xmp: XMP.
        iptc: IPTC-NAA.
        dpi: Pixels per inch, horizontally and vertically.
        texts: Keywords and texts of a PNG.
        comment: A comment.
        left_out: What could not be made true for the translation, and how often, by a noun.
    """

    profile: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    texts: tuple[tuple[str, str], ...] = ()
    comment: bytes | None = None
    left_out: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)

    def restrict_to(self, file_format: str) -> collections.Counter[str]:
        """Drops what a format has no place for.

        Args:
            file_format: Such as "JPEG".

        Returns:
            What was left out in all, and how often, by a noun; resolutions are not counted.
        """
        dropped = self.left_out
        for name in ("exif", "xmp", "iptc", "comment"):
            value = getattr(self, name)
            too_long = file_format == "JPEG" and len(value or b"") > MAX_IN_JPEG[name]
            if value is not None and (name not in PLACES[file_format] or too_long):
                dropped[NOUNS[name]] += 1
                setattr(self, name, None)
        if "texts" not in PLACES[file_format] and self.texts:
            dropped[TEXT] += len(self.texts)
            self.texts = ()
        if "dpi" not in PLACES[file_format]:
            self.dpi = None
        return dropped

    def options(self, file_format: str) -> dict[str, Any]:
        """Gives what Pillow takes when it saves in a format.

        Args:
            file_format: Such as "JPEG", to which it is restricted.

        Returns:
            Arguments of `PIL.Image.Image.save`.
        """
        found: dict[str, Any] = {
            "icc_profile": self.profile,
            "exif": self.exif,
            "xmp": self.xmp,
            "dpi": self.dpi,
            "comment": self.comment,
        }
        if file_format == "JPEG" and self.iptc is not None:
            found["extra"] = _photoshop_segment(self.iptc)
        if file_format == "PNG" and (self.texts or self.xmp):
            found["pnginfo"] = self._png_info()
            del found["xmp"]
        return {key: value for key, value in found.items() if value is not None}

    def _png_info(self) -> PngImagePlugin.PngInfo:
        info = PngImagePlugin.PngInfo()
        for key, text in self.texts:
            info.add_text(key, text)
        if self.xmp is not None:
            info.add_itxt("XML:com.adobe.xmp", self.xmp.decode("utf-8"))
        return info


def attached_to(
    found: Metadata, size: tuple[int, int], profile: bytes | None, is_turned: bool
) -> Attached:
    """Makes metadata of a source true for its translation.

    Args:
        found: The metadata of the source.
        size: `(height, width)` of the translation, in pixels.
        profile: The ICC profile that it is written in; `None` means sRGB.
        is_turned: Whether the source has a profile and the translation is written in sRGB.

    Returns:
        What to write.
    """
    own = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    left_out: collections.Counter[str] = collections.Counter()
    if found.exif is not None:
        try:
            own["exif"] = metadata.exif_for(found.exif, size, is_turned)
        except Exception:  # Pillow raises whatever odd values led to; the picture is written.
            own["exif"] = None
            left_out[EXIF_BLOCK] += 1
    return Attached(profile=profile, left_out=left_out, **own)


def _photoshop_segment(iptc: bytes) -> bytes:
    """The part of a JPEG that holds IPTC, as a resource of Photoshop."""
    resource = b"8BIM\x04\x04\0\0" + len(iptc).to_bytes(4) + iptc + b"\0" * (len(iptc) % 2)
    body = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + (len(body) + 2).to_bytes(2) + body
