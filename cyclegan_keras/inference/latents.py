"""Translators that take a latent beside the image: which latents there are, and how to fix one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclegan_keras._seeds import checked_seed

if TYPE_CHECKING:
    import keras

SEED = 0  # Of the latent that is taken where none is asked for.


def latent_size(generator: Any) -> int:
    """Returns how many numbers the latent of a generator has.

    Args:
        generator: A generator.

    Returns:
        The size; 0 if it takes images alone.
    """
    inputs = getattr(generator, "inputs", None) or []
    shapes = [tuple(each.shape) for each in inputs]
    if [len(shape) for shape in shapes] != [4, 2]:
        return 0
    return shapes[1][1] or 0


def image_shape(generator: Any) -> tuple[Any, ...]:
    """Returns `(batch, height, width, channels)` of the images that a generator takes."""
    shape = generator.input_shape
    return tuple(shape[0]) if isinstance(shape, list) else tuple(shape)


def draw_latents(generator: Any, count: int, seed: int | Sequence[int] = SEED) -> np.ndarray:
    """Draws random latents for a generator, always the same ones of one seed.

    Args:
        generator: A generator with a latent.
        count: How many. Fewer are the first ones of more.
        seed: Of the draw, 0 or more.

    Returns:
        `(count, size)`, float32, each number of the standard normal distribution.

    Raises:
        ValueError: If the generator takes no latent, or the seed is none.
    """
    size = latent_size(generator)
    if not size:
        raise ValueError(_WITHOUT)
    if isinstance(seed, int):
        checked_seed(seed)
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def checked_latent(generator: Any, latent: Any) -> np.ndarray:
    """Checks a latent for a generator.

    Args:
        generator: A generator.
        latent: Its numbers.

    Returns:
        `(size,)`, float32.

    Raises:
        ValueError: If the generator takes none, or it is not of its size or not finite.
    """
    size = latent_size(generator)
    if not size:
        raise ValueError(_WITHOUT)
    try:
        numbers = np.asarray(latent, np.float32)
    except (TypeError, ValueError):
        numbers = np.zeros(0, np.float32)
    if numbers.shape != (size,) or not np.isfinite(numbers).all():
        raise ValueError(
            f"`latent` must be {size} finite numbers, as `draw_latents` or `encode_image` returns "
            f"them. Received: {latent!r}"[:300]
        )
    return numbers


_WITHOUT = "This generator takes no latent: it makes one translation of each image. Leave it out."


def with_latent(generator: "keras.Model", latent: Any) -> "keras.Model":
    """Fixes the latent of a generator, so that it is a generator of images like any other.

    Factors and offsets that depend on the latent become numbers: the result has layers that
    everything that takes a generator knows, `export_generator` for one, and is a little faster.

    Args:
        generator: A generator with a latent, in training or from `load_generator`.
        latent: `(size,)`, numbers; `draw_latents(generator, 1, seed)[0]` for one.

    Returns:
        A model of images, with copies of the weights.

    Raises:
        ValueError: If the generator takes no latent, or none of this size, or uses it in other ways
            than for the factors and offsets of its norms.
    """
    # Not above: tables of figures know of latents, and do not wait for TensorFlow.
    import keras

    from cyclegan_keras.inference.rebuilding import is_rebuildable, operations_of, rebuilt
    from cyclegan_keras.layers import ConditionalInstanceNormalization, InstanceNormalization

    numbers = checked_latent(generator, latent)
    norms: dict[Any, InstanceNormalization] = {}

    def form(op: Any) -> Any:
        if type(op) is not ConditionalInstanceNormalization:
            return None
        norm = norms[op] = InstanceNormalization(op.epsilon, dtype=op.dtype_policy, name=op.name)
        return lambda inputs: norm(inputs[0])

    if not is_rebuildable(generator):
        raise ValueError(_OTHER_USE)
    copy = rebuilt(generator, form)
    try:
        fixed = keras.Model(copy.inputs[0], copy.outputs[0], name=generator.name)
    except ValueError as error:
        raise ValueError(_OTHER_USE) from error
    found = [op for op in operations_of(generator) if op in norms]
    numbers_of = keras.Model(generator.inputs[1], [_factors(op) for op in found])
    for op, (scale, shift) in zip(found, numbers_of(numbers[np.newaxis]), strict=True):
        norms[op].set_weights([np.ravel(scale), np.ravel(shift)])
    return fixed


def with_some_latent(generator: "keras.Model", latent: Any = None) -> "keras.Model":
    """Fixes the latent of a generator, if it takes one.

    Args:
        generator: Any generator.
        latent: As for `with_latent`; `None` means always the same random one.

    Returns:
        A generator of images: as of `with_latent`, or the same if it takes no latent.

    Raises:
        ValueError: As `with_latent` does.
    """
    if latent is None and not latent_size(generator):
        return generator
    return with_latent(generator, draw_latents(generator, 1)[0] if latent is None else latent)


_OTHER_USE = (
    "The latent of this generator cannot be fixed: it is not used for the factors and offsets of "
    "conditional instance normalizations alone."
)


def _factors(op: Any) -> list[Any]:
    return list(op._inbound_nodes[0].arguments.args[0][1:])
