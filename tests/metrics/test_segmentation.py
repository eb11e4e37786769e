import numpy as np
import pytest

from cyclegan_keras import DataLoader
from cyclegan_keras.data.images import normalize
from cyclegan_keras.metrics import segmentation
from cyclegan_keras.metrics.segmentation import (
    FACADES,
    confusion_matrix,
    nearest_labels,
    scores,
)

RED_GREEN_BLUE = ((255, 0, 0), (0, 255, 0), (0, 0, 255))


def spread(pixels: np.ndarray, size: int = 5) -> np.ndarray:
    """How much each channel varies in each square patch of images."""
    high = low = pixels
    for axis in (1, 2):
        high, low = (
            choose(np.lib.stride_tricks.sliding_window_view(part, size, axis), axis=-1)
            for choose, part in ((np.max, high), (np.min, low))
        )
    return high - low


def test_nearest_labels_by_hand():
    row = [(200, 10, 10), (90, 100, 90), (0, 0, 1), (127, 128, 0), (127, 127, 0)]
    # The last one is as near to red as to green; the first one wins.
    assert nearest_labels(np.uint8([[row]]), RED_GREEN_BLUE).tolist() == [[[0, 1, 2, 1, 0]]]
    # In [-1, 1]: half red, full green is green; half red, no green is red.
    assert nearest_labels(np.float32([[0, 1, -1], [0, -1, -1]]), RED_GREEN_BLUE).tolist() == [1, 0]


def test_in_gray_classes_go_by_their_luma():
    # Of red, green and blue: 76, 150 and 29.
    row = [[76], [100], [120], [255], [30], [0], [52], [53]]
    expected = [[[0, 0, 1, 1, 2, 2, 2, 0]]]
    assert nearest_labels(np.uint8([[row]]), RED_GREEN_BLUE).tolist() == expected
    with pytest.raises(ValueError, match=r"[Tt]wo classes .* luma \[76, 76\]"):
        nearest_labels(np.uint8([[row]]), ((255, 0, 0), (76, 76, 76)))


def test_nearest_labels_against_plain_loops(monkeypatch):
    monkeypatch.setattr(segmentation, "CHUNK", 7)  # of 30 pixels, so that the last one is smaller
    imgs = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 3), np.uint8)
    expected = [
        min(range(12), key=lambda c: sum((int(p) - q) ** 2 for p, q in zip(pixel, FACADES[c])))  # noqa: B905
        for pixel in imgs.reshape(-1, 3)
    ]
    assert len(set(expected)) > 6
    labels = nearest_labels(imgs, FACADES)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, np.reshape(expected, (2, 3, 5)))
    np.testing.assert_array_equal(nearest_labels(normalize(imgs), FACADES), labels)


@pytest.mark.parametrize(
    "imgs", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), int)]
)
def test_other_things_than_images_are_named(imgs):
    with pytest.raises(ValueError, match=r"`imgs` must be RGB.*Received: imgs of shape \(4, 4"):
        nearest_labels(imgs, FACADES)


@pytest.mark.parametrize("palette", [(), (255, 0, 0), [(0, 0)]])
def test_a_palette_must_have_colours(palette):
    with pytest.raises(ValueError, match="`palette` must have an RGB color"):
        nearest_labels(np.zeros((2, 2, 3), np.uint8), palette)


