"""Checks that the tests of several networks make."""

import keras
import numpy as np
import pytest


@pytest.fixture
def leaky_relu():
    """PyTorch's LeakyReLU with the slope that TensorFlow's has."""
    torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
    # TensorFlow rounds it to float32, whatever the images are.
    return lambda: torch.nn.LeakyReLU(float(np.float32(0.2)))


@pytest.fixture
def stir(random_images):
    """Gives all weights values that tell them apart, biases too, and larger than N(0, 0.02)."""

    def stir(network: keras.Model) -> keras.Model:
        for index, variable in enumerate(network.trainable_variables):
            variable.assign(0.3 * random_images(*variable.shape, seed=index, dtype=variable.dtype))
        return network

    return stir


@pytest.fixture
def assert_same_as_torch(float64, random_images, stir):
    """Copies weights to a network in PyTorch, layer by layer, and compares what the two make."""
    torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")

    def check(network: keras.Model, twin: "torch.nn.Module", shape: tuple[int, ...]) -> None:
        twin.double()
        parameters = list(twin.parameters())
        for parameter, variable in zip(parameters, stir(network).trainable_variables, strict=True):
            value = np.asarray(variable)
            value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
            assert parameter.shape == value.shape
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(value)))
        x = random_images(*shape, dtype="float64")
        with torch.no_grad():
            expected = twin(torch.from_numpy(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
        assert np.std(expected) > 0.01
        np.testing.assert_allclose(np.asarray(network(x)), expected, rtol=0, atol=1e-9)

    return check
