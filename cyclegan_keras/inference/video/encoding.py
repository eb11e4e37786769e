"""Which encoder writes a video, in which pixel format and with which settings."""

import dataclasses
import os
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from cyclegan_keras.inference.video import libav
from cyclegan_keras.inference.video.color import Coding
from cyclegan_keras.inference.video.reading import Properties

# For each codec, its encoders, the best first, with settings at which its losses are hard to see.
ENCODERS: dict[str, tuple[tuple[str, dict[str, str]], ...]] = {
    "h264": (("libx264", {"crf": "17"}), ("libopenh264", {})),
    "hevc": (("libx265", {"crf": "18", "x265-params": "log-level=error"}),),
    "vp8": (("libvpx", {"crf": "6", "b": "40M", "deadline": "good", "cpu-used": "4"}),),
    "vp9": (
        (
            "libvpx-vp9",
            {"crf": "15", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
        ),
    ),
    "av1": (
        ("libsvtav1", {"crf": "18", "preset": "8"}),
        ("libaom-av1", {"crf": "18", "b": "0", "cpu-used": "6", "row-mt": "1"}),
    ),
    "prores": (("prores_ks", {"vendor": "apl0"}),),
}
# What takes the place of a codec that has no encoder here, by the suffix of the file.
SUBSTITUTES = {
    ".webm": ("vp9", "vp8"),
    ".avi": ("h264", "mpeg4", "mjpeg"),
    "": ("h264", "mpeg4"),
}
# Without loss: they need no setting of quality.
LOSSLESS = frozenset("ffv1 huffyuv ffvhuff utvideo qtrle png rawvideo magicyuv".split())
# The quantizer of encoders that have nothing better, times FFmpeg's unit of it; 1 is the finest.
FINE = 2 * 118
# They give each frame a time by themselves, from a clock with few ticks. They count frames, and the
# container gets the times.
COUNTING = frozenset(
    "mpeg4 mpeg1video mpeg2video msmpeg4v2 msmpeg4v3 wmv1 wmv2 h263 flv mjpeg dnxhd".split()
)
PRORES = {
    "Proxy": "proxy", "LT": "lt", "Standard": "standard", "HQ": "hq", "4444": "4444",
    "XQ": "4444xq",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Choice:
    """How a video is written.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        codec: The name of its codec.
        pix_fmt: The pixel format.
        options: The encoder's settings.
        counts: Whether it gets the numbers of frames in place of their times.
    """

    encoder: str
    codec: str
    pix_fmt: str
    options: dict[str, str]
    counts: bool


def choose(
    properties: Properties, coding: Coding, suffix: str, fits: Sequence[str] | set[str]
) -> Choice:
    """Chooses what comes closest to how the source is written.

    Args:
        properties: Of the source.
        coding: Of its colors.
        suffix: Of the file that is written.
        fits: The names of the encoders whose codecs its container can hold.

    Returns:
        The choice.

    Raises:
        ValueError: If no encoder is there for such a file.
    """
    codecs = (properties.codec, *SUBSTITUTES.get(suffix, SUBSTITUTES[""]))
    for codec in dict.fromkeys(codecs):
        for encoder, options in (*ENCODERS.get(codec, ()), (codec, {})):
            if not libav.has(encoder, "w") or (encoder not in fits and codec not in fits):
                continue
            found = libav.load().codec.Codec(encoder, "w")
            if found.canonical_name != codec:
                continue
            options = dict(options)
            if encoder == "libsvtav1":  # It reports each video that it writes, except if told so.
                os.environ.setdefault("SVT_LOG", "1")
            if encoder == "prores_ks" and properties.profile in PRORES:
                options["profile"] = PRORES[properties.profile]
            pix_fmt = _closest(found.video_formats, coding, properties.first)
            return Choice(found.name, codec, pix_fmt, options, found.name in COUNTING)
    raise ValueError(
        f"No encoder is there for a {suffix or 'nameless'} file in place of {properties.codec}. "
        "Give a name that ends in .mp4 or .mkv."
    )


def set_up(stream: Any, choice: Choice, properties: Properties, coding: Coding) -> None:
    """Gives a new stream the settings, before anything is encoded.

    Args:
        stream: The output's stream of pictures.
        choice: From `choose`.
        properties: Of the source.
        coding: Of its colors.
    """
    from av.codec.context import Flags

    context, first = stream.codec_context, properties.first
    context.width, context.height = first.width, first.height
    context.pix_fmt = choice.pix_fmt
    context.framerate = properties.rate
    context.time_base = _counted_base(properties.rate) if choice.counts else properties.time_base
    stream.time_base = properties.time_base
    if properties.aspect is not None:
        context.sample_aspect_ratio = properties.aspect
    # Frames are then written in the order in which they are shown: times and durations are exact in
    # every container, also in AVI, which has no room for another order.
    context.max_b_frames = 0
    for name, value in coding.tags.items():
        setattr(context, name, value)
    context.flags |= Flags.frame_duration
    if choice.encoder not in dict(ENCODERS.get(choice.codec, ())) and choice.codec not in LOSSLESS:
        context.qscale = True
        context.global_quality = FINE
    if choice.codec == "hevc" and properties.tag in ("hvc1", "hev1"):
        context.codec_tag = properties.tag
    if properties.matrix is not None:
        stream.set_display_matrix(properties.matrix)


def _counted_base(rate: Fraction) -> Fraction:
    """The time of a frame, for a clock of MPEG-4, which knows no parts smaller than 1/65535 s."""
    return 1 / rate.limit_denominator(1001) if rate.numerator > 65535 else 1 / rate


def _closest(formats: Any, coding: Coding, picture: Any) -> str:
    """Finds the pixel format that loses least, in this order: alpha, colors, chroma, bits."""
    av = libav.load()
    wanted = picture.format
    names = [] if formats is None else [each.name for each in formats]
    if formats is None or coding.pix_fmt in names:
        return coding.pix_fmt

    def traits(video_format: Any) -> tuple[bool, bool, bool, int, int]:
        components = video_format.components
        chroma = 0
        if not video_format.is_rgb and len(components) >= 3:
            # Samples of chroma among four of luma: 4 for 4:4:4, 2 for 4:2:2, 1 for 4:2:0.
            chroma = video_format.chroma_width(4) * video_format.chroma_height(4) // 4
        elif video_format.is_rgb or video_format.has_palette:
            chroma = 4
        has_alpha = any(each.is_alpha for each in components)
        is_gray = chroma == 0
        bits = max((each.bits for each in components), default=8)
        return has_alpha, is_gray, video_format.is_rgb, chroma, bits

    alpha, gray, rgb, chroma, bits = traits(wanted)

    def loss(name: str) -> tuple[int, ...]:
        its_alpha, its_gray, its_rgb, its_chroma, its_bits = traits(av.VideoFormat(name, 16, 16))
        return (
            alpha and not its_alpha,
            its_gray and not gray,
            max(0, chroma - its_chroma),
            max(0, min(bits, 10) - its_bits),
            its_rgb != rgb,
            its_alpha != alpha,
            its_gray != gray,
            abs(its_chroma - chroma),
            abs(its_bits - bits),
            name.startswith("yuvj"),
        )

    return min(names, key=loss)
