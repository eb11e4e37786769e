"""No place tells what is real."""

import random
from collections import Counter

from scipy import stats

from cyclegan_keras.study.dealing import deal


def test_each_image_has_one_place_and_each_pair_one_trial():
    dealt = deal(12, 3, random.Random(0))
    assert sorted(dealt.scored + dealt.other) == [*range(24)]
    assert sorted(dealt.practice + dealt.trials) == [*range(12)]
    assert len(dealt.practice) == 3
    for index in range(12):
        assert dealt.pair(index) == sorted([dealt.scored[index], dealt.other[index]])


def test_places_and_orders_tell_nothing():
    num, first, places, practice = 3000, 0, Counter(), Counter()
    for seed in range(num):
        dealt = deal(3, 1, random.Random(seed))
        first += dealt.pair(dealt.trials[0])[0] == dealt.scored[dealt.trials[0]]
        places.update(dealt.scored)
        practice.update(dealt.practice)
    assert stats.binomtest(first, num).pvalue > 1e-3
    assert all(stats.binomtest(places[place], num).pvalue > 1e-3 for place in range(6))
    assert all(stats.binomtest(practice[index], num, 1 / 3).pvalue > 1e-3 for index in range(3))
