"""Statistics of choices between two images."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

NUM_BOOTSTRAPS = 10_000
SEED = 0
CONFIDENCE = 0.95


@dataclasses.dataclass(frozen=True)
class Rate:
    """A share of choices and how certain it is.

    Attributes:
        value: The share, in [0, 1].
        std: The standard deviation over the bootstraps.
        low: The lower end of the 95 % interval.
        high: The upper end.
    """

    value: float
    std: float
    low: float
    high: float


def bootstrapped_rate(
    counts: Sequence[int], totals: Sequence[int], num: int = NUM_BOOTSTRAPS, seed: int = SEED
) -> Rate:
    """Computes the share of choices over all trials, with a two-level bootstrap.

    Each bootstrap draws people with replacement, and for each of them as many of their own trials,
    with replacement. The number of choices among the latter has a binomial distribution with the
    person's own share, so it is drawn from that.

    Args:
        counts: For each person, in how many trials the choice was made.
        totals: For each person, the number of trials, at least 1.
        num: The number of bootstraps.
        seed: Of the draws.

    Returns:
        The share with the standard deviation and the percentile interval of the bootstraps.

    Reference:
        Isola et al., *Image-to-Image Translation with Conditional Adversarial Networks*, section
        4.1.
    """
    chosen, trials = np.asarray(counts), np.asarray(totals)
    if not len(trials) or trials.min() < 1:
        raise ValueError(f"Each person must have a trial at least. Received: totals={totals}")
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(trials), size=(num, len(trials)))
    sums = rng.binomial(trials[drawn], (chosen / trials)[drawn]).sum(axis=1)
    rates = sums / trials[drawn].sum(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(rates, (tail, 1 - tail))
    value = float(chosen.sum() / trials.sum())
    return Rate(value, float(rates.std(ddof=1)), float(low), float(high))


def binomial_test(count: int, total: int) -> float:
    """Computes the exact two-sided binomial test against a half.

    Args:
        count: In how many trials a choice was made.
        total: The number of trials.

    Returns:
        The probability of a count that is at least as far from `total / 2`, if both choices were
        equally likely and the trials independent.
    """
    fewer = min(count, total - count)
    if 2 * fewer == total:
        return 1.0
    # Terms of the tail relative to its largest, which is a fraction of whole numbers of any length.
    ratio, tail = 1.0, 1.0
    for number in range(fewer, 0, -1):
        ratio *= number / (total - number + 1)
        tail += ratio
    return min(1.0, 2 * (math.comb(total, fewer) / 2**total) * tail)
