"""Compares an exported file, run in its own runtime, with the Keras model that it was made of."""

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
from PIL import Image

from cyclegan_keras.config.value_range import ValueRange
from cyclegan_keras.data import images
from cyclegan_keras.data.fruit.still_life import Scene, draw_scene
from cyclegan_keras.export.runtimes import Run
from cyclegan_keras.export.walking import with_any_size

# An 8-bit level, of which [-1, 1] has 255.
LEVEL = 2 / 255

# Height and width of pictures for networks that take any size and do not say more.
USUAL_SIZE = (128, 128)

# Larger pictures than this many pixels would take minutes.
_MANY_PIXELS = 2**19


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How an exported file compares with its Keras model at one size of pictures.

    Attributes:
        size: `(height, width)` in pixels.
        num_pictures: The number of pictures.
        difference: The largest difference of any value, in [0, 2]; infinite if one is not a finite
            number, or the shapes differ.
        mean_levels: The mean difference, in 8-bit levels.
        p99_levels: The 99th percentile of the differences, in 8-bit levels.
        seconds: The median time for a picture, in the format's own runtime.
        keras_seconds: The median time for a picture with `predict_on_batch`.
    """

    size: tuple[int, int]
    num_pictures: int
    difference: float
    mean_levels: float
    p99_levels: float
    seconds: float
    keras_seconds: float

    @property
    def max_levels(self) -> float:
        """The largest difference, in 8-bit levels."""
        return self.difference / LEVEL


class Pictures:
    """The pictures that exports are checked on.

    Args:
        paths: Of their files; `None` draws fruit.
        channels: 1 or 3.
        count: How many are used at most, evenly spaced among the files.
        value_range: The values of black and white in the files; `None` means the whole range of
            their type.
        others: Whether to take the pictures between those, to calibrate on: an export is not to be
            checked on what it was fitted to. Of few pictures, some are the same.

    Raises:
        ValueError: If there are none.
    """

    def __init__(
        self,
        paths: Sequence[pathlib.Path] | None,
        channels: int,
        count: int = 8,
        value_range: ValueRange | None = None,
        others: bool = False,
    ) -> None:
        if paths is not None and not len(paths):
            raise ValueError("There are no pictures to check the export on. Give some.")
        self.paths = None if paths is None else _evenly_spaced(list(paths), count, others)
        self.channels, self.count, self.value_range = channels, count, value_range
        self._seed = int(others)

    def batches(self, size: tuple[int, int]) -> Iterator[np.ndarray]:
        """Yields each picture, scaled to a size.

        Args:
            size: `(height, width)` in pixels.

        Yields:
            `(1, height, width, channels)`, float32 in [-1, 1].
        """
        for image in self._drawn(size) if self.paths is None else self._read(size):
            pixels = images.as_pixels(images.resize(image, size), self.channels)
            yield np.asarray(images.normalize(pixels)[np.newaxis], np.float32)

    def _read(self, size: tuple[int, int]) -> Iterator[Image.Image]:
        for path in self.paths or ():
            yield images.read_image(path, size, self.value_range)

    def _drawn(self, size: tuple[int, int]) -> Iterator[Image.Image]:
        rng = np.random.default_rng(self._seed)
        for _ in range(self.count):
            yield Image.fromarray(draw_scene(Scene.random(rng), "apple", min(512, max(16, *size))))


def _evenly_spaced(paths: list[pathlib.Path], count: int, between: bool) -> list[pathlib.Path]:
    count = min(count, len(paths))
    half = int(between)
    return [paths[(2 * index + half) * len(paths) // (2 * count)] for index in range(count)]


def sizes_for(
    model: keras.Model, size: tuple[int, int] | None = None
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Chooses the sizes at which an export is checked.

    Args:
        model: The Keras model.
        size: The `(height, width)` that it was trained at, if the model does not say so itself.

    Returns:
        The training size; and a larger one, that is not square if the former is, and that networks
        can halve as often.
    """
    height, width = (
        usual if fixed is None else fixed
        for fixed, usual in zip(model.input_shape[1:3], size or USUAL_SIZE, strict=True)
    )
    if 6 * height * width <= _MANY_PIXELS:
        return (height, width), (2 * height, 3 * width)
    return (height, width), (height, 2 * width)


def compare(
    run: Run, model: keras.Model, pictures: Pictures, size: tuple[int, int] | None = None
) -> list[Comparison]:
    """Compares an exported file with its Keras model, at training size and larger.

    Args:
        run: The file, opened in its runtime.
        model: The Keras model.
        pictures: Real pictures.
        size: The `(height, width)` that it was trained at, if the model does not say so itself.

    Returns:
        A comparison for each size.

    Raises:
        ValueError: If the Keras model itself gives numbers that are not finite.
    """
    trained, larger = sizes_for(model, size)
    any_size = with_any_size(model)
    has_size = None not in model.input_shape[1:3]
    return [
        _compared(run, (model if has_size else any_size).predict_on_batch, pictures, trained),
        # Of the larger ones, fewer: they take longer, and each has more pixels.
        _compared(run, any_size.predict_on_batch, pictures, larger, most=3),
    ]


def _compared(
    run: Run,
    reference: Callable[[np.ndarray], np.ndarray],
    pictures: Pictures,
    size: tuple[int, int],
    most: int | None = None,
) -> Comparison:
    differences, times, keras_times = [], [], []
    for number, batch in enumerate(pictures.batches(size)):
        if number == most:
            break
        if not number:  # What is made at the first call is not counted.
            run(batch)
            reference(batch)
        wanted, seconds = _timed(reference, batch)
        keras_times.append(seconds)
        received, seconds = _timed(run, batch)
        times.append(seconds)
        if not np.isfinite(wanted).all():
            raise ValueError("The Keras model itself gives numbers that are not finite.")
        differences.append(_difference(wanted, received).ravel())
    levels = np.concatenate(differences) / LEVEL
    return Comparison(
        size,
        len(times),
        float(levels.max() * LEVEL),
        float(levels.mean()),
        float(np.percentile(levels, 99, method="higher")),
        statistics.median(times),
        statistics.median(keras_times),
    )


def _difference(wanted: np.ndarray, received: np.ndarray) -> np.ndarray:
    if wanted.shape != received.shape:
        return np.asarray([np.inf])
    difference = np.abs(wanted - np.asarray(received, np.float32))
    return np.where(np.isfinite(difference), difference, np.inf)


def _timed(
    function: Callable[[np.ndarray], np.ndarray], batch: np.ndarray
) -> tuple[np.ndarray, float]:
    start = time.perf_counter()
    result = function(batch)
    return result, time.perf_counter() - start
