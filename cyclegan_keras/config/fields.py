"""What a setting is: its default, its help text, and the values it takes."""

import dataclasses
import functools
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

# The order in which `--help`, reports and tables show settings.
GROUPS = ("model", "data", "networks", "losses", "training", "results", "evaluation", "safety")


@dataclasses.dataclass(frozen=True)
class Needs:
    """What another setting must be so that a setting has an effect.

    Args:
        other: The name of the other setting.
        among: Values of the other setting with which this one has an effect; `None` means all but
            0, `None` and `False`.
    """

    other: str
    among: tuple[Any, ...] | None = None

    def is_met_by(self, other_value: Any) -> bool:
        """Returns whether the setting has an effect beside this value of the other one."""
        return bool(other_value) if self.among is None else other_value in self.among

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
    *,
    name: str | None = None,
    flag: str | None = None,
    was: Collection[str] = (),
    values_were: Mapping[str, str] | None = None,
    choices: Callable[[], tuple[Any, ...]] | None = None,
    kinds: Mapping[str, Any] | None = None,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
    below: float | None = None,
    by_recipe: bool = False,
    may_change: bool = False,
    data: str | None = None,
    needs: Needs | None = None,
    excludes: str | None = None,
    off: tuple[Any, ...] = (None, 0),
    found: str | None = None,
    words: str | None = None,
    parse: Callable[[Any], Any] | None = None,
) -> Any:
    """Makes a field of a dataclass of settings. This one line is all that a new flag takes.

    The type of the field says what values it takes; a `Literal` is a list of choices.

    Args:
        group: One of `GROUPS`.
        default: Its value when nothing is said.
        help_text: What it does.
        name: Its name among all settings, if the field's own would not be unique.
        flag: The name of its flag, if that is not its own; "" if it has none.
        was: Earlier names, which still work.
        values_were: Earlier names of values, and those of today.
        choices: Gives the choices where they grow at run time.
        kinds: If the setting chooses one of several dataclasses of settings: by the name of the
            choice, the dataclass with its defaults.
        least: The smallest value.
        most: The largest value.
        above: A value that it must be larger than.
        below: A value that it must be smaller than.
        by_recipe: Whether recipes decide it, outside of a model, whose settings they all decide.
        may_change: Whether a run may be resumed with another value.
        data: The kind of data that a model must want for it: "unpaired", "paired" or "labelled".
        needs: What else must be so for it to have an effect.
        excludes: The name of another setting of the same dataclass, which takes its default where
            this one is given and true.
        off: Values that are true without that; 0, for one, turns off what is not there anyway.
        found: The value that leaves it to the images. A run keeps what was found in them behind it:
            "auto:image" for "auto".
        words: If its flag takes several words, how `--help` shows them.
        parse: Checks a value and returns it in its one form, where types do not say it all.

    Returns:
        The field; all of this is in its metadata.
    """
    about = {key: value for key, value in locals().items() if key != "default"}
    return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: a field of a dataclass of settings, by the name that is unique among all.

    Attributes:
        name: Its name.
        field: Of the dataclass.
        kind: The type that the dataclass gives it.
    """

    name: str
    field: dataclasses.Field[Any]
    kind: Any

    @property
    def about(self) -> Mapping[str, Any]:
        """What `setting` was called with."""
        return self.field.metadata

    @property
    def flag(self) -> str | None:
        """Its flag, such as "--image-size"; `None` if it has none."""
        given = self.about["flag"]
        name = self.name if given is None else given
        return f"--{name.replace('_', '-')}" if name else None

    @property
    def choices(self) -> tuple[Any, ...] | None:
        """What there is to choose from, if it is a choice."""
        if self.about["choices"] is not None:
            return tuple(self.about["choices"]())
        if self.about["kinds"] is not None:
            return tuple(self.about["kinds"])
        found = [arg for part in _parts_of(self.kind) for arg in _choices_in(part)]
        return tuple(found) or None

    @property
    def type(self) -> type:
        """Its plain type: `int` for `int | None`, that of the choices for a choice."""
        if self.about["parse"] is not None:
            return str
        if self.choices:
            return type(self.choices[0])
        return next(part for part in _parts_of(self.kind) if part is not types.NoneType)

    def was_found(self, value: Any) -> bool:
        """Returns whether a value was left to the images, and found in them."""
        found = self.about["found"]
        return found is not None and str(value).startswith(f"{found}:")

    def checked(self, value: Any, of: str = "") -> Any:
        """Returns a value of this setting, a whole number as a float where a float is wanted.

        Args:
            value: Of any type.
            of: The kind of network that has the setting, for errors.

        Returns:
            The value.

        Raises:
            ValueError: If it is of another type, out of range, or none of the choices.
        """
        if self.about["parse"] is not None:
            return self.about["parse"](value)
        if isinstance(value, str):
            value = (self.about["values_were"] or {}).get(value, value)
        if value is None and types.NoneType in _parts_of(self.kind):
            return None
        wanted = self.type
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if (isinstance(value, bool) and wanted is not bool) or not isinstance(value, wanted):
            raise ValueError(
                f"`{self.name}` must be of type {wanted.__name__}. Received: {self.name}={value!r}"
            )
        if value == "":
            raise ValueError(f"`{self.name}` must not be empty. Received: {self.name}=''")
        self._check_range(value, of)
        return value

    def _check_range(self, value: Any, of: str) -> None:
        least, most, above, below = (self.about[key] for key in ("least", "most", "above", "below"))
        received = f"Received: {self.name}={value!r}"
        if least is not None and not least <= value < float("inf"):
            raise ValueError(f"`{self.name}` must be at least {least}. {received}")
        if most is not None and not value <= most:
            raise ValueError(f"`{self.name}` must be at most {most}. {received}")
        if above is not None and not above < value < float("inf"):
            raise ValueError(f"`{self.name}` must be above {above}. {received}")
        if below is not None and not value < below:
            raise ValueError(f"`{self.name}` must be below {below}. {received}")
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            of_it = f" for the network {of!r}" if of else ""
            raise ValueError(f"`{self.name}` must be one of {known}{of_it}. {received}")


def _parts_of(kind: Any) -> tuple[Any, ...]:
    """The types that a value may have: two for `int | None`."""
    is_union = isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union
    return typing.get_args(kind) if is_union else (kind,)


def _choices_in(part: Any) -> tuple[Any, ...]:
    return typing.get_args(part) if typing.get_origin(part) is typing.Literal else ()


def own_settings(part: Any) -> tuple[Setting, ...]:
    """Finds the settings that a dataclass declares itself, and not the dataclasses in it.

    Args:
        part: The dataclass.

    Returns:
        Its settings, in order.
    """
    return _own_settings(part)


@functools.cache
def _own_settings(part: Any) -> tuple[Setting, ...]:
    kinds = typing.get_type_hints(part)
    return tuple(
        Setting(field.metadata["name"] or field.name, field, kinds[field.name])
        for field in dataclasses.fields(part)
        if "group" in field.metadata
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
