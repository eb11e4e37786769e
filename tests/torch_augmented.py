"""A training step of Augmented CycleGAN in plain PyTorch, which shares no line with the package.

Almahairi et al. 2018, section 4, and the networks and the order of updates of its authors' code;
scales of conditional norms are 1 + linear(z).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.torch_paper import SLOPE, least_squares, rounded


class ClippedAdam:
    """Keras's Adam, for several networks, the gradient of each scaled down to a norm at most."""

    def __init__(self, networks: list[nn.Module], rate: float, clip: float):
        self.groups = [list(network.parameters()) for network in networks]
        self.means = [[torch.zeros_like(w) for w in group] for group in self.groups]
        self.squares = [[torch.zeros_like(w) for w in group] for group in self.groups]
        self.rate, self.clip, self.num_steps = rate, clip, 0

    def step(self, loss: Tensor) -> float:
        weights = [weight for group in self.groups for weight in group]
        gradients = iter(torch.autograd.grad(loss, weights, retain_graph=True))
        self.num_steps += 1
        power_1, power_2 = rounded(0.5) ** self.num_steps, rounded(0.999) ** self.num_steps
        rate = self.rate * math.sqrt(1 - power_2) / (1 - power_1)
        with torch.no_grad():
            for group, means, squares in zip(self.groups, self.means, self.squares, strict=True):
                own = [next(gradients) for _ in group]
                norm = torch.sqrt(sum(torch.sum(g**2) for g in own))
                share = min(1.0, self.clip / float(norm)) if self.clip else 1.0
                for weight, gradient, mean, square in zip(group, own, means, squares, strict=True):
                    mean.copy_(0.5 * mean + 0.5 * share * gradient)
                    square.copy_(0.999 * square + (1 - 0.999) * (share * gradient) ** 2)
                    weight -= rate * mean / (torch.sqrt(square) + 1e-7)
        return loss.item()


class Norm(nn.Module):
    """Instance norm with factors and offsets; of a latent, if there is one."""

    def __init__(self, filters: int, num_latents: int):
        super().__init__()
        self.num_latents = num_latents
        if num_latents:
            self.scale, self.shift = (nn.Conv2d(num_latents, filters, 1) for _ in range(2))
        else:
            self.affine = nn.InstanceNorm2d(filters, eps=1e-5, affine=True)

    def forward(self, x: Tensor, z: Tensor | None) -> Tensor:
        if not self.num_latents:
            return self.affine(x)
        mean, variance = x.mean((2, 3), True), x.var((2, 3), unbiased=False, keepdim=True)
        z = z[:, :, None, None]
        # The initial bias of `scale` is one.
        return (x - mean) / torch.sqrt(variance + 1e-5) * self.scale(z) + self.shift(z)


class Generator(nn.Module):
    """c7s1-f, c3s1-2f, c3s2-4f, blocks, transposed c3s2-2f, c3s1-f, c7s1-3."""

    def __init__(self, gf: int, num_blocks: int, num_latents: int):
        super().__init__()

        def norm(filters: int) -> Norm:
            return Norm(filters, num_latents)

        self.first, self.norm_1 = nn.Conv2d(3, gf, 7), norm(gf)
        self.second, self.norm_2 = nn.Conv2d(gf, 2 * gf, 3, padding=1), norm(2 * gf)
        self.third, self.norm_3 = nn.Conv2d(2 * gf, 4 * gf, 3, 2, padding=1), norm(4 * gf)
        self.blocks = nn.ModuleList()
        for _ in range(num_blocks):
            convolutions = [nn.Conv2d(4 * gf, 4 * gf, 3) for _ in range(2)]
            norms = [norm(4 * gf), Norm(4 * gf, 0)]
            self.blocks.append(
                nn.ModuleList([convolutions[0], norms[0], convolutions[1], norms[1]])
            )
        self.up = nn.ConvTranspose2d(4 * gf, 2 * gf, 3, 2, padding=1, output_padding=1)
        self.norm_4 = norm(2 * gf)
        self.fifth, self.norm_5 = nn.Conv2d(2 * gf, gf, 3, padding=1), norm(gf)
        self.last = nn.Conv2d(gf, 3, 7, padding=3)

    def forward(self, x: Tensor, z: Tensor | None) -> Tensor:
        x = functional.relu(self.norm_1(self.first(mirror(x, 3)), z))
        x = functional.relu(self.norm_2(self.second(x), z))
        x = functional.relu(self.norm_3(self.third(x), z))
        for one, norm_one, other, norm_other in self.blocks:
            change = functional.relu(norm_one(one(mirror(x, 1)), z))
            x = functional.relu(x + norm_other(other(mirror(change, 1)), z))
        x = functional.relu(self.norm_4(self.up(x), z))
        x = functional.relu(self.norm_5(self.fifth(x), z))
        return torch.tanh(self.last(x))


