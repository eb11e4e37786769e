import json

import numpy as np
import pytest

from cyclegan_keras.training.progress import MeanLogs, Progress


class Scalar:
    """A loss on a device, which counts how often it is fetched."""

    fetched = 0

    def __array__(self, dtype=None, copy=None):
        Scalar.fetched += 1
        return np.array(4.0)


def test_losses_are_fetched_only_when_asked_for():
    means = MeanLogs()
    assert means.mean() == {}
    for _ in range(3):
        means.add({"loss": Scalar()})
    assert Scalar.fetched == 0
    assert len(means) == 3
    assert means.mean() == means.mean() == {"loss": 4.0}
    assert Scalar.fetched == 3


def test_means_go_on_to_the_last_bit():
    # 0.1 added ten times is not 1: what is kept must be the sum, in full.
    whole, first, second = MeanLogs(), MeanLogs(), MeanLogs()
    for index in range(10):
        whole.add({"loss": np.float32(0.1)})
        (first if index < 7 else second).add({"loss": np.float32(0.1)})
        if index == 6:
            second.restore(json.loads(json.dumps(first.state())))
    assert len(second) == 10
    assert second.mean() == whole.mean()
    assert second.state() == whole.state()


def test_a_state_does_not_change_any_more():
    """It is written in a thread while the training goes on."""
    progress = Progress()
    progress.end_step({"loss": 1.0})
    progress.end_epoch()
    state = progress.state()
    before = json.dumps(state)
    progress.end_step({"loss": 2.0})
    progress.end_epoch()
    assert json.dumps(state) == before
    assert progress.history == {"loss": [1.0, 2.0]}


def test_a_state_of_another_version_is_told():
    class Counter:
        def state(self):
            return {"count": 1}

        def restore(self, state):
            self.total = state["total"]

    before = Progress()
    before.restore([Counter()])
    after = Progress.from_state(json.loads(json.dumps(before.state())))
    told = "'total' of Counter is missing. .* another version of this package"
    with pytest.raises(ValueError, match=told):
        after.restore([Counter()])


def test_a_loss_is_averaged_over_the_steps_that_had_it():
    means = MeanLogs()
    for logs in ({"a": 1.0}, {"a": 2.0, "b": 10.0}, {"b": 30.0}, {"b": 20.0}):
        means.add(logs)
    assert means.mean() == {"a": 1.5, "b": 20.0}
    again = MeanLogs()
    again.restore(json.loads(json.dumps(means.state())))
    again.add({"a": 6.0})
    assert again.mean() == {"a": 3.0, "b": 20.0}


def test_means_of_earlier_versions_go_on():
    means = MeanLogs()
    means.restore({"sums": {"a": 6.0}, "count": 2})
    means.add({"a": 6.0})
    assert means.mean() == {"a": 4.0}
