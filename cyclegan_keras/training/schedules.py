"""How the learning rate changes over a run."""

from typing import Any


def linear_decay(step: int, decay_from: int, num_steps: int) -> float:
    """Gives the share of the learning rate to use: all of it at first, then less and less.

    Args:
        step: Steps done before this one.
        decay_from: Number of steps before the rate begins to fall.
        num_steps: Steps in all; after the last one the rate would be zero.

    Returns:
        A factor, 1.0 until `decay_from`, then falling in a straight line, always above 0.0 for a
        step below `num_steps`.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 4.
    """
    if step < decay_from:
        return 1.0
    return max(0.0, (num_steps - step) / (num_steps - decay_from + 1))


def current_rate(model: Any) -> float | None:
    """Reads the learning rate that a model is trained with right now.

    Args:
        model: A model with `optimizers`.

    Returns:
        The rate of the last optimizer, which is that of the generators; `None` if there is none.
    """
    optimizers = getattr(model, "optimizers", None) or []
    return float(optimizers[-1].learning_rate) if optimizers else None