def test_a_confusion_by_hand():
    truth, predicted = np.array([[0, 0, 1], [1, 1, 3]]), np.array([[0, 1, 1], [1, 0, 3]])
    counts = confusion_matrix(truth, predicted, 4)
    assert counts.tolist() == [[1, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(confusion_matrix(predicted, truth, 4), counts.T)
    # Small integers of many classes must not overflow.
    high = np.full(3, 199, np.uint8)
    assert confusion_matrix(high, high, 200)[199, 199] == 3


def test_a_confusion_needs_classes_of_equal_shape():
    ones = np.ones((2, 3), int)
    with pytest.raises(ValueError, match=r"same shape.*\(2, 3\).*\(3, 2\)"):
        confusion_matrix(ones, ones.T, 2)
    for wrong in (2 * ones, -ones):
        with pytest.raises(ValueError, match=r"`predicted` must have classes in \[0, 2\)"):
            confusion_matrix(ones, wrong, 2)
    with pytest.raises(ValueError, match="`truth` must be integer classes"):
        confusion_matrix(ones.astype(float), ones, 2)


def test_scores_by_hand():
    # Rows are the truth: 4 of class 0, of which 3 are found; 2 of class 1, of which 1.
    assert scores(np.array([[3, 1], [1, 1]])) == pytest.approx(
        {
            "pixel_accuracy": 4 / 6,
            "class_accuracy": (3 / 4 + 1 / 2) / 2,
            "class_iou": (3 / 5 + 1 / 3) / 2,
        }
    )


def test_a_class_that_is_nowhere_does_not_count():
    with_absent = np.zeros((4, 4), int)
    with_absent[np.ix_([0, 2], [0, 2])] = [[3, 1], [1, 1]]
    assert scores(with_absent) == scores(np.array([[3, 1], [1, 1]]))


def test_a_class_that_is_only_predicted_counts_in_the_overlap():
    # Class 1 is not in the truth, but takes a quarter of class 0 away.
    assert scores(np.array([[3, 1], [0, 0]])) == pytest.approx(
        {"pixel_accuracy": 3 / 4, "class_accuracy": 3 / 4, "class_iou": (3 / 4 + 0) / 2}
    )


def test_scores_against_sets_of_pixels():
    """An independent formulation, straight from the definitions."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 5, 400)
    predicted = np.where(rng.random(400) < 0.6, truth, rng.integers(0, 6, 400))
    sets = [[set(np.flatnonzero(a == c)) for c in range(7)] for a in (truth, predicted)]
    pairs = [(t, p) for t, p in zip(*sets, strict=True) if t | p]
    assert len(pairs) == 6
    expected = {
        "pixel_accuracy": np.mean(truth == predicted),
        "class_accuracy": np.mean([len(t & p) / len(t) for t, p in pairs if t]),
        "class_iou": np.mean([len(t & p) / len(t | p) for t, p in pairs]),
    }
    assert scores(confusion_matrix(truth, predicted, 7)) == pytest.approx(expected, rel=1e-12)


def test_nothing_cannot_be_scored():
    with pytest.raises(ValueError, match="at least one pixel"):
        scores(np.zeros((3, 3), int))


def test_the_colours_of_real_facades(real_images):
    """Where labels are flat and not blurred, each colour is one of the twelve, and all occur."""
    loader = DataLoader("facades_paired", (256, 256), real_images)
    pixels = loader.pixels("B", is_testing=True)[::9]
    flat = spread(pixels).max(axis=-1) <= 8
    assert flat.mean() > 0.3
    colours = pixels[:, 2:-2, 2:-2][flat]
    labels = nearest_labels(colours, FACADES)
    distances = np.linalg.norm(colours - np.float32(FACADES)[labels], axis=-1)
    assert distances.max() < 16
    assert set(labels) == set(range(12))
    # The two nearest colours of the palette are 48 apart and more: nothing is read by luck.
    apart = np.linalg.norm(np.float32(FACADES)[:, None] - np.float32(FACADES)[None], axis=-1)
    assert np.sort(apart, axis=1)[:, 1].min() > 2 * 16


def test_real_labels_against_themselves_are_perfect(real_images):
    loader = DataLoader("facades_paired", (64, 64), real_images)
    pixels = loader.pixels("B", is_testing=True)
    labels = nearest_labels(pixels, FACADES)
    np.testing.assert_array_equal(nearest_labels(normalize(pixels), FACADES), labels)
    counts = confusion_matrix(labels, labels, 12)
    assert scores(counts) == {"pixel_accuracy": 1, "class_accuracy": 1, "class_iou": 1}
    assert counts.sum() == 106 * 64 * 64
    # Painted in its classes' colours, a label map is read the same again.
    repainted = np.uint8(FACADES)[labels]
    np.testing.assert_array_equal(nearest_labels(repainted, FACADES), labels)
