"""Random numbers that are part of what is saved."""

import random
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from cyclegan_keras.replicas import own_rows, rows_in_all, share


class RandomStream(keras.layers.Layer):
    """Deals out random numbers; its seed and its place in the stream are weights.

    So weights that were saved and loaded go on with the numbers that would have come next. Keras
    does not save the state of its own `SeedGenerator`.

    Args:
        seed: Of the stream; `None` draws another one each time.
        **kwargs: Of `keras.layers.Layer`.
    """

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        seed = random.getrandbits(31) if seed is None else seed
        self.state = self.add_weight(
            shape=(2,),
            dtype="int64",
            initializer=lambda shape, dtype=None: ops.array([seed, 0], dtype=dtype),
            trainable=False,
            autocast=False,
            name="state",
        )
        self.built = True

    def uniform(self, shape: Any) -> Any:
        """Draws numbers and moves on in the stream.

        On several replicas, numbers are drawn for the whole batch, and each replica gets those of
        its rows.

        Args:
            shape: Of what is wanted, a tuple or a tensor of whole numbers. The first is that of the
                batch's images, or of several batches' behind each other.

        Returns:
            float32 in [0, 1).
        """
        return self._drawn(tf.random.stateless_uniform, shape)

    def normal(self, shape: Any, dtype: str = "float32") -> Any:
        """Draws numbers of the normal distribution and moves on in the stream.

        Args:
            shape: As for `uniform`.
            dtype: Of the numbers.

        Returns:
            Numbers of mean 0 and variance 1.
        """
        return self._drawn(tf.random.stateless_normal, shape, dtype=dtype)

    def _drawn(self, draw: Callable[..., Any], shape: Any, **more: Any) -> Any:
        state = tf.convert_to_tensor(self.state)
        self.state.assign(state + tf.constant([0, 1], tf.int64))
        if share() is None:
            return draw(shape, seed=state, **more)
        num_rows, *rest = shape
        return own_rows(draw((rows_in_all(num_rows), *rest), seed=state, **more))
