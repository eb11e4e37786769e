import keras
import numpy as np

from cyclegan_keras.layers.random_stream import RandomStream


class Holder(keras.Model):
    def __init__(self, seed):
        super().__init__()
        self.random = RandomStream(seed)
        self.built = True


def draws(stream, count):
    return [np.asarray(stream.uniform((3,))) for _ in range(count)]


def test_the_same_seed_gives_the_same_stream_and_another_another():
    one, same, other = (draws(RandomStream(seed), 3) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    assert len(np.unique(one)) == 9  # It moves on.
    assert not np.array_equal(draws(RandomStream(None), 1), draws(RandomStream(None), 1))


def test_numbers_are_spread_evenly():
    numbers = np.asarray(RandomStream(0).uniform((20_000,)))
    assert numbers.min() >= 0
    assert numbers.max() < 1
    counts, _ = np.histogram(numbers, bins=10, range=(0, 1))
    # Of 2,000 expected in each tenth, with a standard deviation of 42.
    assert np.abs(counts - 2000).max() < 5 * 42


def test_saved_weights_go_on_where_they_stopped(tmp_path):
    one, other = Holder(1), Holder(2)
    draws(one.random, 2)
    one.save_weights(tmp_path / "w.weights.h5")
    expected = draws(one.random, 2)
    other.load_weights(tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(draws(other.random, 2), expected)
