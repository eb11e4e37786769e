"""The oranges of the benchmark of pores, which lack one part each."""

import numpy as np
import pytest

from benchmarks.pores import oranges, without


@pytest.mark.parametrize("part", ["pores", "highlight", "outline"])
def test_an_orange_without_a_part_differs_in_the_fruit_alone_and_only_there(part):
    whole = oranges(1, 0)
    with without(part):
        lacking = oranges(1, 0)
    np.testing.assert_array_equal(oranges(1, 0), whole)
    differs = (whole != lacking).any(axis=-1)[0]
    fruit = (whole != oranges(1, 0, "apple")).any(axis=-1)[0]
    assert differs.sum() > 20
    assert not differs[~fruit].any()
