"""The training steps of two papers in plain PyTorch, which share no line with the package.

CycleGAN: Zhu et al. 2017, sections 3 and 4 and the appendix. Pix2pix: Isola et al. 2017, section 3
and the appendix. Where a paper is silent, as the authors' own PyTorch code does it.
"""

import itertools
import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional


def rounded(number: float) -> float:
    """As float32 has it: so TensorFlow and Keras round some settings, whatever they compute in."""
    return torch.tensor(number, dtype=torch.float32).item()


# Both papers' 0.2.
SLOPE = rounded(0.2)


class Adam:
    """Adam in the form in which section 2 of Kingma and Ba (2014) ends, as Keras has it.

    The bias corrections go into the learning rate, and epsilon is added to the root as it is.
    `torch.optim.Adam` corrects the root before it adds epsilon, which comes to another number.
    Keras rounds the betas of which it takes powers, but not those of the means.
    """

    def __init__(self, *networks: nn.Module, epsilon: float = 1e-7):
        self.weights = [weight for network in networks for weight in network.parameters()]
        self.means = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self.beta_1, self.beta_2, self.epsilon, self.num_steps = 0.5, 0.999, epsilon, 0

    def step(self, loss: Tensor) -> float:
        """Moves its own networks, whichever others the loss went through. Returns the loss."""
        gradients = torch.autograd.grad(loss, self.weights)
        self.num_steps += 1
        power_1 = rounded(self.beta_1) ** self.num_steps
        power_2 = rounded(self.beta_2) ** self.num_steps
        rate = 2e-4 * math.sqrt(1 - power_2) / (1 - power_1)
        with torch.no_grad():
            for weight, gradient, mean, square in zip(
                self.weights, gradients, self.means, self.squares, strict=True
            ):
                mean.copy_(self.beta_1 * mean + (1 - self.beta_1) * gradient)
                square.copy_(self.beta_2 * square + (1 - self.beta_2) * gradient**2)
                weight -= rate * mean / (torch.sqrt(square) + self.epsilon)
        return loss.item()


class Pool:
    """Earlier fakes. It fills up first; then about every second image that leaves is an old one."""

    def __init__(self, size: int):
        self.size = size
        self.images: list[Tensor] = []
        self.swaps: list[bool] = []

    def query(self, images: Tensor, draws: Iterable[tuple[float, float]]) -> Tensor:
        """Goes image by image, each with its draw of two numbers in [0, 1): a coin and a place."""
        answers = [self.exchange(image, *draw) for image, draw in zip(images, draws, strict=True)]
        return torch.stack(answers)

    def exchange(self, image: Tensor, coin: float, place: float) -> Tensor:
        if len(self.images) < self.size:
            self.images.append(image)
            return image
        self.swaps.append(coin < 0.5)
        if coin >= 0.5:
            return image
        index = int(place * self.size)
        earlier, self.images[index] = self.images[index], image
        return earlier


def norm(filters: int, affine: bool = False) -> nn.Module:
    return nn.InstanceNorm2d(filters, eps=1e-5, affine=affine)


def c7s1(before: int, filters: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(before, filters, 7)]


