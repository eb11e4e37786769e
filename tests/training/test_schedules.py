from cyclegan_keras.training.schedules import linear_decay


def test_constant_then_a_straight_line():
    factors = [linear_decay(step, decay_from=2, num_steps=5) for step in range(6)]
    assert factors == [1.0, 1.0, 3 / 4, 2 / 4, 1 / 4, 0.0]


def test_no_decay_at_all():
    assert [linear_decay(step, 3, 3) for step in range(3)] == [1.0] * 3