def mirror(x: Tensor, width: int) -> Tensor:
    return functional.pad(x, (width,) * 4, mode="reflect")


def encoder(ef: int, num_latents: int) -> nn.Module:
    """For 16 pixels: two halvings leave four."""
    return nn.Sequential(
        nn.Conv2d(6, ef, 3, 2, padding=1),
        nn.ReLU(),
        nn.Conv2d(ef, 2 * ef, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(2 * ef),
        nn.ReLU(),
        nn.Conv2d(2 * ef, 2 * ef, 4, bias=False),
        nn.BatchNorm2d(2 * ef),
        nn.ReLU(),
        nn.Conv2d(2 * ef, num_latents, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def judge_of_B(df: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(3, df, 4, 2, padding=1), nn.LeakyReLU(SLOPE)]
    for before, filters, strides in ((df, 2 * df, 2), (2 * df, 4 * df, 1), (4 * df, 4 * df, 1)):
        layers += [
            nn.Conv2d(before, filters, 4, strides, padding=1),
            nn.InstanceNorm2d(filters, eps=1e-5, affine=True),
            nn.LeakyReLU(SLOPE),
        ]
    return nn.Sequential(*layers, nn.Conv2d(4 * df, 1, 4, padding=1))


def judge_of_A(df: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, df, 3, 2, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(df, 2 * df, 3, 2, padding=1),
        nn.InstanceNorm2d(2 * df, eps=1e-5, affine=True),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(2 * df, 1, 4),
    )


def judge_of_latents(zf: int, num_latents: int) -> nn.Module:
    layers: list[nn.Module] = []
    for before in (num_latents, zf, zf):
        layers += [nn.Linear(before, zf), nn.BatchNorm1d(zf), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers, nn.Linear(zf, 1))


class AugmentedCycleGAN:
    """Both halves, or that with latents of B alone."""

    def __init__(self, domains: str, size: int, clip: float):
        self.domains = domains
        with_A = size if "A" in domains else 0
        self.networks: dict[str, nn.Module] = {
            "g_AB": Generator(2, 1, size),
            "g_BA": Generator(2, 1, with_A),
            **{f"e_{domain}": encoder(2, size) for domain in domains},
            "d_A": judge_of_A(2),
            "d_B": judge_of_B(4),
            **{f"d_z_{domain}": judge_of_latents(3, size) for domain in domains},
        }
        for network in self.networks.values():
            network.double()
        names = ["g_AB", "g_BA", *(f"e_{domain}" for domain in domains)]
        self.adam_g = ClippedAdam([self.networks[name] for name in names], 2e-4, clip)
        self.adam_d = {
            name: ClippedAdam([network], 2e-4 / 5, clip)
            for name, network in self.networks.items()
            if name.startswith("d_")
        }

    def step(self, a: Tensor, b: Tensor, z: dict[str, Tensor]) -> dict[str, float]:
        """Discriminators first; then generators and encoders against the updated ones."""
        net = self.networks
        fake_b, fake_a = net["g_AB"](a, z["B"]), net["g_BA"](b, z.get("A"))
        found = {}
        if "A" in self.domains:
            found["A"] = net["e_A"](torch.cat([a, fake_b], 1))
        found["B"] = net["e_B"](torch.cat([fake_a, b], 1))

        judged = {"d_A": (a, fake_a), "d_B": (b, fake_b)}
        judged |= {f"d_z_{domain}": (z[domain], found[domain]) for domain in self.domains}
        losses = {}
        for name, (real, fake) in judged.items():
            d = net[name]
            loss = least_squares(d(real), 1) + least_squares(d(fake.detach()), 0)
            losses[name] = self.adam_d[name].step(0.5 * loss)

        terms = {
            "valid_A": least_squares(net["d_A"](fake_a), 1),
            "valid_B": least_squares(net["d_B"](fake_b), 1),
            "reconstr_A": functional.l1_loss(net["g_BA"](fake_b, found.get("A")), a),
            "reconstr_B": functional.l1_loss(net["g_AB"](fake_a, found["B"]), b),
        }
        pairs = {"A": [fake_a, b], "B": [a, fake_b]}
        for domain in self.domains:
            again = net[f"e_{domain}"](torch.cat(pairs[domain], 1))
            terms[f"reconstr_z_{domain}"] = functional.l1_loss(again, z[domain])
            terms[f"valid_z_{domain}"] = least_squares(net[f"d_z_{domain}"](found[domain]), 1)
        losses |= {name: term.item() for name, term in terms.items()}
        weights = {name: 0.025 if name.startswith("reconstr_z") else 1.0 for name in terms}
        whole = sum(weights[name] * term for name, term in terms.items())
        losses["g"] = self.adam_g.step(whole)
        return losses
