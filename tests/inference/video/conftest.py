"""Small videos, made for each test."""

import pathlib
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

SIZE = 64, 48


class Video:
    """What a player finds in a video."""

    def __init__(self, path: pathlib.Path) -> None:
        import av

        with av.open(path) as container:
            stream = container.streams.video[0]
            self.frames = [*container.decode(stream)]
            self.unit = stream.time_base
            self.codec = stream.codec_context.codec.canonical_name
            self.pix_fmt = stream.pix_fmt
            context = stream.codec_context
            self.tags = {
                name: getattr(context, name)
                for name in ("color_range", "colorspace", "color_primaries", "color_trc")
            }
            self.tag = context.codec_tag
            self.aspect = stream.sample_aspect_ratio
            self.metadata = dict(container.metadata)
            self.chapters = [
                (each["start"] * each["time_base"], each["metadata"]["title"])
                for each in container.chapters()
            ]
            self.streams = [
                (each.type, each.codec_context and each.codec_context.codec.canonical_name)
                for each in container.streams
            ]
            self.languages = [each.metadata.get("language") for each in container.streams]
        self.sound: list[tuple[Fraction, bytes]] = []
        self.subtitles: list[tuple[Fraction, bytes]] = []
        with av.open(path) as container:
            for packet in container.demux():
                if packet.size and packet.stream.type in ("audio", "subtitle"):
                    kept = self.sound if packet.stream.type == "audio" else self.subtitles
                    kept.append((packet.pts * packet.time_base, bytes(packet)))

    @property
    def times(self) -> list[Fraction]:
        return [frame.pts * self.unit for frame in self.frames]

    @property
    def last_duration(self) -> Fraction:
        return self.frames[-1].duration * self.unit

    @property
    def rgb(self) -> list[np.ndarray]:
        return [frame.to_ndarray(format="rgb24") for frame in self.frames]


def pattern(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A smooth picture, other in each frame."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    channels = rows * 3 + number, columns * 2 + 20, (rows + columns) + 5 * number
    return np.stack([np.clip(channel, 0, 255) for channel in channels], 2).astype(np.uint8)


@pytest.fixture
def make(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Makes a video by name; its suffix says which container."""
    av = pytest.importorskip("av", reason="videos need PyAV")

    def made(
        name: str,
        codec: str = "libx264",
        pix_fmt: str = "yuv420p",
        *,
        times: Sequence[int] = range(6),
        unit: Fraction = Fraction(1, 25),
        size: tuple[int, int] = SIZE,
        sound: str | None = None,
        frame: Callable[[int], Any] | None = None,
        options: dict[str, str] | None = None,
        prepare: Callable[[Any, Any], object] = lambda container, stream: None,
        finish: Callable[[Any, Any], object] = lambda container, stream: None,
        **tags: int,
    ) -> pathlib.Path:
        path = tmp_path / name
        if codec == "libx265":
            options = {"x265-params": "log-level=error", **(options or {})}
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, 25, options)
            stream.width, stream.height = size
            stream.pix_fmt = pix_fmt
            stream.codec_context.time_base = unit
            stream.codec_context.max_b_frames = 0
            for tag, value in tags.items():
                setattr(stream.codec_context, tag, value)
            heard = container.add_stream(sound, rate=48000) if sound else None
            kept = prepare(container, stream)
            for number, time in enumerate(times):
                image = pattern(number, size) if frame is None else frame(number)
                if isinstance(image, np.ndarray):
                    image = av.VideoFrame.from_ndarray(image, "rgb24")
                image.pts, image.time_base = time, unit
                container.mux(stream.encode(image))
            container.mux(stream.encode())
            if heard is not None:
                add_sound(container, heard)
            finish(container, kept)
        return path

    return made


def add_sound(container: Any, stream: Any, seconds: float = 0.25) -> None:
    """Encodes a tone."""
    import av

    samples = np.sin(np.arange(int(48000 * seconds)) * 0.06).astype(np.float32) * 0.3
    for start in range(0, len(samples), 960):
        part = np.tile(samples[start : start + 960], (2, 1))
        frame = av.AudioFrame.from_ndarray(part, "fltp", "stereo")
        frame.sample_rate, frame.pts = 48000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
