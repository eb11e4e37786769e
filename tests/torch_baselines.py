"""One update of each of the four baselines of the CycleGAN paper, in plain PyTorch.

They are described in section 5.1 of Zhu et al. 2017, with CycleGAN's networks; CoGAN in section 3
and appendix A of Liu & Tuzel 2016. No line is shared with the package.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.torch_paper import (
    Adam,
    Pool,
    least_squares,
    log_likelihood,
    patch_discriminator,
    resnet_generator,
)

Draws = Iterable[tuple[float, float]]


class OneWay:
    """The generator first, on LS(D(G(x)), 1) + λ·mean|φ(x) - φ(G(x))|; φ(x) = x is SimGAN."""

    def __init__(self, phi: Callable[[Tensor], Tensor], weight: float, pool_size: int):
        self.g, self.d = resnet_generator(2, 1), patch_discriminator(3, 2)
        self.phi, self.weight, self.pool = phi, weight, Pool(pool_size)
        self.adam_g, self.adam_d = Adam(self.g), Adam(self.d)

    def step(self, source: Tensor, target: Tensor, draws: Draws) -> dict[str, float]:
        fake = self.g(source)
        valid = least_squares(self.d(fake), 1)
        content = torch.mean(torch.abs(self.phi(source) - self.phi(fake)))
        losses = {"valid": valid.item(), "content": content.item()}
        losses["g"] = self.adam_g.step(valid + self.weight * content)
        fake = self.pool.query(fake.detach(), draws)
        judged = least_squares(self.d(target), 1) + least_squares(self.d(fake), 0)
        losses["d"] = self.adam_d.step(0.5 * judged)
        return losses


class BiGAN:
    """D, G and E in this order, an Adam each: D tells (x, G(x)) by 1 from (E(y), y) by 0."""

    def __init__(self, pool_size: int):
        self.g, self.e = resnet_generator(2, 1), resnet_generator(2, 1)
        self.d = patch_discriminator(6, 2)
        self.pool_g, self.pool_e = Pool(pool_size), Pool(pool_size)
        self.adam_d, self.adam_g, self.adam_e = Adam(self.d), Adam(self.g), Adam(self.e)

    def step(self, x: Tensor, y: Tensor, draws_g: Draws, draws_e: Draws) -> dict[str, float]:
        pair_g = torch.cat([x, self.g(x)], dim=1)
        pair_e = torch.cat([self.e(y), y], dim=1)
        earlier_g = self.pool_g.query(pair_g.detach(), draws_g)
        earlier_e = self.pool_e.query(pair_e.detach(), draws_e)
        judged = least_squares(self.d(earlier_g), 1) + least_squares(self.d(earlier_e), 0)
        losses = {"d": self.adam_d.step(0.5 * judged)}
        losses["valid_AB"] = self.adam_g.step(least_squares(self.d(pair_g), 0))
        losses["valid_BA"] = self.adam_e.step(least_squares(self.d(pair_e), 1))
        return losses


class Normalized(nn.Module):
    """Batch normalization over all but the channels, an offset, and a PReLU with its slopes."""

    def __init__(self, filters: int):
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(filters))
        self.slope = nn.Parameter(torch.full((filters,), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        x = functional.batch_norm(x, None, None, bias=self.offset, training=True, eps=1e-5)
        return functional.prelu(x, self.slope)


class CoupledGenerators(nn.Module):
    """32×32 pixels: 4×4 features, doubled twice in common, and once more by each generator."""

    def __init__(self, gf: int, latent_dim: int):
        super().__init__()
        self.gf = gf
        self.first = nn.Linear(latent_dim, 16 * 16 * gf)
        self.first_n = Normalized(16 * gf)
        self.double_1, self.double_1_n = self.doubling(16 * gf, 8 * gf)
        self.double_2, self.double_2_n = self.doubling(8 * gf, 4 * gf)
        self.double_3_A, self.double_3_A_n = self.doubling(4 * gf, 2 * gf)
        self.last_A = nn.Conv2d(2 * gf, 3, 3, padding=1)
        self.double_3_B, self.double_3_B_n = self.doubling(4 * gf, 2 * gf)
        self.last_B = nn.Conv2d(2 * gf, 3, 3, padding=1)

    @staticmethod
    def doubling(before: int, filters: int) -> tuple[nn.Module, nn.Module]:
        return nn.ConvTranspose2d(before, filters, 4, 2, padding=1), Normalized(filters)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        # Keras has the channels last.
        x = self.first(z).reshape(-1, 4, 4, 16 * self.gf).permute(0, 3, 1, 2)
        x = self.double_1_n(self.double_1(self.first_n(x)))
        x = self.double_2_n(self.double_2(x))
        a = self.last_A(self.double_3_A_n(self.double_3_A(x)))
        b = self.last_B(self.double_3_B_n(self.double_3_B(x)))
        return torch.tanh(a), torch.tanh(b)


class CoupledDiscriminators(nn.Module):
    """A first convolution for each domain, and all others for both, on one batch."""

    def __init__(self, df: int):
        super().__init__()
        self.halve_0_A, self.halve_0_A_n = self.halve(3, df, 5)
        self.halve_0_B, self.halve_0_B_n = self.halve(3, df, 5)
        self.halve_1, self.halve_1_n = self.halve(df, 2 * df, 5)
        self.halve_2, self.halve_2_n = self.halve(2 * df, 4 * df, 5)
        self.dense, self.dense_n = nn.Linear(16 * 4 * df, 64 * df), Normalized(64 * df)
        self.scores = nn.Linear(64 * df, 1)

    @staticmethod
    def halve(before: int, filters: int, size: int) -> tuple[nn.Module, nn.Module]:
        return nn.Conv2d(before, filters, size, 2, padding=size // 2), Normalized(filters)

    def forward(self, imgs_A: Tensor, imgs_B: Tensor) -> Tensor:
        a = self.halve_0_A_n(self.halve_0_A(imgs_A))
        b = self.halve_0_B_n(self.halve_0_B(imgs_B))
        x = self.halve_1_n(self.halve_1(torch.cat([a, b])))
        x = self.halve_2_n(self.halve_2(x))
        x = x.permute(0, 2, 3, 1).reshape(len(x), -1)
        return self.scores(self.dense_n(self.dense(x)))


class CoGAN:
    """The discriminators, on half of their losses; then the generators, on the same z."""

    def __init__(self, gf: int, df: int, latent_dim: int, weight_decay: float):
        self.g = CoupledGenerators(gf, latent_dim).double()
        self.d = CoupledDiscriminators(df).double()
        self.adam_g, self.adam_d = Adam(self.g), Adam(self.d)
        self.weight_decay = weight_decay

    def step(self, imgs_A: Tensor, imgs_B: Tensor, z: Tensor) -> dict[str, float]:
        fakes = self.g(z)
        on_real = log_likelihood(self.d(imgs_A, imgs_B), 1)
        on_fake = log_likelihood(self.d(*(fake.detach() for fake in fakes)), 0)
        losses = {"d": self.adam_d.step(0.5 * (on_real + on_fake) + self.decay(self.d))}
        valid = log_likelihood(self.d(*fakes), 1)
        losses["valid"] = valid.item()
        losses["g"] = self.adam_g.step(valid + self.decay(self.g))
        return losses

    def decay(self, network: nn.Module) -> Tensor:
        """What has the gradient `weight_decay * kernel`."""
        kernels = [p for p in network.parameters() if p.ndim > 1]
        return 0.5 * self.weight_decay * sum(torch.sum(kernel**2) for kernel in kernels)
