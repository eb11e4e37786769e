"""The paper's networks and the paper's step in PyTorch, written from the paper.

As economical as ours: each fake is made once, fakes and identities go through a generator together,
as real and translated images go through a discriminator, and the memory layout is channels-last.
The pool is left out: with one image a step, the first fifty steps only fill it.
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CYCLE, IDENTITY = 10.0, 5.0


def instance_norm(filters: int) -> nn.Module:
    """Instance normalisation, as group normalisation of single channels.

    At batch size 1, the gradients of `nn.InstanceNorm2d` in PyTorch 2.13 are wrong on a CPU where
    they arrive channels-last.
    """
    return nn.GroupNorm(filters, filters, eps=1e-5, affine=False)


class Residual(nn.Module):
    """Two 3×3 convolutions with reflected borders, added to what came in."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for _ in range(2):
            parts += [nn.ReflectionPad2d(1), nn.Conv2d(filters, filters, 3), instance_norm(filters)]
        parts.insert(3, nn.ReLU())
        self.body = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns `x` with its change."""
        return x + self.body(x)


def resnet(gf: int = 64, num_blocks: int = 6) -> nn.Module:
    """The paper's generator."""
    parts = [nn.ReflectionPad2d(3), nn.Conv2d(3, gf, 7), instance_norm(gf), nn.ReLU()]
    for filters in (gf, 2 * gf):
        halve = nn.Conv2d(filters, 2 * filters, 3, stride=2, padding=1)
        parts += [halve, instance_norm(2 * filters), nn.ReLU()]
    parts += [Residual(4 * gf) for _ in range(num_blocks)]
    for filters in (2 * gf, gf):
        double = nn.ConvTranspose2d(2 * filters, filters, 3, stride=2, padding=1, output_padding=1)
        parts += [double, instance_norm(filters), nn.ReLU()]
    return nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(gf, 3, 7), nn.Tanh())


def patch70(df: int = 64) -> nn.Module:
    """The paper's discriminator."""
    parts: list[nn.Module] = [nn.Conv2d(3, df, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    for filters, stride in ((2 * df, 2), (4 * df, 2), (8 * df, 1)):
        conv = nn.Conv2d(filters // 2, filters, 4, stride=stride, padding=1)
        parts += [conv, instance_norm(filters), nn.LeakyReLU(0.2)]
    return nn.Sequential(*parts, nn.Conv2d(8 * df, 1, 4, padding=1))


class TorchPaperCycleGAN:
    """Four networks, three optimizers, one step.

    Args:
        gf: Filters of the generators' first layer.
        df: Filters of the discriminators' first layer.
        num_blocks: Residual blocks of a generator.
        mode: Of `torch.compile`, through which the networks go; `None` for eager execution.
    """

    def __init__(
        self, gf: int = 64, df: int = 64, num_blocks: int = 6, mode: str | None = None
    ) -> None:
        networks = [*(resnet(gf, num_blocks) for _ in "AB"), *(patch70(df) for _ in "AB")]
        networks = [network.to(memory_format=torch.channels_last) for network in networks]
        self.networks = networks
        self.g_AB, self.g_BA, self.d_A, self.d_B = (
            network if mode is None else torch.compile(network, mode=mode) for network in networks
        )
        groups = (networks[:2], networks[2:3], networks[3:])
        self.optimizer_G, self.optimizer_A, self.optimizer_B = (
            torch.optim.Adam(
                itertools.chain(*(network.parameters() for network in group)),
                2e-4,
                betas=(0.5, 0.999),
                eps=1e-7,
            )
            for group in groups
        )

    @property
    def num_weights(self) -> int:
        """Numbers in the four networks."""
        return sum(p.numel() for network in self.networks for p in network.parameters())

    def step(self, imgs_A: np.ndarray, imgs_B: np.ndarray) -> float:
        """Trains on one batch: the generators, and then the discriminators on the same fakes.

        Args:
            imgs_A: `(batch, size, size, 3)`, float32 in [-1, 1].
            imgs_B: Likewise.

        Returns:
            The generators' loss.
        """
        # Seen as (batch, channels, height, width), this is channels-last without a copy.
        A, B = (torch.from_numpy(imgs).permute(0, 3, 1, 2) for imgs in (imgs_A, imgs_B))
        fake_B, same_B = self.g_AB(torch.cat([A, B])).chunk(2)
        same_A, fake_A = self.g_BA(torch.cat([A, B])).chunk(2)
        # The discriminators' own gradients are not wanted here.
        frozen = [p for network in self.networks[2:] for p in network.parameters()]
        for parameter in frozen:
            parameter.requires_grad_(False)
        self.optimizer_G.zero_grad(set_to_none=True)
        adversarial = _squares(self.d_A(fake_A), 1.0) + _squares(self.d_B(fake_B), 1.0)
        cycle = functional.l1_loss(self.g_BA(fake_B), A) + functional.l1_loss(self.g_AB(fake_A), B)
        identity = functional.l1_loss(same_A, A) + functional.l1_loss(same_B, B)
        loss = adversarial + CYCLE * cycle + IDENTITY * identity
        loss.backward()
        self.optimizer_G.step()
        for parameter in frozen:
            parameter.requires_grad_(True)

        for d, optimizer, real, fake in (
            (self.d_A, self.optimizer_A, A, fake_A),
            (self.d_B, self.optimizer_B, B, fake_B),
        ):
            optimizer.zero_grad(set_to_none=True)
            on_real, on_fake = d(torch.cat([real, fake.detach()])).chunk(2)
            (0.5 * (_squares(on_real, 1.0) + _squares(on_fake, 0.0))).backward()
            optimizer.step()
        return loss.item()


def _squares(scores: torch.Tensor, target: float) -> torch.Tensor:
    return functional.mse_loss(scores, torch.full_like(scores, target))
