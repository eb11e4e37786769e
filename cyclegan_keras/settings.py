"""What a setting is: its default, its help text, and what it may be."""

import dataclasses
import re
import types
import typing
from typing import Any

BOTH, CYCLEGAN, PIX2PIX = ("cyclegan", "pix2pix"), ("cyclegan",), ("pix2pix",)


def setting(
    group: str,
    default: Any,
    help_text: str,
    choices: tuple[Any, ...] | None = None,
    least: float | None = None,
    models: tuple[str, ...] = BOTH,
    may_change: bool = False,
    words: str | None = None,
) -> Any:
    """Makes a field of a dataclass of settings.

    Args:
        group: Under which heading it is shown.
        default: Its value when nothing is said.
        help_text: What it does.
        choices: What there is to choose from, if it is a choice.
        least: The least value, if it is a number.
        models: Which models have it.
        may_change: Whether a run may go on with another value than it was begun with.
        words: If its flag takes several words, how these are shown.

    Returns:
        The field; all of this is in its metadata.
    """
    about = {"group": group, "help": help_text, "choices": choices, "least": least}
    metadata = {**about, "models": models, "may_change": may_change, "words": words}
    return dataclasses.field(default=default, metadata=metadata)


def check_range(field: dataclasses.Field, value: Any) -> None:
    """Raises an error that teaches if a value is none of those that a setting can have.

    Args:
        field: From `setting`.
        value: Its value; `None` is not looked at.

    Raises:
        ValueError: If it is too small, infinite, or no choice.
    """
    least, choices = field.metadata["least"], field.metadata["choices"]
    if value is None:
        return
    if least is not None and not least <= value < float("inf"):
        raise ValueError(f"`{field.name}` must be at least {least}. Received: {field.name}={value}")
    if choices and value not in choices:
        raise ValueError(
            f"`{field.name}` must be one of {', '.join(map(str, choices))}. "
            f"Received: {field.name}={value!r}"
        )


def image_size(value: Any) -> int | str:
    """Returns a size of images in its one form, so that equal sizes are equal settings.

    Args:
        value: A whole number, for squares, or height and width: "256x512", or a pair.

    Returns:
        A whole number for a square, else a text such as "256x512", which JSON can keep.

    Raises:
        ValueError: If it is no such size, or one side is smaller than 32 pixels.
    """
    sides = list(value) if isinstance(value, tuple | list) else [value]
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d+)(?:\s*[xX×]\s*(\d+))?\s*", value)
        sides = [int(side) for side in found.groups() if side] if found else []
    if len(sides) not in (1, 2) or any(type(side) is not int or side < 32 for side in sides):
        raise ValueError(
            "`image_size` must be at least 32: a number of pixels for squares, or HEIGHTxWIDTH, "
            f"such as 256x512. Received: image_size={value!r}"
        )
    return sides[0] if sides[0] == sides[-1] else f"{sides[0]}x{sides[1]}"


def sides_of(size: int | str) -> tuple[int, int]:
    """Returns height and width in pixels of what `image_size` gives."""
    height, _, width = str(size).partition("x")
    return int(height), int(width or height)


def value_type(kind: Any) -> type:
    """Gives the plain type of a field: `int` for `int | None`."""
    if isinstance(kind, types.UnionType):
        return next(choice for choice in typing.get_args(kind) if choice is not type(None))
    return kind


def checked(name: str, kind: Any, value: Any) -> Any:
    """Returns a value, a whole number as a float where a float is wanted.

    Args:
        name: Of the setting.
        kind: Its type.
        value: Its value.

    Returns:
        The value in that type.

    Raises:
        ValueError: If it is of another type.
    """
    wanted = value_type(kind)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if (isinstance(value, bool) and wanted is not bool) or not isinstance(value, kind):
        raise ValueError(f"`{name}` must be of type {wanted.__name__}. Received: {name}={value!r}")
    return value
