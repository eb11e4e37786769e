import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import CycleGAN
from cyclegan_keras.models.diffaugment import RandomView


def test_every_shift_is_as_likely_and_none_is_farther():
    """Of one bright pixel, all 5 × 5 places come up, each about equally often; grey comes in."""
    imgs = np.zeros((2500, 16, 16, 1), "float32")
    imgs[:, 8, 6] = 1
    views = np.asarray(RandomView(shift=0.125, color=0, seed=0)(imgs))
    places = np.argwhere(views[..., 0] == 1)[:, 1:] - (8, 6)
    assert len(places) == 2500
    found, counts = np.unique(places, axis=0, return_counts=True)
    assert found.tolist() == [[y, x] for y in range(-2, 3) for x in range(-2, 3)]
    # 100 are expected of each, with a standard deviation of 10.
    assert counts.min() > 60
    assert counts.max() < 140
    assert np.unique(views).tolist() == [0, 1]


def test_what_is_shifted_out_is_gone_and_grey_comes_in():
    imgs = np.ones((50, 8, 8, 3), "float32")
    views = np.asarray(RandomView(shift=0.25, color=0, seed=1)(imgs))
    for view in views:
        rows = (view == 1).all(axis=(1, 2)).sum() or (view == 1).any(axis=(1, 2)).sum()
        columns = (view == 1).any(axis=(0, 2)).sum()
        assert 6 <= rows <= 8
        assert 6 <= columns <= 8
        assert view.sum() == 3 * rows * columns


def test_colours_by_hand():
    """The chances of one image are taken out, and its colours worked out anew."""
    view = RandomView(shift=0, color=0.6, seed=3)
    imgs = np.random.default_rng(0).uniform(-1, 1, (2, 4, 5, 3))
    chances = 2 * np.asarray(RandomView(seed=3).random.uniform((2, 5)), np.float64) - 1
    found = np.asarray(view(imgs.astype("float32")))
    for img, (brightness, saturation, contrast, *_), seen in zip(imgs, chances, found, strict=True):
        x = img + 0.6 * 0.5 * brightness
        grey = x.mean(axis=2, keepdims=True)
        x = grey + (1 + 0.6 * saturation) * (x - grey)
        x = x.mean() + (1 + 0.6 * 0.5 * contrast) * (x - x.mean())
        np.testing.assert_allclose(seen, x, atol=1e-5)


