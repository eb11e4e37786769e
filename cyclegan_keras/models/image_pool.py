"""The pool of earlier translations that the paper's discriminators learn from."""

from typing import Any

import keras
import tensorflow as tf

from cyclegan_keras.layers.random_stream import RandomStream
from cyclegan_keras.replicas import gathered, own_rows, whole_batch


class ImagePool(keras.layers.Layer):
    """Keeps earlier translations and mixes them with new ones.

    Until it is full, it stores each image and returns it. From then on, with a chance of one half
    for each image, it returns a random stored one and keeps the new one in its place; else it
    returns the new one and does not keep it. The images of a batch go through one after the other.

    All of its state is weights, the random numbers' included, so it is saved and loaded with them.

    Args:
        size: How many images it holds, at least one; 50 in the paper.
        seed: Of its choices; `None` draws another one each time.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, with known height, width and channels.

    Output shape:
        Same as the input's.

    Reference:
        [Shrivastava et al., 2016](https://arxiv.org/abs/1612.07828), section 2.3;
        [Zhu et al., 2017](https://arxiv.org/abs/1703.10593), section 4.
    """

    def __init__(self, size: int = 50, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"`size` must be at least 1 image. Received: size={size}")
        self.size = size
        self.random = RandomStream(seed)
        # Images must come out as they went in, whatever the precision of the networks.
        self.autocast = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes room for the images."""
        self.images = self.add_weight(
            shape=(self.size, *input_shape[1:]),
            initializer="zeros",
            trainable=False,
            autocast=False,
            name="images",
        )
        self.num_images = self.add_weight(
            shape=(),
            dtype="int32",
            initializer="zeros",
            trainable=False,
            autocast=False,
            name="num_images",
        )

    def call(self, inputs: Any) -> Any:
        """Returns as many images as came in, some of them earlier ones."""
        # On several replicas, each has the same pool, and so must take in the whole batch.
        imgs = tf.cast(gathered(inputs), self.images.dtype)
        with whole_batch():
            results = self._exchange_all(imgs)
        return tf.cast(own_rows(results), inputs.dtype)

    def _exchange_all(self, inputs: Any) -> Any:
        batch_size = tf.shape(inputs)[0]
        chances = self.random.uniform((batch_size, 2))

        def exchange(index: Any, results: Any) -> Any:
            result = self._exchange(inputs[index], chances[index, 0], chances[index, 1])
            return index + 1, results.write(index, result)

        results = tf.TensorArray(inputs.dtype, batch_size, element_shape=inputs.shape[1:])
        # One after the other: an image may be given out by a later one of the same batch.
        _, results = tf.while_loop(
            lambda index, _: index < batch_size, exchange, (0, results), parallel_iterations=1
        )
        return tf.ensure_shape(results.stack(), inputs.shape)

    def _exchange(self, img: Any, swap_chance: Any, place_chance: Any) -> Any:
        count = tf.convert_to_tensor(self.num_images)
        is_full = tf.equal(count, self.size)
        swaps = tf.logical_and(is_full, swap_chance < 0.5)
        place = tf.where(is_full, tf.cast(place_chance * self.size, tf.int32), count)
        stored = tf.raw_ops.ResourceGather(
            resource=self.images.handle, indices=place, dtype=self.images.dtype
        )
        stored = tf.ensure_shape(stored, img.shape)
        keeps = tf.logical_or(swaps, tf.logical_not(is_full))
        tf.raw_ops.ResourceScatterUpdate(
            resource=self.images.handle, indices=place, updates=tf.where(keeps, img, stored)
        )
        self.num_images.assign(tf.minimum(count + 1, self.size))
        return tf.where(swaps, stored, img)
