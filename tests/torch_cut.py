"""CUT's training step in plain PyTorch, which shares no line with the package.

Park et al. 2020, sections 3 and 4 and appendix C, with the networks of the CycleGAN paper. What
chance decides is given to it: which places are compared, and whether images are mirrored.
"""

import torch
from torch import Tensor, nn

from tests.torch_paper import Adam, least_squares, patch_discriminator, resnet_generator

HALVINGS, FIRST_BLOCK = (4, 7), 10  # Places in the generator.


class Heads(nn.Module):
    """Two dense layers for each layer of features."""

    def __init__(self, channels: list[int], dim: int):
        super().__init__()
        self.first = nn.ModuleList(nn.Linear(count, dim) for count in channels)
        self.second = nn.ModuleList(nn.Linear(dim, dim) for _ in channels)

    def forward(self, number: int, x: Tensor) -> Tensor:
        x = self.second[number](torch.relu(self.first[number](x)))
        return x / (x.norm(dim=-1, keepdim=True) + 1e-7)


class CUT:
    """Equation 4. With an identity weight of 0, the target's images are not translated."""

    def __init__(
        self, gf: int, df: int, num_blocks: int, dim: int, weight: float, weight_id: float
    ):
        self.g = resnet_generator(gf, num_blocks)
        self.d = patch_discriminator(3, df)
        self.taps = [*HALVINGS, FIRST_BLOCK, FIRST_BLOCK + min(5, num_blocks) - 1]
        self.heads = Heads([3, 2 * gf, 4 * gf, 4 * gf, 4 * gf], dim).double()
        self.weight, self.weight_id = weight, weight_id
        self.adam_g, self.adam_d = Adam(self.g, self.heads), Adam(self.d)

    def encode(self, img: Tensor) -> list[Tensor]:
        features = [img]
        for index, layer in enumerate(self.g):
            img = layer(img)
            if index in self.taps:
                features.append(img)
        return features

    def nce(self, img: Tensor, fake: Tensor, is_mirrored: bool, places: list[list[int]]) -> Tensor:
        """Goes patch by patch: a cross-entropy of choosing among the original's patches."""
        of_layers = []
        pairs = zip(self.encode(fake), self.encode(img), places, strict=True)
        for number, (query, key, chosen) in enumerate(pairs):
            query = query.flip(3) if is_mirrored else query
            of_patches = []
            for one, other in zip(query, key, strict=True):  # the images of the batch
                q = self.heads(number, one.flatten(1).T[chosen])
                k = self.heads(number, other.flatten(1).T[chosen]).detach()
                for patch, vector in enumerate(q):
                    odds = torch.stack([vector @ candidate for candidate in k]) / 0.07
                    of_patches.append(-torch.log_softmax(odds, 0)[patch])
            of_layers.append(torch.stack(of_patches).mean())
        return torch.stack(of_layers).mean()

    def step(
        self,
        source: Tensor,
        target: Tensor,
        is_mirrored: bool,
        places: list[list[int]],
        places_id: list[list[int]] | None,
    ) -> dict[str, float]:
        """The discriminator first; then the generator and the heads against the new one."""
        fake = self.g(source.flip(3) if is_mirrored else source)
        on_real, on_fake = self.d(target), self.d(fake.detach())
        judged = 0.5 * (least_squares(on_real, 1) + least_squares(on_fake, 0))
        losses = {"d": self.adam_d.step(judged)}

        valid = least_squares(self.d(fake), 1)
        nce = self.nce(source, fake, is_mirrored, places)
        losses |= {"valid": valid.item(), "nce": nce.item()}
        total = valid + self.weight * nce
        if places_id is not None:
            fake_id = self.g(target.flip(3) if is_mirrored else target)
            nce_id = self.nce(target, fake_id, is_mirrored, places_id)
            losses["nce_id"] = nce_id.item()
            total = total + self.weight_id * nce_id
        losses["g"] = self.adam_g.step(total)
        return losses
