import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import ImagePool

SHAPE = (2, 2, 1)


class PaperPool:
    """The authors' pool, transcribed, with its random numbers from outside."""

    def __init__(self, size):
        self.size = size
        self.images = []

    def query(self, images, chances):
        returned = []
        for image, (swap, place) in zip(images, chances, strict=True):
            if len(self.images) < self.size:
                self.images.append(image)
                returned.append(image)
            elif swap < 0.5:
                index = int(place * self.size)
                returned.append(self.images[index])
                self.images[index] = image
            else:
                returned.append(image)
        return np.stack(returned)


def numbered(first, count):
    """Images that can be told apart."""
    return np.broadcast_to(
        np.arange(first, first + count, dtype="float32")[:, None, None, None], (count, *SHAPE)
    )


@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_it_is_the_papers_pool(traced, batch_size, monkeypatch):
    pool, paper = ImagePool(4), PaperPool(4)
    pool.build((None, *SHAPE))
    chances = tf.Variable(tf.zeros((batch_size, 2)))
    monkeypatch.setattr(pool.random, "uniform", lambda shape: tf.convert_to_tensor(chances))
    call = tf.function(pool) if traced else pool
    rng = np.random.default_rng(0)
    num_old = 0
    for step in range(60):
        images = numbered(step * batch_size, batch_size)
        numbers = rng.random((batch_size, 2)).astype("float32")
        chances.assign(numbers)
        result = np.asarray(call(tf.constant(images)))
        np.testing.assert_array_equal(result, paper.query(images, numbers))
        num_old += (result != images).any(axis=(1, 2, 3)).sum()
    np.testing.assert_array_equal(np.asarray(pool.images), np.stack(paper.images))
    assert num_old > 0.25 * 60 * batch_size


def test_it_is_full_before_it_gives_out_earlier_images():
    pool = ImagePool(5, seed=0)
    for step in range(5):
        images = numbered(step, 1)
        np.testing.assert_array_equal(np.asarray(pool(images)), images)
    assert int(pool.num_images) == 5
    # All of them, and none twice.
    assert sorted(np.asarray(pool.images)[:, 0, 0, 0]) == [0, 1, 2, 3, 4]


def test_half_of_what_it_gives_out_are_earlier_images_from_all_places():
    pool = ImagePool(5, seed=0)
    call = tf.function(pool)
    call(tf.constant(numbered(0, 5)))
    images = numbered(5, 2000)
    result = np.asarray(call(tf.constant(images)))
    num_old = (result != images).any(axis=(1, 2, 3)).sum()
    assert abs(num_old - 1000) < 5 * np.sqrt(2000 / 4)  # five standard deviations
    kept = np.asarray(pool.images)[:, 0, 0, 0]
    assert (kept > 1900).all()  # No place is left out.


def test_it_is_saved_and_loaded_with_all_that_decides_what_comes_next(tmp_path):
    class Holder(keras.Model):
        def __init__(self, seed):
            super().__init__()
            self.pool = ImagePool(3, seed=seed)
            self.pool.build((None, *SHAPE))
            self.built = True

    one, other = Holder(0), Holder(1)
    one.pool(numbered(0, 8))
    one.save_weights(tmp_path / "w.weights.h5")
    other.load_weights(tmp_path / "w.weights.h5")
    results = [np.asarray(model.pool(numbered(8, 20))) for model in (one, other)]
    np.testing.assert_array_equal(*results)


def test_images_are_kept_as_they_are_in_mixed_precision(dtype_policy, random_images):
    dtype_policy("mixed_float16")
    pool = ImagePool(2)
    images = random_images(2, *SHAPE)
    np.testing.assert_array_equal(np.asarray(pool(images)), images)
    np.testing.assert_array_equal(np.asarray(pool.images), images)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_images_of_any_precision_come_out_as_they_went_in(dtype, random_images):
    """A generator of one's own may end in half precision."""
    pool, imgs = ImagePool(3, seed=0), random_images(8, *SHAPE).astype(dtype)
    found = np.concatenate([np.asarray(pool(imgs)), np.asarray(pool(imgs))])
    assert found.dtype == dtype
    for img in found:
        assert np.min(np.abs(imgs - img).max(axis=(1, 2, 3))) < 1e-7


def test_it_must_hold_an_image():
    with pytest.raises(ValueError, match="`size` must be at least 1 image"):
        ImagePool(0)
