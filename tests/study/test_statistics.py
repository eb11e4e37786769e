"""The figures of choices, by hand, by formula and by scipy."""

import numpy as np
import pytest
from scipy import stats

from cyclegan_keras.study.statistics import binomial_test, bootstrapped_rate


def test_binomial_test_by_hand():
    assert binomial_test(3, 3) == 2 / 8  # All heads or all tails.
    assert binomial_test(1, 4) == 2 * (1 + 4) / 16
    assert binomial_test(2, 4) == 1


@pytest.mark.parametrize("total", [1, 7, 40, 401])
def test_binomial_test_is_that_of_scipy(total):
    for count in range(total + 1):
        expected = stats.binomtest(count, total).pvalue
        assert binomial_test(count, total) == pytest.approx(expected, rel=1e-9)


def test_binomial_test_of_many_trials():
    assert binomial_test(100_000, 200_000) == 1
    expected = stats.binomtest(9_700, 20_000).pvalue
    assert binomial_test(9_700, 20_000) == pytest.approx(expected, rel=1e-6)
    assert binomial_test(0, 20_000) == 0  # 2⁻¹⁹⁹⁹⁹ is no float.


def test_one_person_has_the_binomial_distribution():
    rate = bootstrapped_rate([10], [40])
    assert rate.value == 0.25
    assert rate.std == pytest.approx(np.sqrt(0.25 * 0.75 / 40), rel=0.03)
    low, high = stats.binom.ppf([0.025, 0.975], 40, 0.25) / 40
    assert abs(rate.low - low) <= 1 / 40
    assert abs(rate.high - high) <= 1 / 40


def test_people_who_differ_make_the_interval_wide():
    # Each of two people is drawn twice with a chance of a quarter.
    rate = bootstrapped_rate([40, 0], [40, 40])
    assert (rate.value, rate.low, rate.high) == (0.5, 0, 1)
    assert rate.std == pytest.approx(np.sqrt(1 / 8), rel=0.03)


def test_variance_of_both_levels():
    counts, trials = np.array([1, 2, 2, 3, 3]), 5
    shares = counts / trials
    # The law of total variance: between people, and of the trials within.
    variance = (shares.var() + (shares * (1 - shares)).mean() / trials) / len(shares)
    rate = bootstrapped_rate(counts, [trials] * 5)
    assert rate.value == pytest.approx(0.44)
    assert rate.std == pytest.approx(np.sqrt(variance), rel=0.03)
    for of_one_level in (shares.var() / 5, (shares * (1 - shares)).mean() / trials / 5):
        assert rate.std > 1.1 * np.sqrt(of_one_level)


def test_people_of_unequal_trials_count_by_trials():
    assert bootstrapped_rate([1, 0], [1, 9]).value == 0.1


def test_certainty_and_seeds():
    rate = bootstrapped_rate([0, 0], [40, 40])
    assert (rate.value, rate.std, rate.low, rate.high) == (0, 0, 0, 0)
    counts, totals = [7, 11, 20], [40, 39, 40]
    assert bootstrapped_rate(counts, totals) == bootstrapped_rate(counts, totals)
    assert bootstrapped_rate(counts, totals) != bootstrapped_rate(counts, totals, seed=1)


@pytest.mark.parametrize(("counts", "totals"), [([], []), ([0], [0])])
def test_nobody_is_refused(counts, totals):
    with pytest.raises(ValueError, match="a trial at least"):
        bootstrapped_rate(counts, totals)
