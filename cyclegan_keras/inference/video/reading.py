"""Opening videos: what is in them, and their frames one by one."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from cyclegan_keras._files import PathLike
from cyclegan_keras.data.decoding import MAX_PIXELS
from cyclegan_keras.inference.video import libav

SUFFIXES = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"))

# Whatever a file is called, its content says which of these it is. FFmpeg knows hundreds more, and
# some of those, such as playlists, open other files or addresses.
FORMATS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi")

# Where a video does not say how often its frames come.
USUAL_RATE = Fraction(25)


@dataclasses.dataclass(frozen=True)
class Properties:
    """What a video's pictures are like.

    Attributes:
        codec: The name of their codec, such as "h264".
        tag: The container's name for it, such as "hvc1".
        profile: The codec's profile, such as "High".
        decoder: The name of a decoder that is to be used in place of the usual one.
        time_base: The unit of the frames' times, in seconds.
        rate: Frames per second, on average.
        aspect: Of a pixel, its width to its height; `None` if the video does not say.
        first: The first frame, which has all that a decoder finds out.
        matrix: Nine integers that say how frames are turned to be shown; `None` means not at all.
        num_frames: The number of frames, as far as the video says so.
    """

    codec: str
    tag: str
    profile: str | None
    decoder: str | None
    time_base: Fraction
    rate: Fraction
    aspect: Fraction | None
    first: Any
    matrix: tuple[int, ...] | None
    num_frames: int | None


class Shown(NamedTuple):
    """A frame with its time.

    Attributes:
        picture: PyAV's frame.
        time: When it is shown, in units of its stream.
        duration: For how long, in the same; 0 if the video does not say.
    """

    picture: Any
    time: int
    duration: int


def is_video(path: PathLike) -> bool:
    """Tells by its suffix whether a file is a video; a GIF is a picture.

    Args:
        path: Of the file, which need not exist.

    Returns:
        Whether `translate_video` is the one to call.
    """
    return pathlib.PurePath(os.fsdecode(path)).suffix.lower() in SUFFIXES


def num_frames(path: PathLike) -> int | None:
    """Tells how many frames a video has, as far as it says so, without reading them.

    Args:
        path: Of the video.

    Returns:
        The number, which is an estimate for some formats; `None` if the video does not say.

    Raises:
        FileNotFoundError: If it does not exist.
        OSError: If it cannot be opened.
        ValueError: If it is no video, or PyAV is not installed.
    """
    with opened(path) as container:
        return _num_frames(container, pictures_of(container, path))


@contextlib.contextmanager
def opened(path: PathLike) -> Iterator[Any]:
    """Opens a video to read it.

    Args:
        path: Of the video.

    Yields:
        PyAV's container.

    Raises:
        FileNotFoundError: If it does not exist.
        OSError: If it cannot be opened.
        ValueError: If it is no video of one of `FORMATS`.
    """
    av = libav.load()
    name = os.path.abspath(os.fsdecode(path))
    if not os.path.exists(name):
        raise FileNotFoundError(f"No video {os.fsdecode(path)!r}.")
    if not os.path.isfile(name):  # Whoever opens a pipe may wait for ever.
        raise ValueError(f"{os.fsdecode(path)!r} is not a file.")
    if not os.path.getsize(name):
        raise ValueError(f"Cannot read the video {os.fsdecode(path)!r}: it is empty.")
    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
    with libav.errors_in_words(path, "read"):
        # What is no text in a title is kept, byte by byte.
        container = av.open(name, "r", container_options=options, metadata_errors="surrogateescape")
    try:
        yield container
    finally:
        container.close()


def pictures_of(container: Any, path: PathLike) -> Any:
    """Finds the stream of pictures that is shown.

    Args:
        container: From `opened`.
        path: Of the video.

    Returns:
        The stream.

    Raises:
        ValueError: If there is none, or it cannot be decoded.
    """
    moving = [stream for stream in container.streams.video if not is_cover(stream)]
    if not moving:
        kinds = sorted({stream.type for stream in container.streams})
        raise ValueError(
            f"The video {os.fsdecode(path)!r} has no moving pictures"
            + (f", only {' and '.join(kinds)}." if kinds else ": it is incomplete.")
        )
    best = container.streams.best("video")
    stream = best if best in moving else moving[0]
    if stream.codec_context is None:
        raise ValueError(
            f"Cannot read the video {os.fsdecode(path)!r}: its codec is not known here. Convert it "
            "to H.264."
        )
    return stream


def is_cover(stream: Any) -> bool:
    """Whether a stream is one picture that belongs to the file, such as the cover of an album."""
    return "attached_pic" in stream.disposition.name.split("|") if stream.disposition else False


def probed(path: PathLike) -> Properties:
    """Reads a video up to its first frame.

    Args:
        path: Of the video.

    Returns:
        What its pictures are like.

    Raises:
        FileNotFoundError: If it does not exist.
        OSError: If it cannot be opened.
        ValueError: If it is no video, or none of its frames can be decoded.
    """
    with opened(path) as container:
        stream = pictures_of(container, path)
        context = stream.codec_context
        if context.width * context.height > MAX_PIXELS:
            raise ValueError(
                f"Cannot read the video {os.fsdecode(path)!r}: it must have at most {MAX_PIXELS} "
                f"pixels a frame, it has {context.width} × {context.height}."
            )
        decoder = _own_decoder(stream)
        rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
        shown = (each for each in Reader(container, stream, decoder) if isinstance(each, Shown))
        with libav.errors_in_words(path, "read"):
            first = next(shown, None)
        if first is None:
            raise ValueError(
                f"Cannot read the video {os.fsdecode(path)!r}: none of its frames can be decoded."
            )
        return Properties(
            codec=context.codec.canonical_name,
            tag=context.codec_tag,
            profile=context.profile,
            decoder=decoder,
            time_base=stream.time_base,
            rate=Fraction(rate),
            aspect=stream.sample_aspect_ratio or None,
            first=first.picture,
            matrix=_matrix(first.picture),
            num_frames=_num_frames(container, stream),
        )


class Reader:
    """Goes through a video once: frames of its pictures, and packets of all else.

    What is damaged is passed over and counted.

    Attributes:
        num_lost: The number of frames that could not be decoded, so far.
        num_damaged: The number of frames that were decoded with faults in them.
        num_retimed: The number of frames that came without a time, or with that of one before.
        broke_off: Whether the file broke off before its end.
    """

    def __init__(self, container: Any, stream: Any, decoder: str | None = None) -> None:
        self._container, self._stream = container, stream
        self._decoder = stream.codec_context
        if decoder is not None:
            self._decoder = libav.load().CodecContext.create(decoder, "r")
            self._decoder.extradata = stream.codec_context.extradata
        self.num_lost = self.num_damaged = self.num_retimed = 0
        self.broke_off = False
        self._last: Shown | None = None
        self._delay = 0
        self._end = Fraction(0)

    def __iter__(self) -> Iterator[Any]:
        """Yields each frame as `Shown`, and each packet of the other streams as it is."""
        num_packets = num_reached = 0
        for packet in self._packets():
            is_last = packet.dts is None and not packet.size  # Only tells decoders to finish.
            if packet.dts is not None:
                end = (packet.dts + (packet.duration or 0)) * packet.time_base
                self._end = max(self._end, end)
            if packet.stream.index != self._stream.index:
                if packet.size:
                    yield packet
                continue
            num_packets += not is_last
            num_reached = max(num_reached, 0 if packet.dts is None else packet.dts + 1)
            for picture in self._decoded(packet if packet.size else None):
                yield self._timed(picture)
        if expected := _num_listed(self._container, self._stream):
            # In an AVI, empty frames count and are not read; but each has its place.
            is_avi = self._container.format.name == "avi"
            self.num_lost += max(0, expected - (num_reached if is_avi else num_packets))
        if self._container.duration:
            expected_end = Fraction(self._container.duration, 1_000_000)
            self.broke_off |= self._end < expected_end - max(Fraction(1), expected_end / 100)

    def _packets(self) -> Iterator[Any]:
        av = libav.load()
        packets = self._container.demux()
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError as error:
                if libav.is_system(error):
                    raise
                self.broke_off = True
                return
            yield packet

    def _decoded(self, packet: Any) -> list[Any]:
        av = libav.load()
        try:
            pictures = self._decoder.decode(packet)
        except av.error.EOFError:  # It was flushed already.
            return []
        except av.error.FFmpegError as error:
            if libav.is_system(error):
                raise
            self.num_lost += 1
            return []
        return [picture for picture in pictures if picture.width * picture.height <= MAX_PIXELS]

    def _timed(self, picture: Any) -> Shown:
        self.num_damaged += picture.is_corrupt
        time, last = picture.pts, self._last
        if self._container.format.name == "avi":
            # It has an order, but no times. FFmpeg gives frames those of the order in which they
            # are decoded; they are shown so many frames later.
            if last is None:
                self._delay = self._decoder.reorder_depth
            time = None if picture.dts is None else max(0, picture.dts - self._delay)
            if time is None and last is not None:
                time = last.time + 1
        elif time is None:
            time = picture.dts
        if time is None or (last is not None and time <= last.time):
            self.num_retimed += 1
            time = 0 if last is None else last.time + max(1, last.duration)
        self._last = Shown(picture, time, picture.duration or 0)
        return self._last


def _num_listed(container: Any, stream: Any) -> int | None:
    """Reads how many packets of pictures there should be, where a file lists them."""
    if container.format.name in ("avi", FORMATS[0]):
        return int(stream.frames)
    tag = stream.metadata.get("NUMBER_OF_FRAMES", "")
    return int(tag) if tag.isdecimal() else None


def _num_frames(container: Any, stream: Any) -> int | None:
    if stream.frames:
        return int(stream.frames)
    if container.duration and stream.average_rate:
        return max(1, round(Fraction(container.duration, 1_000_000) * stream.average_rate))
    return None


def _matrix(picture: Any) -> tuple[int, ...] | None:
    """Reads how frames are turned: FFmpeg's display matrix."""
    data = picture.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    return tuple(int(number) for number in np.frombuffer(bytes(data), np.int32)[:9])


def _own_decoder(stream: Any) -> str | None:
    """Names the decoder of VP8 and VP9 that sees transparency, where there is some."""
    wanted = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    if stream.metadata.get("alpha_mode", stream.metadata.get("ALPHA_MODE")) != "1":
        return None
    return wanted if wanted and libav.has(wanted, "r") else None
