"""The curves of a training, from its `history.csv`."""

import csv
import dataclasses
import io
import math
import pathlib
from typing import Any

from cyclegan_keras._files import PathLike
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import metric_table

# Steps, and the values after each.
Curve = tuple[list[int], list[float]]

UNKNOWN = "extractor unknown"
RATE = "learning_rate"
NO_CURVES = ("epoch", "step", "seconds", "extractor")
BY_FEATURES = frozenset(
    metric.name(way)
    for kind in metric_table.KINDS
    if kind.by_features
    for metric in kind.metrics
    for way in WAYS
)


@dataclasses.dataclass(frozen=True)
class Curves:
    """The curves of a training.

    Attributes:
        plain: Losses, and metrics that do not depend on an extractor, by name.
        by_space: For the name of each extractor, the metrics that depend on it; `UNKNOWN` stands
            for an extractor that is not recorded.
        seconds: Duration of the training after each recorded step.
    """

    plain: dict[str, Curve] = dataclasses.field(default_factory=dict)
    by_space: dict[str, dict[str, Curve]] = dataclasses.field(default_factory=dict)
    seconds: dict[int, float] = dataclasses.field(default_factory=dict)


def read(path: PathLike) -> Curves:
    """Reads the curves of a training.

    Args:
        path: Its `history.csv`.

    Returns:
        The curves, without values that are not finite; empty if the file does not exist.

    Raises:
        ValueError: If the file is damaged.
    """
    found = Curves()
    try:
        text = pathlib.Path(path).read_text("utf-8")
        # The last row may be incomplete during a training, or if the disk is full.
        rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1])))
    except FileNotFoundError:
        return found
    except (ValueError, csv.Error) as error:
        raise _damaged(path, str(error)) from None
    for row in rows:
        try:
            step = int(row["step"])
            if row.get("seconds"):
                found.seconds[step] = float(row["seconds"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, str(error)) from None
        space = row.get("extractor") or UNKNOWN
        for name, cell in row.items():
            if cell and name not in NO_CURVES:
                value = _number(path, name, cell)
                if math.isfinite(value):
                    curves = found.plain
                    if name in BY_FEATURES:
                        curves = found.by_space.setdefault(space, {})
                    steps, values = curves.setdefault(name, ([], []))
                    steps.append(step)
                    values.append(value)
    return found


def _number(path: PathLike, name: str | None, cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        raise _damaged(path, f"{name}={str(cell)[:50]!r}") from None


def _damaged(path: PathLike, received: str) -> ValueError:
    return ValueError(
        f"{str(path)!r} must be a table of numbers with columns `step` and `seconds`, as training "
        f"writes it. Repair or remove it. Received: {received}"
    )
