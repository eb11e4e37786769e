"""How the learning rate changes over a run."""

from typing import Any

from keras import ops


def linear_decay(step: int, decay_from: int, num_steps: int) -> float:
    """Computes the factor of a learning rate that is constant at first, then decays linearly.

    Args:
        step: Number of steps before this one.
        decay_from: Number of steps before the decay begins.
        num_steps: Total number of steps; after the last one, the factor would be zero.

    Returns:
        The factor: 1.0 until `decay_from`, then decreasing linearly, and above 0.0 for every step
        below `num_steps`.

    Reference:
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 4.
    """
    if step < decay_from:
        return 1.0
    return max(0.0, (num_steps - step) / (num_steps - decay_from + 1))


def current_rate(model: Any) -> float | None:
    """Reads the present learning rate of a model.

    Args:
        model: A model with `optimizers`.

    Returns:
        The rate of the last optimizer, which is that of the generators; `None` if there is none.
    """
    optimizers = getattr(model, "optimizers", None) or []
    return float(ops.convert_to_numpy(optimizers[-1].learning_rate)) if optimizers else None
