"""A model's step, run on all replicas of a strategy at once."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from keras import ops
from keras.layers import BatchNormalization

from cyclegan_keras.replicas import chance_for_the_whole_batch, mean_over_all, of_replica, taking

Step = Callable[[Any, Any], dict[str, Any]]


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
        ValueError: If XLA should compile the step, or a layer normalises over the images of a
            replica.
    """
    if strategy.num_replicas_in_sync == 1:
        return
    if model.config.step.jit:
        raise ValueError(
            "XLA does not compile a step on several devices. Leave --jit out, or give --strategy "
            "one. Received: jit=True"
        )
    norms = [one for one in model._flatten_layers() if isinstance(one, BatchNormalization)]
    if odd := [one.name for one in norms if not one.synchronized]:
        raise ValueError(
            "On several devices, a batch is normalised as a whole only by "
            "BatchNormalization(synchronized=True). Make it so, or give --strategy one. Received: "
            f"the layer {odd[0]}"
        )


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


def on_replicas(strategy: Any, model: Any, step: Step) -> Callable[[Any, Any, int], dict[str, Any]]:
    """Turns the step of one replica into that of all.

    Args:
        strategy: A `tf.distribute.Strategy`, in whose scope the model was made.
        model: The model.
        step: Moves the model by the images of A and B, and returns losses that are means over them.

    Returns:
        A function of what `distributed` makes of the images of A and B, and of their number in the
        whole batch. It returns the means over the whole batch.
    """

    def on_this_replica(imgs_A: Any, imgs_B: Any, num_images: int) -> dict[str, Any]:
        with taking(of_replica(tf.distribute.get_replica_context(), num_images)):
            logs = step(imgs_A, imgs_B)
            # One vector, so that replicas meet once for all of them.
            values = ops.stack([ops.cast(x, model.combined.variable_dtype) for x in logs.values()])
            (means,) = mean_over_all([values])
            return dict(zip(logs, ops.unstack(means), strict=True))

    def on_all_replicas(imgs_A: Any, imgs_B: Any, num_images: int) -> dict[str, Any]:
        with chance_for_the_whole_batch([model]):
            logs = strategy.run(on_this_replica, (imgs_A, imgs_B, num_images))
        return {name: strategy.experimental_local_results(x)[0] for name, x in logs.items()}

    return on_all_replicas
