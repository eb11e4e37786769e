import tracemalloc

import numpy as np
import pytest

from cyclegan_keras.metrics import distances
from cyclegan_keras.metrics.distances import density_coverage, frechet_distance, kernel_distance
from cyclegan_keras.metrics.features import Features


def features(values, extractor: str = "x") -> Features:
    return Features(np.asarray(values), extractor)


def normal(count: int, dim: int, seed: int = 0, mean: float = 0.0, std: float = 1.0) -> Features:
    return features(np.random.default_rng(seed).normal(mean, std, (count, dim)).astype("float32"))


def exactly(mean, covariance, count: int = 50) -> Features:
    """Features whose sample mean and unbiased covariance are exactly these."""
    x = np.random.default_rng(1).normal(size=(count, len(mean)))
    x -= x.mean(axis=0)
    white = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, ddof=1))).T
    return features(white @ np.linalg.cholesky(covariance).T + mean)


ALL = (frechet_distance, kernel_distance, density_coverage)


def test_frechet_of_equal_covariances_is_the_squared_distance_of_the_means():
    x = normal(40, 8)
    assert frechet_distance(x, features(x.values + np.float32([3] + 6 * [0] + [4]))) == (
        pytest.approx(25, rel=1e-5)
    )
    # Rounding alone would make one of these negative.
    same = [frechet_distance(x, x) for x in (normal(40, 8, seed) for seed in range(20))]
    assert 0 <= min(same) <= max(same) < 1e-12


def test_frechet_of_gaussians_by_hand():
    # |m|² = 1 + 4. C1 = diag(4, 9), C2 = diag(1, 16): (2 - 1)² + (3 - 4)².
    one = exactly([0, 0], np.diag([4.0, 9.0]))
    assert frechet_distance(one, exactly([1, 2], np.diag([1.0, 16.0]))) == pytest.approx(7)
    # Covariances that do not commute. [[2, 1], [1, 2]] times diag(1, 0) has the eigenvalues 2 and
    # 0, so it is 4 + 1 - 2 √2. The second set lies on a line: its covariance has no full rank.
    flat = features(np.array([[1.0, 0], [-1, 0], [0, 0]]))
    tilted = exactly([0, 0], np.array([[2.0, 1], [1, 2]]))
    assert frechet_distance(tilted, flat) == pytest.approx(5 - 2 * np.sqrt(2))


@pytest.mark.filterwarnings("ignore:Matrix is")  # singular, which is the point
@pytest.mark.parametrize(("count", "dim"), [(400, 12), (40, 12), (9, 12), (2, 5)])
def test_frechet_against_scipy(count, dim, monkeypatch):
    linalg = pytest.importorskip("scipy.linalg", reason="needs SciPy")
    # Smaller than the sets and than the vectors are long, so that there are several chunks.
    monkeypatch.setattr(distances, "CHUNK", 7)
    one = normal(count, dim)
    other = features(normal(count + 3, dim, seed=1).values @ normal(dim, dim, seed=2).values + 0.3)
    (m1, c1), (m2, c2) = (
        (f.values.mean(axis=0, dtype=float), np.cov(f.values.T.astype(float))) for f in (one, other)
    )
    expected = np.sum((m1 - m2) ** 2) + np.trace(c1 + c2 - 2 * linalg.sqrtm(c1 @ c2).real)
    # SciPy's root loses half of the digits where a covariance has no full rank.
    tolerance = 1e-9 if count > dim else 1e-5
    assert frechet_distance(one, other) == pytest.approx(expected, rel=tolerance)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other), rel=1e-9)


def test_frechet_of_few_long_vectors_by_hand():
    # Two of each: the covariance of ±v is 2 v vᵀ. Orthogonal, nothing is common: 2 |v|² + 2 |w|².
    v, w = np.zeros((2, 300))
    v[0], w[1] = 3, 4
    one, other = features([v, -v]), features([w, -w])
    assert frechet_distance(one, other) == pytest.approx(2 * 9 + 2 * 16)
    # Along the same line: the standard deviations are √2 · 3 and √2 · 4.
    assert frechet_distance(one, features([4 / 3 * v, -4 / 3 * v])) == pytest.approx(2)


def test_kernel_distance_by_hand():
    # In one dimension the kernel is (xy + 1)³. Within 0, 1: k(0, 1) = 1. Within 1, 2: k(1, 2) = 27.
    # Between: k(0, 1), k(0, 2), k(1, 1), k(1, 2) = 1, 1, 8, 27. So 1 + 27 - 2 · 37 / 4.
    distance = kernel_distance(features([[0.0], [1.0]]), features([[1.0], [2.0]]))
    assert (distance.mean, distance.std, distance.num_blocks) == (9.5, None, 1)


