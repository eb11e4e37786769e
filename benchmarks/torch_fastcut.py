"""FastCUT's networks and its step in PyTorch, written from the paper.

Park et al., *Contrastive Learning for Unpaired Image-to-Image Translation*, 2020. The generator has
no partner that translates back. Instead of a cycle, each patch of a translation must resemble the
patch of the original at the same place more than it resembles other patches of the original. What
the paper leaves open (blurring before images are halved, weights at the start, rates) is as in the
settings that its authors published.

As economical as the other steps here: each translation is made once, real and translated images go
through the discriminator together, and the memory layout is channels-last.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_paper_step import Residual, instance_norm

LAMBDA_GAN, LAMBDA_NCE = 1.0, 10.0
TEMPERATURE = 0.07
NUM_PATCHES, DIM = 256, 256
INIT_GAIN = 0.02
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)

Features = Sequence[torch.Tensor]


class Halve(nn.Module):
    """Blurs with (1, 2, 1) / 4 both ways, and takes every second pixel."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Returns `x` at half its size, an odd one rounded up."""
        # The mean of two neighbours, and then of two of these means.
        x = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"), 2, stride=1)
        return functional.avg_pool2d(x, 2)


class Generator(nn.Module):
    """The ResNet, whose first layers are also the encoder of the contrastive loss.

    Args:
        gf: Filters of the first layer.
        num_blocks: Residual blocks.

    Attributes:
        seen: The layers whose outputs the loss compares: pixels, the convolutions before images are
            halved, and the first and the fifth residual block, or the last of fewer.
        channels: How many channels these outputs have.
    """

    def __init__(self, gf: int = 64, num_blocks: int = 9) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.ReflectionPad2d(3), *_conv(3, gf, 7)]
        for filters in (gf, 2 * gf):
            parts += [*_conv(filters, 2 * filters, 3, padding=1), Halve()]
        parts += [Residual(4 * gf) for _ in range(num_blocks)]
        for filters in (4 * gf, 2 * gf):
            double = nn.Upsample(scale_factor=2, mode="bilinear")
            parts += [double, *_conv(filters, filters // 2, 3, padding=1)]
        self.layers = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(gf, 3, 7), nn.Tanh())
        self.seen = sorted({0, 4, 8, 12, 12 + min(4, num_blocks - 1)})
        self.channels = [3, 2 * gf, 4 * gf, 4 * gf, 4 * gf][: len(self.seen)]

    def encode(self, img: torch.Tensor) -> list[torch.Tensor]:
        """Returns what the layers in `seen` make of `img`."""
        features = []
        for index in range(self.seen[-1] + 1):
            img = self.layers[index](img)
            if index in self.seen:
                features.append(img)
        return features

    def forward(self, img: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Returns the translation of `img`, and what `encode` would."""
        features = self.encode(img)
        return self.layers[self.seen[-1] + 1 :](features[-1]), features


def _conv(channels: int, filters: int, size: int, padding: int = 0) -> list[nn.Module]:
    conv = nn.Conv2d(channels, filters, size, padding=padding)
    return [conv, instance_norm(filters), nn.ReLU()]


def discriminator(df: int = 64) -> nn.Module:
    """The PatchGAN, halving as the generator does."""
    parts: list[nn.Module] = [nn.Conv2d(3, df, 4, padding=1), nn.LeakyReLU(0.2), Halve()]
    for filters in (2 * df, 4 * df, 8 * df):
        conv = nn.Conv2d(filters // 2, filters, 4, padding=1)
        parts += [conv, instance_norm(filters), nn.LeakyReLU(0.2)]
        if filters != 8 * df:
            parts.append(Halve())
    return nn.Sequential(*parts, nn.Conv2d(8 * df, 1, 4, padding=1))


class Heads(nn.Module):
    """For each layer in `seen`, two dense layers from a pixel's channels to a unit vector.

    Args:
        channels: Of the features, layer by layer.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(nn.Linear(count, DIM), nn.ReLU(), nn.Linear(DIM, DIM))
            for count in channels
        )

    def forward(self, features: Features, places: Features) -> list[torch.Tensor]:
        """Makes vectors of patches.

        Args:
            features: `(batch, channels, height, width)` for each layer.
            places: Which pixels to take, counted row by row, for each layer.

        Returns:
            `(batch, patches, DIM)` for each layer, each vector of length 1.
        """
        vectors = [
            head(x.permute(0, 2, 3, 1).flatten(1, 2)[:, chosen])
            for head, x, chosen in zip(self.heads, features, places, strict=True)
        ]
        # At the start, vectors are short, and some are zero: PyTorch's own way of scaling them
        # would give these gradients of 1e12.
        return [x / (x.norm(dim=-1, keepdim=True) + 1e-7) for x in vectors]


def patch_nce(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """Says how badly patches of translations find the patches of the originals at their places.

    Args:
        queries: `(batch, patches, dim)`, unit vectors of translations.
        keys: Likewise, of the originals, patch by patch; they get no gradient.

    Returns:
        The mean cross-entropy of choosing among the patches of the same original.
    """
    scores = queries @ keys.detach().transpose(1, 2) / TEMPERATURE
    own = torch.arange(queries.shape[1]).repeat(len(queries))
    return functional.cross_entropy(scores.flatten(0, 1), own)


class TorchFastCUT:
    """Three networks, three optimizers, one step.

    Args:
        gf: Filters of the generator's first layer.
        df: Filters of the discriminator's first layer.
        num_blocks: Residual blocks of the generator.
    """

    def __init__(self, gf: int = 64, df: int = 64, num_blocks: int = 9) -> None:
        self.g, self.d = Generator(gf, num_blocks), discriminator(df)
        self.heads = Heads(self.g.channels)
        self.networks = [self.g, self.d, self.heads]
        for network in self.networks:
            network.apply(_init).to(memory_format=torch.channels_last)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), LEARNING_RATE, betas=BETAS)
            for network in self.networks
        ]

    def set_learning_rate(self, rate: float) -> None:
        """Sets the rate of all optimizers."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate

    def translate(self, imgs: np.ndarray) -> np.ndarray:
        """Translates images from A to B, both `(count, height, width, 3)`, in [-1, 1]."""
        with torch.inference_mode():
            return np.concatenate(
                [_from_torch(self.g(_to_torch(img[np.newaxis]))[0]) for img in imgs]
            )

    def step(self, imgs_A: np.ndarray, imgs_B: np.ndarray) -> dict[str, float]:
        """Trains on one batch: the discriminator, and then the generator with the heads.

        Args:
            imgs_A: `(batch, size, size, 3)`, float32 in [-1, 1].
            imgs_B: Likewise.

        Returns:
            The losses: `d`, `adversarial` and `nce`, without their weights.
        """
        A, B = _to_torch(imgs_A), _to_torch(imgs_B)
        is_flipped = bool(torch.rand(()) < 0.5)
        fake, features = self.g(A.flip(3) if is_flipped else A)
        optimizer_G, optimizer_D, optimizer_heads = self.optimizers

        optimizer_D.zero_grad(set_to_none=True)
        on_real, on_fake = self.d(torch.cat([B, fake.detach()])).chunk(2)
        d_loss = 0.5 * (_squares(on_real, 1.0) + _squares(on_fake, 0.0))
        d_loss.backward()
        optimizer_D.step()

        self.d.requires_grad_(False)  # Its own gradients are not wanted here.
        optimizer_G.zero_grad(set_to_none=True)
        optimizer_heads.zero_grad(set_to_none=True)
        adversarial = _squares(self.d(fake), 1.0)
        nce = self.contrast(fake, is_flipped, A, features)
        (LAMBDA_GAN * adversarial + LAMBDA_NCE * nce).backward()
        optimizer_G.step()
        optimizer_heads.step()
        self.d.requires_grad_(True)
        return {"d": d_loss.item(), "adversarial": adversarial.item(), "nce": nce.item()}

    def contrast(
        self, fake: torch.Tensor, is_flipped: bool, A: torch.Tensor, features: Features
    ) -> torch.Tensor:
        """Compares translations with their originals, patch by patch, in all layers.

        Args:
            fake: The translations.
            is_flipped: Whether they are translations of the mirrored originals. The translations'
                features are then mirrored back, which makes the generator equivariant.
            A: The originals, as they are.
            features: What the generator saw of what it translated.

        Returns:
            The mean loss of the layers.
        """
        translated = self.g.encode(fake)
        if is_flipped:
            translated = [x.flip(3) for x in translated]
        places = [torch.randperm(x[0, 0].numel())[:NUM_PATCHES] for x in translated]
        queries = self.heads(translated, places)
        with torch.no_grad():
            keys = self.heads(self.g.encode(A) if is_flipped else features, places)
        losses = [patch_nce(*pair) for pair in zip(queries, keys, strict=True)]
        return torch.stack(losses).mean()


def _init(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_normal_(module.weight, INIT_GAIN)
        nn.init.zeros_(module.bias)


def _to_torch(imgs: np.ndarray) -> torch.Tensor:
    # Seen as (batch, channels, height, width), this is channels-last without a copy.
    return torch.from_numpy(imgs).permute(0, 3, 1, 2)


def _from_torch(imgs: torch.Tensor) -> np.ndarray:
    return imgs.permute(0, 2, 3, 1).numpy()


def _squares(scores: torch.Tensor, target: float) -> torch.Tensor:
    return functional.mse_loss(scores, torch.full_like(scores, target))
