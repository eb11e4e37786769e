"""Kernels for doubled images, regrouped for the images before doubling."""

import numpy as np


def regrouped(kernel: np.ndarray) -> tuple[np.ndarray, int, int]:
    """Adds up the taps of a kernel for a doubled image that fall on the same pixel.

    Args:
        kernel: `(size, size, channels, filters)`, with "same" padding.

    Returns:
        `(taps, taps, channels, 2, 2, filters)`, the two being even and odd rows and columns; and
        how many pixels the small image is to be padded before and after.
    """
    size = len(kernel)
    shift = (size - 1) // 2  # "same" padding puts the smaller half first
    before, after = (shift + 1) // 2, (size - shift) // 2
    which = np.zeros((before + 1 + after, 2, size), np.float32)
    for place in (0, 1):
        for tap in range(size):
            which[(place + tap - shift) // 2 + before, place, tap] = 1
    return np.einsum("hpi,wqj,ijcf->hwcpqf", which, which, kernel), before, after
