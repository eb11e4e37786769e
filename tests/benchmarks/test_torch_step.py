"""What `make bench` times in PyTorch is the same step with the same networks."""

import numpy as np
import pytest

from cyclegan_keras import CycleGAN, TrainConfig

pytestmark = pytest.mark.integration

torch = pytest.importorskip("torch", reason="needs PyTorch (benchmarks/requirements.txt)")
SHAPE = (32, 32, 3)


def copy_weights(network, other) -> None:
    parameters = list(other.parameters())
    assert len(parameters) == len(network.weights)
    for parameter, weight in zip(parameters, network.weights, strict=True):
        value = np.asarray(weight)
        value = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
        assert parameter.shape == value.shape
        parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(value)))


# PyTorch's kernels for one image are others than for two; `make bench` times one.
each_batch_size = pytest.mark.parametrize(
    "batch_size", [1, pytest.param(2, marks=pytest.mark.slow)]
)


@each_batch_size
def test_the_same_losses_from_the_same_weights(batch_size, random_images, untraced):
    from benchmarks.torch_step import TorchCycleGAN

    gan, other = CycleGAN(SHAPE, seed=0), TorchCycleGAN(SHAPE[0], batch_size)
    for name, network in zip(("g_AB", "g_BA", "d_A", "d_B"), other.networks, strict=True):
        copy_weights(getattr(gan, name), network)
    for step in range(2):
        imgs_A, imgs_B = (random_images(batch_size, *SHAPE, seed=2 * step + i) for i in (0, 1))
        expected = float(gan.train_step((imgs_A, imgs_B))["g_loss"])
        # The two add Adam's epsilon in different places; hence no closer.
        assert other.step(imgs_A, imgs_B) == pytest.approx(expected, rel=2e-3), step


@each_batch_size
def test_the_same_losses_of_the_papers_step(batch_size, random_images, untraced):
    from benchmarks.torch_paper_step import TorchPaperCycleGAN

    small = {"image_size": SHAPE[0], "gf": 2, "df": 2, "num_blocks": 1, "seed": 0}
    gan = CycleGAN(**TrainConfig.make(recipe="paper", **small).model_settings())
    other = TorchPaperCycleGAN(gf=2, df=2, num_blocks=1)
    for name, network in zip(("g_AB", "g_BA", "d_A", "d_B"), other.networks, strict=True):
        copy_weights(getattr(gan, name), network)
    for step in range(2):
        imgs_A, imgs_B = (random_images(batch_size, *SHAPE, seed=2 * step + i) for i in (0, 1))
        expected = float(gan.train_step((imgs_A, imgs_B))["g_loss"])
        assert other.step(imgs_A, imgs_B) == pytest.approx(expected, rel=2e-3), step


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("memory_format", ["contiguous_format", "channels_last"])
def test_gradients_of_instance_norm_do_not_depend_on_the_memory_layout(batch_size, memory_format):
    from benchmarks.torch_paper_step import instance_norm

    x = torch.rand(batch_size, 4, 5, 6, dtype=torch.float64, requires_grad=True)
    incoming = torch.rand_like(x).contiguous(memory_format=getattr(torch, memory_format))
    var, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    (expected,) = torch.autograd.grad((x - mean) / (var + 1e-5).sqrt(), x, incoming)
    (gradient,) = torch.autograd.grad(instance_norm(4).double()(x), x, incoming)
    torch.testing.assert_close(gradient, expected)
