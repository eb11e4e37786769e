"""Updates of the four baselines against transcriptions in PyTorch, in float64."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.models.bigan import BiGAN
from cyclegan_keras.models.cogan import CoGAN
from cyclegan_keras.models.feature_gan import FeatureGAN
from cyclegan_keras.models.simgan import SimGAN

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")

from tests.test_paper_parity import (  # noqa: E402
    RTOL,
    assert_same_losses,
    assert_same_weights,
    channels_first,
    copy_weights,
    next_draws,
)

SHAPE = (32, 40, 3)  # Not square, so that no axis can stand for another.
SIZES = (2, 1, 2)

pytestmark = pytest.mark.usefixtures("float64", "untraced", "_one_thread")


@pytest.fixture
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def batches(random_images):
    return [
        random_images(2, size, *SHAPE, seed=step, dtype="float64")
        for step, size in enumerate(SIZES)
    ]


def settings(model: str, **changes: Any) -> dict[str, Any]:
    config = TrainConfig.make(model=model, recipe="paper", image_size=32, seed=3, **changes)
    return {**config.model_settings(), "img_shape": SHAPE}


DECAY = 2**-6  # Keras rounds half of it to float32.
SMALL = {"gf": 2, "df": 2, "num_blocks": 1, "pool_size": 2}


def assert_same_one_way(gan: Any, other: Any, batches: list[np.ndarray], flipped: bool) -> None:
    copy_weights(gan.g, other.g)
    copy_weights(gan.d, other.d)
    for step, (imgs_A, imgs_B) in enumerate(batches):
        draws = next_draws(gan.pool, len(imgs_A))
        ways = (imgs_B, imgs_A) if flipped else (imgs_A, imgs_B)
        losses = other.step(*map(channels_first, ways), draws)
        assert_same_losses(gan.train_step((imgs_A, imgs_B)), losses, step)
        assert_same_weights(gan.g, other.g, step)
        assert_same_weights(gan.d, other.d, step)


@pytest.mark.parametrize("direction", ["A-to-B", "B-to-A"])
def test_updates_of_simgan(direction, batches):
    from tests import torch_baselines

    gan = SimGAN(**settings("simgan", direction=direction, lambda_self=3.0, **SMALL))
    other = torch_baselines.OneWay(lambda imgs: imgs, 3.0, pool_size=2)
    assert_same_one_way(gan, other, batches, flipped=direction == "B-to-A")


def test_updates_of_feature_loss_and_gan(batches):
    from tests import torch_baselines

    class Tiny(FeatureGAN):
        def build_features(self):
            img = keras.Input(self.img_shape)
            convolve = keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="tanh")
            return keras.Model(img, convolve(img), name="phi")

    gan = Tiny(**settings("feature_gan", **SMALL))
    kernel, bias = (np.asarray(weight) for weight in gan.phi.weights)

    def phi(imgs):
        padded = torch.nn.functional.pad(imgs, (0, 1, 0, 1))
        weight = torch.tensor(kernel.transpose(3, 2, 0, 1))
        return torch.tanh(torch.nn.functional.conv2d(padded, weight, torch.tensor(bias), 2))

    assert_same_one_way(gan, torch_baselines.OneWay(phi, 10.0, 2), batches, flipped=False)
    np.testing.assert_array_equal(gan.phi.weights[0], kernel)


SEED = 6  # With it, both pools give earlier pairs back.


def test_updates_of_bigan(batches):
    from tests import torch_baselines

    gan = BiGAN(**{**settings("bigan", **SMALL), "seed": SEED})
    other = torch_baselines.BiGAN(pool_size=2)
    networks = [(gan.g_AB, other.g), (gan.g_BA, other.e), (gan.d, other.d)]
    for mine, theirs in networks:
        copy_weights(mine, theirs)
    for step, (imgs_A, imgs_B) in enumerate(batches):
        draws = [next_draws(pool, len(imgs_A)) for pool in (gan.pool_AB, gan.pool_BA)]
        losses = other.step(channels_first(imgs_A), channels_first(imgs_B), *draws)
        assert_same_losses(gan.train_step((imgs_A, imgs_B)), losses, step)
        for mine, theirs in networks:
            assert_same_weights(mine, theirs, step)
    for pool in (other.pool_g, other.pool_e):
        assert True in pool.swaps, "another seed is needed"


def parts(network: keras.Model, other: Any) -> list[tuple[Any, Any]]:
    """Weights here and there, found by the names of layers; those there as Keras has them."""
    found = []
    for name, module in other.named_children():
        if name.endswith("_n"):
            name = name.removesuffix("_n")
            found.append((network.get_layer(f"{name}_norm").beta, module.offset))
            found.append((network.get_layer(f"{name}_slope").alpha, module.slope))
            continue
        layer = network.get_layer(name)
        found.append((layer.kernel, module.weight))
        found.append((layer.bias, module.bias))
    assert len(found) == len(network.trainable_variables)
    return found


def as_torch(variable: Any) -> np.ndarray:
    value = np.asarray(variable)
    if value.ndim == 4:
        return value.transpose(3, 2, 0, 1)
    return value.T if value.ndim == 2 else value.reshape(-1)


def test_updates_of_cogan(random_images):
    from tests import torch_baselines

    config = settings("cogan", gf=2, df=2, latent_dim=3, weight_decay=DECAY)
    gan = CoGAN(**{**config, "img_shape": (32, 32, 3)})
    other = torch_baselines.CoGAN(gf=2, df=2, latent_dim=3, weight_decay=DECAY)
    pairs = [*parts(gan.g, other.g), *parts(gan.d, other.d)]
    for mine, theirs in pairs:
        assert as_torch(mine).shape == tuple(theirs.shape), mine.path
        theirs.data.copy_(torch.tensor(as_torch(mine).copy()))
    for step, size in enumerate((4, 3)):
        imgs_A, imgs_B = random_images(2, size, 32, 32, 3, seed=step, dtype="float64")
        drawn = tf.random.stateless_uniform((size, 3), np.asarray(gan.latents.state)).numpy()
        latent = torch.tensor((2 * drawn - 1).astype("float64"))
        losses = other.step(channels_first(imgs_A), channels_first(imgs_B), latent)
        assert_same_losses(gan.train_step((imgs_A, imgs_B)), losses, step)
        for mine, theirs in pairs:
            # Biases before a norm have no gradient but what rounding leaves.
            if not mine.path.endswith("bias") or "last" in mine.path or "scores" in mine.path:
                expected = theirs.detach().numpy()
                np.testing.assert_allclose(as_torch(mine), expected, RTOL, 1e-9, mine.path)
