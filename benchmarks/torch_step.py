"""The same networks and the same step in PyTorch, written from the paper and the book.

The step is as economical as ours: each fake is made once, and the memory layout is channels-last,
which is the faster one on a CPU. How the optimizer goes about it is left to PyTorch.
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CYCLE, IDENTITY = 10.0, 9.0


class Halve(nn.Module):
    """Convolution 4×4 of stride 2, LeakyReLU, instance normalisation.

    That is group normalisation of single channels: at batch size 1, the gradients of PyTorch 2.13's
    `nn.InstanceNorm2d` are wrong on a CPU where they arrive channels-last.
    """

    def __init__(self, channels: int, filters: int, normalize: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 4, stride=2, padding=1)
        self.norm = nn.GroupNorm(filters, filters, eps=1e-3) if normalize else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns `x` at half its size."""
        x = functional.leaky_relu(self.conv(x), 0.2)
        return x if self.norm is None else self.norm(x)


class SameConv(nn.Conv2d):
    """Convolution 4×4 that keeps the size: one pixel of padding before, two after."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the convolution of `x`."""
        return super().forward(functional.pad(x, (1, 2, 1, 2)))


class Double(nn.Module):
    """Nearest-neighbour doubling, convolution, ReLU, instance normalisation, skip connection."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.conv = SameConv(channels, filters)
        self.norm = nn.GroupNorm(filters, filters, eps=1e-3)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Returns `x` at twice its size, with `skip` behind it."""
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return torch.cat([self.norm(functional.relu(self.conv(x))), skip], dim=1)


class UNet(nn.Module):
    """The book's generator."""

    def __init__(self, gf: int = 32) -> None:
        super().__init__()
        self.d1, self.d2 = Halve(3, gf), Halve(gf, 2 * gf)
        self.d3, self.d4 = Halve(2 * gf, 4 * gf), Halve(4 * gf, 8 * gf)
        self.u1, self.u2 = Double(8 * gf, 4 * gf), Double(8 * gf, 2 * gf)
        self.u3 = Double(4 * gf, gf)
        self.last = SameConv(2 * gf, 3)

    def forward(self, img: torch.Tensor) -> torch.Tensor:
        """Returns the translation of `img`."""
        d1 = self.d1(img)
        d2 = self.d2(d1)
        d3 = self.d3(d2)
        u1 = self.u1(self.d4(d3), d3)
        u3 = self.u3(self.u2(u1, d2), d1)
        return torch.tanh(self.last(functional.interpolate(u3, scale_factor=2, mode="nearest")))


def discriminator(df: int = 64) -> nn.Module:
    """The book's discriminator."""
    return nn.Sequential(
        Halve(3, df, normalize=False),
        Halve(df, 2 * df),
        Halve(2 * df, 4 * df),
        Halve(4 * df, 8 * df),
        SameConv(8 * df, 1),
    )


class TorchCycleGAN:
    """Four networks, three optimizers, one step.

    Args:
        size: Height and width of the images, in pixels.
        batch_size: Images of each domain in one step.
        compiled: Whether the networks go through `torch.compile`.
    """

    def __init__(self, size: int, batch_size: int, compiled: bool = False) -> None:
        networks = [UNet(), UNet(), discriminator(), discriminator()]
        networks = [network.to(memory_format=torch.channels_last) for network in networks]
        g_AB, g_BA, d_A, d_B = networks
        self.networks = networks
        self.g_AB, self.g_BA, self.d_A, self.d_B = (
            torch.compile(network) if compiled else network for network in networks
        )
        self.optimizer_G, self.optimizer_A, self.optimizer_B = (
            torch.optim.Adam(parameters, 2e-4, betas=(0.5, 0.999), eps=1e-7)
            for parameters in (
                list(itertools.chain(g_AB.parameters(), g_BA.parameters())),
                list(d_A.parameters()),
                list(d_B.parameters()),
            )
        )

    @property
    def num_weights(self) -> int:
        """Numbers in the four networks."""
        return sum(p.numel() for network in self.networks for p in network.parameters())

    def step(self, imgs_A: np.ndarray, imgs_B: np.ndarray) -> float:
        """Trains on one batch.

        Args:
            imgs_A: `(batch, size, size, 3)`, float32 in [-1, 1].
            imgs_B: Likewise.

        Returns:
            The generators' loss.
        """
        # Seen as (batch, channels, height, width), this is channels-last without a copy.
        A, B = (torch.from_numpy(imgs).permute(0, 3, 1, 2) for imgs in (imgs_A, imgs_B))
        fake_B, fake_A = self.g_AB(A), self.g_BA(B)
        for d, optimizer, real, fake in (
            (self.d_A, self.optimizer_A, A, fake_A),
            (self.d_B, self.optimizer_B, B, fake_B),
        ):
            for imgs, label in ((real, 1.0), (fake.detach(), 0.0)):
                optimizer.zero_grad(set_to_none=True)
                functional.mse_loss(*_with_target(d(imgs), label)).backward()
                optimizer.step()

        # The discriminators' own gradients are not wanted here.
        frozen = [p for network in self.networks[2:] for p in network.parameters()]
        for parameter in frozen:
            parameter.requires_grad_(False)
        self.optimizer_G.zero_grad(set_to_none=True)
        adversarial = functional.mse_loss(*_with_target(self.d_A(fake_A), 1.0))
        adversarial = adversarial + functional.mse_loss(*_with_target(self.d_B(fake_B), 1.0))
        cycle = functional.l1_loss(self.g_BA(fake_B), A) + functional.l1_loss(self.g_AB(fake_A), B)
        identity = functional.l1_loss(self.g_BA(A), A) + functional.l1_loss(self.g_AB(B), B)
        loss = adversarial + CYCLE * cycle + IDENTITY * identity
        loss.backward()
        self.optimizer_G.step()
        for parameter in frozen:
            parameter.requires_grad_(True)
        return loss.item()


def _with_target(scores, label):
    return scores, torch.full_like(scores, label)