def down(filters: int) -> list[nn.Module]:
    halve = nn.Conv2d(filters // 2, filters, 3, stride=2, padding=1)
    return [halve, norm(filters), nn.ReLU()]


def up(filters: int) -> list[nn.Module]:
    double = nn.ConvTranspose2d(2 * filters, filters, 3, stride=2, padding=1, output_padding=1)
    return [double, norm(filters), nn.ReLU()]


class ResidualBlock(nn.Module):
    def __init__(self, filters: int):
        super().__init__()
        self.change = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(filters, filters, 3),
            norm(filters),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(filters, filters, 3),
            norm(filters),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.change(x)


def resnet_generator(gf: int, num_blocks: int) -> nn.Module:
    """Appendix 7.2: c7s1-64, d128, d256, the R256, u128, u64, c7s1-3; 64 is `gf` here."""
    blocks = [ResidualBlock(4 * gf) for _ in range(num_blocks)]
    encoder = [*c7s1(3, gf), norm(gf), nn.ReLU(), *down(2 * gf), *down(4 * gf)]
    decoder = [*up(2 * gf), *up(gf), *c7s1(gf, 3), nn.Tanh()]
    return nn.Sequential(*encoder, *blocks, *decoder).double()


def patch_discriminator(channels: int, df: int, affine: bool = False) -> nn.Module:
    """C64-C128-C256-C512 and scores, one for each patch of 70×70 pixels; 64 is `df` here."""
    network = [nn.Conv2d(channels, df, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
    for filters, stride in ((2 * df, 2), (4 * df, 2), (8 * df, 1)):
        before = filters // 2
        convolution = nn.Conv2d(before, filters, 4, stride, padding=1, bias=not affine)
        network += [convolution, norm(filters, affine), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*network, nn.Conv2d(8 * df, 1, 4, padding=1)).double()


def least_squares(scores: Tensor, target: float) -> Tensor:
    return torch.mean((scores - target) ** 2)


class CycleGAN:
    """Sections 3 and 4, appendix 7.1. A cycle weighs 10, an identity half of that."""

    def __init__(self, gf: int, df: int, num_blocks: int, pool_size: int):
        self.g_AB, self.g_BA = resnet_generator(gf, num_blocks), resnet_generator(gf, num_blocks)
        self.d_A, self.d_B = patch_discriminator(3, df), patch_discriminator(3, df)
        self.pool_A, self.pool_B = Pool(pool_size), Pool(pool_size)
        self.adam_g = Adam(self.g_AB, self.g_BA)
        self.adam_A, self.adam_B = Adam(self.d_A), Adam(self.d_B)

    def step(
        self,
        imgs_A: Tensor,
        imgs_B: Tensor,
        draws_A: Iterable[tuple[float, float]],
        draws_B: Iterable[tuple[float, float]],
    ) -> dict[str, float]:
        """The generators first, against the old discriminators; then those, on the old fakes."""
        fake_B, fake_A = self.g_AB(imgs_A), self.g_BA(imgs_B)
        terms = {
            "valid_A": least_squares(self.d_A(fake_A), 1),
            "valid_B": least_squares(self.d_B(fake_B), 1),
            "reconstr_A": functional.l1_loss(self.g_BA(fake_B), imgs_A),
            "reconstr_B": functional.l1_loss(self.g_AB(fake_A), imgs_B),
            "img_A_id": functional.l1_loss(self.g_BA(imgs_A), imgs_A),
            "img_B_id": functional.l1_loss(self.g_AB(imgs_B), imgs_B),
        }
        adversarial = terms["valid_A"] + terms["valid_B"]
        cycle = terms["reconstr_A"] + terms["reconstr_B"]
        identity = terms["img_A_id"] + terms["img_B_id"]
        losses = {name: term.item() for name, term in terms.items()}
        losses["g"] = self.adam_g.step(adversarial + 10 * cycle + 5 * identity)

        fake_A = self.pool_A.query(fake_A.detach(), draws_A)
        fake_B = self.pool_B.query(fake_B.detach(), draws_B)
        losses["d_A"] = self.adam_A.step(self.judge(self.d_A, imgs_A, fake_A))
        losses["d_B"] = self.adam_B.step(self.judge(self.d_B, imgs_B, fake_B))
        return losses

    @staticmethod
    def judge(discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        on_real = least_squares(discriminator(real), 1)
        on_fake = least_squares(discriminator(fake), 0)
        return 0.5 * (on_real + on_fake)


class UNet(nn.Module):
    """Appendix 6.1.1: halves down to one pixel and doubles again, with skips.

    Activations stand before the convolutions. What is not normalised: the first halving, the
    innermost, which leaves one pixel, and the last doubling, which alone has a bias. The authors'
    norm is batch norm; over one image that is instance norm with factors and offsets.
    """

    def __init__(self, gf: int, num_halvings: int):
        super().__init__()
        filters = [3, *(gf * min(2**level, 8) for level in range(num_halvings))]
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        for level, (outer, inner) in enumerate(itertools.pairwise(filters)):
            is_first, is_last = level == 0, level == num_halvings - 1
            halve = nn.Conv2d(outer, inner, 4, stride=2, padding=1, bias=False)
            before = [] if is_first else [nn.LeakyReLU(SLOPE)]
            after = [] if is_first or is_last else [norm(inner, affine=True)]
            self.downs.append(nn.Sequential(*before, halve, *after))

            entering = inner if is_last else 2 * inner
            double = nn.ConvTranspose2d(entering, outer, 4, stride=2, padding=1, bias=is_first)
            after = [nn.Tanh()] if is_first else [norm(outer, affine=True)]
            self.ups.insert(0, nn.Sequential(nn.ReLU(), double, *after))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for halve in self.downs:
            x = halve(x)
            skips.append(x)
        x = self.ups[0](skips.pop())
        for double in self.ups[1:]:
            x = double(torch.cat([skips.pop(), x], dim=1))
        return x


def log_likelihood(scores: Tensor, target: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))


class Pix2Pix:
    """Section 3 without dropout, whose noise no two implementations share; L1 weighs 100."""

    def __init__(self, gf: int, df: int, num_halvings: int):
        self.g = UNet(gf, num_halvings).double()
        self.d = patch_discriminator(6, df, affine=True)
        self.adam_g, self.adam_d = Adam(self.g), Adam(self.d)

    def step(self, imgs_A: Tensor, imgs_B: Tensor) -> dict[str, float]:
        """The discriminator first, at half its speed; then the generator against the new one."""
        fake_B = self.g(imgs_A)
        on_real = log_likelihood(self.judge(imgs_A, imgs_B), 1)
        on_fake = log_likelihood(self.judge(imgs_A, fake_B.detach()), 0)
        losses = {"d": self.adam_d.step(0.5 * (on_real + on_fake))}

        valid = log_likelihood(self.judge(imgs_A, fake_B), 1)
        distance = functional.l1_loss(fake_B, imgs_B)
        losses |= {"valid": valid.item(), "fake": distance.item()}
        losses["g"] = self.adam_g.step(valid + 100 * distance)
        return losses

    def judge(self, imgs_A: Tensor, imgs_B: Tensor) -> Tensor:
        return self.d(torch.cat([imgs_A, imgs_B], dim=1))
