"""Steps of Augmented CycleGAN against a transcription in PyTorch, number by number, in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_keras.layers import ConditionalInstanceNormalization
from cyclegan_keras.models.augmented import AugmentedCycleGAN

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")

RTOL, ATOL = 1e-9, 1e-11
SIZE = 3
TINY = {"gf": 2, "latent_blocks": 1, "df": 4, "ef": 2, "zf": 3, "num_latents": SIZE, "seed": 0}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights_of(network: keras.Model) -> list:
    """As PyTorch has them and in its order: those of a conditional norm stand in its place."""
    found = []
    for layer in network.layers:
        if isinstance(layer, ConditionalInstanceNormalization):
            _, *conditions = layer._inbound_nodes[0].arguments.args[0]
            for condition in conditions:
                found += condition._keras_history.operation.weights
        elif getattr(layer, "kernel_size", None) != (1, 1) or not _is_of_latent(layer):
            found += layer.trainable_weights
    return found


def _is_of_latent(layer) -> bool:
    return tuple(layer.output.shape[1:3]) == (1, 1) and isinstance(
        layer.input._keras_history.operation, keras.layers.Reshape
    )


def as_torch(weight) -> np.ndarray:
    values = np.asarray(weight)
    return {4: lambda: values.transpose(3, 2, 0, 1), 2: lambda: values.T}.get(
        values.ndim, lambda: values
    )()


@pytest.mark.parametrize(("latents", "clip"), [("B", 500.0), ("both", 0.05)])
def test_two_steps_are_the_papers(latents, clip, float64, untraced, random_images):
    from tests import torch_augmented

    shape = (16, 24, 3)
    gan = AugmentedCycleGAN(shape, latents=latents, clip=clip, **TINY)
    domains = "AB" if latents == "both" else "B"
    other = torch_augmented.AugmentedCycleGAN(domains, SIZE, clip)
    assert set(gan.networks) == set(other.networks)
    for name, network in gan.networks.items():
        parameters = list(other.networks[name].parameters())
        for parameter, weight in zip(parameters, weights_of(network), strict=True):
            assert parameter.shape == as_torch(weight).shape
            parameter.data.copy_(torch.tensor(as_torch(weight)))

    for step, size in enumerate((2, 3)):
        imgs = random_images(2, size, *shape, seed=step, dtype="float64")
        state = np.asarray(gan.random.state)
        drawn = {
            domain: tf.random.stateless_normal(
                (size, SIZE), [state[0], state[1] + place], dtype="float64"
            ).numpy()
            for place, domain in enumerate(domains)
        }
        tensors = [torch.tensor(x.transpose(0, 3, 1, 2)) for x in imgs]
        losses = other.step(*tensors, {name: torch.tensor(z) for name, z in drawn.items()})
        logs = gan.train_step((imgs[0], imgs[1]))
        received = {name: float(logs[f"{name}_loss"]) for name in losses}
        assert received == pytest.approx(losses, rel=RTOL), f"step {step}"
        for name, network in gan.networks.items():
            pairs = zip(weights_of(network), other.networks[name].parameters(), strict=True)
            for index, (weight, parameter) in enumerate(pairs):
                message = f"{name}, weight {index}, step {step}"
                expected = parameter.detach().numpy()
                np.testing.assert_allclose(as_torch(weight), expected, RTOL, ATOL, err_msg=message)