def test_kernel_distance_against_scikit_learn(monkeypatch):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise", reason="needs scikit-learn")
    monkeypatch.setattr(distances, "CHUNK", 7)
    one, other = normal(31, 6), normal(20, 6, seed=1, mean=0.4)

    def kernel(x, y):
        return pairwise.polynomial_kernel(x, y, degree=3, gamma=1 / 6, coef0=1)

    x, y = one.values.astype(float), other.values.astype(float)
    within = [
        (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(x, x), kernel(y, y))
    ]
    expected = sum(within) - 2 * kernel(x, y).mean()
    assert kernel_distance(one, other).mean == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_is_unbiased():
    values = normal(4000, 4, seed=3).values
    draws = [
        kernel_distance(features(values[i : i + 10]), features(values[i + 10 : i + 20])).mean
        for i in range(0, 4000, 20)
    ]
    # 200 draws of sets of 10. Counting each vector with itself would add about 1.5.
    error = np.std(draws) / np.sqrt(len(draws))
    assert error < 0.2
    assert abs(np.mean(draws)) < 3 * error
    assert min(draws) < 0 < max(draws)


def test_blocks_are_random_parts():
    one, other = normal(60, 5), normal(70, 5, seed=1, mean=1)
    whole = kernel_distance(one, other)
    parts = kernel_distance(one, other, block_size=20, num_blocks=200)
    assert parts.num_blocks == 200
    assert parts.std > 0
    assert abs(parts.mean - whole.mean) < 4 * parts.std / np.sqrt(200)
    assert parts == kernel_distance(one, other, block_size=20, num_blocks=200)
    assert parts != kernel_distance(one, other, block_size=20, num_blocks=200, seed=1)
    # As many as there are is no part.
    assert kernel_distance(one, other, block_size=60) == whole
    # One block by hand: both draw from one stream, the first set first.
    rng = np.random.default_rng(7)
    drawn = [features(f.values[rng.choice(len(f), 20, replace=False)]) for f in (one, other)]
    first = kernel_distance(one, other, block_size=20, num_blocks=1, seed=7)
    assert (first.mean, first.std) == (pytest.approx(kernel_distance(*drawn).mean), 0)


def test_density_and_coverage_by_hand():
    real = features([[0.0], [1.0], [3.0], [10.0]])
    # The nearest neighbours are 1, 1, 2 and 7 away: ]-1, 1[, ]0, 2[, ]1, 5[, ]3, 17[.
    # 0.5 is in two balls, 1 in one (it lies on the edge of two), 4 in two, -9 in none.
    found = density_coverage(real, features([[0.5], [1.0], [4.0], [-9.0]]), k=1)
    assert (found.density, found.coverage, found.k) == (5 / 4, 1.0, 1)
    found = density_coverage(real, features([[0.5], [0.5]]), k=1)
    assert (found.density, found.coverage) == (2.0, 0.5)
    # To the second neighbours it is 3, 2, 3 and 9: 4 lies in ]0, 6[ and ]1, 19[.
    found = density_coverage(real, features([[4.0]]), k=2)
    assert (found.density, found.coverage) == (2 / 2, 0.5)


def test_density_and_coverage_of_alike_and_of_foreign_sets(monkeypatch):
    monkeypatch.setattr(distances, "CHUNK", 64)
    real = normal(500, 4)
    # Of a set with itself, each ball holds its centre and the k - 1 vectors that are nearer.
    same = density_coverage(real, real)
    assert (same.density, same.coverage) == (1.0, 1.0)
    alike = density_coverage(real, normal(500, 4, seed=1))
    # Expected: density 1, coverage 1 - 1/2⁵.
    assert alike.density == pytest.approx(1, abs=0.1)
    assert alike.coverage == pytest.approx(1 - 1 / 32, abs=0.03)
    foreign = density_coverage(real, normal(500, 4, seed=1, mean=50))
    assert (foreign.density, foreign.coverage) == (0.0, 0.0)
    # Only the commonest kind: faithful, without variety.
    narrow = density_coverage(real, normal(500, 4, seed=1, std=0.1))
    assert narrow.density > 1.3
    assert narrow.coverage < 0.5


@pytest.mark.parametrize(
    "values",
    [
        np.ones((8, 3)),
        np.repeat([[0.0, 1.0], [2.0, 1.0]], 4, axis=0),  # three equals each, and then a leap
        np.stack(np.meshgrid(range(5), range(5)), axis=-1).reshape(25, 2),  # many as far
        np.concatenate([np.zeros((7, 2)), [[1.0, 1.0]]]),
        1e4 + np.random.default_rng(0).normal(0, 1e-4, (9, 4)),  # alike up to a network's noise
    ],
)
def test_a_set_beside_itself_has_density_and_coverage_1(values):
    for k in (1, 3, 5):
        found = density_coverage(features(values), features(values[::-1]), k)
        assert (found.density, found.coverage) == (pytest.approx(1.0, abs=1e-12), 1.0)


