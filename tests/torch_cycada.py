"""Steps of CyCADA in plain PyTorch, which share no line with the package.

Hoffman et al. 2017, section 3, and, for the feature stage, ADDA (Tzeng et al. 2017), section 4.
Images are `(batch, channels, height, width)`.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.torch_paper import Pool, least_squares, patch_discriminator, resnet_generator, rounded


class Adam:
    """As that of `torch_paper`, of any rate and beta."""

    def __init__(self, weights: list[Tensor], rate: float, beta_1: float):
        self.weights, self.rate, self.beta_1, self.beta_2 = weights, rate, beta_1, 0.999
        self.means = [torch.zeros_like(weight) for weight in weights]
        self.squares = [torch.zeros_like(weight) for weight in weights]
        self.num_steps = 0

    def step(self, loss: Tensor) -> float:
        gradients = torch.autograd.grad(loss, self.weights)
        self.num_steps += 1
        power_1, power_2 = (rounded(b) ** self.num_steps for b in (self.beta_1, self.beta_2))
        rate = self.rate * math.sqrt(1 - power_2) / (1 - power_1)
        with torch.no_grad():
            for place, gradient in enumerate(gradients):
                mean, square = self.means[place], self.squares[place]
                mean.mul_(self.beta_1).add_((1 - self.beta_1) * gradient)
                square.mul_(self.beta_2).add_((1 - self.beta_2) * gradient**2)
                self.weights[place] -= rate * mean / (torch.sqrt(square) + 1e-7)
        return loss.item()


def flat(x: Tensor) -> Tensor:
    """As a network has it whose channels are last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def same_stride_2(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """A convolution 5×5 of an even number of rows, padded as TensorFlow does: more at the end."""
    return functional.conv2d(functional.pad(x, (1, 2, 1, 2)), kernel, bias, stride=2)


class LeNet(nn.Module):
    """Without dropout, as a classifier is used that stays as it is."""

    def __init__(self, cf: int, num_classes: int):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, cf, 5), nn.Conv2d(cf, 5 * cf // 2, 5)
        self.dense = nn.Linear(25 * (5 * cf // 2), 25 * cf)  # Of 32×32 pixels, 5×5 are left.
        self.scores = nn.Linear(25 * cf, num_classes)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        for convolution in (self.c1, self.c2):
            x = functional.relu(functional.max_pool2d(convolution(x), 2))
        return self.scores(functional.relu(self.dense(flat(x))))


class Strided:
    """The classifier for 32×32 pixels without dropout, whose noise no two implementations share.

    Args:
        weights: As Keras lists them: for each convolution, kernel, bias, and factor, offset, mean
            and variance of batch normalization; then those of the dense layers.
    """

    def __init__(self, weights: list[Tensor]):
        self.blocks = [weights[6 * level : 6 * level + 6] for level in range(3)]
        self.dense = weights[18:]

    @property
    def trained(self) -> list[Tensor]:
        return [w for block in self.blocks for w in block[:4]] + self.dense

    @property
    def all(self) -> list[Tensor]:
        return [w for block in self.blocks for w in block] + self.dense

    def __call__(self, x: Tensor, training: bool) -> Tensor:
        for kernel, bias, factor, offset, mean, variance in self.blocks:
            x = same_stride_2(x, kernel, bias)
            if training:
                now = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
                for kept, new in zip((mean, variance), now, strict=True):
                    kept.copy_(0.99 * kept + 0.01 * new.detach())
            else:
                now = mean, variance
            middle, spread = (part[None, :, None, None] for part in now)
            x = (x - middle) / torch.sqrt(spread + 1e-3)
            x = functional.relu(x * factor[None, :, None, None] + offset[None, :, None, None])
        first, first_bias, last, last_bias = self.dense
        return functional.relu(flat(x) @ first + first_bias) @ last + last_bias


class ImageStage:
    """A CycleGAN whose cycles weigh 1, without identity loss, and with semantic consistency."""

    def __init__(self, gf: int, df: int, num_blocks: int, pool_size: int, cf: int, classes: int):
        self.g_AB, self.g_BA = resnet_generator(gf, num_blocks), resnet_generator(gf, num_blocks)
        self.d_A, self.d_B = patch_discriminator(3, df), patch_discriminator(3, df)
        self.c_source = LeNet(cf, classes)
        self.pool_A, self.pool_B = Pool(pool_size), Pool(pool_size)
        both = [*self.g_AB.parameters(), *self.g_BA.parameters()]
        self.adam_g = Adam(both, 2e-4, 0.5)
        self.adam_A, self.adam_B = (
            Adam([*d.parameters()], 2e-4, 0.5) for d in (self.d_A, self.d_B)
        )

    def step(self, x_s, x_t, draws_s, draws_t, weight_A: float, weight_B: float):
        """The source s is A here, the target t is B; f_S is `c_source`."""
        to_t, to_s = self.g_AB(x_s), self.g_BA(x_t)
        label_s, label_t = (self.c_source(x).argmax(1).detach() for x in (x_s, x_t))
        terms = {
            "valid_A": least_squares(self.d_A(to_s), 1),
            "valid_B": least_squares(self.d_B(to_t), 1),
            "reconstr_A": functional.l1_loss(self.g_BA(to_t), x_s),
            "reconstr_B": functional.l1_loss(self.g_AB(to_s), x_t),
            "class_A": functional.cross_entropy(self.c_source(to_s), label_t),
            "class_B": functional.cross_entropy(self.c_source(to_t), label_s),
        }
        losses = {name: term.item() for name, term in terms.items()}
        weights = {"class_A": weight_A, "class_B": weight_B}
        losses["g"] = self.adam_g.step(
            sum(weights.get(name, 1) * term for name, term in terms.items())
        )
        for d, adam, real, fake, pool, draws in (
            (self.d_A, self.adam_A, x_s, to_s, self.pool_A, draws_s),
            (self.d_B, self.adam_B, x_t, to_t, self.pool_B, draws_t),
        ):
            judged = (
                least_squares(d(real), 1),
                least_squares(d(pool.query(fake.detach(), draws)), 0),
            )
            adam.step(0.5 * (judged[0] + judged[1]))
        return losses


def mlp(scores: Tensor, weights: list[Tensor]) -> Tensor:
    for place in (0, 2):
        scores = functional.relu(scores @ weights[place] + weights[place + 1])
    return scores @ weights[4] + weights[5]


class FeatureStage:
    """One classifier of the target, which begins as one of the source, and a discriminator."""

    def __init__(self, source: Strided, target: Strided, d: list[Tensor], rate: float):
        self.source, self.target, self.d = source, target, d
        self.adam_d, self.adam_c = Adam(d, rate, 0.9), Adam(target.trained, rate, 0.9)

    def step(self, x_s: Tensor, x_t: Tensor, least_acc: float):
        """The discriminator, class 1 of which is the source; then the target, if that is good."""
        with torch.no_grad():
            of_source = self.source(x_s, training=False)
        of_target = self.target(x_t, training=True)
        both = mlp(torch.cat([of_source, of_target.detach()]), self.d)
        domains = torch.tensor([1] * len(x_s) + [0] * len(x_t))
        acc = (both.argmax(1) == domains).double().mean().item()
        losses = {"d_loss": self.adam_d.step(functional.cross_entropy(both, domains)), "d_acc": acc}
        flipped = torch.ones(len(x_t), dtype=torch.long)
        loss = functional.cross_entropy(mlp(of_target, self.d), flipped)
        losses["loss"] = loss.item()
        if acc > least_acc:
            self.adam_c.step(loss)
        losses["moved"] = float(acc > least_acc)
        return losses
