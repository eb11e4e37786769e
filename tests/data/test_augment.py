import numpy as np
import pytest

from cyclegan_keras.data import augment

# Each pixel is known by its value: image, row and column are its channels.
PIXELS = np.stack(np.meshgrid(*map(np.arange, (5, 6, 10)), indexing="ij"), -1).astype(np.uint8)
EVERY = np.arange(5)
SIZE = (4, 8)  # parts of which there are 3 × 3


def corners(batch: np.ndarray) -> list[tuple[int, int, bool]]:
    """The row and column where each part begins, and whether it is mirrored."""
    found = []
    for image in batch:
        mirrored = bool(image[0, 0, 2] > image[0, -1, 2])
        _, row, column = image[0, -1 if mirrored else 0]
        found.append((int(row), int(column), mirrored))
    return found


def test_parts_are_whole_pieces_of_the_chosen_images():
    chosen = np.array([3, 0, 3])
    batch = augment.draw(PIXELS, chosen, SIZE, True, np.random.default_rng(0))
    assert batch.shape == (3, *SIZE, 3)
    assert batch.dtype == np.uint8
    for image, place, (row, column, mirrored) in zip(batch, chosen, corners(batch), strict=True):
        part = PIXELS[place, row : row + 4, column : column + 8]
        np.testing.assert_array_equal(image, part[:, ::-1] if mirrored else part)


def test_every_part_is_as_likely_as_any_other():
    rng = np.random.default_rng(0)
    chosen = np.zeros(3600, int)
    found = corners(augment.draw(PIXELS, chosen, SIZE, True, rng))
    counts = {corner: found.count(corner) for corner in found}
    # 3 × 3 corners, mirrored or not: 200 of each expected, with a standard deviation below 14.
    assert len(counts) == 18
    assert 140 < min(counts.values()) <= max(counts.values()) < 260


def test_one_side_may_be_whole():
    batch = augment.draw(PIXELS, EVERY, (6, 9), False, np.random.default_rng(1))
    assert {row for row, _, _ in corners(batch)} == {0}
    assert {column for _, column, _ in corners(batch)} == {0, 1}


def test_whole_images_take_no_chance_but_that_of_the_mirror():
    """So that a seed deals out the same as it did before there were parts."""
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    batch = augment.draw(PIXELS, EVERY, (6, 10), True, rng)
    flips = other.random(5) < 0.5
    assert {*flips} == {True, False}
    expected = np.stack([p[:, ::-1] if flip else p for p, flip in zip(PIXELS, flips, strict=True)])
    np.testing.assert_array_equal(batch, expected)
    assert rng.random() == other.random()


def test_what_is_drawn_is_a_copy():
    for size in (SIZE, (6, 10)):
        before = PIXELS.copy()
        augment.draw(PIXELS, EVERY, size, True, np.random.default_rng(0))[:] = 9
        np.testing.assert_array_equal(PIXELS, before)


def test_the_centre_by_hand():
    middle = augment.centre(PIXELS, (3, 4))
    # (6 - 3) // 2 = 1 row above and 2 below; (10 - 4) // 2 = 3 columns on either side.
    np.testing.assert_array_equal(middle, PIXELS[:, 1:4, 3:7])
    np.testing.assert_array_equal(augment.centre(PIXELS, (6, 10)), PIXELS)


def test_shuffled_uses_all_before_any_again():
    order = augment.shuffled(4, 10, np.random.default_rng(0))
    assert len(order) == 10
    for first in (0, 4):
        assert sorted(order[first : first + 4]) == [0, 1, 2, 3]
    assert len(set(order[8:])) == 2


def test_sizes_are_checked():
    assert augment.checked_sizes([4, 8], [4, 9]) == ((4, 8), (4, 9))
    assert augment.checked_sizes((4, 8), None) == ((4, 8), None)
    for img_res, load_res, name in (
        ((0, 4), None, "img_res"),
        (64, (64, 64), "img_res"),
        (None, None, "img_res"),
        ((4, 8), 8, "load_res"),
        ((4, 8), (4, 8, 3), "load_res"),
    ):
        with pytest.raises(ValueError, match=rf"`{name}` must be \(height, width\).*{name}="):
            augment.checked_sizes(img_res, load_res)


@pytest.mark.parametrize("load_res", [(255, 300), (300, 255)])
def test_parts_must_fit_in(load_res):
    # 286 is the paper's size for 256.
    with pytest.raises(ValueError, match=r"at least `img_res`.*300.*\(256, 256\).*\(286, 286\)"):
        augment.checked_sizes((256, 256), load_res)
