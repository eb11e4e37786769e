"""Running a generator on arrays of images."""

from typing import Any

import numpy as np

from cyclegan_keras.inference.latents import draw_latents, latent_size

# Small, so that evaluating test images needs no more memory than training did.
BATCH_SIZE = 4


def translate_and_invert(
    generator: Any, imgs: np.ndarray, latents: Any = None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Translates images, and shows what they were taken for, if that is by inversion.

    Args:
        generator: A generator model.
        imgs: `(count, height, width, 3)`, float32 in [-1, 1].
        latents: As for `translate_images`.

    Returns:
        The translations; and what `inversion.TranslateByInversion.both` gives beside them, or
        `None` if the generator is a usual one. Both of the images' shape, float32 in [-1, 1].
    """
    # Not above: tables of figures do not wait for TensorFlow.
    from cyclegan_keras.inference import inversion

    layer = inversion.inversion_of(generator)
    if layer is None:
        return translate_images(generator, imgs, latents), None
    batches = [imgs[first : first + BATCH_SIZE] for first in range(0, len(imgs), BATCH_SIZE)]
    pairs = [layer.both(batch) for batch in batches]
    inverted, translated = (
        np.concatenate([np.asarray(pair[which], np.float32) for pair in pairs]) for which in (0, 1)
    )
    return translated, inverted


def translate_images(generator: Any, imgs: np.ndarray, latents: Any = None) -> np.ndarray:
    """Translates images in small batches.

    Args:
        generator: A generator model.
        imgs: `(count, height, width, 3)`, float32 in [-1, 1].
        latents: One for each image, `(count, size)`, if the generator takes them; `None` means
            random ones, always the same.

    Returns:
        The translations, of the same shape, float32 in [-1, 1].
    """
    has_latent = bool(latent_size(generator))
    if has_latent and latents is None:
        latents = draw_latents(generator, len(imgs))
    outputs = []
    for first in range(0, len(imgs), BATCH_SIZE):
        part = slice(first, first + BATCH_SIZE)
        inputs = [imgs[part], latents[part]] if has_latent else imgs[part]
        outputs.append(np.asarray(generator(inputs, training=False), np.float32))
    return np.concatenate(outputs)


def encode_images(encoder: Any, imgs_A: np.ndarray, imgs_B: np.ndarray) -> np.ndarray:
    """Finds the latents of pairs of images in small batches.

    Args:
        encoder: An encoder model.
        imgs_A: Images of A, `(count, height, width, 3)`, float32 in [-1, 1].
        imgs_B: Their partners.

    Returns:
        `(count, size)`, float32.
    """
    parts = [slice(first, first + BATCH_SIZE) for first in range(0, len(imgs_A), BATCH_SIZE)]
    pairs = [[imgs_A[part], imgs_B[part]] for part in parts]
    return np.concatenate([np.asarray(encoder(p, training=False), np.float32) for p in pairs])
