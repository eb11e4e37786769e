"""Which places of feature maps a contrastive loss compares."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.replicas import whole_batch


@keras.saving.register_keras_serializable(package=PACKAGE)
class PatchSampler(keras.layers.Layer):
    """Takes the features of random places, the same places of translations and originals.

    Each layer of features has places of its own, no place twice; all images of a batch have the
    same. A layer with fewer places gives all of them.

    Args:
        count: Of places.
        seed: Of its choices; `None` draws another one each time.
        **kwargs: Of `keras.layers.Layer`.

    Reference:
        [Park et al., 2020](https://arxiv.org/abs/2007.15651), section 3.
    """

    def __init__(self, count: int = 256, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.seed = count, seed
        self.random = RandomStream(seed)
        self.autocast = False  # Features come as they are; projections are in full precision.
        self.built = True

    def call(self, queries: Sequence[Any], keys: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Takes features.

        Args:
            queries: Of translations, `(batch, height, width, channels)` for each layer.
            keys: Of their originals, in the same shapes.

        Returns:
            Of both, `(batch, places, channels)` for each layer, in the precision of weights.
        """
        taken: tuple[list[Any], list[Any]] = ([], [])
        for pair in zip(queries, keys, strict=True):
            places = self._places(ops.shape(pair[0])[1] * ops.shape(pair[0])[2])
            for maps, found in zip(pair, taken, strict=True):
                channels = maps.shape[-1]
                rows = ops.reshape(maps, (ops.shape(maps)[0], -1, channels))
                found.append(ops.cast(tf.gather(rows, places, axis=1), self.variable_dtype))
        return taken

    def compute_output_spec(self, queries: Sequence[Any], keys: Sequence[Any]) -> Any:
        """Says what `call` returns."""
        return tuple(
            [
                keras.KerasTensor((maps.shape[0], None, maps.shape[-1]), self.variable_dtype)
                for maps in each
            ]
            for each in (queries, keys)
        )

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer; how far it is, is a weight."""
        return {**super().get_config(), "count": self.count, "seed": self.seed}

    def _places(self, num_places: Any) -> Any:
        # The order of random numbers is a random order. All replicas take the same places.
        with whole_batch():
            chances = self.random.uniform((num_places,))
        return tf.math.top_k(chances, tf.minimum(self.count, num_places)).indices
