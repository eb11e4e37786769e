"""How a training went: what its `history.csv` holds."""

import csv
import dataclasses
import io
import math
import pathlib
from typing import Any

from cyclegan_keras._files import PathLike
from cyclegan_keras.metrics.round_trip import WAYS
from cyclegan_keras.reports import metric_table

# Steps, and what was measured after each.
Curve = tuple[list[int], list[float]]

UNKNOWN = "extractor unknown"
RATE = "learning_rate"
NO_CURVES = ("epoch", "step", "seconds", "extractor")
BY_FEATURES = frozenset(
    figure.name(way)
    for kind in metric_table.KINDS
    if kind.by_features
    for figure in kind.figures
    for way in WAYS
)


@dataclasses.dataclass(frozen=True)
class Curves:
    """How a training went.

    Attributes:
        plain: Losses and figures by name, but for those that depend on an extractor.
        by_space: For the name of each extractor that the training had, the figures that depend on
            it; `UNKNOWN` stands for one that is not named.
        seconds: Of training, by the steps done.
    """

    plain: dict[str, Curve] = dataclasses.field(default_factory=dict)
    by_space: dict[str, dict[str, Curve]] = dataclasses.field(default_factory=dict)
    seconds: dict[int, float] = dataclasses.field(default_factory=dict)


def read(path: PathLike) -> Curves:
    """Reads how a training went.

    Args:
        path: Of its `history.csv`.

    Returns:
        The curves, of finite numbers; none if there is no such file.

    Raises:
        ValueError: If the file is damaged.
    """
    found = Curves()
    try:
        text = pathlib.Path(path).read_text("utf-8")
        # The last row of a running training, or of one with a full disk, is not always whole.
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
        f"writes it. Mend it or take it away. Received: {received}"
    )
