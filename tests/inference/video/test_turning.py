"""Display matrices, by hand."""

import numpy as np
import pytest

from cyclegan_keras.inference.video import turning

ONE = 65536
FRAME = np.array([[1, 2, 3], [4, 5, 6]])


def matrix(a, b, c, d):
    return (a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ((1, 0, 0, 1), [[1, 2, 3], [4, 5, 6]]),
        ((-1, 0, 0, -1), [[6, 5, 4], [3, 2, 1]]),
        ((0, 1, -1, 0), [[4, 1], [5, 2], [6, 3]]),  # a quarter clockwise, as phones have it
        ((0, -1, 1, 0), [[3, 6], [2, 5], [1, 4]]),
        ((-1, 0, 0, 1), [[3, 2, 1], [6, 5, 4]]),
        ((1, 0, 0, -1), [[4, 5, 6], [1, 2, 3]]),
        ((0, 1, 1, 0), [[1, 4], [2, 5], [3, 6]]),
        ((0, -1, -1, 0), [[6, 3], [5, 2], [4, 1]]),
    ],
)
def test_frames_are_turned_and_turned_back(numbers, shown):
    turned = turning.upright(FRAME, matrix(*numbers))
    assert turned.tolist() == shown
    assert turning.as_stored(turned, matrix(*numbers)).tolist() == FRAME.tolist()


def test_other_angles_and_none_leave_a_frame_as_it_is():
    slanted = (46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)
    assert turning.upright(FRAME, slanted).tolist() == FRAME.tolist()
    assert turning.upright(FRAME, None).tolist() == FRAME.tolist()
