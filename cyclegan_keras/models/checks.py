"""What networks and settings must be like for a model to be made of them."""

from typing import Any

import keras


def named(model: keras.Model, name: str) -> keras.Model:
    """Gives a network the name that `combined`, its summary and its file will show.

    Args:
        model: The network, as a subclass may have built it.
        name: "g_AB", "d_A" and so on.

    Returns:
        The network itself.

    Raises:
        TypeError: If it is no network.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`build_generator` and `build_discriminator` must return a keras.Model. "
            f"Received: {model!r} for {name!r}"
        )
    model.name = name
    return model


def shape_of_output(network: keras.Model, img_shape: tuple[int, ...]) -> tuple[Any, ...] | None:
    """Shape of what a network makes of one image; `None` if that is not one tensor."""
    output = network.outputs if is_functional(network) else network(keras.Input(img_shape))
    if isinstance(output, list) and len(output) == 1:
        (output,) = output
    return tuple(output.shape[1:]) if hasattr(output, "shape") else None


def is_like(shape: tuple[int | None, ...], img_shape: tuple[int, ...]) -> bool:
    """Whether a shape may be an image's; what is not known may be anything."""
    return len(shape) == len(img_shape) and all(
        size in (None, wanted) for size, wanted in zip(shape, img_shape, strict=True)
    )


def is_functional(network: keras.Model) -> bool:
    """Whether a network is made of its inputs and outputs, and not a subclass with a `call`."""
    return getattr(network, "outputs", None) is not None


def check_precision() -> None:
    """Raises an error that teaches if weights are too coarse to be trained.

    Raises:
        ValueError: If they are of 16 bits.
    """
    dtype = keras.config.dtype_policy().variable_dtype
    if dtype in ("float16", "bfloat16"):
        raise ValueError(
            f"Weights must be float32 at least to be trained: steps are smaller than {dtype} can "
            f"tell. Compute in 16 bits by `keras.config.set_dtype_policy('mixed_{dtype}')`. "
            f"Received: the policy {keras.config.dtype_policy().name!r}"
        )
