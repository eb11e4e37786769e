import shutil

import numpy as np
import pytest

from cyclegan_keras import DataLoader
from cyclegan_keras.data.images import denormalize
from cyclegan_keras.metrics import paired
from cyclegan_keras.metrics.round_trip import Batch


def noisy(imgs, seed=1, scale=0.2):
    noise = np.random.default_rng(seed).normal(0, scale, imgs.shape)
    return np.clip(imgs + noise, -1, 1).astype(np.float32)


def test_the_error_is_in_levels():
    one, other = np.zeros((2, 4, 4, 3), "float32"), np.zeros((2, 4, 4, 3), "float32")
    other[0, :2] = 1.0  # half a range, on half of the first image
    assert paired.mean_absolute_error(one, other).tolist() == [127.5 / 2, 0]
    ones = np.ones((1, 2, 2, 3))
    assert paired.mean_absolute_error(-ones, ones).tolist() == [255]


def test_psnr_by_hand():
    one = np.zeros((2, 16, 16, 3), "float32")  # level 128
    other = one.copy()
    other[1] += 20 / 127.5  # 20 levels everywhere
    expected = [paired.MAX_PSNR, 20 * np.log10(255 / 20)]
    np.testing.assert_allclose(paired.psnr(one, other), expected, rtol=1e-6)


def test_ssim_is_that_of_scikit_style_formula(random_images):
    """An independent one: Gaussian windows by explicit sums, in float64."""
    one = random_images(1, 14, 13, 3)
    other = noisy(one)
    x, y = (denormalize(imgs)[0].astype(np.float64) for imgs in (one, other))
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line)[..., None] / np.outer(line, line).sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    scores = []
    for top in range(4):
        for left in range(3):
            a, b = (img[top : top + 11, left : left + 11] for img in (x, y))
            mean_a, mean_b = (np.sum(window * p, axis=(0, 1)) for p in (a, b))
            var_a, var_b = (
                np.sum(window * p**2, axis=(0, 1)) - m**2 for p, m in ((a, mean_a), (b, mean_b))
            )
            cov = np.sum(window * a * b, axis=(0, 1)) - mean_a * mean_b
            scores.append(
                (2 * mean_a * mean_b + c1)
                / (mean_a**2 + mean_b**2 + c1)
                * (2 * cov + c2)
                / (var_a + var_b + c2)
            )
    assert paired.ssim(one, other)[0] == pytest.approx(np.mean(scores), abs=1e-4)
    assert 0.3 < np.mean(scores) < 0.99
    assert paired.ssim(one, one).tolist() == [1]


def test_all_errors_of_a_batch(random_images):
    imgs, translated, true = (random_images(3, 12, 12, 3, seed=seed) for seed in range(3))
    found = paired.errors(Batch(imgs, translated, true, reconstr=noisy(imgs), identity=imgs))
    mae = paired.mean_absolute_error
    np.testing.assert_array_equal(found["change"], mae(imgs, translated))
    np.testing.assert_array_equal(found["cycle"], mae(imgs, noisy(imgs)))
    assert found["identity"].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(found["truth"], mae(translated, true))
    np.testing.assert_array_equal(found["truth_untranslated"], mae(imgs, true))
    np.testing.assert_array_equal(found["psnr"], paired.psnr(translated, true))
    np.testing.assert_array_equal(found["psnr_untranslated"], paired.psnr(imgs, true))
    np.testing.assert_array_equal(found["ssim"], paired.ssim(translated, true))
    np.testing.assert_array_equal(found["ssim_untranslated"], paired.ssim(imgs, true))
    one_way = paired.errors(Batch(imgs, translated, None, None, None))
    assert list(one_way) == ["change"]


def test_pairs_must_have_equal_names(fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "set")
    (tmp_path / "set" / "testB" / "0003.png").rename(tmp_path / "set" / "testB" / "odd.png")
    with pytest.raises(ValueError, match=r"same names.*0003.*odd"):
        paired.check_pairs(DataLoader("set", (32, 32), tmp_path))
