"""Translates one video: its frames through a function, the rest as it is."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cyclegan_keras._files import PathLike, check_can_be_folder, written_whole
from cyclegan_keras._text import counted
from cyclegan_keras.inference.video import encoding, libav, others, turning
from cyclegan_keras.inference.video.color import HDR, Coding
from cyclegan_keras.inference.video.flicker import Flicker, FlickerMeter
from cyclegan_keras.inference.video.reading import (
    Properties,
    Reader,
    Shown,
    opened,
    pictures_of,
    probed,
)

# From a frame, `(height, width, 3)`, uint8, to its translation of the same shape and type.
FrameFunction = Callable[[np.ndarray], np.ndarray]

# FFmpeg's name of what writes a file of each suffix.
_MUXERS = {
    ".avi": "avi",
    ".m4v": "mp4",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mp4",
    ".webm": "webm",
}
_OF_QUICKTIME = frozenset((".m4v", ".mov", ".mp4"))


@dataclasses.dataclass(frozen=True)
class VideoOutcome:
    """The outcome of translating a video.

    Attributes:
        num_frames: The number of frames that were translated and written.
        num_lost: The number of frames of the source that are damaged or missing.
        flicker: How much the translation flickers; `None` if there were no two frames to compare.
        notes: What is not as in the source, such as sound in another codec, one phrase each.
    """

    num_frames: int
    num_lost: int
    flicker: Flicker | None
    notes: tuple[str, ...]


def translate_video(
    translate: Any,
    source: PathLike,
    target: PathLike,
    *,
    overwrite: bool = False,
    on_frame: Callable[[], object] | None = None,
) -> VideoOutcome:
    """Translates the frames of a video, and keeps their times, its sound and all else.

    The translation is written in the codec of the source where there is an encoder for it, with the
    same pixel format, size, color tags and rotation. It is there whole or not at all.

    Args:
        translate: A generator, from `load_generator`; a `Translator` of one; or a function that
            gets each frame as it is shown, `(height, width, 3)`, uint8 RGB in [0, 255], and returns
            its translation, of the same shape and type.
        source: The video.
        target: Where the translation is written; its suffix decides on the container.
        overwrite: Whether a file that exists may be replaced; the source never is.
        on_frame: Called after each frame.

    Returns:
        The outcome.

    Raises:
        FileExistsError: If the target exists and may not be replaced.
        FileNotFoundError: If the source does not exist.
        OSError: If the source cannot be read, or the target cannot be written.
        ValueError: If the source is no video that can be decoded, if the target is the source or
            has no suffix of a video, or if PyAV is not installed.
    """
    check_target(source, target, overwrite)
    properties = probed(source)
    coding = Coding.of(properties.first)
    path = pathlib.Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        opened(source) as container,
        written_whole(path) as partial,
        _created(partial, path) as output,
    ):
        job = _Job(_frame_function(translate), container, output, properties, coding, source, path)
        outcome = job.run(on_frame or (lambda: None))
        with libav.errors_in_words(path, "write"):
            output.close()
    return outcome


def _frame_function(translate: Any) -> FrameFunction:
    # A model can be called, too, but wants batches in its own size. Keras is not imported for that.
    if not hasattr(translate, "predict_on_batch"):
        return translate
    from cyclegan_keras.inference.translator import Translator

    return Translator(translate)


class _Job:
    """One pass over one video."""

    def __init__(
        self,
        translate: FrameFunction,
        container: Any,
        output: Any,
        properties: Properties,
        coding: Coding,
        source: PathLike,
        target: pathlib.Path,
    ) -> None:
        self._translate, self._properties, self._coding = translate, properties, coding
        self._source, self._target = source, target
        self._output = output
        self._meter = FlickerMeter()
        self._notes: list[str] = []
        pictures = pictures_of(container, source)
        self._reader = Reader(container, pictures, properties.decoder)
        with libav.errors_in_words(target, "write"):
            self._choice = encoding.choose(
                properties, coding, target.suffix.lower(), output.supported_codecs
            )
            self._stream = output.add_stream(
                self._choice.encoder, properties.rate, dict(self._choice.options)
            )
            encoding.set_up(self._stream, self._choice, properties, coding)
            others.keep_tags(pictures, self._stream)
            output.metadata.update(others.tags(container.metadata))
            self._others = others.add_streams(container, output, pictures, self._notes)
            if chapters := container.chapters():
                output.set_chapters(chapters)
        # Of the frames that only have a number in the encoder.
        self._times: list[Shown] = []

    def run(self, on_frame: Callable[[], object]) -> VideoOutcome:
        """Reads, translates and writes everything."""
        num_frames = 0
        for found in self._found():
            if isinstance(found, Shown):
                frame = self._translated(found)
                self._write(frame)
                num_frames += 1
                on_frame()
            elif (way := self._others.get(found.stream.index)) is not None:
                with libav.errors_in_words(self._target, "write"):
                    self._output.mux(way.packets(found))
        with libav.errors_in_words(self._target, "write"):
            self._mux(self._stream.encode(None))
            for way in self._others.values():
                self._output.mux(way.rest())
        self._note()
        return VideoOutcome(
            num_frames, self._reader.num_lost, self._meter.result(), tuple(self._notes)
        )

    def _found(self) -> Iterator[Any]:
        found = iter(self._reader)
        while True:
            with libav.errors_in_words(self._source, "read"):
                each = next(found, None)
            if each is None:
                return
            yield each

    def _translated(self, shown: Shown) -> Any:
        first, matrix = self._properties.first, self._properties.matrix
        size = first.width, first.height
        stored, alpha = self._coding.to_rgb(shown.picture, size)
        frame = np.ascontiguousarray(turning.upright(stored, matrix))
        translation = np.asarray(self._translate(frame))
        if translation.shape != frame.shape or translation.dtype != np.uint8:
            raise ValueError(
                f"`translate` must return an array of shape {frame.shape}, uint8. Received: "
                f"{translation.shape}, {translation.dtype}"
            )
        self._meter.add(frame, translation)
        picture = self._coding.from_rgb(
            turning.as_stored(translation, matrix), alpha, self._choice.pix_fmt
        )
        if self._choice.counts:
            picture.pts, picture.time_base = len(self._times), self._stream.codec_context.time_base
            picture.duration = 1
            self._times.append(shown)
        else:
            picture.pts, picture.time_base = shown.time, self._properties.time_base
            picture.duration = shown.duration
        return picture

    def _write(self, picture: Any) -> None:
        with libav.errors_in_words(self._target, "write"):
            self._mux(self._stream.encode(picture))

    def _mux(self, packets: list[Any]) -> None:
        for packet in packets:
            if self._choice.counts:
                shown = self._times[packet.pts]
                packet.time_base = self._properties.time_base
                packet.pts = packet.dts = shown.time
                packet.duration = shown.duration
            self._output.mux(packet)

    def _note(self) -> None:
        """Says in words what is not as in the source."""
        properties, choice, picture = self._properties, self._choice, self._properties.first
        notes = []
        if choice.codec != properties.codec:
            notes.append(f"its codec, {properties.codec}, became {choice.codec}")
        if choice.pix_fmt != self._coding.pix_fmt:
            notes.append(f"its pixel format, {self._coding.pix_fmt}, became {choice.pix_fmt}")
        bits = max(component.bits for component in picture.format.components)
        if bits > 8:
            notes.append(f"of its {bits} bits a color, 8 were translated")
        if picture.color_trc in HDR:
            notes.append(f"it is HDR ({HDR[picture.color_trc]}), and was translated as it is coded")
        if picture.interlaced_frame:
            notes.append("it is interlaced, and both fields were translated as one picture")
        if self._reader.num_damaged:
            notes.append(f"{counted(self._reader.num_damaged, 'frame')} had faults in them")
        if self._reader.num_retimed:
            notes.append(f"{counted(self._reader.num_retimed, 'frame')} had no time of its own")
        if self._reader.broke_off:
            notes.append("the file breaks off before its end")
        self._notes = notes + self._notes


@contextlib.contextmanager
def _created(partial: pathlib.Path, target: pathlib.Path) -> Iterator[Any]:
    """Opens a file to be written; if something fails, it is only closed."""
    av = libav.load()
    options = {"movflags": "faststart"} if target.suffix.lower() in _OF_QUICKTIME else {}
    with libav.errors_in_words(target, "write"):
        output = av.open(
            os.path.abspath(partial),
            "w",
            format=_MUXERS[target.suffix.lower()],
            container_options=options,
            metadata_errors="surrogateescape",
        )
    try:
        yield output
    except BaseException:
        with contextlib.suppress(Exception):
            output.close()
        raise


def check_target(source: PathLike, target: PathLike, overwrite: bool) -> None:
    """Tells early, without touching anything, whether a translation can be written.

    Args:
        source: The video.
        target: Where its translation is to be written.
        overwrite: Whether a file that exists may be replaced.

    Raises:
        FileExistsError: If the target exists and may not be replaced.
        ValueError: If the target is the source, or has no suffix of a video.
    """
    name, path = os.fsdecode(target), pathlib.Path(os.fsdecode(target))
    if path.suffix.lower() not in _MUXERS:
        raise ValueError(
            f"A video cannot be written as {name!r}. Give a name that ends in one of "
            f"{' '.join(sorted(_MUXERS))}."
        )
    check_can_be_folder(path.parent)
    if path.is_dir():
        raise FileExistsError(f"{name!r} is a folder. Give the name of a file.")
    if os.path.exists(path) and os.path.exists(source) and os.path.samefile(source, path):
        raise ValueError(f"The translation of {name!r} would replace it. Give another name.")
    if os.path.lexists(path) and not overwrite:
        raise FileExistsError(f"{name!r} exists. Give another name, or `overwrite=True`.")
