"""How replicas meet. That several devices then leave what one leaves is tested with the models."""

import pytest
import tensorflow as tf

from cyclegan_keras.replicas import Share, mean_over_all, taking, unrecorded

ALONE = tf.distribute.MirroredStrategy(["CPU:0"])


def meetings(monkeypatch, step):
    """The sizes of what a replica brings to each meeting in a step, in order."""
    found = []
    context = tf.distribute.ReplicaContext
    real = context.all_reduce

    def all_reduce(self, operation, values, *more):
        found.append([int(tf.size(value)) for value in values])
        return real(self, operation, values, *more)

    def on_replica():
        with taking(Share(0, 2, 4)):
            step()

    monkeypatch.setattr(context, "all_reduce", all_reduce)
    ALONE.run(on_replica)
    monkeypatch.undo()
    return found


def far(x, operations):
    """The same, behind so many operations, as a tape sees it."""
    for _ in range(operations):
        x = tf.identity(x)
    return tf.reduce_sum(x**3)


@pytest.mark.parametrize("operations", [(0, 0, 0), (9, 0, 4), (0, 9, 4), (4, 0, 9)])
def test_replicas_meet_in_one_order_whatever_a_tape_has_in_between(operations, monkeypatch):
    """What replicas with one row compute differs from what those with two compute."""
    weights = [tf.Variable(tf.ones(size)) for size in (1, 2, 3)]

    def step():
        with tf.GradientTape() as outer:
            with tf.GradientTape() as tape:
                loss = 0.0
                for weight, number in zip(weights, operations, strict=True):
                    (mean,) = mean_over_all([weight * weight])
                    loss += far(mean, number)
            slopes = tape.gradient(loss, weights)
            penalty = sum(map(far, slopes, operations[::-1]))
        assert all(x is not None for x in outer.gradient(penalty, weights))

    first, of_slopes = [[1], [2], [3]], [[3], [2], [1]]
    backwards = [*of_slopes[::-1], *of_slopes]
    assert meetings(monkeypatch, step) == [*first, *of_slopes, *backwards]


@pytest.mark.parametrize("operations", [(0, 9), (9, 0)])
def test_what_a_tape_does_not_record_leaves_the_order_of_the_rest(operations, monkeypatch):
    weights = [tf.Variable(tf.ones(size)) for size in (1, 2)]
    other = tf.Variable(tf.ones(5))

    def step():
        with tf.GradientTape() as tape:
            (one,) = mean_over_all([weights[0] * weights[0]])
            with unrecorded(tape):
                with tf.GradientTape() as inner:
                    (mean,) = mean_over_all([other * other])
                    aside = tf.reduce_sum(mean)
                inner.gradient(aside, other)
            (two,) = mean_over_all([weights[1] * weights[1]])
            loss = far(one, operations[0]) + far(two, operations[1])
        tape.gradient(loss, weights)

    assert meetings(monkeypatch, step) == [[1], [5], [5], [2], [2], [1]]


def test_a_weight_that_a_loss_does_not_depend_on_is_not_moved(monkeypatch):
    weights, slopes = [tf.Variable(tf.ones(size)) for size in (1, 2)], []

    def step():
        with tf.GradientTape() as tape:
            _, (two,) = (mean_over_all([weight * weight]) for weight in weights)
            loss = tf.reduce_sum(two)
        slopes.extend(tape.gradient(loss, weights))

    meetings(monkeypatch, step)
    assert slopes[0].numpy().tolist() == [0.0]
    assert slopes[1].numpy().tolist() == [1.0, 1.0]  # 2 of 4 rows: half of 2, which others add to.