def test_sets_without_variety():
    ones, twos = features(np.ones((8, 3))), features(np.full((6, 3), 2.0))
    found = density_coverage(ones, twos)
    assert (found.density, found.coverage) == (0.0, 0.0)
    # Of two values half each, a translation that has one of them is as likely as any.
    half = features(np.repeat([[0.0], [1.0]], 6, axis=0))
    found = density_coverage(half, features([[0.0]]))
    assert (found.density, found.coverage) == (pytest.approx(1.0), 0.5)
    assert frechet_distance(ones, ones) == 0.0
    assert frechet_distance(ones, twos) == pytest.approx(3.0)
    assert kernel_distance(ones, ones).mean == pytest.approx(0, abs=1e-12)
    # (1 + 1)³ and (4 + 1)³ within, (2 + 1)³ between.
    assert kernel_distance(ones, twos).mean == pytest.approx(8 + 125 - 2 * 27)
    assert distances.diversity(features(np.full((5, 7), 0.1))) == 0.0


@pytest.mark.parametrize("distance", ALL)
def test_order_does_not_matter(distance):
    one, other = normal(70, 20), normal(50, 20, seed=1, mean=0.2)
    turned = [features(f.values[::-1]) for f in (one, other)]
    results = [np.array(_numbers(distance(*pair))) for pair in ((one, other), turned)]
    np.testing.assert_allclose(*results, rtol=1e-9)


def _numbers(result) -> list[float]:
    if isinstance(result, float):
        return [result]
    names = ("mean",) if hasattr(result, "mean") else ("density", "coverage")
    return [getattr(result, name) for name in names]


@pytest.mark.parametrize("distance", ALL)
def test_two_spaces_are_not_compared(distance):
    with pytest.raises(ValueError, match=r"two extractors cannot be compared.*'x' and 'y'"):
        distance(normal(9, 3), features(normal(9, 3).values, "y"))
    with pytest.raises(ValueError, match=r"same length\. Received: 3 and 4"):
        distance(normal(9, 3), normal(9, 4))


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_one_image_is_too_few(distance):
    with pytest.raises(ValueError, match=r"at least 2 images\. Received: 9 and 1"):
        distance(normal(9, 3), normal(1, 3))


def test_numbers_must_make_sense():
    for wrong in (0, 9):
        with pytest.raises(ValueError, match=f"less than the number.*is 9. Received: k={wrong}"):
            density_coverage(normal(9, 3), normal(9, 3), k=wrong)
    with pytest.raises(ValueError, match="Received: block_size=1, num_blocks=100"):
        kernel_distance(normal(9, 3), normal(9, 3), block_size=1)
    with pytest.raises(ValueError, match="Received: block_size=5, num_blocks=0"):
        kernel_distance(normal(9, 3), normal(9, 3), block_size=5, num_blocks=0)


@pytest.mark.parametrize("distance", ALL)
def test_memory_is_bounded(distance, monkeypatch):
    monkeypatch.setattr(distances, "CHUNK", 100)
    one, other = normal(3000, 8), normal(3000, 8, seed=1)
    arguments = {"block_size": 3000} if distance is kernel_distance else {}
    tracemalloc.start()
    distance(one, other, **arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All distances at once would take 8 · 3000² bytes: 72 MB. Of 100 to all it is 2.4 MB.
    assert peak < 20e6


def test_diversity_by_hand():
    corners = features([[0, 0], [3, 0], [0, 4]])
    assert distances.diversity(corners) == pytest.approx((3 + 4 + 5) / 3)
    assert distances.diversity(features([[1, 2]] * 3)) == 0
    assert distances.diversity(features([[1e6, 0], [1e6, 3]])) == pytest.approx(3, rel=1e-4)


def test_diversity_takes_two():
    with pytest.raises(ValueError, match="at least 2"):
        distances.diversity(features([[1, 2]]))


def test_halves_of_a_set_are_alike():
    same = np.random.default_rng(0).normal(size=(60, 8))
    assert abs(distances.of_halves(features(same))) < 0.05
    # Two clusters: were the halves not drawn at random, they would be far apart.
    apart = np.concatenate([same[:30] + 3, same[30:] - 3])
    far = distances.kernel_distance(features(apart[:30]), features(apart[30:])).mean
    assert abs(distances.of_halves(features(apart), num_splits=50)) < 0.1 * far


def test_no_vector_is_in_both_halves(monkeypatch):
    splits = []

    def watching(one, other):
        splits.append((one.values[:, 0].tolist(), other.values[:, 0].tolist()))
        return distances.KernelDistance(float(len(splits)), None, 1)

    monkeypatch.setattr(distances, "kernel_distance", watching)
    found = distances.of_halves(features(np.arange(9.0)[:, np.newaxis]), num_splits=3)
    assert found == 2  # the mean of 1, 2 and 3
    for one, other in splits:
        assert (len(one), len(other)) == (4, 5)
        assert sorted(one + other) == list(range(9))
    assert splits[0] != splits[1]


def test_halves_take_four():
    with pytest.raises(ValueError, match="at least 4"):
        distances.of_halves(features([[1, 2]] * 3))
