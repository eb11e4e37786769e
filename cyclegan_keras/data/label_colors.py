"""The colours of the classes in images that are maps of labels, found in the images."""

from collections.abc import Iterable

import numpy as np

from cyclegan_keras.data.palettes import Palette

# Images with more colours than this are no maps of labels.
MAX_CLASSES = 64
# A pixel is in a flat area if no neighbour differs by more levels than this, which JPEG leaves.
FLAT = 6
# Colours that JPEG has made of one are this many levels away from it at most, and those of another
# class are farther than that.
TIGHT, APART = 12, 24
# Of maps of labels: the least share of their pixels that lies in flat areas; the share of these
# that the colours explain; and the least share of these that is a class.
LEAST_FLAT, LEAST_EXPLAINED, LEAST_CLASS = 0.25, 0.95, 1e-4
# Colours are counted by bins of so many levels in each channel.
_LEVELS, _BINS = 8, 32


def found_in(maps: Iterable[np.ndarray]) -> Palette | None:
    """Finds the colours of the classes in maps of labels.

    Images of at most 64 colours in all have just these. In others, JPEG or scaling has blurred
    what was flat; there, a class is a colour that flat areas have.

    Args:
        maps: Images, uint8, `(height, width, 3)`, RGB, or `(height, width, 1)`, gray.

    Returns:
        RGB in [0, 255], those of most pixels first; `None` if the images are no maps of labels.
    """
    exact: dict[int, int] = {}
    counts, sums = np.zeros(_BINS**3, np.int64), np.zeros((3, _BINS**3))
    num_flat = num_pixels = 0
    for image in maps:
        image = np.broadcast_to(image, (*image.shape[:2], 3))
        if len(exact) <= MAX_CLASSES:
            colors, times = np.unique(image @ np.array([2**16, 2**8, 1]), return_counts=True)
            for color, count in zip(colors.tolist(), times.tolist(), strict=True):
                exact[color] = exact.get(color, 0) + count
        flat = image[_is_flat(image)]
        bins = (flat // _LEVELS).astype(np.int64) @ np.array([_BINS**2, _BINS, 1])
        counts += np.bincount(bins, minlength=len(counts))
        for channel, total in enumerate(sums):
            total += np.bincount(bins, flat[:, channel], minlength=len(counts))
        num_flat, num_pixels = num_flat + len(flat), num_pixels + image[..., 0].size
    if len(exact) <= MAX_CLASSES:
        most = sorted(exact, key=lambda color: -exact[color])
        palette = [(color >> 16, color >> 8 & 255, color & 255) for color in most]
        return palette if len(palette) >= 2 else None
    if num_flat < LEAST_FLAT * num_pixels:
        return None
    used = np.flatnonzero(counts)
    return _clusters(counts[used], (sums[:, used] / counts[used]).T)


def _is_flat(image: np.ndarray) -> np.ndarray:
    """Marks the pixels that differ little from each of their four neighbours."""
    is_flat = np.ones(image.shape[:2], bool)
    levels = image.astype(np.int16)
    for axis in (0, 1):
        is_alike = np.abs(np.diff(levels, axis=axis)).max(axis=-1) <= FLAT
        for part in (slice(1, None), slice(None, -1)):
            is_flat[(slice(None),) * axis + (part,)] &= is_alike
    return is_flat


def _clusters(counts: np.ndarray, colors: np.ndarray) -> Palette | None:
    """Gathers colours around those that most pixels have; `None` if much is left."""
    left, total, explained = counts.astype(float), counts.sum(), 0.0
    palette: Palette = []
    while left.max() > LEAST_CLASS * total:
        if len(palette) == MAX_CLASSES:
            return None
        distances = np.abs(colors - colors[left.argmax()]).max(axis=1)
        weights = left * (distances <= TIGHT)
        red, green, blue = np.rint(weights @ colors / weights.sum()).astype(int).tolist()
        palette.append((red, green, blue))
        explained += weights.sum()
        left[distances <= APART] = 0
    is_map = len(palette) >= 2 and explained >= LEAST_EXPLAINED * total
    return palette if is_map else None
