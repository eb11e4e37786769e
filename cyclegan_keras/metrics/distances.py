"""Distances between two sets of images, computed from their features in float64."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from cyclegan_keras.metrics.features import Features

# Vectors per chunk. For 10,000 images, the distances of a chunk to all others take 40 MB.
CHUNK = 512
# Squared distances below this share of the squared lengths count as 0: in float32, the features of
# an image vary by about a millionth with the other images of its batch.
NOISE = 1e-12


@dataclasses.dataclass(frozen=True)
class KernelDistance:
    """The KID (kernel distance) of two sets, with its spread.

    Attributes:
        mean: The unbiased estimate of the squared distance, the mean over the blocks. It can be
            slightly negative if both sets have the same distribution.
        std: Standard deviation over the blocks; `None` if there was a single block of all vectors.
        num_blocks: The number of blocks.
    """

    mean: float
    std: float | None
    num_blocks: int


@dataclasses.dataclass(frozen=True)
class DensityCoverage:
    """How realistic translations are, and how much of the real variety they cover.

    Attributes:
        density: The density of real images around the translations, at least 0. It is 1 on average
            if both sets have the same distribution, and more if translations concentrate on the
            most common kind.
        coverage: The share, in [0, 1], of real images with a translation nearby.
        k: Nearby means closer than the k-th nearest real neighbor.
    """

    density: float
    coverage: float
    k: int


def frechet_distance(one: Features, other: Features) -> float:
    """Computes the FID (Fréchet distance): that between Gaussians fitted to the two sets.

    It is `|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½)`, with means `m` and unbiased covariances `C`. The
    trace of the root is the sum of the singular values of `R1 R2ᵀ`, where `Rᵀ R = C`. This needs no
    covariances of full rank, so sets may be smaller than the vectors are long.

    The estimate is biased upwards, and more so the smaller the sets are. Compare only values from
    equal numbers of images.

    Args:
        one: At least 2 vectors.
        other: At least 2 vectors of the same extractor.

    Returns:
        The (squared) distance, at least 0.

    Raises:
        ValueError: If the extractors differ, or there are too few vectors.

    Reference:
        Heusel et al., *GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
        Equilibrium*, section 4.
    """
    x, y = _comparable(one, other, at_least=2)
    (mean_x, root_x), (mean_y, root_y) = _mean_and_root(x), _mean_and_root(y)
    common = np.linalg.svd(root_x @ root_y.T, compute_uv=False).sum()
    traces = np.sum(root_x**2) + np.sum(root_y**2)
    # Rounding alone could make it negative.
    return max(0.0, float(np.sum((mean_x - mean_y) ** 2) + traces - 2 * common))


def _mean_and_root(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mean, and an R of at most `dim` rows such that Rᵀ R is the covariance."""
    dim = values.shape[1]
    mean = values.mean(axis=0, dtype=np.float64)
    root = np.empty((0, dim))
    # With smaller chunks, most of the time would go into the decompositions.
    for rows in _chunks(values, max(CHUNK, dim)):
        root = np.concatenate([root, rows - mean])
        if len(root) > dim:
            # A triangular matrix with the same Rᵀ R, and no more than `dim` rows.
            root = np.asarray(np.linalg.qr(root, mode="r"))
    return mean, root / np.sqrt(len(values) - 1)


def kernel_distance(
    one: Features, other: Features, block_size: int = 1000, num_blocks: int = 100, seed: int = 0
) -> KernelDistance:
    """Computes the KID: the squared maximum mean discrepancy with the kernel `(x·y / dim + 1)³`.

    The estimate is unbiased: on average, it does not depend on the number of images.

    Args:
        one: At least 2 vectors.
        other: At least 2 vectors of the same extractor.
        block_size: Number of vectors of each set in a block, at least 2. If one of the sets has no
            more than that, all vectors of both sets form a single block.
        num_blocks: Number of random blocks, at least 1, each drawn without replacement.
        seed: For drawing the blocks.

    Returns:
        Mean and standard deviation over the blocks.

    Raises:
        ValueError: If the extractors differ, there are too few vectors, or a number is too small.

    Reference:
        Bińkowski et al., *Demystifying MMD GANs*, section 4.
    """
    if block_size < 2 or num_blocks < 1:
        raise ValueError(
            "`block_size` must be at least 2, and `num_blocks` at least 1. "
            f"Received: block_size={block_size}, num_blocks={num_blocks}"
        )
    x, y = _comparable(one, other, at_least=2)
    if min(len(x), len(y)) <= block_size:
        return KernelDistance(_unbiased_mmd(x, y), None, 1)
    rng = np.random.default_rng(seed)
    distances = [
        _unbiased_mmd(
            x[rng.choice(len(x), block_size, replace=False)],
            y[rng.choice(len(y), block_size, replace=False)],
        )
        for _ in range(num_blocks)
    ]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances)), num_blocks)


def _unbiased_mmd(x: np.ndarray, y: np.ndarray) -> float:
    within = sum(_mean_of_pairs(values) for values in (x, y))
    return float(within - 2 * _kernel_sum(x, y) / (len(x) * len(y)))


def _mean_of_pairs(x: np.ndarray) -> float:
    """The mean kernel of two different vectors of a set; pairs of equal ones would bias it."""
    with_itself = sum(
        np.sum(_kernel(np.sum(rows**2, axis=1), x.shape[1])) for rows in _chunks(x, CHUNK)
    )
    return float((_kernel_sum(x, x) - with_itself) / (len(x) * (len(x) - 1)))


