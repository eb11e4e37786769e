"""CUT and FastCUT against a transcription in PyTorch, number by number, in float64."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras import CUT, TrainConfig

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")

TINY = {"gf": 2, "df": 2, "num_blocks": 2}
# Of losses and weights near 0.02, which move by 0.0002 in a step. Biases before a norm have no
# gradient but what rounding leaves, and Adam makes that larger.
RTOL, ATOL = 1e-9, 1e-9


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def torchlike(network):
    """A network's weights as PyTorch has them; the heads' first layers before their second ones."""
    order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}
    return [np.transpose(w, order[w.ndim]) for w in map(np.asarray, network.weights)]


def assert_same_weights(network, other, step):
    for index, pair in enumerate(zip(torchlike(network), other.parameters(), strict=True)):
        weight, parameter = pair
        expected = parameter.detach().numpy()
        message = f"{network.name}, weight {index}, step {step}"
        np.testing.assert_allclose(weight, expected, RTOL, ATOL, err_msg=message)


def next_places(gan, num_draws):
    """The places that the sampler will take, draw by draw: those of the largest numbers."""
    seed, number = np.asarray(gan.sampler.random.state)
    sizes = [features.shape[1] * features.shape[2] for features in gan.encoder.outputs]
    found = []
    for draw in range(num_draws):
        count = sizes[draw % len(sizes)]
        chances = tf.random.stateless_uniform((count,), seed=(seed, number + draw)).numpy()
        found.append([int(place) for place in np.argsort(-chances)[: gan.sampler.count]])
    return found


@pytest.mark.parametrize(
    ("recipe", "direction"),
    [
        ("cut", "A-to-B"),
        pytest.param("fastcut", "A-to-B", marks=pytest.mark.slow),
        ("fastcut", "B-to-A"),
    ],
)
def test_steps_are_the_papers(recipe, direction, float64, untraced, random_images):
    from tests import torch_cut

    shape = (32, 24, 3)  # Not square, so that no axis can stand for another.
    config = TrainConfig.make(
        model="cut", recipe=recipe, direction=direction, image_size=32, projection_dim=4,
        num_patches=20, seed=1, **TINY,
    )  # fmt: skip
    gan = CUT(**{**config.model_settings(), "img_shape": shape})
    has_identity = recipe == "cut"
    weights = (1, 1) if has_identity else (10, 0)
    other = torch_cut.CUT(**TINY, dim=4, weight=weights[0], weight_id=weights[1])
    networks = {gan.g: other.g, gan.d: other.d, gan.heads: other.heads}
    for network, twin in networks.items():
        for parameter, weight in zip(twin.parameters(), torchlike(network), strict=True):
            assert parameter.shape == weight.shape
            parameter.data.copy_(torch.tensor(np.ascontiguousarray(weight)))

    mirrorings = set()
    for step, size in enumerate((1, 2, 1)):
        imgs = random_images(2, size, *shape, seed=step, dtype="float64")
        places = next_places(gan, 10 if has_identity else 5)
        is_mirrored = False
        if gan.mirror is not None:
            chance = tf.random.stateless_uniform((), seed=np.asarray(gan.mirror.state))
            is_mirrored = float(chance) < 0.5
        mirrorings.add(is_mirrored)
        ordered = imgs if direction == "A-to-B" else imgs[::-1]
        batches = [torch.tensor(each.transpose(0, 3, 1, 2).copy()) for each in ordered]
        losses = other.step(*batches, is_mirrored, places[:5], places[5:] or None)
        logs = gan.train_step((imgs[0], imgs[1]))
        received = {name: float(logs[f"{name}_loss"]) for name in losses}
        assert received == pytest.approx(losses, rel=RTOL), f"step {step}"
        assert ("nce_id_loss" in logs) == has_identity
        for network, twin in networks.items():
            assert_same_weights(network, twin, step)
    assert mirrorings == ({False} if has_identity else {False, True}), "another seed is needed"
