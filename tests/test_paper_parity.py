"""The papers' recipes against transcriptions in PyTorch, number by number, in float64."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import (
    CycleGAN,
    ImagePool,
    Pix2Pix,
    TrainConfig,
)

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")

BATCH_SIZES = (1, 2, 2)
# Of losses and weights near 0.02, which move by 0.0002 in a step. Biases before a norm have no
# gradient but what rounding leaves, and Adam makes that larger: to 1e-12.
RTOL, ATOL = 1e-9, 1e-11


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """For networks this small PyTorch's threads wait for each other fifty times longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def batches(random_images: Callable) -> Callable:
    """Makes images of A and of B for each step."""

    def make(shape: tuple[int, int, int]) -> Iterator[np.ndarray]:
        for step, size in enumerate(BATCH_SIZES):
            yield random_images(2, size, *shape, seed=step, dtype="float64")

    return make


def channels_first(imgs: np.ndarray) -> Any:
    return torch.tensor(imgs.transpose(0, 3, 1, 2))


def weights_of(network: keras.Model) -> list[np.ndarray]:
    """As PyTorch has them, who puts the last axis of a kernel first; transposed ones likewise."""
    weights = [np.asarray(weight) for weight in network.weights]
    return [weight.transpose(3, 2, 0, 1) if weight.ndim == 4 else weight for weight in weights]


def copy_weights(network: keras.Model, other: Any) -> None:
    for parameter, weight in zip(other.parameters(), weights_of(network), strict=True):
        assert parameter.shape == weight.shape
        parameter.data.copy_(torch.tensor(weight))


def assert_same_weights(network: keras.Model, other: Any, step: int) -> None:
    pairs = zip(weights_of(network), other.parameters(), strict=True)
    for index, (weight, parameter) in enumerate(pairs):
        message = f"{network.name}, weight {index}, step {step}"
        expected = parameter.detach().numpy()
        np.testing.assert_allclose(weight, expected, RTOL, ATOL, err_msg=message)


def assert_same_losses(logs: dict[str, Any], losses: dict[str, float], step: int) -> None:
    received = {name: float(logs[f"{name}_loss"]) for name in losses}
    assert received == pytest.approx(losses, rel=RTOL), f"step {step}"


def next_draws(pool: ImagePool, num_images: int) -> list[tuple[float, float]]:
    """The numbers that the pool will draw for the next batch."""
    numbers = tf.random.stateless_uniform((num_images, 2), seed=np.asarray(pool.random.state))
    return [(float(coin), float(place)) for coin, place in numbers]


def test_three_steps_of_cyclegan_are_the_papers(float64, batches):
    from tests import torch_paper

    shape = (32, 40, 3)  # Not square, so that no axis can stand for another.
    # With this seed the coins fall close to one half on both sides, and one image goes into a pool
    # and out again in the same batch.
    config = TrainConfig.make(
        recipe="paper", image_size=32, gf=4, df=4, num_blocks=2, pool_size=2, seed=19
    )
    gan = CycleGAN(**{**config.model_settings(), "img_shape": shape})
    other = torch_paper.CycleGAN(gf=4, df=4, num_blocks=2, pool_size=2)
    networks = {name: getattr(other, name) for name in ("g_AB", "g_BA", "d_A", "d_B")}
    for name, network in networks.items():
        copy_weights(getattr(gan, name), network)

    for step, (imgs_A, imgs_B) in enumerate(batches(shape)):
        draws = [next_draws(pool, len(imgs_A)) for pool in (gan.pool_A, gan.pool_B)]
        losses = other.step(channels_first(imgs_A), channels_first(imgs_B), *draws)
        assert_same_losses(gan.train_step((imgs_A, imgs_B)), losses, step)
        for name, network in networks.items():
            assert_same_weights(getattr(gan, name), network, step)

    for pool in (other.pool_A, other.pool_B):
        assert set(pool.swaps) == {True, False}, "another seed is needed"


def test_three_steps_of_pix2pix_are_the_papers(float64, batches):
    from tests import torch_paper

    shape = (32, 64, 3)
    config = TrainConfig.make(
        model="pix2pix", recipe="paper", image_size=32, gf=4, df=4, dropout=0.0, seed=0
    )
    gan = Pix2Pix(**{**config.model_settings(), "img_shape": shape})
    other = torch_paper.Pix2Pix(gf=4, df=4, num_halvings=5)
    copy_weights(gan.g, other.g)
    copy_weights(gan.d, other.d)

    for step, (imgs_A, imgs_B) in enumerate(batches(shape)):
        losses = other.step(channels_first(imgs_A), channels_first(imgs_B))
        assert_same_losses(gan.train_step((imgs_A, imgs_B)), losses, step)
        assert_same_weights(gan.g, other.g, step)
        assert_same_weights(gan.d, other.d, step)
