"""Translating by inversion: what a generator makes of the latent variable of an image.

Two generators with one latent variable make pairs of images that belong together. To translate an
image of one domain, its latent variable is sought, from which the generator of that domain makes
nearly the same image; the other generator then makes the translation. So what is saved of such a
translator are both generators, and how to search.
"""

import hashlib
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from cyclegan_keras._registration import PACKAGE
from cyclegan_keras.inference.rebuilding import rebuilt

# The search: Adam, whose rate falls to zero, from those of several random latent variables for each
# start from which the generator makes what is nearest to the image.
RATE, BETA_1, BETA_2, EPSILON = 0.1, 0.9, 0.999, 1e-8
CANDIDATES = 16
MOST_STEPS, MOST_STARTS = 10_000, 64
# Latent variables that are remembered: some megabytes.
MOST_FOUND = 10_000


class _Found:
    """The latent variables that were found with one state of the weights, by image."""

    def __init__(self, weights: bytes = b"") -> None:
        self.weights = weights
        self.latents: dict[bytes, np.ndarray] = {}


@keras.saving.register_keras_serializable(package=PACKAGE)
class TranslateByInversion(keras.layers.Layer):
    """Finds the latent variable of each image, and gives it to the other generator.

    The search minimises the difference between the image and what the generator of its own domain
    makes. It stays in [-1, 1], where latent variables are drawn in the training. Its random numbers
    are the same each time, and no image depends on others of its batch, but for rounding. What was
    found for an image is remembered as long as the weights are the same, since a search takes as
    long as hundreds of translations and an evaluation asks for the same images several times.

    Args:
        generators: A model from `(batch, latent_dim)` to two images of one shape.
        source: Which of them is of the domain of the images that are translated, 0 or 1.
        loss: "L1" for the mean absolute difference, "L2" for the mean squared one.
        num_steps: Steps of the search.
        num_starts: How many searches there are, of which the best counts.
        seed: Of the latent variables that the searches start with.
        **kwargs: Of `keras.layers.Layer`.

    Input shape:
        `(batch, height, width, channels)`, the shape of what the generators make.

    Output shape:
        Same as the input's.

    Raises:
        ValueError: If the generators are of another kind, or a number is out of range.

    Reference:
        [Liu & Tuzel, 2016](https://arxiv.org/abs/1606.07536), section 4, cross-domain image
        transformation. The authors search by L-BFGS.
    """

    def __init__(
        self,
        generators: keras.Model,
        source: int = 0,
        loss: Literal["L1", "L2"] = "L1",
        num_steps: int = 100,
        num_starts: int = 4,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(generators, dict):
            generators = keras.saving.deserialize_keras_object(generators)
        shapes = getattr(generators, "output_shape", None)
        if (
            not isinstance(generators, keras.Model)
            or len(getattr(generators, "input_shape", ())) != 2
            or not isinstance(shapes, list)
            or len(shapes) != 2
            or shapes[0] != shapes[1]
            or len(shapes[0]) != 4
        ):
            raise ValueError(
                "`generators` must be a model from one latent variable to two images of one shape. "
                f"Received: {type(generators).__name__} with output shape {shapes}"
            )
        for name, value, least, most in (
            ("source", source, 0, 1),
            ("num_steps", num_steps, 1, MOST_STEPS),
            ("num_starts", num_starts, 1, MOST_STARTS),
        ):
            if type(value) is not int or not least <= value <= most:
                raise ValueError(
                    f"`{name}` must be a whole number from {least} to {most}. "
                    f"Received: {name}={value!r}"
                )
        if loss not in ("L1", "L2"):
            raise ValueError(f"`loss` must be L1 or L2. Received: loss={loss!r}")
        self.generators, self.source, self.loss = generators, source, loss
        self.num_steps, self.num_starts, self.seed = num_steps, num_starts, seed
        # Images must be compared as they are, whatever the precision of the generators.
        self.autocast = False
        # Called on arrays, a search line by line would take minutes.
        self._traced = tf.function(self._search, autograph=False, reduce_retracing=True)
        self._found = _Found()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Checks the size of the images."""
        wanted = self.generators.output_shape[0][1:]
        if tuple(input_shape[1:]) != tuple(wanted):
            raise ValueError(
                f"what translates by inversion takes images of {wanted}, which its generators make"
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Returns the translations."""
        return self.both(inputs)[1]

    def both(self, imgs: Any) -> tuple[Any, Any]:
        """Translates images, and shows what they were taken for.

        Args:
            imgs: `(batch, height, width, channels)`, in [-1, 1].

        Returns:
            What the generator of their own domain makes of the latent variables that were found,
            and their translations.
        """
        imgs = ops.cast(imgs, self.variable_dtype)
        latents = self._known(imgs) if hasattr(imgs, "numpy") else self._search(imgs)
        made = self.generators(latents, training=False)
        own, other = (
            ops.cast(x, self.variable_dtype) for x in (made[self.source], made[1 - self.source])
        )
        return own, other

    def _known(self, imgs: Any) -> Any:
        """Searches for the latent variables of those images that it has not seen before."""
        whole = hashlib.sha256()
        for weight in self.generators.weights:
            whole.update(np.ascontiguousarray(weight).tobytes())
        found = self._found
        if found.weights != whole.digest() or len(found.latents) > MOST_FOUND:
            found = self._found = _Found(whole.digest())
        keys = [hashlib.sha256(img.tobytes()).digest() for img in imgs.numpy()]
        missing = [place for place, key in enumerate(keys) if key not in found.latents]
        if missing:
            latents = self._traced(tf.gather(imgs, missing)).numpy()
            found.latents.update(zip([keys[place] for place in missing], latents, strict=True))
        return tf.stack([found.latents[key] for key in keys])

    def _search(self, imgs: Any) -> Any:
        num_imgs, starts = tf.shape(imgs)[0], self.num_starts
        wanted = tf.repeat(imgs, starts, axis=0)
        first = self._starts(imgs)
        zeros = tf.zeros_like(first)

        def step(number: Any, latent: Any, mean: Any, square: Any) -> tuple[Any, Any, Any, Any]:
            with tf.GradientTape() as tape:
                tape.watch(latent)
                # Of the sum, so that each search goes as if it were alone.
                total = tf.reduce_sum(self._errors(latent, wanted))
            gradient = tape.gradient(total, latent)
            done = tf.cast(number, latent.dtype)
            mean = BETA_1 * mean + (1 - BETA_1) * gradient
            square = BETA_2 * square + (1 - BETA_2) * tf.square(gradient)
            unbiased = tf.sqrt(square / (1 - BETA_2 ** (done + 1))) + EPSILON
            change = mean / (1 - BETA_1 ** (done + 1)) / unbiased
            rate = RATE * (1 - done / self.num_steps)
            return number + 1, tf.clip_by_value(latent - rate * change, -1, 1), mean, square

        _, latent, _, _ = tf.while_loop(
            lambda number, *_: number < self.num_steps, step, (0, first, zeros, zeros)
        )
        errors = tf.reshape(self._errors(latent, wanted), (num_imgs, starts))
        best = tf.range(num_imgs) * starts + tf.argmin(errors, axis=1, output_type=tf.int32)
        return tf.gather(latent, best)

    def _starts(self, imgs: Any) -> Any:
        """Draws latent variables, and takes those that come nearest to each image."""
        latent_dim = self.generators.input_shape[1]
        drawn = tf.random.stateless_uniform(
            (CANDIDATES * self.num_starts, latent_dim), (self.seed, 0), -1.0, 1.0
        )
        drawn = tf.cast(drawn, imgs.dtype)
        made = ops.cast(self.generators(drawn, training=False)[self.source], imgs.dtype)
        # Image by image, since all differences at once would need much memory.
        errors = tf.map_fn(lambda img: self._distances(made - img), imgs)
        nearest = tf.math.top_k(-errors, self.num_starts).indices
        return tf.gather(drawn, tf.reshape(nearest, (-1,)))

    def _errors(self, latent: Any, wanted: Any) -> Any:
        made = self.generators(latent, training=False)[self.source]
        return self._distances(ops.cast(made, wanted.dtype) - wanted)

    def _distances(self, differences: Any) -> Any:
        size = tf.abs(differences) if self.loss == "L1" else tf.square(differences)
        return tf.reduce_mean(size, axis=(1, 2, 3))

    def in_full_precision(self) -> "TranslateByInversion":
        """Copies it with generators that compute in the precision of their weights."""

        def form(op: Any) -> Any:
            if not isinstance(op, keras.layers.Layer):
                return None
            return type(op).from_config({**op.get_config(), "dtype": op.variable_dtype})

        config = {**self.get_config(), "generators": rebuilt(self.generators, form)}
        copy = type(self)(**{**config, "dtype": self.variable_dtype})
        return copy

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns `input_shape`."""
        return input_shape

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> keras.KerasTensor:
        """What comes out, without a search."""
        return keras.KerasTensor(inputs.shape, dtype=self.variable_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` needs to make the same layer."""
        return {
            **super().get_config(),
            "generators": keras.saving.serialize_keras_object(self.generators),
            "source": self.source,
            "loss": self.loss,
            "num_steps": self.num_steps,
            "num_starts": self.num_starts,
            "seed": self.seed,
        }


def translator(layer: TranslateByInversion, name: str) -> keras.Model:
    """Makes a model of images of the layer.

    Args:
        layer: The layer.
        name: Of the model, "g_AB" or "g_BA".

    Returns:
        A model from images to images of the same shape, as generators are.
    """
    shape = layer.generators.output_shape[0][1:]
    img = keras.Input(shape, name="img")
    return keras.Model(img, layer(img), name=name)


def inversion_of(generator: Any) -> TranslateByInversion | None:
    """Finds the layer by which a model translates, if it does so by inversion.

    Args:
        generator: A model from images to images.

    Returns:
        The layer; `None` if there is none.
    """
    found = [
        layer
        for layer in getattr(generator, "layers", [])
        if isinstance(layer, TranslateByInversion)
    ]
    return found[0] if len(found) == 1 else None
