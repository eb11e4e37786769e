"""The training step of pix2pixHD in plain PyTorch, which shares no line with the package.

Wang et al. 2018, sections 3 and 7; where the paper is silent, as the authors' own code does it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.torch_paper import SLOPE, Adam, ResidualBlock, c7s1, down, least_squares, norm, up


def pool() -> nn.Module:
    return nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)


class Encoder:
    """A channel for each class, by the nearest colour; and one for boundaries (section 3.3)."""

    def __init__(self, colors: Sequence[Sequence[int]]):
        self.colors = torch.tensor(colors, dtype=torch.float64)

    def __call__(self, maps: Tensor) -> Tensor:
        levels = torch.round(maps * 127.5 + 127.5).permute(0, 2, 3, 1)
        distances = ((levels[..., None, :] - self.colors) ** 2).sum(-1)
        classes = distances.argmin(-1)
        one_hot = functional.one_hot(classes, len(self.colors)).permute(0, 3, 1, 2)
        return torch.cat([one_hot, self.edges(classes[:, None])], dim=1).double()

    @staticmethod
    def edges(ids: Tensor) -> Tensor:
        edge = torch.zeros_like(ids, dtype=torch.bool)
        edge[:, :, :, 1:] |= ids[:, :, :, 1:] != ids[:, :, :, :-1]
        edge[:, :, :, :-1] |= ids[:, :, :, 1:] != ids[:, :, :, :-1]
        edge[:, :, 1:, :] |= ids[:, :, 1:, :] != ids[:, :, :-1, :]
        edge[:, :, :-1, :] |= ids[:, :, 1:, :] != ids[:, :, :-1, :]
        return edge


def global_body(channels: int, gf: int, halvings: int, blocks: int) -> nn.Module:
    """G1 without its last convolution: c7s1-64, d128, …, R1024, u512, …, u64; 64 is `gf`."""
    filters = [gf * 2**level for level in range(halvings + 1)]
    layers = [*c7s1(channels, gf), norm(gf), nn.ReLU()]
    for each in filters[1:]:
        layers += down(each)
    layers += [ResidualBlock(filters[-1]) for _ in range(blocks)]
    for each in reversed(filters[:-1]):
        layers += up(each)
    return nn.Sequential(*layers).double()


class Enhancer(nn.Module):
    """G2: c7s1-32, d64, to which G1's features are added, R64, u32, c7s1-3; 32 is `gf`."""

    def __init__(self, channels: int, gf: int, blocks: int):
        super().__init__()
        self.front = nn.Sequential(*c7s1(channels, gf), norm(gf), nn.ReLU(), *down(2 * gf))
        residual = [ResidualBlock(2 * gf) for _ in range(blocks)]
        self.back = nn.Sequential(*residual, *up(gf), *c7s1(gf, 3), nn.Tanh())
        self.double()

    def forward(self, encoded: Tensor, coarse: Tensor) -> Tensor:
        return self.back(self.front(encoded) + coarse)


class Discriminator(nn.Module):
    """C64-C128-C256-C512 and scores; what comes out of each part is a feature."""

    def __init__(self, channels: int, df: int):
        super().__init__()
        parts = [nn.Sequential(nn.Conv2d(channels, df, 4, 2, padding=1), nn.LeakyReLU(SLOPE))]
        for filters, stride in ((2 * df, 2), (4 * df, 2), (8 * df, 1)):
            convolution = nn.Conv2d(filters // 2, filters, 4, stride, padding=1)
            parts.append(nn.Sequential(convolution, norm(filters), nn.LeakyReLU(SLOPE)))
        parts.append(nn.Conv2d(8 * df, 1, 4, padding=1))
        self.parts = nn.ModuleList(parts)
        self.double()

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for part in self.parts:
            x = part(x)
            found.append(x)
        return found


class Pix2PixHD:
    """Sections 3.2 and 7, in three stages. Feature matching and the perceptual loss weigh 10."""

    def __init__(self, colors: Any, gf: int, df: int, halvings: int, blocks: int, local: int):
        channels = len(colors) + 1
        self.encode, self.pool = Encoder(colors), pool()
        self.body = global_body(channels, 2 * gf, halvings, blocks)
        self.head = nn.Sequential(*c7s1(2 * gf, 3), nn.Tanh()).double()
        self.enhancer = Enhancer(channels, gf, local)
        self.ds = [Discriminator(channels + 3, df) for _ in range(2)]
        # Of a classifier, whatever it is: features of five sizes.
        self.classifier: Any = None
        self.begin(0)
        self.adam_ds = [Adam(d) for d in self.ds]

    def begin(self, stage: int) -> None:
        """Each stage is a training of its own, with other weights to move and new moments."""
        self.stage = stage
        trained = [(self.body, self.head), (self.enhancer,), (self.body, self.enhancer)][stage]
        self.adam_g = Adam(*trained)
        if stage == 1:
            self.adam_ds = [Adam(d) for d in self.ds]

    def step(self, source: Tensor, target: Tensor) -> dict[str, float]:
        """The generators against the discriminators as they are; then these on the same fakes."""
        encoded = self.encode(source)
        coarse = self.body(self.pool(encoded))
        if self.stage == 0:
            encoded, target, fake = self.pool(encoded), self.pool(target), self.head(coarse)
        else:
            fake = self.enhancer(encoded, coarse)

        on_fake, on_real = self.judge(encoded, fake), self.judge(encoded, target)
        terms = {f"valid_{n + 1}": least_squares(d[-1], 1) for n, d in enumerate(on_fake)}
        matching = torch.zeros((), dtype=torch.float64)
        for mine, theirs in zip(on_fake, on_real, strict=True):
            for one, other in zip(mine[:-1], theirs[:-1], strict=True):
                weight = (1 / len(self.ds)) * 4 / len(mine[:-1])
                matching = matching + weight * functional.l1_loss(one, other.detach())
        terms["features"] = matching
        weights = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)
        pairs = zip(weights, self.classifier(fake), self.classifier(target), strict=True)
        terms["perceptual"] = sum(w * functional.l1_loss(x, y.detach()) for w, x, y in pairs)
        adversarial = terms["valid_1"] + terms["valid_2"]
        losses = {name: term.item() for name, term in terms.items()}
        g_loss = adversarial + 10 * terms["features"] + 10 * terms["perceptual"]
        losses["g"] = self.adam_g.step(g_loss)

        on_fake, on_real = self.judge(encoded, fake.detach()), self.judge(encoded, target)
        for n, (adam, mine, theirs) in enumerate(zip(self.adam_ds, on_fake, on_real, strict=True)):
            loss = 0.5 * (least_squares(mine[-1], 0) + least_squares(theirs[-1], 1))
            losses[f"d_{n + 1}"] = adam.step(loss)
        return losses

    def judge(self, encoded: Tensor, imgs: Tensor) -> list[list[Tensor]]:
        """Each discriminator sees images of half the size of the one before."""
        x, found = torch.cat([encoded, imgs], dim=1), []
        for d in self.ds:
            found.append(d(x))
            x = self.pool(x)
        return found
