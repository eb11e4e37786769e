"""How far the way back depends on an invisible code in translations.

A generator can hide what it needs for the way back in changes of the pixels that nobody sees, such
as the color of a fruit in a gray image. A little noise on the translation destroys such a code, and
what the way back then makes of it shows what was hidden.
"""

from typing import Any

import numpy as np

from cyclegan_keras.data.images import normalize
from cyclegan_keras.inference.arrays import BATCH_SIZE
from cyclegan_keras.metrics import round_trip

# Standard deviations of the noise, in 8-bit levels.
LEVELS = (0.1, 0.2, 0.5, 1, 2, 3, 5)
MAX_IMAGES = 100
SEED = 0


def key(level: float, source: str) -> str:
    """Names a figure: the cycle error of images of a domain, with noise in between."""
    return f"noisy_cycle_{level:g}_{source}"


def measure(networks: dict[str, Any], pixels: dict[str, np.ndarray]) -> dict[str, float]:
    """Translates images, adds noise to the translations, and translates them back.

    Encoders see translations without noise: what they find is no code in pixels.

    Args:
        networks: Generators and encoders by name.
        pixels: For `"A"` and `"B"`, images, `(count, height, width, channels)`, uint8.

    Returns:
        For each level of noise and each domain, by `key`, the mean absolute difference of an image
        and what returns, in 8-bit levels. Empty unless there are generators of both directions, and
        if they translate by inversion: their way back does not read the pixels of translations.

    Reference:
        [Almahairi et al., 2018](https://arxiv.org/abs/1802.10151), section 5;
        [Chu et al., 2017](https://arxiv.org/abs/1712.02950) on the codes.
    """
    # Not above: tables of figures read the levels, and do not wait for TensorFlow.
    from cyclegan_keras.inference.inversion import inversion_of
    from cyclegan_keras.metrics import paired

    found: dict[str, float] = {}
    ways = round_trip.ways_of(networks)
    if len(ways) < 2 or any(inversion_of(networks[f"g_{way}"]) is not None for way in ways):
        return found
    for way in ways:
        source = way[0]
        shown = round_trip.spread(pixels[source], MAX_IMAGES)
        errors: dict[float, list[np.ndarray]] = {level: [] for level in LEVELS}
        for first in range(0, len(shown), BATCH_SIZE):
            imgs = normalize(shown[first : first + BATCH_SIZE])
            translated = round_trip.translated(networks, way, imgs, first)
            noise = np.random.default_rng((SEED, first)).standard_normal(imgs.shape)
            for level in LEVELS:
                noisy = translated + noise * (level / paired.LEVELS)
                returned = round_trip.returned(
                    networks, way, imgs, translated, np.clip(noisy, -1, 1).astype(np.float32)
                )
                errors[level].append(paired.mean_absolute_error(returned, imgs))
        for level, values in errors.items():
            found[key(level, source)] = float(np.mean(np.concatenate(values)))
    return found
