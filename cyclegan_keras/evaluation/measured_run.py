"""What is known of a run without loading its networks: settings, figures, time of training."""

import csv
import dataclasses
import json
import os
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from cyclegan_keras.config import TrainConfig
from cyclegan_keras.evaluation import report_figures
from cyclegan_keras.files import PathLike
from cyclegan_keras.training import runs

HISTORY = "history.csv"
NEEDED = ("num_A", "num_B", "on_test_images")


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, and what was found out about it.

    Attributes:
        folder: Where it is.
        name: Of its folder; the whole path where several have one name.
        config: Its settings.
        figures: Its `metrics.json`.
        seconds: Of training so far, by the steps done; empty if nothing is known.
    """

    folder: pathlib.Path
    name: str
    config: TrainConfig
    figures: dict[str, Any]
    seconds: dict[int, float]

    @property
    def data_set(self) -> str:
        """The name of the folder of images that it was measured on."""
        place = self.config.data_dir
        used = self.config.dataset if place is None else os.path.basename(os.path.abspath(place))
        return self.figures.get("data_set", used)

    @property
    def ways(self) -> list[str]:
        """The ways that were measured."""
        return report_figures.ways(self.figures)

    @property
    def translators(self) -> dict[str, pathlib.Path]:
        """The files that its figures are of, by the names of the generators."""
        measured, found = self.figures.get("translators", []), {}
        for name in (f"g_{way}" for way in self.ways):
            kind = ".best" if f"{name}.best.keras" in measured else ""
            found[name] = self.folder / f"{name}{kind}.keras"
        return found


def read(folders: Sequence[PathLike]) -> list[Run]:
    """Reads runs.

    Args:
        folders: Theirs.

    Returns:
        A run for each.

    Raises:
        FileNotFoundError: If there is no such run, or its translators have not been measured.
        ValueError: If there are fewer than two, one is there twice, or a file is damaged.
    """
    if len(folders) < 2:
        raise ValueError(
            "To compare takes at least two runs; on a single one, `cyclegan evaluate` writes a "
            f"report. Received: {', '.join(repr(str(folder)) for folder in folders)}"
        )
    known: dict[pathlib.Path, PathLike] = {}
    for folder in folders:
        place = pathlib.Path(folder).resolve()
        if place in known:
            raise ValueError(
                "Each run must be given once. "
                f"Received: {str(known[place])!r} and {str(folder)!r}, which are the same"
            )
        known[place] = folder
    names = [place.name for place in known]
    return [
        _read(pathlib.Path(folder), str(folder) if names.count(name) > 1 else name)
        for name, folder in zip(names, folders, strict=True)
    ]


def _read(folder: pathlib.Path, name: str) -> Run:
    if not (folder / runs.CONFIG).is_file():
        raise FileNotFoundError(
            f"There is no run in {str(folder)!r}: it has no {runs.CONFIG}. Give the folder "
            "that training has made, such as runs/fruit."
        )
    return Run(
        folder,
        # Names that are no text can be neither drawn nor written.
        name.encode("utf-8", "backslashreplace").decode("utf-8"),
        TrainConfig.from_json(folder / runs.CONFIG),
        _read_figures(folder),
        _read_seconds(folder / HISTORY),
    )


def _read_figures(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / runs.FIGURES
    measure = f"cyclegan evaluate --run-dir {shlex.quote(str(folder))}"
    try:
        figures = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"The run in {str(folder)!r} has no figures yet: there is no {path.name}. Measure its "
            f"translators with: {measure}"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} is not JSON ({error}). Take it out and measure anew: {measure}"
        ) from None
    if not isinstance(figures, dict) or not all(name in figures for name in NEEDED):
        raise ValueError(
            f"{str(path)!r} must hold figures by name, {', '.join(NEEDED)} among them. Take it out "
            f"and measure anew: {measure}"
        )
    for name, value in figures.items():
        wanted = {"translators": list, "extractor": str, "data_set": str}.get(name, int | float)
        if not isinstance(value, wanted):
            raise ValueError(
                f"{str(path)!r} is damaged. Take it out and measure anew: {measure} "
                f"Received: {name}={str(value)[:50]!r}"
            )
    return figures


def _read_seconds(path: pathlib.Path) -> dict[int, float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            # The last row of a running training is not always whole.
            rows = [row for row in csv.DictReader(file) if row.get("seconds")]
        return {int(row["step"]): float(row["seconds"]) for row in rows}
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(
            f"{str(path)!r} must be a table of numbers with columns `step` and `seconds`, as "
            f"training writes it. Mend it or take it away. Received: {error}"
        ) from None
