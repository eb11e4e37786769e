"""How networks are called while they are trained: at once where possible, with all losses kept."""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.networks import treats_images_alone


class Calls:
    """Calls networks for training, and keeps what their calls add to the loss.

    Keras has that (activity regularisation, `add_loss`) only until the network's next call.

    Attributes:
        losses: What all calls so far have added, scalars.
    """

    def __init__(self) -> None:
        self.losses: list[Any] = []

    def __call__(self, network: keras.Model, imgs: Any) -> Any:
        """Calls a network on one batch.

        Args:
            network: A model of images.
            imgs: The batch.

        Returns:
            What the network makes of it.
        """
        return self.on_each(network, imgs)[0]

    def on_each(self, network: keras.Model, *batches: Any) -> list[Any]:
        """Calls a network as `call_on_each` does.

        Args:
            network: A model of images.
            *batches: Of images, each of any size.

        Returns:
            What the network makes of each.
        """
        results = []
        for result in call_on_each(network, *batches):
            results.append(result)
            losses = network.losses
            # Those of weights stand behind those of calls, and belong to no call.
            of_weights = sum(w.regularizer is not None for w in network.trainable_weights)
            self.losses += losses[: len(losses) - of_weights]
        return results


def call_on_each(network: keras.Model, *batches: Any) -> Iterator[Any]:
    """Calls a network on several batches, for training; at once, if that changes nothing.

    Args:
        network: A model of images.
        *batches: Of images, each of any size.

    Yields:
        What the network makes of each, one tensor or several; it is called when that is asked for.
    """
    if len(batches) == 1 or not treats_images_alone(network):
        for imgs in batches:
            yield network(imgs, training=True)
        return
    results = network(ops.concatenate(batches), training=True)
    counts = [ops.shape(imgs)[0] for imgs in batches]
    # Not by slices, whose gradients fill the rest up with zeros and add.
    parts = [tf.split(result, counts) for result in tf.nest.flatten(results)]
    for part in zip(*parts, strict=True):
        yield tf.nest.pack_sequence_as(results, part)
