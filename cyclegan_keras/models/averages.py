"""Networks with the moving averages of their weights, to translate with and to save."""

from collections.abc import Callable
from typing import Any

import keras

from cyclegan_keras.models.checks import named
from cyclegan_keras.optimizers import moving_averages


class Averages:
    """Copies of networks, where Keras does not look for weights to train and to save."""

    def __init__(self) -> None:
        self._copies: dict[str, tuple[keras.Model, keras.Model]] = {}

    def of(
        self,
        networks: dict[str, keras.Model],
        optimizer: Any,
        copied: Callable[[keras.Model], keras.Model],
        are_replicas: bool,
    ) -> dict[str, keras.Model]:
        """Finds networks to compute with, brought up to date.

        Args:
            networks: By name.
            optimizer: What trains them, and may take moving averages of their weights.
            copied: Makes a network like another one.
            are_replicas: Whether there are several of each, on several devices. What is computed
                outside of a step is computed with a copy on one of them.

        Returns:
            Copies of those that have averages, and of all if there are replicas; the others as they
            are.
        """
        averages = moving_averages(optimizer)
        found = dict(networks)
        for name, network in networks.items():
            # What is trained beside these has averages as well, and is no translator.
            if not are_replicas and not any(id(own) in averages for own in network.weights):
                continue
            if name not in self._copies or self._copies[name][0] is not network:
                self._copies[name] = (network, named(copied(network), name))
            found[name] = copy = self._copies[name][1]
            copy.set_weights(network.get_weights())
            # All weights: what the optimizer was built for may have been frozen since.
            for variable, own in zip(copy.weights, network.weights, strict=True):
                if id(own) in averages:
                    variable.assign(averages[id(own)])
        return found
