"""Translates many image files, and reads, translates and writes in parallel."""

import collections
import concurrent.futures
import dataclasses
import errno
import functools
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras.data import images
from cyclegan_keras.data.picture import Picture
from cyclegan_keras.inference import formats, pictures
from cyclegan_keras.inference.manner import Manner, Placement
from cyclegan_keras.inference.pictures import Ranges
from cyclegan_keras.inference.targets import Job, Jobs
from cyclegan_keras.inference.whole import AnySize

# On two CPU cores, batches of 16 are about twice as fast as single images; larger ones gain little.
BATCH_SIZE = 16

# While one batch is translated, this many may be ready, and this many may wait to be written. One
# would suffice for images of equal size; the second one compensates for large images.
BATCHES_READ_AHEAD = 2
BATCHES_TO_WRITE = 2

# Pixels of a source that its translation needs are held up to this size, of which there may be some
# eighty; a larger one is read twice.
HELD_BYTES = 1 << 22

# Each holds one picture in its own size, which may be large.
NUM_WORKERS = min(8, max(2, os.cpu_count() or 1))

# Errors that would recur with the next image, so that the batch stops.
LASTING = images.SYSTEM_ERRORS | {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

OnWritten = Callable[[pathlib.Path, pathlib.Path], object]
OnFailed = Callable[[pathlib.Path, str], object]


class _Source(NamedTuple):
    """An image that has been read.

    Attributes:
        path: Its file.
        target: The file of its translation.
        picture: Its properties; without its pixels, if its translation does not need them, or if
            they are so many that the file is read again.
        settings: Its compression settings.
        pixels: What the generator sees, `(height, width, channels)`, float32 in [-1, 1].
        placement: Where in that the picture lies.
        needs_source: Whether its translation needs the pixels of the picture.
    """

    path: pathlib.Path
    target: pathlib.Path
    picture: Picture
    settings: dict[str, Any]
    pixels: np.ndarray
    placement: Placement
    needs_source: bool


def translate(
    generator: keras.Model,
    jobs: Jobs,
    batch_size: int,
    on_written: OnWritten,
    ranges: Ranges | None = None,
    on_failed: OnFailed | None = None,
    strip_metadata: bool = False,
    manner: Manner | None = None,
    fixed_size: bool = False,
) -> collections.Counter[str]:
    """Translates image files.

    If an error occurs, all images translated so far are written before it is raised; after Ctrl-C,
    only those that are being written. No thread is left running.

    Args:
        generator: Maps images to images of the same size.
        jobs: Sources and targets, which are gone through once; all targets must differ.
        batch_size: Maximum number of images in a batch. What is translated in sizes of its own,
            or by a generator for images of any size, is translated one by one.
        on_written: Called after each image that was written, on the caller's thread, with it and
            with the file of its translation.
        ranges: The values of black and white; `None` means the whole range of a file's type.
        on_failed: Called on the caller's thread with each image that cannot be read or written, and
            the reason; the others are translated. If it is `None`, the first such error is raised.
            Errors that would recur with the next image, such as a full disk, are always raised.
        strip_metadata: Whether what the files say beside pixels and colors is left out.
        manner: How they are translated; `None` means the default.
        fixed_size: Whether the network always computes `batch_size` images, so that the last bits
            do not depend on how many there are.

    Returns:
        The number of parts of the files that were ignored, such as later frames of an animation, or
        EXIF blocks that a format has no place for, by kind.

    Raises:
        FileNotFoundError: If an image does not exist.
        OSError: If a translation cannot be written.
        ValueError: If an image cannot be read; those before it are translated.
    """
    left_out: collections.Counter[str] = collections.Counter()
    if not len(jobs):
        # Those that are skipped may want to be told.
        collections.deque(jobs, maxlen=0)
        return left_out
    ranges = ranges or Ranges()
    manner = manner or Manner()
    whole = AnySize(generator, manner.tile) if manner.rebuilds(generator) else None
    if whole is not None:
        batch_size = 1
    if not fixed_size:
        # Batches of equal size: 17 images are split into 9 and 8, not into 16 and 1.
        num_batches = -(-len(jobs) // batch_size)
        batch_size = -(-len(jobs) // num_batches)
    run = _traced(generator, batch_size) if whole is None else _one_by_one(whole)
    pool = concurrent.futures.ThreadPoolExecutor(NUM_WORKERS, "translate")
    writing: collections.deque[tuple[Job, concurrent.futures.Future[collections.Counter[str]]]]
    writing = collections.deque()

    def failed(path: pathlib.Path, error: Exception) -> None:
        lasting = isinstance(error, OSError) and error.errno in LASTING
        if on_failed is None or lasting or not isinstance(error, OSError | ValueError):
            raise error
        on_failed(path, str(error))

    def wait_until_at_most(count: int) -> None:
        while writing and (len(writing) > count or writing[0][1].done()):
            job, future = writing.popleft()
            try:
                left_out.update(future.result())
            except Exception as error:
                failed(job[0], error)
            else:
                on_written(*job)

    try:
        read = functools.partial(_read, generator, whole, ranges, strip_metadata, manner)
        for batch in _read_ahead(pool, read, jobs, batch_size, failed):
            translations = run(np.stack([source.pixels for source in batch]))
            wait_until_at_most(BATCHES_TO_WRITE * batch_size - len(batch))
            for source, translation in zip(batch, translations, strict=True):
                left_out.update(source.picture.left_out)
                future = pool.submit(_write, source, translation, ranges, manner)
                writing.append(((source.path, source.target), future))
        wait_until_at_most(0)
    except Exception:
        concurrent.futures.wait([future for _, future in writing])
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    return left_out


def _traced(generator: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Makes a function for up to `batch_size` images that TensorFlow traces only once."""

    @tf.function(
        input_signature=[tf.TensorSpec((batch_size, *generator.input_shape[1:]))], autograph=False
    )
    def translate_batch(batch: Any) -> Any:
        return generator(batch, training=False)

    def run(imgs: np.ndarray) -> np.ndarray:
        # Padded, because tracing another shape takes longer than translating an image twice.
        missing = batch_size - len(imgs)
        padded = np.concatenate([imgs, np.repeat(imgs[-1:], missing, axis=0)])
        return translate_batch(padded).numpy()[: len(imgs)]

    return run


def _one_by_one(whole: AnySize) -> Callable[[np.ndarray], np.ndarray]:
    def run(imgs: np.ndarray) -> np.ndarray:
        return np.stack([whole(img) for img in imgs])

    return run


def _read_ahead(
    pool: concurrent.futures.Executor,
    read: Callable[[pathlib.Path, pathlib.Path], _Source],
    jobs: Iterable[Job],
    batch_size: int,
    failed: Callable[[pathlib.Path, Exception], object],
) -> Iterator[list[_Source]]:
    """Yields the sources in order, in batches, while the pool reads the next ones."""
    reading: collections.deque[tuple[pathlib.Path, concurrent.futures.Future[_Source]]]
    reading = collections.deque()
    waiting = iter(jobs)
    batch: list[_Source] = []
    while True:
        room = BATCHES_READ_AHEAD * batch_size - len(reading)
        for job in itertools.islice(waiting, room):
            reading.append((job[0], pool.submit(read, *job)))
        if not reading:
            break
        path, future = reading.popleft()
        try:
            batch.append(future.result())
        except Exception as error:
            try:
                failed(path, error)
            except Exception:
                for _, later in reading:
                    later.cancel()
                if batch:
                    yield batch
                raise
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(
    generator: keras.Model,
    whole: AnySize | None,
    ranges: Ranges,
    strip_metadata: bool,
    manner: Manner,
    path: pathlib.Path,
    target: pathlib.Path,
) -> _Source:
    picture = images.read_picture(path)
    if strip_metadata:
        picture = picture.without_metadata()
    try:
        placement = manner.placement(generator, picture.size)
        if whole is not None:
            whole.check(placement.size)
        channels = generator.input_shape[3]
        pixels = pictures.pixels_for(channels, picture, placement.size, ranges.source)
    except ValueError as error:
        raise ValueError(f"Cannot translate the image {str(path)!r}: {error}.") from None
    settings = formats.settings_of(path)
    is_guided = manner.is_guided(picture.size, placement.size)
    needs_source = is_guided or manner.keep_colors or manner.side_by_side
    if not needs_source or picture.pixels.nbytes > HELD_BYTES:
        picture = pictures.without_pixels(picture)
    pixels = placement.padded(pixels)
    return _Source(path, target, picture, settings, pixels, placement, needs_source)


def _write(
    source: _Source, translation: np.ndarray, ranges: Ranges, manner: Manner
) -> collections.Counter[str]:
    target, picture = source.target, source.picture
    if source.needs_source and picture.pixels.nbytes > HELD_BYTES:
        pixels = images.read_picture(source.path).pixels
        if (pixels.shape, pixels.dtype) != (picture.pixels.shape, picture.pixels.dtype):
            raise ValueError(f"The image {str(source.path)!r} changed while it was translated.")
        picture = dataclasses.replace(picture, pixels=pixels)
    file_format = formats.format_of(target)
    dtype = formats.dtype_for(file_format, picture.pixels.dtype)
    if file_format == "TIFF" or (file_format, dtype) == ("JPEG2000", picture.pixels.dtype):
        dtype = None  # Type and bits of the source.
    placement = source.placement
    is_guided = manner.is_guided(picture.size, placement.size)
    finished = pictures.finished(
        placement.inner(translation),
        picture,
        ranges,
        dtype,
        small=placement.inner(source.pixels) if is_guided else None,
        keep_colors=manner.keep_colors,
        side_by_side=manner.side_by_side,
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    return formats.write(target, finished, source.settings)
