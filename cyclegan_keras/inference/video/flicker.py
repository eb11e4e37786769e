"""How much a translated video flickers: what changes in it that does not change in its source."""

from typing import NamedTuple

import numpy as np
from PIL import Image

# Frames are compared at this size, in pixels of the longer side: flicker that the eye sees is no
# finer, and so many take a few hundredths of a second.
LONGEST = 192
# The side of a block that moves as one, in pixels of that size.
BLOCK = 16
# The search goes from coarse to fine. At a quarter of the size, it goes so far in each direction:
# 16 pixels of the size above, a twelfth of the picture from one frame to the next.
COARSE_REACH = 4
# In levels: how much better another motion must match for each pixel that it is farther off. Flat
# areas match everywhere, and their motion is then that of the area around them.
INERTIA = 0.25
# In levels: where the source still differs by more once motion is undone, something was uncovered
# or the scene changed, and the translation has to differ, too.
UNMATCHED = 8.0


class Flicker(NamedTuple):
    """How much a translation changes from frame to frame where its source does not.

    Attributes:
        levels: The mean change that is not in the source, in levels of 0 to 255.
        share: The share of the picture in which the motion of the source could be undone, and the
            change was measured, in [0, 1].
        num_pairs: The number of pairs of frames.
    """

    levels: float
    share: float
    num_pairs: int


class FlickerMeter:
    """Takes the frames of a video and of its translation, one by one."""

    def __init__(self) -> None:
        self._previous: tuple[np.ndarray, np.ndarray] | None = None
        self._levels: list[float] = []
        self._shares: list[float] = []

    def add(self, source: np.ndarray, translation: np.ndarray) -> None:
        """Compares a frame with the one before it.

        Args:
            source: `(height, width, 3)`, uint8.
            translation: Of the same shape.
        """
        current = _reduced(source), _reduced(translation)
        if self._previous is not None and self._previous[0].shape == current[0].shape:
            level, share = _change(self._previous, current)
            self._shares.append(share)
            if share > 0:
                self._levels.append(level)
        self._previous = current

    def result(self) -> Flicker | None:
        """Averages over the pairs of frames so far.

        Returns:
            The flicker; `None` if there was no pair in which anything could be measured.
        """
        if not self._levels:
            return None
        return Flicker(
            float(np.mean(self._levels)), float(np.mean(self._shares)), len(self._levels)
        )


def _change(
    previous: tuple[np.ndarray, np.ndarray], current: tuple[np.ndarray, np.ndarray]
) -> tuple[float, float]:
    """Returns the change of the translation that is not in the source, and where it was measured.

    The motion is found in the source and undone in both. A change in both, such as that of a light
    or of the camera's noise, counts only as far as it is larger in the translation.
    """
    rows, columns = _motion(_gray(previous[0]), _gray(current[0]))
    height, width = rows.shape
    inside = (rows >= 0) & (rows <= height - 1) & (columns >= 0) & (columns <= width - 1)
    source, translation = (
        np.abs(now - _sampled(before, rows, columns)).mean(axis=2)
        for before, now in zip(previous, current, strict=True)
    )
    measured = inside & (_of_blocks(source) <= UNMATCHED)
    if not measured.any():
        return 0.0, 0.0
    added = np.maximum(translation - source, 0)[measured]
    return float(added.mean()), float(measured.mean())


def _motion(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds where each pixel was in the frame before, by blocks, up to half a pixel.

    Args:
        before: `(height, width)`, float32.
        now: Of the same shape.

    Returns:
        The row and the column in `before`, each `(height, width)`.
    """
    motion: np.ndarray | None = None
    for factor, reach, step in ((4, COARSE_REACH, 1.0), (2, 1, 1.0), (1, 1, 1.0), (1, 1, 0.5)):
        small_before, small_now = (_shrunk(image, factor) for image in (before, now))
        if motion is None:
            motion = np.zeros((2, *small_now.shape), np.float32)
        elif motion.shape[1:] != small_now.shape:
            motion = 2 * _enlarged(motion, small_now.shape)
        motion = _refined(small_before, small_now, motion, reach, step, max(4, BLOCK // factor))
    assert motion is not None
    rows, columns = np.indices(now.shape, np.float32)
    return rows + motion[0], columns + motion[1]


def _refined(
    before: np.ndarray, now: np.ndarray, motion: np.ndarray, reach: int, step: float, block: int
) -> np.ndarray:
    """Tries the motions around the one that is given, for each block."""
    rows, columns = np.indices(now.shape, np.float32)
    rows, columns = rows + motion[0], columns + motion[1]
    best = np.full(now.shape, np.inf, np.float32)
    chosen = np.zeros((2, *now.shape), np.float32)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            moved = _sampled(before, rows + step * down, columns + step * right)
            cost = _of_blocks(np.abs(now - moved), block)
            cost += INERTIA * step * float(np.hypot(down, right))
            better = cost < best
            best = np.where(better, cost, best)
            chosen[0] = np.where(better, step * down, chosen[0])
            chosen[1] = np.where(better, step * right, chosen[1])
    return motion + chosen


def _sampled(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Reads an image between its pixels, bilinearly; beyond its border, that is repeated."""
    height, width = image.shape[:2]
    rows = np.clip(rows, 0, height - 1)
    columns = np.clip(columns, 0, width - 1)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    below, beside = rows - top, columns - left
    if not below.any() and not beside.any():
        return image[top, left]
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    if image.ndim == 3:
        below, beside = below[..., None], beside[..., None]
    upper = image[top, left] * (1 - beside) + image[top, right] * beside
    lower = image[bottom, left] * (1 - beside) + image[bottom, right] * beside
    return upper * (1 - below) + lower * below


def _of_blocks(values: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """Replaces each value by the mean of its block; blocks at the far borders may be smaller."""
    height, width = values.shape
    starts = np.arange(0, height, block), np.arange(0, width, block)
    sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
    sizes = [np.diff([*start, size]) for start, size in zip(starts, (height, width), strict=True)]
    means = sums / np.outer(*sizes).astype(np.float32)
    return np.repeat(np.repeat(means, sizes[0], axis=0), sizes[1], axis=1).astype(np.float32)


def _reduced(frame: np.ndarray) -> np.ndarray:
    """Shrinks a frame to what is compared, float32."""
    height, width = frame.shape[:2]
    if (longest := max(height, width)) > LONGEST:
        size = (max(1, round(side * LONGEST / longest)) for side in (width, height))
        frame = np.asarray(
            Image.fromarray(frame).resize((*size,), Image.Resampling.BOX, reducing_gap=2)
        )
    return frame.astype(np.float32)


def _gray(frame: np.ndarray) -> np.ndarray:
    return frame.mean(axis=2)


def _shrunk(image: np.ndarray, factor: int) -> np.ndarray:
    if factor == 1:
        return image
    size = (max(1, -(-image.shape[1] // factor)), max(1, -(-image.shape[0] // factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


def _enlarged(motion: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    doubled = np.repeat(np.repeat(motion, 2, axis=1), 2, axis=2)
    return doubled[:, : shape[0], : shape[1]]
