import numpy as np
import pytest

from cyclegan_keras.data.images import normalize
from cyclegan_keras.metrics import round_trip


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


def brighter(imgs, training):
    assert training is False
    return imgs + 0.25


def inverted(imgs, training):
    assert training is False
    return -imgs


def test_images_go_there_and_back_a_few_at_a_time(pixels):
    both = {"g_AB": brighter, "g_BA": inverted}
    found = list(round_trip.batches(both, "AB", pixels, truths=pixels[::-1]))
    assert [len(batch.imgs) for batch in found] == [4, 2]
    first, imgs = found[0], normalize(pixels)
    np.testing.assert_array_equal(first.imgs, imgs[:4])
    np.testing.assert_array_equal(first.translated, imgs[:4] + 0.25)
    np.testing.assert_array_equal(first.reconstr, -(imgs[:4] + 0.25))
    np.testing.assert_array_equal(first.identity, -imgs[:4])
    np.testing.assert_array_equal(found[1].truth, imgs[1::-1])
    back = next(round_trip.batches(both, "BA", pixels))
    np.testing.assert_array_equal(back.translated, -imgs[:4])
    np.testing.assert_array_equal(back.reconstr, -imgs[:4] + 0.25)
    assert back.truth is None


def test_one_generator_has_no_way_back(pixels):
    assert round_trip.ways_of({"g_BA": brighter}) == ["BA"]
    assert round_trip.ways_of({"g_BA": brighter, "g_AB": brighter}) == ["AB", "BA"]
    batch = next(round_trip.batches({"g_BA": brighter}, "BA", pixels))
    assert batch.reconstr is None
    assert batch.identity is None


def test_of_many_images_some_are_taken_from_all_over():
    assert round_trip.places(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert round_trip.places(9, 3).tolist() == [0, 4, 8]
    assert round_trip.spread(np.arange(100) * 2, 2).tolist() == [0, 198]
    assert len(round_trip.places(100_000)) == 500
