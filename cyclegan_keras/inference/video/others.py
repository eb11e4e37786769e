"""What a video has beside its pictures: sound, subtitles, covers, chapters, titles."""

import os
from typing import Any

from cyclegan_keras.inference.video import libav

# What a container writes about itself, and not about the video.
_OWN_TAGS = frozenset(
    "major_brand minor_version compatible_brands encoder duration _statistics_tags "
    "_statistics_writing_app _statistics_writing_date_utc number_of_frames number_of_bytes bps "
    "software vendor_id alpha_mode".split()
)

# Between two subtitles, QuickTime has an empty one. It is written where it is needed.
_PAUSE = b"\0\0"


class Copied:
    """A stream whose packets are written as they are."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def packets(self, packet: Any) -> list[Any]:
        """Readdresses a packet.

        Args:
            packet: Of the source.

        Returns:
            What is to be written.
        """
        if packet.stream.type == "subtitle" and bytes(packet) == _PAUSE:
            return []
        packet.stream = self.stream
        return [packet]

    def rest(self) -> list[Any]:
        """Returns what is still to be written at the end."""
        return []


class Reencoded:
    """Sound in a codec that the container cannot hold."""

    def __init__(self, source: Any, stream: Any) -> None:
        av = libav.load()
        context = stream.codec_context
        self._source, self.stream = source, stream
        self._resampler = av.AudioResampler(
            context.format, context.layout, context.sample_rate, context.frame_size or None
        )

    def packets(self, packet: Any) -> list[Any]:
        """Decodes a packet and encodes what is in it.

        Args:
            packet: Of the source.

        Returns:
            What is to be written.
        """
        av = libav.load()
        try:
            frames = self._source.decode(packet)
        except av.error.FFmpegError as error:
            if libav.is_system(error):
                raise
            return []
        return self._encoded(frames)

    def rest(self) -> list[Any]:
        """Returns what is still to be written at the end."""
        return [*self._encoded([*self._source.decode(None), None]), *self.stream.encode(None)]

    def _encoded(self, frames: list[Any]) -> list[Any]:
        found: list[Any] = []
        for frame in frames:
            for resampled in self._resampler.resample(frame):
                found += self.stream.encode(resampled)
        return found


def add_streams(source: Any, output: Any, pictures: Any, notes: list[str]) -> dict[int, Any]:
    """Adds a stream to the output for each other stream of the source that it can hold.

    Args:
        source: PyAV's container that is read.
        output: The one that is written.
        pictures: The source's stream that is translated.
        notes: Gets a sentence for each stream that is not simply copied.

    Returns:
        `Copied` or `Reencoded` by the index of the source's stream.
    """
    added: dict[int, Any] = {}
    # QuickTime has the titles of chapters as a stream, too, which is written with them.
    is_quicktime = "mov" in source.format.name.split(",")
    chapter_tracks = 1 if is_quicktime and source.chapters() else 0
    for stream in source.streams:
        if stream.index == pictures.index:
            continue
        kind = _kind(stream)
        if stream.type == "video" and kind == "video":
            notes.append("a second stream of pictures was left out")
            continue
        if stream.type == "data" and "timecode" in stream.metadata:
            continue  # Likewise: the stream of pictures has it as a tag.
        if stream.type == "data" and chapter_tracks:
            chapter_tracks -= 1
            continue
        if (way := _way(stream, output)) is None:
            notes.append(f"{kind} ({_codec(stream)}) was left out")
            continue
        if isinstance(way, Reencoded):
            codec = way.stream.codec_context.codec.canonical_name
            notes.append(f"sound was encoded anew, as {codec}")
        keep_tags(stream, way.stream)
        added[stream.index] = way
    return added


def keep_tags(source: Any, target: Any) -> None:
    """Copies title, language and the like, and what a stream is there for.

    Args:
        source: A stream of the source.
        target: The output's stream.
    """
    target.metadata.update(tags(source.metadata))
    if name := source.metadata.get("name"):  # QuickTime reads by this name what it writes by that.
        target.metadata.setdefault("title", name)
    target.disposition = source.disposition


def tags(metadata: dict[str, str]) -> dict[str, str]:
    """Leaves out what a container writes about itself.

    Args:
        metadata: Of a container or a stream.

    Returns:
        The rest.
    """
    return {name: value for name, value in metadata.items() if name.lower() not in _OWN_TAGS}


def _way(stream: Any, output: Any) -> "Copied | Reencoded | None":
    av = libav.load()
    if stream.type == "attachment":
        try:
            name, kind = stream.name or "attachment", stream.mimetype or "application/octet-stream"
            return Copied(output.add_attachment(name, kind, stream.data))
        except (ValueError, av.error.FFmpegError):
            return None
    if stream.type not in ("audio", "subtitle", "video"):
        return None
    if stream.codec_context is None:
        return None
    try:
        return Copied(output.add_stream_from_template(stream, opaque=True))
    except (ValueError, av.error.FFmpegError):
        pass
    return _reencoded(stream, output) if stream.type == "audio" else None


def _reencoded(stream: Any, output: Any) -> Reencoded | None:
    av = libav.load()
    context = stream.codec_context
    preferred = {"opus": ("libopus", "libvorbis"), "vorbis": ("libopus", "libvorbis")}
    default = output.default_audio_codec
    for name in (*preferred.get(default, ()), default, "aac", "libmp3lame", "pcm_s16le"):
        if not libav.has(name, "w"):
            continue
        rate = 48000 if name == "libopus" else context.sample_rate
        try:
            new = output.add_stream(name, rate=rate, layout=context.layout.name)
        except (ValueError, av.error.FFmpegError):
            continue
        new.codec_context.open()
        return Reencoded(stream, new)
    return None


def _kind(stream: Any) -> str:
    from cyclegan_keras.inference.video.reading import is_cover

    if is_cover(stream):
        return "a cover"
    names = {"audio": "sound", "subtitle": "a subtitle", "attachment": "an attachment"}
    return names.get(stream.type, "video" if stream.type == "video" else "a stream of data")


def _codec(stream: Any) -> str:
    context = stream.codec_context
    return os.fsdecode(context.name) if context is not None else "unknown"
