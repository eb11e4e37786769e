import types

import pytest
from keras import optimizers

from cyclegan_keras.training.schedules import current_rate, linear_decay, paced_optimizers


def test_constant_then_a_straight_line():
    factors = [linear_decay(step, decay_from=2, num_steps=5) for step in range(6)]
    assert factors == [1.0, 1.0, 3 / 4, 2 / 4, 1 / 4, 0.0]


def test_no_decay_at_all():
    assert [linear_decay(step, 3, 3) for step in range(3)] == [1.0] * 3


def test_optimizers_with_a_rate_of_their_own_are_left_out():
    d, g, own = (optimizers.SGD(rate) for rate in (0.25, 0.5, 0.125))
    plain = types.SimpleNamespace(optimizers=[own, d, g])
    assert paced_optimizers(plain) == [(own, 1.0), (d, 1.0), (g, 1.0)]
    assert current_rate(plain) == pytest.approx(0.5)
    staged = types.SimpleNamespace(optimizers=[d, g, own], paced_optimizers=[(d, 0.5), (g, 1.0)])
    assert paced_optimizers(staged) == [(d, 0.5), (g, 1.0)]
    assert current_rate(staged) == pytest.approx(0.5)
    assert current_rate(types.SimpleNamespace()) is None