def _kernel_sum(x: np.ndarray, y: np.ndarray) -> float:
    return float(
        sum(
            np.sum(_kernel(a @ b.T, x.shape[1]))
            for a in _chunks(x, CHUNK)
            for b in _chunks(y, CHUNK)
        )
    )


def _kernel(products: np.ndarray, dim: int) -> np.ndarray:
    base = products / dim + 1
    return base * base * base  # far faster than NumPy's power


def of_halves(features: Features, num_splits: int = 10, seed: int = 0) -> float:
    """Computes the KID between random halves of a set, a reference value for other distances.

    Args:
        features: At least 4 vectors. With their order and the seed, the halves are reproducible.
        num_splits: Number of random splits.
        seed: For drawing the halves.

    Returns:
        The mean over the splits; its expected value is 0.

    Raises:
        ValueError: If there are fewer vectors.
    """
    _comparable(features, features, at_least=4)
    rng = np.random.default_rng(seed)
    half, found = len(features) // 2, []
    for _ in range(num_splits):
        order = rng.permutation(len(features))
        one, other = (
            Features(features.values[places], features.extractor)
            for places in (order[:half], order[half:])
        )
        found.append(kernel_distance(one, other).mean)
    return float(np.mean(found))


def diversity(features: Features) -> float:
    """Computes the mean distance between the images of a set.

    Args:
        features: At least 2 vectors.

    Returns:
        The mean Euclidean distance between two different vectors, at least 0. It is near 0 if a
        generator produces nearly the same image for every input.

    Raises:
        ValueError: If there are fewer vectors.
    """
    x, _ = _comparable(features, features, at_least=2)
    squares = _squared_distances(x.astype(np.float64), x)
    return float(np.sum(np.sqrt(squares)) / (len(x) * (len(x) - 1)))


def density_coverage(real: Features, translated: Features, k: int = 5) -> DensityCoverage:
    """Computes density and coverage, which measure fidelity and variety by nearest neighbors.

    Around each real vector lies a ball that reaches to its k-th nearest real neighbor. Density is
    the average number of balls that a translation lies in, divided by k. Coverage is the share of
    balls that contain a translation. The surface of a ball does not belong to it. Only if several
    neighbors lie on it, or all of them at the center, do vectors there count in part, such that
    each ball contains exactly k real vectors. So the density and coverage of a set with itself are
    1.

    Args:
        real: More than `k` vectors.
        translated: Vectors of the same extractor. The two sets are not interchangeable.
        k: Which nearest neighbor, at least 1; 5 in the paper.

    Returns:
        Density and coverage.

    Raises:
        ValueError: If the extractors differ, or `k` is less than 1 or not less than the number of
            real vectors.

    Reference:
        Naeem et al., *Reliable Fidelity and Diversity Metrics for Generative Models*, section 3.
    """
    x, y = _comparable(real, translated, at_least=1)
    if not 1 <= k < len(x):
        raise ValueError(
            "`k` must be at least 1 and less than the number of real images, which is "
            f"{len(x)}. Received: k={k}"
        )
    in_balls, covered = 0.0, 0
    for first in range(0, len(x), CHUNK):
        centres = x[first : first + CHUNK].astype(np.float64)
        to_real = _squared_distances(centres, x)
        # A vector is not its own neighbor, whatever its rounded distance.
        to_real[np.arange(len(centres)), first + np.arange(len(centres))] = np.inf
        radii = np.partition(to_real, k - 1, axis=1)[:, k - 1 : k]
        # But it lies in its own ball.
        to_real[np.arange(len(centres)), first + np.arange(len(centres))] = 0
        inside, on_surface = _in_balls(to_real, radii)
        shares = (k - inside.sum(axis=1)) / on_surface.sum(axis=1)
        inside, on_surface = _in_balls(_squared_distances(centres, y), radii)
        in_each = inside.sum(axis=1) + shares * on_surface.sum(axis=1)
        in_balls += float(in_each.sum())
        covered += int((in_each > 0).sum())
    return DensityCoverage(in_balls / (k * len(y)), covered / len(x), k)


def _in_balls(squares: np.ndarray, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds the vectors inside of balls, and those on their surfaces, up to rounding."""
    on_surface = np.abs(squares - radii) <= 1e-12 * radii
    return (squares < radii) & ~on_surface, on_surface


def _squared_distances(centres: np.ndarray, values: np.ndarray) -> np.ndarray:
    """From each center to each vector, `(centers, vectors)`, at least 0."""
    norms = np.sum(centres**2, axis=1)[:, np.newaxis]
    parts = []
    for rows in _chunks(values, CHUNK):
        lengths = norms + np.sum(rows**2, axis=1)
        squares = lengths - 2 * (centres @ rows.T)
        parts.append(np.where(squares > NOISE * lengths, squares, 0))
    return np.concatenate(parts, axis=1)


def _chunks(values: np.ndarray, size: int) -> Iterator[np.ndarray]:
    for first in range(0, len(values), size):
        yield values[first : first + size].astype(np.float64)


def _comparable(one: Features, other: Features, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    if one.extractor != other.extractor:
        raise ValueError(
            "Features of two extractors cannot be compared. Make both with the same one. "
            f"Received: {one.extractor!r} and {other.extractor!r}"
        )
    if one.values.shape[1] != other.values.shape[1]:
        raise ValueError(
            "Features must have the same length. "
            f"Received: {one.values.shape[1]} and {other.values.shape[1]}"
        )
    if min(len(one), len(other)) < at_least:
        raise ValueError(
            f"Each set must have at least {at_least} images. Received: {len(one)} and {len(other)}"
        )
    return one.values, other.values
