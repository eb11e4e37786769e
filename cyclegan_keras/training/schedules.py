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


def paced_optimizers(model: Any) -> list[tuple[Any, float]]:
    """Finds the optimizers whose rate is the training's.

    Args:
        model: A model. If it has `paced_optimizers`, those are meant, since it has others, whose
            rates are their own; else its `optimizers`, if it has such.

    Returns:
        Each with its share of the rate, in [0, 1]; the last one is that of the generators.
    """
    paced = getattr(model, "paced_optimizers", None)
    if paced is None:
        paced = [(optimizer, 1.0) for optimizer in getattr(model, "optimizers", None) or []]
    return list(paced)


def current_rate(model: Any) -> float | None:
    """Reads the present learning rate of a model.

    Args:
        model: A model; see `paced_optimizers`.

    Returns:
        The rate of the generators; `None` if there is no optimizer.
    """
    paced = paced_optimizers(model)
    return float(ops.convert_to_numpy(paced[-1][0].learning_rate)) if paced else None
