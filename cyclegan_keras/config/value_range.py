"""Which numbers of a picture stand for black and for white."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, Literal

from cyclegan_keras._files import PathLike

AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class ValueRange:
    """The numbers that stand for black and for white; those beyond are cut off.

    Args:
        low: What black is.
        high: What white is, above `low`.

    Raises:
        ValueError: If these are no finite numbers in that order.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(
                "A value range must be two finite numbers, the lower first. "
                f"Received: {self.low}, {self.high}"
            )

    def share_within(self, least: float, most: float) -> float:
        """Tells how much of the range some numbers can reach.

        Args:
            least: The least that there can be.
            most: The largest.

        Returns:
            A share of the range, in [0, 1].
        """
        reached = min(self.high, most) - max(self.low, least)
        return max(0.0, reached / (self.high - self.low))

    def shares(self, pixels: Any) -> Any:
        """Makes numbers of a file shares of white.

        Args:
            pixels: An array of any shape and any real type.

        Returns:
            float32 in [0, 1], of the same shape.
        """
        shares = (pixels.astype("float64") - self.low) / (self.high - self.low)
        return shares.clip(0, 1).astype("float32")

    def numbers(self, shares: Any, dtype: Any) -> Any:
        """Undoes `shares`.

        Args:
            shares: In [0, 1], of any shape.
            dtype: The real type that is wanted.

        Returns:
            Numbers in the range, in that type; whole ones are rounded and never overflow.
        """
        import numpy as np  # Not before it is needed: settings are made without it.

        numbers = self.low + np.asarray(shares, np.float64) * (self.high - self.low)
        if np.issubdtype(dtype, np.integer):
            limits = np.iinfo(dtype)
            numbers = np.clip(np.rint(numbers), limits.min, limits.max)
        return numbers.astype(dtype)


# One for each domain; `None` where the type of a file says what is black and what is white.
Ranges = dict[Literal["A", "B"], ValueRange | None]


def parse(value: Any) -> str | tuple[Any, ...] | None:
    """Checks a value range as a user gives it.

    Args:
        value: `None`; `"auto"`; two numbers for both domains, or four, those of A first, flat or as
            two pairs. Numbers may be text. After `"auto"`, four numbers may say what it has found.

    Returns:
        `None`, `"auto"`, or a tuple; the pairs are flat in it.

    Raises:
        ValueError: If it is none of that.
    """
    if value is None or value == AUTO:
        return value
    found: list[Any] = []
    if isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            found += item if isinstance(item, Sequence) and not isinstance(item, str) else [item]
    is_auto = found[:1] == [AUTO]
    if is_auto and len(found) == 1:
        return AUTO
    try:
        if isinstance(value, str) or any(isinstance(item, bool) for item in found):
            raise ValueError
        numbers = [float(item) for item in found[is_auto:]]
        if len(numbers) not in ((4,) if is_auto else (2, 4)):
            raise ValueError
        for place in range(0, len(numbers), 2):
            ValueRange(*numbers[place : place + 2])
    except (TypeError, ValueError):
        raise ValueError(
            "`value_range` must be 'auto', or the numbers of black and of white, the lower first: "
            f"two for both domains, or four, A's first. Received: value_range={value!r}"
        ) from None
    return (AUTO, *numbers) if is_auto else tuple(numbers)


def is_auto(value: Any) -> bool:
    """Tells whether a value range is found in the images.

    Args:
        value: From `parse`.

    Returns:
        Whether it is `"auto"`, with or without what was found.
    """
    return value == AUTO or (isinstance(value, tuple) and value[:1] == (AUTO,))


def with_found(value: Any, ranges: Ranges) -> Any:
    """Adds to `"auto"` what was found, to be kept with a run.

    Args:
        value: What `parse` takes.
        ranges: What was found.

    Returns:
        `"auto"` and four numbers, as `parse` takes them; `value` if it is not `"auto"`.
    """
    if value != AUTO:
        return value
    both = (ranges["A"], ranges["B"])
    return (AUTO, *(number for one in both if one for number in (one.low, one.high)))


def ranges_of(value: Any) -> Ranges | None:
    """Gives the ranges of both domains.

    Args:
        value: What `parse` takes.

    Returns:
        The range of each domain; `None` if they have to be found out (`"auto"`).

    Raises:
        ValueError: If it is no value range.
    """
    parsed = parse(value)
    if parsed is None:
        return {"A": None, "B": None}
    if isinstance(parsed, str):
        return None
    numbers = [number for number in parsed if number != AUTO]
    return {"A": ValueRange(*numbers[:2]), "B": ValueRange(*numbers[-2:])}


def of_translator(path: PathLike) -> tuple[ValueRange | None, ValueRange | None]:
    """Finds the value ranges that a run's translator was trained with.

    Args:
        path: Of the saved generator, in the folder of its run: `g_AB.keras`, or
            `g_BA.best.keras` for one.

    Returns:
        The range of what it takes and that of what it gives, from the run's `config.json`; `None`
        for each if there is none, or the file does not lie in a run.

    Raises:
        ValueError: If the `config.json` says none that can be.
    """
    file = pathlib.Path(path)
    way = {"g_AB": "AB", "g_BA": "BA"}.get(file.name.split(".")[0])
    try:
        settings = json.loads((file.parent / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None, None
    if way is None or not isinstance(settings, dict):
        return None, None
    # Runs of before version 2 of the file have all settings side by side.
    ranges = ranges_of(settings.get("data", settings).get("value_range"))
    if ranges is None:
        raise ValueError(
            f"{str(file.parent / 'config.json')!r} says value_range='auto', and not what was "
            "found. Give the value range."
        )
    return ranges[way[0]], ranges[way[1]]  # type: ignore[index]
