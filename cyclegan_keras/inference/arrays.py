"""Running a generator on arrays of images."""

from typing import Any

import numpy as np

from cyclegan_keras.inference import inversion

# Small, so that evaluating test images needs no more memory than training did.
BATCH_SIZE = 4


def translate_and_invert(generator: Any, imgs: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Translates images, and shows what they were taken for, if that is by inversion.

    Args:
        generator: A generator model.
        imgs: `(count, height, width, 3)`, float32 in [-1, 1].

    Returns:
        The translations; and what `inversion.TranslateByInversion.both` gives beside them, or
        `None` if the generator is a usual one. Both of the images' shape, float32 in [-1, 1].
    """
    layer = inversion.inversion_of(generator)
    if layer is None:
        return translate_images(generator, imgs), None
    batches = [imgs[first : first + BATCH_SIZE] for first in range(0, len(imgs), BATCH_SIZE)]
    pairs = [layer.both(batch) for batch in batches]
    inverted, translated = (
        np.concatenate([np.asarray(pair[which], np.float32) for pair in pairs]) for which in (0, 1)
    )
    return translated, inverted


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
