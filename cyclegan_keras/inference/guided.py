"""The detail of a picture for the translation of a small copy of it.

A guided filter in color: around each pixel of the small copy, an affine map of colors is fitted
that leads from the copy to its translation. The maps vary slowly, so they can be interpolated and
applied to the whole picture, whose edges and textures they keep. What the generator draws anew is
not in the picture, and such maps cannot draw it.

Reference:
    [He et al., 2013](https://doi.org/10.1109/TPAMI.2012.213);
    [Gharbi et al., 2017](https://arxiv.org/abs/1707.02880).
"""

from collections.abc import Iterator

import numpy as np

Size = tuple[int, int]

# Windows of 5 × 5 small pixels.
RADIUS = 2
# Shrinks the maps towards identity where a window has hardly any contrast; a variance of colors
# in [-1, 1].
RIDGE = 0.01
# Of the picture, at a time: a strip and its interpolated maps then take some 20 MB.
PIXELS_PER_STRIP = 1 << 18


def has_more_detail(size: Size, network_size: Size) -> bool:
    """Tells whether a picture has detail that a generator does not see.

    Args:
        size: `(height, width)` of the picture.
        network_size: `(height, width)` in which the generator sees it.

    Returns:
        Whether the picture is higher or wider.
    """
    return size[0] > network_size[0] or size[1] > network_size[1]


def fit_maps(small: np.ndarray, translated: np.ndarray, ridge: float = RIDGE) -> np.ndarray:
    """Fits affine maps of colors from a small picture to its translation, by least squares.

    Args:
        small: `(height, width, channels)`, float in [-1, 1].
        translated: `(height, width, out_channels)`, float in [-1, 1].
        ridge: Penalty on how far a map is from the identity, above 0; with 0, only windows with
            contrast in all channels can be solved.

    Returns:
        `(height, width, out_channels, channels + 1)`, float32: for each pixel, the weights of its
        channels and, last, an offset. Where `translated` is `small`, the identity, bit for bit.
    """
    channels, out_channels = small.shape[2], translated.shape[2]
    identity = _identity(channels, out_channels)
    x = np.asarray(small, np.float64)
    change = np.asarray(translated, np.float64) - x @ identity.T
    mean_x, mean_change = _window_means(x), _window_means(change)
    products = _window_means(x[..., :, None] * x[..., None, :])
    covariance = products - mean_x[..., :, None] * mean_x[..., None, :]
    covariance += ridge * np.eye(channels)
    both = _window_means(x[..., :, None] * change[..., None, :])
    both -= mean_x[..., :, None] * mean_change[..., None, :]
    weights = np.swapaxes(np.linalg.solve(covariance, both), 2, 3)
    offsets = mean_change - (weights @ mean_x[..., None])[..., 0]
    maps = np.concatenate([weights + identity, offsets[..., None]], axis=3)
    return maps.astype(np.float32)


def strips(size: Size) -> Iterator[slice]:
    """Divides a picture into strips that are small enough to compute with.

    Args:
        size: `(height, width)` of the picture.

    Yields:
        The rows of each strip, from top to bottom.
    """
    num_rows = max(1, PIXELS_PER_STRIP // size[1])
    for first in range(0, size[0], num_rows):
        yield slice(first, min(first + num_rows, size[0]))


def apply_maps(maps: np.ndarray, pixels: np.ndarray, rows: slice, height: int) -> np.ndarray:
    """Applies the maps, interpolated bilinearly, to a strip of the whole picture.

    Args:
        maps: Of `fit_maps`.
        pixels: `(rows, width, channels)` of the strip, float32 in [-1, 1].
        rows: Those of the strip.
        height: Of the whole picture.

    Returns:
        `(rows, width, out_channels)`, float32, in or near [-1, 1].
    """
    small_height, small_width, out_channels, terms = maps.shape
    first, second, share = _places(height, small_height)
    down = share[rows, None, None, None]
    between = maps[first[rows]] + down * (maps[second[rows]] - maps[first[rows]])
    planes = np.ascontiguousarray(np.moveaxis(between, 1, 3))  # (rows, out, terms, small_width)
    left, right, along = _places(pixels.shape[1], small_width)
    results = np.empty((*pixels.shape[:2], out_channels), np.float32)
    for out in range(out_channels):
        total = _interpolated(planes[:, out, terms - 1], left, right, along)
        for channel in range(terms - 1):
            weight = _interpolated(planes[:, out, channel], left, right, along)
            weight *= pixels[..., channel]
            total += weight
        results[..., out] = total
    return results


def _identity(channels: int, out_channels: int) -> np.ndarray:
    """The map that changes the least: each channel as it is, or gray as their mean."""
    if channels == out_channels:
        return np.eye(channels)
    return np.full((out_channels, channels), 1 / channels)


def _window_means(x: np.ndarray) -> np.ndarray:
    """Means over the windows, which have fewer pixels at the borders."""
    for axis in (0, 1):
        length = x.shape[axis]
        total, counts = np.zeros_like(x), np.zeros(length)
        for offset in range(-RADIUS, RADIUS + 1):
            to = slice(max(0, -offset), max(0, min(length, length - offset)))
            source = slice(max(0, offset), max(0, min(length, length + offset)))
            place: list[slice] = [slice(None)] * axis
            if to.stop > to.start:
                total[(*place, to)] += x[(*place, source)]
                counts[to] += 1
        x = total / counts.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return x


def _places(size: int, small_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Between which two small pixels the center of each pixel is, and how near to the second."""
    places = np.clip((np.arange(size) + 0.5) * small_size / size - 0.5, 0, small_size - 1)
    first = places.astype(np.intp)
    return first, np.minimum(first + 1, small_size - 1), (places - first).astype(np.float32)


def _interpolated(
    plane: np.ndarray, left: np.ndarray, right: np.ndarray, along: np.ndarray
) -> np.ndarray:
    result = (plane[:, 1:] - plane[:, :-1]) if plane.shape[1] > 1 else np.zeros_like(plane)
    # At the last pixel, the share is 0.
    slope = np.take(result, np.minimum(left, result.shape[1] - 1), axis=1)
    slope *= np.where(right > left, along, 0)
    slope += np.take(plane, left, axis=1)
    return slope
