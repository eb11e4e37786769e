"""Many pictures through a generator: reading, translating and writing go on side by side."""

import collections
import concurrent.futures
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_keras.data import images

# From where to where.
Job = tuple[pathlib.Path, pathlib.Path]

# On two CPU cores, 16 at a time go about twice as fast as one by one; more gain little.
BATCH_SIZE = 16

# While one batch is translated, so many may lie ready, and so many wait to be written. One would do
# if all images were alike; the other evens out the large ones.
BATCHES_READ_AHEAD = 2
BATCHES_TO_WRITE = 2

# Each holds one picture in its own size, which may be a large one; hence no more.
NUM_WORKERS = min(8, max(2, os.cpu_count() or 1))

# Lossless as any level is; two to four times as fast as Pillow's 6, for files that are a fifth to a
# third larger.
COMPRESS_LEVEL = 1


class _Source(NamedTuple):
    """An image that has been read.

    Attributes:
        target: Where its translation goes.
        size: Its own `(height, width)`.
        pixels: In the generator's size, `(height, width, 3)`, float32 in [-1, 1].
    """

    target: pathlib.Path
    size: tuple[int, int]
    pixels: np.ndarray


def pixels_for(generator: keras.Model, image: Image.Image) -> np.ndarray:
    """Makes of a picture what a generator takes.

    Args:
        generator: Whose size is wanted.
        image: An RGB image of any size.

    Returns:
        `(height, width, 3)`, float32 in [-1, 1], in the generator's size.
    """
    size = (generator.input_shape[1], generator.input_shape[2])
    return images.normalize(images.resize(image, size))


def picture_of(translation: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Makes a picture of what a generator gives.

    Args:
        translation: `(height, width, 3)`, float in [-1, 1].
        size: The `(height, width)` that the picture is to have, in pixels.

    Returns:
        An RGB image.
    """
    return images.resize(Image.fromarray(images.denormalize(translation)), size)


def translate(
    generator: keras.Model,
    jobs: Sequence[Job],
    batch_size: int,
    on_written: Callable[[], object],
) -> None:
    """Translates from file to file.

    If anything fails, what has been translated by then is still written before the error is raised;
    after Ctrl-C, only what is being written. Either way no thread is left over.

    Args:
        generator: From images to images of the same size.
        jobs: Sources and targets; no two targets may be the same.
        batch_size: Images that the generator gets at a time, at most.
        on_written: Called after each image that was written, on the caller's thread.

    Raises:
        FileNotFoundError: If there is no such image.
        ValueError: If an image cannot be read; those before it are translated.
    """
    if not jobs:
        return
    # Shared out evenly: 17 images are a batch of 9 and one of 8, and not 16 and a lonely one.
    num_batches = -(-len(jobs) // batch_size)
    batch_size = -(-len(jobs) // num_batches)
    run = _traced(generator, batch_size)
    pool = concurrent.futures.ThreadPoolExecutor(NUM_WORKERS, "translate")
    writing: collections.deque[concurrent.futures.Future[None]] = collections.deque()

    def wait_until_at_most(count: int) -> None:
        while writing and (len(writing) > count or writing[0].done()):
            writing.popleft().result()
            on_written()

    try:
        for batch in _read_ahead(pool, generator, jobs, batch_size):
            translations = run(np.stack([source.pixels for source in batch]))
            wait_until_at_most(BATCHES_TO_WRITE * batch_size - len(batch))
            for source, translation in zip(batch, translations, strict=True):
                writing.append(pool.submit(_write, source.target, source.size, translation))
        wait_until_at_most(0)
    except Exception:
        concurrent.futures.wait(writing)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _traced(generator: keras.Model, batch_size: int) -> Callable[[np.ndarray], np.ndarray]:
    """Makes a function of up to `batch_size` images that TensorFlow traces only once."""

    @tf.function(input_signature=[tf.TensorSpec((batch_size, *generator.input_shape[1:]))])
    def translate_batch(batch: Any) -> Any:
        return generator(batch, training=False)

    def run(imgs: np.ndarray) -> np.ndarray:
        # Another shape would be traced anew, which takes longer than translating an image twice.
        missing = batch_size - len(imgs)
        padded = np.concatenate([imgs, np.repeat(imgs[-1:], missing, axis=0)])
        return translate_batch(padded).numpy()[: len(imgs)]

    return run


def _read_ahead(
    pool: concurrent.futures.Executor, generator: keras.Model, jobs: Sequence[Job], batch_size: int
) -> Iterator[list[_Source]]:
    """Yields the sources in order, in batches, while the pool reads on."""
    reading: collections.deque[concurrent.futures.Future[_Source]] = collections.deque()
    waiting = iter(jobs)
    batch: list[_Source] = []
    while True:
        room = BATCHES_READ_AHEAD * batch_size - len(reading)
        for job in itertools.islice(waiting, room):
            reading.append(pool.submit(_read, generator, *job))
        if not reading:
            break
        try:
            batch.append(reading.popleft().result())
        except Exception:
            for later in reading:
                later.cancel()
            if batch:
                yield batch
            raise
        if len(batch) == batch_size:
            yield batch
            batch = []
    if batch:
        yield batch


def _read(generator: keras.Model, path: pathlib.Path, target: pathlib.Path) -> _Source:
    image = images.read_image(path)
    return _Source(target, (image.height, image.width), pixels_for(generator, image))


def _write(target: pathlib.Path, size: tuple[int, int], translation: np.ndarray) -> None:
    picture = picture_of(translation, size)
    target.parent.mkdir(parents=True, exist_ok=True)
    images.write_image(target, np.asarray(picture), COMPRESS_LEVEL)
