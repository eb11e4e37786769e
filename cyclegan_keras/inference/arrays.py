"""Running a generator on arrays of images."""

from typing import Any

import numpy as np

# Small, so that evaluating test images needs no more memory than training did.
BATCH_SIZE = 4


def translate_images(generator: Any, imgs: np.ndarray) -> np.ndarray:
    """Translates images in small batches.

    Args:
        generator: A generator model.
        imgs: `(count, height, width, 3)`, float32 in [-1, 1].

    Returns:
        The translations, of the same shape, float32 in [-1, 1].
    """
    batches = [imgs[first : first + BATCH_SIZE] for first in range(0, len(imgs), BATCH_SIZE)]
    outputs = [np.asarray(generator(batch, training=False), np.float32) for batch in batches]
    return np.concatenate(outputs)
