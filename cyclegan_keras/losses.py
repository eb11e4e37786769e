"""The adversarial objectives, and the full objective of the generators."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import keras
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.replicas import undivided

Loss = str | Callable[[Any, Any], Any]


@keras.saving.register_keras_serializable(package=PACKAGE)
def log_likelihood(target: Any, scores: Any) -> Any:
    """The cross-entropy of scores taken as log-odds; for a generator, the non-saturating form.

    Args:
        target: 1 for real and 0 for translated; a generator gives 1.
        scores: Log-odds of being real, any float.

    Returns:
        `-log(p)` where the target is 1 and `-log(1 - p)` where it is 0, of the scores' shape.

    Reference:
        [Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661), section 3.
    """
    # log(1 + exp(s)) - t·s, which overflows nowhere.
    return ops.softplus(scores) - target * scores


@keras.saving.register_keras_serializable(package=PACKAGE)
def hinge(target: Any, scores: Any) -> Any:
    """Wants scores of at least 1 for real images and of at most -1 for translated ones.

    Args:
        target: 1 for real and 0 for translated.
        scores: Any float.

    Returns:
        `max(0, 1 - s)` where the target is 1 and `max(0, 1 + s)` where it is 0.

    Reference:
        [Lim & Ye, 2017](https://arxiv.org/abs/1705.02894).
    """
    return ops.relu(1 - (2 * target - 1) * scores)


@keras.saving.register_keras_serializable(package=PACKAGE)
def wasserstein(target: Any, scores: Any) -> Any:
    """Wants scores as high as can be for real images and as low as can be for translated ones.

    Args:
        target: 1 for real and 0 for translated; a generator gives 1.
        scores: Any float.

    Returns:
        `-s` where the target is 1 and `s` where it is 0.

    Reference:
        [Arjovsky et al., 2017](https://arxiv.org/abs/1701.07875).
    """
    return (1 - 2 * target) * scores


@dataclasses.dataclass(frozen=True)
class Objective:
    """What the two sides of the game minimise.

    Attributes:
        discriminator: A loss of the target (1 real, 0 translated) and the scores, for `compile`.
        generator: The same for the generators, who give 1 as the target.
        threshold: Scores above it count as "real" in the accuracy that is shown. Of "wasserstein"
            it says little, since only differences of its scores have a meaning.
        blind_loss: The least loss, as the mean over real and translated images, of a discriminator
            that gives all of them the same score; `None` of "wasserstein".
        has_penalty: Whether the discriminators' slope is held at one, which is what makes the
            Wasserstein objective work.
    """

    discriminator: Loss
    generator: Loss
    threshold: float
    blind_loss: float | None
    has_penalty: bool = False


OBJECTIVES = {
    # [Mao et al., 2016](https://arxiv.org/abs/1611.04076); the book's and the paper's.
    "least_squares": Objective("mse", "mse", threshold=0.5, blind_loss=0.25),
    "log_likelihood": Objective(
        log_likelihood, log_likelihood, threshold=0.0, blind_loss=math.log(2)
    ),
    "hinge": Objective(hinge, wasserstein, threshold=0.0, blind_loss=1.0),
    "wasserstein": Objective(
        wasserstein, wasserstein, threshold=0.0, blind_loss=None, has_penalty=True
    ),
}


def full_objective(
    targets: Mapping[str, Any],
    outputs: Mapping[str, Any],
    losses: Mapping[str, Loss | None],
    weights: Mapping[str, Any],
    start: Any = 0,
) -> tuple[Any, dict[str, Any]]:
    """Sums up what generators minimise: the loss of each output, times its weight.

    Of CycleGAN, that is equation 3 of its paper, with the identity loss of section 5.2. For each
    domain, of which these are A's terms:

    | output | target | loss | weight |
    |---|---|---|---|
    | `valid_A = d_A(g_BA(img_B))` | 1 | adversarial, equation 1 | `lambda_gan` |
    | `reconstr_A = g_BA(g_AB(img_A))` | `img_A` | cycle consistency, equation 2 | `lambda_cycle` |
    | `img_A_id = g_BA(img_A)` | `img_A` | identity | `lambda_id` |

    Of pix2pix, it is equation 4 of its paper: `valid = d([source, g(source)])` should be 1, and
    `fake = g(source)` the true translation, weighted by `lambda_l1`.

    Args:
        targets: What each output should be, by name.
        outputs: What the networks make. Outputs that are left out do not count.
        losses: Of target and output, in the order in which they are summed up. An output whose loss
            is `None` has none.
        weights: Of the losses.
        start: What the sum begins with.

    Returns:
        The sum, a scalar; and the losses by name, scalars, unweighted.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 3.3; [Isola et al.,
        2017](https://arxiv.org/abs/1611.07004), section 3.1.
    """
    terms = {
        name: _mean_loss(keras.losses.get(loss), targets[name], outputs[name])
        for name, loss in losses.items()
        if name in outputs and loss is not None
    }
    return sum([weights[name] * term for name, term in terms.items()], start=start), terms


def _mean_loss(loss: Any, target: Any, output: Any) -> Any:
    value = ops.mean(loss(target, output))
    # Of functions, Keras divides nothing by the number of replicas.
    is_mean = getattr(loss, "reduction", None) not in (None, "none", "sum")
    return undivided(value) if is_mean else value


def penalty(slopes: Any) -> Any:
    """Measures how far a discriminator's slope is from one.

    Args:
        slopes: Gradients of each image's mean score by the image, `(batch, ...)`.

    Returns:
        The mean over the images of `(norm - 1)²`, a scalar.

    Reference:
        [Gulrajani et al., 2017](https://arxiv.org/abs/1704.00028), section 4.
    """
    # The root's own slope is infinite at zero.
    return ops.mean(ops.square(ops.sqrt(_squares(slopes) + keras.config.epsilon() ** 2) - 1))


def zero_centred_penalty(slopes: Any) -> Any:
    """Measures how far a discriminator's slope is from zero: R1 at real images, R2 at translations.

    At a discriminator that is flat where the data are, generators that make such data have come to
    rest. Without this penalty, they go round in circles or away from there, whatever the objective.

    Args:
        slopes: Gradients of each image's mean score by the image, `(batch, ...)`.

    Returns:
        The mean over the images of `norm²`, a scalar. What is minimised has `γ / 2` times it.

    Reference:
        [Mescheder et al., 2018](https://arxiv.org/abs/1801.04406), section 4.1.
    """
    return ops.mean(_squares(slopes))


def patch_nce(queries: Any, keys: Any, temperature: float = 0.07) -> Any:
    """Measures how badly patches of translations find the patches of the originals at their places.

    Each patch of a translation chooses among the patches of its original by the cosine of the angle
    between vectors, divided by the temperature, in a softmax. It should choose the one at its own
    place. Patches of other images of the batch are no candidates.

    Args:
        queries: `(batch, patches, dim)`: vectors of patches of translations.
        keys: The same of the originals, in the same order. They get no gradient.
        temperature: Above 0.

    Returns:
        `(batch,)`: the mean cross-entropy over the patches of each image, at least 0. Where all
        candidates are alike, it is the logarithm of their number.

    Reference:
        [Park et al., 2020](https://arxiv.org/abs/2007.15651), section 3 and equation 3. The
        constant that vectors of length zero are divided by is that of the authors' code.
    """
    queries, keys = _unit(queries), _unit(ops.stop_gradient(keys))
    scores = ops.matmul(queries, ops.swapaxes(keys, 1, 2)) / temperature
    own = ops.diagonal(scores, axis1=1, axis2=2)
    return ops.mean(ops.logsumexp(scores, axis=-1) - own, axis=-1)


def _unit(vectors: Any) -> Any:
    """Vectors of length one; of length zero, if they are zero."""
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    # The root's own slope is infinite at zero, where a maximum has none. Projections are short at
    # the start: divided by less, they would have gradients of 1e12.
    return vectors / (ops.sqrt(ops.maximum(squares, 1e-30)) + 1e-7)


def _squares(slopes: Any) -> Any:
    """The squared norm for each image."""
    return ops.sum(ops.square(slopes), axis=tuple(range(1, len(slopes.shape))))