@pytest.mark.parametrize(("size", "cutout"), [(6, 0.5), (8, 0.5), (6, 1.0)])
def test_rectangles_are_cut_out_everywhere_equally_often(size, cutout):
    imgs = np.ones((4000, size, size + 2, 3), "float32")
    views = np.asarray(RandomView(shift=0, color=0, cutout=cutout, seed=0)(imgs))
    cut = views[..., 0] == 0
    np.testing.assert_array_equal(views, np.where(cut, 0.0, 1.0)[..., None] * imgs)
    rows, columns = cut.any(axis=2), cut.any(axis=1)
    np.testing.assert_array_equal(cut, rows[:, :, None] & columns[:, None, :])
    num_places = 1
    for lines, length in ((rows, size), (columns, size + 2)):
        width = round(cutout * length)
        # Around each pixel if the width is odd, else around each edge of a pixel.
        begins = [middle - width // 2 for middle in range(length + 1 - width % 2)]
        places = [tuple(begin <= i < begin + width for i in range(length)) for begin in begins]
        num_places *= len(places)
        found, counts = np.unique(lines, axis=0, return_counts=True)
        assert set(map(tuple, found)) == set(places)
        for place, count in zip(map(tuple, found), counts, strict=True):
            expected = 4000 * places.count(place) / len(places)
            assert abs(count - expected) < 5 * np.sqrt(expected)  # its standard deviation, or less
    # Up and down is independent of left and right.
    assert len(np.unique(np.concatenate([rows, columns], axis=1), axis=0)) == num_places


def test_shifts_and_colours_are_the_same_with_pieces_cut_out(random_images):
    x = 0.1 + np.abs(random_images(3, 8, 8, 3))
    plain, cut = (np.asarray(RandomView(cutout=c, seed=4)(x)) for c in (0.0, 0.5))
    np.testing.assert_array_equal(cut, np.where(cut == 0, 0, plain))
    assert (cut != plain).any()


def test_each_call_is_another_view_and_a_seed_gives_the_same(random_images):
    x = random_images(2, 8, 8, 3)
    one, same, other = (RandomView(seed=seed) for seed in (1, 1, 2))
    first = np.asarray(one(x))
    np.testing.assert_array_equal(first, same(x))
    assert not np.array_equal(first, one(x))
    assert not np.array_equal(first, other(x))
    assert not np.array_equal(first[0] - x[0], first[1] - x[1])


def test_gradients_come_back_to_where_they_belong():
    x = tf.Variable(np.random.default_rng(0).normal(size=(1, 8, 8, 1)))
    view = RandomView(shift=0.25, color=0, seed=5)
    weights = np.random.default_rng(1).normal(size=(1, 8, 8, 1))
    with tf.GradientTape() as tape:
        seen = view(x)
        loss = tf.reduce_sum(weights * seen)
    gradient = np.asarray(tape.gradient(loss, x))
    # What was shifted by (dy, dx) comes back by (-dy, -dx).
    moved = np.argwhere(np.isclose(np.asarray(seen)[0, :, :, 0], np.asarray(x)[0, 4, 4, 0]))[0] - 4
    expected = np.zeros((8, 8))
    for row in range(8):
        for column in range(8):
            to_row, to_column = row + moved[0], column + moved[1]
            if 0 <= to_row < 8 and 0 <= to_column < 8:
                expected[row, column] = weights[0, to_row, to_column, 0]
    np.testing.assert_array_equal(gradient[0, :, :, 0], expected)
    assert tuple(moved) != (0, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"shift": 1.0}, "shift=1.0"),
        ({"shift": -0.1}, "shift=-0.1"),
        ({"color": -1}, "color=-1"),
        ({"cutout": 1.5}, "cutout=1.5"),
    ],
)
def test_wrong_settings_are_told(arguments, said):
    with pytest.raises(ValueError, match=said):
        RandomView(**arguments)


def test_discriminators_see_views_and_nothing_else_does(random_images):
    """A view that shows grey only: discriminators cannot tell; cycles are as good as ever."""
    x = [random_images(1, 32, 32, 3, seed=seed) for seed in (1, 2)]
    gan = CycleGAN((32, 32, 3), gf=2, df=2, seed=0, d_shift=0.1, learning_rate=1e-9)
    gan.view._shifted = lambda imgs, chances: tf.zeros_like(imgs)
    # Not traced, which takes far longer than two steps.
    logs = {name: float(value) for name, value in gan._step(*x).items()}
    gan.view = None
    plain_logs = {name: float(value) for name, value in gan._step(*x).items()}
    grey = float(np.mean((np.asarray(gan.d_A(np.zeros((1, 32, 32, 3)))) - 1) ** 2))
    assert logs["valid_A_loss"] == pytest.approx(grey, rel=1e-4)
    assert plain_logs["valid_A_loss"] != pytest.approx(grey, rel=1e-3)
    for name in ("reconstr_A_loss", "reconstr_B_loss", "img_A_id_loss"):
        assert logs[name] == pytest.approx(plain_logs[name], rel=1e-6)
    # Real and translated: the same grey, so what is won on one is lost on the other.
    scores = np.asarray(gan.d_A(np.zeros((1, 32, 32, 3))))
    expected = 0.5 * (np.mean((scores - 1) ** 2) + np.mean(scores**2))
    assert logs["d_A_loss"] == pytest.approx(expected, rel=1e-4)


def test_the_view_is_part_of_what_is_saved():
    gan = CycleGAN((32, 32, 3), gf=2, df=2, seed=0, d_colour=1.0)
    assert any(v is gan.view.random.state for v in gan.variables)
    assert CycleGAN((32, 32, 3), gf=2, df=2, seed=0).view is None
