import json

import numpy as np
import pytest

from cyclegan_keras.config import value_range
from cyclegan_keras.config.value_range import ValueRange


def test_shares_and_back():
    found = ValueRange(-1024, 3072)
    scan = np.array([-2000, -1024, 0, 1024, 3072, 9000], np.int16)
    shares = found.shares(scan)
    assert shares.dtype == np.float32
    assert shares.tolist() == [0, 0, 0.25, 0.5, 1, 1]
    assert found.numbers(shares, np.int16).tolist() == [-1024, -1024, 0, 1024, 3072, 3072]
    assert found.numbers([0.25], np.float64).tolist() == [0.0]


def test_numbers_never_overflow():
    found = ValueRange(-100, 300)
    assert found.numbers([0, 1], np.uint8).tolist() == [0, 255]


@pytest.mark.parametrize("numbers", [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_range_is_two_finite_numbers_the_lower_first(numbers):
    with pytest.raises(ValueError, match="two finite numbers, the lower first"):
        ValueRange(*numbers)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("auto", "auto"),
        (["auto"], "auto"),
        (["-1024", "3071"], (-1024.0, 3071.0)),
        ((0, 1), (0.0, 1.0)),
        (((0, 1), (2, 3)), (0.0, 1.0, 2.0, 3.0)),
        ([0, 1, 2, 3], (0.0, 1.0, 2.0, 3.0)),
        (["auto", 0, 1, 2, 3], ("auto", 0.0, 1.0, 2.0, 3.0)),
    ],
)
def test_what_is_given_is_parsed(given, expected):
    assert value_range.parse(given) == expected


@pytest.mark.parametrize(
    "given",
    [
        "all",
        [1],
        [1, 2, 3],
        [2, 1],
        [1, 2, 4, 3],
        ["a", "b"],
        5,
        [True, 2],
        ["auto", 1, 2],
        ["nan", 1],
    ],
)
def test_what_is_no_value_range_is_told(given):
    with pytest.raises(ValueError, match=r"`value_range` must be 'auto', or .*Received"):
        value_range.parse(given)


def test_each_domain_has_its_own():
    assert value_range.ranges_of(None) == {"A": None, "B": None}
    assert value_range.ranges_of("auto") is None
    assert value_range.ranges_of([0, 1]) == {"A": ValueRange(0, 1), "B": ValueRange(0, 1)}
    expected = {"A": ValueRange(0, 1), "B": ValueRange(2, 3)}
    assert value_range.ranges_of([0, 1, 2, 3]) == expected
    assert value_range.with_found("auto", expected) == ("auto", 0, 1, 2, 3)
    assert value_range.ranges_of(("auto", 0, 1, 2, 3)) == expected
    assert value_range.with_found((5.0, 6.0), expected) == (5.0, 6.0)


def test_a_runs_translators_know_theirs(tmp_path):
    assert value_range.of_translator(tmp_path / "g_AB.keras") == (None, None)
    (tmp_path / "config.json").write_text(json.dumps({"value_range": ["auto", 0, 1, 2, 3]}))
    a, b = ValueRange(0, 1), ValueRange(2, 3)
    assert value_range.of_translator(tmp_path / "g_AB.keras") == (a, b)
    assert value_range.of_translator(tmp_path / "g_BA.best.keras") == (b, a)
    assert value_range.of_translator(tmp_path / "mine.keras") == (None, None)
    (tmp_path / "config.json").write_text(json.dumps({"value_range": "auto"}))
    with pytest.raises(ValueError, match="not what was found"):
        value_range.of_translator(tmp_path / "g_AB.keras")
