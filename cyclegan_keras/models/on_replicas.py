"""A model's step, run on all replicas of a strategy at once."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops

from cyclegan_keras.networks import treats_images_alone
from cyclegan_keras.replicas import (
    layers_see_the_whole_batch,
    mean_over_all,
    of_replica,
    share,
    taking,
    undone_unless,
)

Step = Callable[..., dict[str, Any]]


def strategy_here() -> Any:
    """Finds the strategy that models are made for.

    Returns:
        The `tf.distribute.Strategy` in whose scope this is called; `None` outside of any.
    """
    return tf.distribute.get_strategy() if tf.distribute.has_strategy() else None


def check_for_replicas(strategy: Any, model: Any) -> None:
    """Refuses what would not be the same on several devices as on one.

    Args:
        strategy: A `tf.distribute.Strategy`.
        model: The model, made in its scope.

    Raises:
        ValueError: If XLA should compile the step.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    if model.config.step.jit:
        raise ValueError(
            "XLA does not compile a step on several devices. Leave --jit out, or give --strategy "
            "one. Received: jit=True"
        )


def only_if(
    condition: Any, compute: Callable[[], Any], otherwise: Callable[[], Any], network: Any
) -> Any:
    """Computes something by a network in some steps only, as `tf.cond` does.

    Args:
        condition: Whether to, a scalar.
        compute: What is computed then.
        otherwise: What is taken else, in the same structure.
        network: Computes it. Layers such as batch normalization meet those of the other replicas,
            which TensorFlow does not let them in a `tf.cond`.

    Returns:
        What is computed or taken.
    """
    if share() is None or treats_images_alone(network):
        return tf.cond(condition, compute, otherwise)
    with undone_unless(condition, network.non_trainable_variables):
        found = compute()
    return tf.nest.map_structure(lambda x, y: tf.where(condition, x, y), found, otherwise())


def distributed(strategy: Any, imgs: Any, start: int, num_images: int) -> Any:
    """Gives each replica of this process its rows of a batch.

    Args:
        strategy: A `tf.distribute.Strategy`.
        imgs: The whole batch, or the rows of this process.
        start: The place of the first of them in the whole batch.
        num_images: Images of the whole batch.

    Returns:
        A value for each replica.
    """

    def rows(context: Any) -> Any:
        taken = of_replica(context, num_images)
        return imgs[taken.start - start : taken.stop - start]

    return strategy.experimental_distribute_values_from_function(rows)


def on_replicas(strategy: Any, model: Any, step: Step) -> Step:
    """Turns the step of one replica into that of all.

    Args:
        strategy: A `tf.distribute.Strategy`, in whose scope the model was made.
        model: The model.
        step: Moves the model by the images of a batch, and what else it takes, and returns losses
            that are means over them.

    Returns:
        A function of what `distributed` makes of each tensor that the step takes, of all else that
        it takes, and of the number of images in the whole batch. It returns the means over the
        whole batch.
    """

    def on_this_replica(num_images: int, *batch: Any) -> dict[str, Any]:
        with taking(of_replica(tf.distribute.get_replica_context(), num_images)):
            logs = step(*batch)
            # One vector, so that replicas meet once for all of them.
            values = ops.stack([ops.cast(x, model.combined.variable_dtype) for x in logs.values()])
            (means,) = mean_over_all([values])
            return dict(zip(logs, ops.unstack(means), strict=True))

    def on_all_replicas(*batch_and_number: Any) -> dict[str, Any]:
        *batch, num_images = batch_and_number
        with layers_see_the_whole_batch([model]):
            logs = strategy.run(on_this_replica, (num_images, *batch))
        return {name: strategy.experimental_local_results(x)[0] for name, x in logs.items()}

    return on_all_replicas
