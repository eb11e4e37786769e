"""What a setting is: its default, its help text, and what it may be."""

import dataclasses
import re
import types
import typing
from collections.abc import Callable, Collection
from typing import Any

# The groups whose settings a model is made with; each model says which of them it has.
GROUPS_OF_MODELS = ("networks", "losses")


@dataclasses.dataclass(frozen=True)
class Needs:
    """What another setting must be so that a setting does anything.

    Args:
        other: The name of the other one.
        among: Values of the other one with which it does something; `None` means all but 0, `None`
            and `False`.
        unless: Values of the setting that are true without this; 0 and `None`, for one, turn off
            what is not there anyway.
    """

    other: str
    among: tuple[Any, ...] | None = None
    unless: tuple[Any, ...] = (None, 0)

    def is_missed_by(self, value: Any, other_value: Any) -> bool:
        """Tells whether a value does nothing beside this value of the other setting."""
        is_met = bool(other_value) if self.among is None else other_value in self.among
        return value not in self.unless and not is_met

    def in_words(self) -> str:
        """What is needed, as part of a sentence."""
        if self.among is None:
            return f"`{self.other}` above 0"
        if self.among == (None,):
            return f"no `{self.other}`"
        return f"`{self.other}` to be {' or '.join(map(str, self.among))}"


def setting(
    group: str,
    default: Any,
    help_text: str,
    choices: tuple[Any, ...] | Callable[[], tuple[Any, ...]] | None = None,
    least: float | None = None,
    of_model: bool | None = None,
    data: str | None = None,
    may_change: bool = False,
    needs: Needs | None = None,
    flag: str | None = None,
    words: str | None = None,
) -> Any:
    """Makes a field of a dataclass of settings.

    Args:
        group: Under which heading it is shown.
        default: Its value when nothing is said.
        help_text: What it does.
        choices: What there is to choose from, if it is a choice; a function, if that grows.
        least: The least value, if it is a number.
        of_model: Whether models are made with it, so that each says whether it has it; `None` goes
            by the group.
        data: The kind of data that a model must want to have it, "unpaired" or "paired"; `None` for
            any.
        may_change: Whether a run may go on with another value than it was begun with.
        needs: What else must be so for it to do anything.
        flag: The name of its flag, if that is not its own; "" if it has none.
        words: If its flag takes several words, how these are shown.

    Returns:
        The field; all of this is in its metadata.
    """
    about: dict[str, Any] = {"group": group, "help": help_text, "choices": choices, "least": least}
    about |= {
        "of_model": group in GROUPS_OF_MODELS if of_model is None else of_model,
        "data": data,
        "may_change": may_change,
        "needs": needs,
        "flag": flag,
        "words": words,
    }
    return dataclasses.field(default=default, metadata=about)


def choices_of(field: dataclasses.Field) -> tuple[Any, ...] | None:
    """What there is to choose from now, if a setting is a choice."""
    choices = field.metadata["choices"]
    return choices() if callable(choices) else choices


def check_range(field: dataclasses.Field, value: Any) -> None:
    """Raises an error that teaches if a value is none of those that a setting can have.

    Args:
        field: From `setting`.
        value: Its value; `None` is not looked at.

    Raises:
        ValueError: If it is too small, infinite, or no choice.
    """
    least, choices = field.metadata["least"], choices_of(field)
    if value is None:
        return
    if least is not None and not least <= value < float("inf"):
        raise ValueError(f"`{field.name}` must be at least {least}. Received: {field.name}={value}")
    if choices and value not in choices:
        raise ValueError(
            f"`{field.name}` must be one of {', '.join(map(str, choices))}. "
            f"Received: {field.name}={value!r}"
        )


def check_needs(config: Any, new: Collection[str], chosen: Collection[str]) -> None:
    """Raises an error that teaches if a setting was chosen that does nothing beside the others.

    Args:
        config: Settings, of which all values are known.
        new: The names of those that were given just now. What was chosen earlier is looked at only
            where the other one is new.
        chosen: The names of all that somebody chose, which no recipe and no default decided.

    Raises:
        ValueError: If there is such a setting; it names both.
    """
    for field in dataclasses.fields(config):
        name, needs = field.name, field.metadata["needs"]
        if name in new and not config.info.has(field):
            raise ValueError(
                f"`{name}` is no setting of {config.model}. Leave it out. "
                f"Received: {name}={getattr(config, name)!r}, model={config.model!r}"
            )
        if needs is None:
            continue
        # Who turns a part off turns off what belongs to it, whatever that was.
        is_concerned = name in chosen and needs.other in new and needs.among is not None
        if not (name in new or is_concerned):
            continue
        value, other_value = getattr(config, name), getattr(config, needs.other)
        if needs.is_missed_by(value, other_value):
            raise ValueError(
                f"`{name}` does nothing here: it takes {needs.in_words()}. Leave one of the two "
                f"out, or change it. Received: {name}={value!r}, {needs.other}={other_value!r}"
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
