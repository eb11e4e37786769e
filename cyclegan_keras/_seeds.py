"""Seeds: which there are, and how those of the parts come from that of the whole."""

import operator

import numpy as np

# What TensorFlow takes, with room for those that layers count up from there.
_MOST = 2**62


def checked_seed(seed: int | None) -> int | None:
    """Returns a seed as a plain integer, or raises an error that teaches.

    Args:
        seed: A whole number of at least 0, of any size and of any integer type, or `None`.

    Returns:
        The same number, or `None`.

    Raises:
        ValueError: If it is something else.
    """
    if seed is None:
        return None
    try:
        number = -1 if isinstance(seed, bool | np.bool_) else operator.index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(
            "`seed` must be a whole number of at least 0, or None for another one each time. "
            f"Received: seed={seed!r}"
        )
    return number


def derived_seed(seed: int | None, number: int) -> int | None:
    """The seed of one part, far from those of its neighbours' layers.

    Args:
        seed: Of the whole, from `checked_seed`.
        number: Of the part, from 1.

    Returns:
        A number in [0, 2⁶²); `None` if there is no seed.
    """
    if seed is None:
        return None
    plain = 4000 * seed + 1000 * number
    if plain < _MOST:
        return plain
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> 2)
