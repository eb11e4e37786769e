"""Settings in dataclasses that hold each other, and the same settings by their flat names."""

import contextlib
import dataclasses
import importlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, Self, TypeVar

from cyclegan_keras.config.fields import Setting, own_settings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A dataclass of settings, in which there may be others.

    Raises:
        ValueError: If a value is of the wrong type, out of range, or no choice.
    """

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for setting in own_settings(type(self)):
            name, value = setting.field.name, getattr(self, setting.field.name)
            # Choices that grow are looked at where they are used: others may still be registered.
            if not isinstance(value, Part) and setting.about["choices"] is None:
                # By the name that the field has here.
                checked = dataclasses.replace(setting, name=name).checked(value)
                object.__setattr__(self, name, checked)

    def settings(self) -> dict[str, Setting]:
        """Returns all settings in it, and in what is in it, by their flat names."""
        return {setting.name: setting for setting, _, _ in self._walk()}

    def flat(self) -> dict[str, Any]:
        """Returns all values by their flat names; of a choice of dataclasses, the kind."""
        return {
            setting.name: value.kind if isinstance(value, Part) else value
            for setting, _, value in self._walk()
        }

    def _walk(self) -> Iterator[tuple[Setting, "Part", Any]]:
        """Yields each setting, the part that it is in, and its value."""
        own = {setting.field.name: setting for setting in own_settings(type(self))}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in own:
                yield own[field.name], self, value
            if isinstance(value, Part):
                yield from value._walk()

    def nested(self) -> dict[str, Any]:
        """Returns all values as JSON has them: an object for each dataclass."""
        found: dict[str, Any] = {"kind": self.kind} if self.kind else {}
        settings = {setting.field.name for setting in own_settings(type(self))}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, Part):
                found[field.name] = value.nested()
            elif field.name in settings:
                found[field.name] = value
        return found

    def with_settings(self, **settings: Any) -> Self:
        """Returns it with some settings changed, wherever in it they are.

        Args:
            **settings: By their flat names. Another kind of network keeps the values of those
                settings that it has as well.

        Returns:
            Another one.

        Raises:
            TypeError: If there is no such setting.
            ValueError: If a value is wrong.
        """
        names = earlier_names([self])
        with errors_name_as_given(settings, names):
            settings = {names.get(name, name): value for name, value in settings.items()}
            changed = put(self, settings)
        if unknown := settings.keys() - changed.settings().keys():
            raise TypeError(
                f"__init__() got an unexpected keyword argument {min(unknown)!r}: the settings of "
                f"{type(self).__name__} are {', '.join(changed.settings())}"
            )
        return changed


P = TypeVar("P", bound=Part)


def put(part: P, values: Mapping[str, Any]) -> P:
    """Puts values into a dataclass of settings, wherever in it they belong.

    Args:
        part: The dataclass.
        values: By their flat names; those that it has not are left out.

    Returns:
        Another one.

    Raises:
        ValueError: If a value is wrong.
    """
    changes: dict[str, Any] = {}
    own = {setting.field.name: setting for setting in own_settings(type(part))}
    for field in dataclasses.fields(part):
        value, setting = getattr(part, field.name), own.get(field.name)
        if isinstance(value, Part):
            if setting is not None and setting.name in values:
                value = _of_kind(value, setting, values[setting.name])
            changes[field.name] = put(value, values)
        elif setting is not None and setting.name in values:
            of = part.kind if isinstance(part, NetworkConfig) else ""
            changes[field.name] = setting.checked(values[setting.name], of)
    excluded = {own[n].about["excludes"] for n, value in changes.items() if n in own and value}
    for name, setting in own.items():
        if setting.name in excluded - values.keys():
            changes[name] = setting.field.default  # The one takes the other's place.
    return dataclasses.replace(part, **changes)


def _of_kind(part: Part, setting: Setting, wanted: Any) -> Part:
    """Takes another kind, which keeps the values that it can have as well."""
    if isinstance(wanted, Part):
        return wanted
    if setting.checked(wanted) == part.kind:
        return part
    other: Part = setting.about["kinds"][wanted]
    known = other.settings()
    return put(other, {n: v for n, v in part.flat().items() if n in known and fits(known[n], v)})


def from_nested(part: Part, found: Any, place: str = "") -> dict[str, Any]:
    """Reads what `nested` returned, or some of it.

    Args:
        part: The dataclass, or one that has the kinds that it can have.
        found: An object of JSON.
        place: Where it stands, for errors.

    Returns:
        The values by their flat names.

    Raises:
        ValueError: If it has what is no setting.
    """
    own = {setting.field.name: setting for setting in own_settings(type(part))}
    inner = {
        field.name: getattr(part, field.name)
        for field in dataclasses.fields(part)
        if isinstance(getattr(part, field.name), Part)
    }
    known = [*inner, *(name for name in own if name not in inner)]
    if not isinstance(found, Mapping) or (found.keys() - {"kind"}) - {*known}:
        unknown = sorted(found.keys() - {*known}) if isinstance(found, Mapping) else found
        raise ValueError(
            f"{place or 'the file'} must be an object with keys among {known}. Received: {unknown}"
        )
    values = {}
    for name, value in found.items():
        if name in inner:
            part_of_it = inner[name]
            if name in own and isinstance(value, Mapping) and "kind" in value:
                kind = values[own[name].name] = value["kind"]
                part_of_it = _of_kind(part_of_it, own[name], kind)
            values |= from_nested(part_of_it, value, f"{place}.{name}" if place else name)
        elif name in own:
            values[own[name].name] = value
    return values


def fits(setting: Setting, value: Any) -> bool:
    """Returns whether a setting can have a value."""
    try:
        setting.checked(value)
    except ValueError:
        return False
    return True


def all_settings(parts: Collection[Part]) -> list[Setting]:
    """Finds the settings of several dataclasses, those of every kind of network included.

    Args:
        parts: The dataclasses.

    Returns:
        Settings, of which several may have the same name, with choices of their own.
    """
    found = []
    for part in parts:
        for setting, _, _ in part._walk():
            found.append(setting)
            for kind in (setting.about["kinds"] or {}).values():
                found += all_settings([kind])
    return found


def earlier_names(parts: Collection[Part]) -> dict[str, str]:
    """Returns the names that settings once had, with those of today."""
    return {old: setting.name for setting in all_settings(parts) for old in setting.about["was"]}


@contextlib.contextmanager
def errors_name_as_given(given: Collection[str], names: Mapping[str, str]) -> Iterator[None]:
    """Lets errors name a setting as it was given, if that is its earlier name.

    Args:
        given: The names that were given.
        names: From `earlier_names`.

    Yields:
        Once.
    """
    try:
        yield
    except ValueError as error:
        text = str(error)
        for old in given:
            if old in names:
                text = re.sub(rf"\b{names[old]}\b", old, text)
        raise ValueError(text) from None


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkConfig(Part):
    """The settings of a network, which build it."""

    # "module:function", imported when a network is built: settings load no TensorFlow.
    builder: ClassVar[str]

    def build(self, img_shape: Any, seed: int | None = None, name: str | None = None) -> Any:
        """Builds the network.

        Args:
            img_shape: `(height, width, channels)` of what it takes.
            seed: Of the initial weights, and of dropout; `None` draws other ones each time.
            name: Of the model.

        Returns:
            A `keras.Model`.

        Raises:
            ValueError: If it cannot take such images.
        """
        module, _, function = self.builder.partition(":")
        return getattr(importlib.import_module(module), function)(self, img_shape, seed, name)

    def factor(self, shorter: int) -> tuple[int, str]:
        """Says what the sides of images must be divisible by.

        Args:
            shorter: The shorter side, in pixels.

        Returns:
            The number, and how often the network halves images, in words.
        """
        return 1, ""

    least: ClassVar[int] = 1  # The shorter side, in pixels.
    # What takes no smaller ones, for an error.
    least_because: ClassVar[str] = "the network takes no smaller images"
