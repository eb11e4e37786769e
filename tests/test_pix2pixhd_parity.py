"""pix2pixHD against a transcription in PyTorch, number by number, in float64."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from cyclegan_keras import Pix2PixHD
from cyclegan_keras.models.perceptual import PerceptualDistance

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")

COLORS = [[255, 0, 0], [0, 200, 30], [20, 0, 255]]
# Of losses and weights near 0.02, which move by 0.0002 in a step. Biases before a norm have no
# gradient but what rounding leaves, which the losses' weight of 10 and Adam make larger.
RTOL, ATOL, ATOL_OF_BIASES = 1e-9, 1e-11, 1e-9


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def classifier() -> keras.Model:
    """Stands for the classifier: five sets of features."""
    x = image = keras.Input((None, None, 3))
    found = []
    for seed in range(5):
        kernel = keras.initializers.RandomNormal(stddev=0.5, seed=seed)
        x = keras.layers.Conv2D(2, 3, activation="relu", kernel_initializer=kernel)(x)
        found.append(x)
    return keras.Model(image, found)


class WithClassifier(Pix2PixHD):
    def build_perceptual(self) -> keras.layers.Layer:
        return PerceptualDistance(classifier)


def in_torch(model: keras.Model) -> Any:
    kernels = [torch.tensor(w.transpose(3, 2, 0, 1)) for w in model.get_weights()[::2]]

    def features(imgs: Any) -> list[Any]:
        x, found = (imgs * 127.5 + 127.5 - 127) / 128, []
        for kernel in kernels:
            x = torch.relu(torch.nn.functional.conv2d(x, kernel))
            found.append(x)
        return found

    return features


def as_torch(weights: list[Any]) -> list[np.ndarray]:
    arrays = [np.asarray(weight) for weight in weights]
    return [array.transpose(3, 2, 0, 1) if array.ndim == 4 else array for array in arrays]


def test_steps_of_the_three_stages_are_the_papers(float64, untraced, random_images):
    from tests import torch_pix2pixhd

    shape = (96, 128, 3)  # The least, and not square.
    networks = {"gf": 2, "df": 2, "halvings": 2}
    gan = WithClassifier(
        shape,
        **networks,
        num_blocks=1,
        enhancer_blocks=1,
        labels=COLORS,
        direction="B-to-A",
        seed=0,
    )
    other = torch_pix2pixhd.Pix2PixHD(COLORS, **networks, blocks=1, local=1)
    other.classifier = in_torch(gan._distance._classifier.model)
    of_global = {id(weight) for weight in gan.g_global.weights}
    pairs = [
        (gan.g_global.weights, [*other.body.parameters(), *other.head.parameters()]),
        ([w for w in gan.g.weights if id(w) not in of_global], [*other.enhancer.parameters()]),
        *((d.weights, [*theirs.parameters()]) for d, theirs in zip(gan.ds, other.ds, strict=True)),
    ]
    for weights, parameters in pairs:
        for parameter, weight in zip(parameters, as_torch(weights), strict=True):
            assert parameter.shape == weight.shape
            parameter.data.copy_(torch.tensor(weight))

    for step, (stage, size) in enumerate(((0, 2), (1, 1), (2, 1), (2, 2))):
        if stage == step:
            gan.begin_stage(stage)
            other.begin(stage)
        imgs_A, imgs_B = random_images(2, size, *shape, seed=step, dtype="float64")
        in_order = [torch.tensor(imgs.transpose(0, 3, 1, 2)) for imgs in (imgs_B, imgs_A)]
        losses = other.step(*in_order)
        logs = gan.train_step((imgs_A, imgs_B))
        received = {name: float(logs[f"{name}_loss"]) for name in losses}
        assert received == pytest.approx(losses, rel=RTOL), f"step {step}"
        for number, (weights, parameters) in enumerate(pairs):
            for weight, parameter in zip(as_torch(weights), parameters, strict=True):
                message = f"network {number}, step {step}"
                expected = parameter.detach().numpy()
                atol = ATOL if weight.ndim == 4 else ATOL_OF_BIASES
                np.testing.assert_allclose(weight, expected, RTOL, atol, err_msg=message)
