"""What is known of a run without loading its networks: settings, figures, time of training."""

import dataclasses
import json
import os
import pathlib
import shlex
from collections.abc import Sequence
from typing import Any

from cyclegan_keras._files import PathLike
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.reports import curves, metric_table
from cyclegan_keras.reports.curves import Curves
from cyclegan_keras.runs import record, run_folder

NEEDED = ("num_A", "num_B", "on_test_images", "images")
# Of figures that are no numbers.
TYPES = {"translators": list, "extractor": str, "data_set": str, "images": str, "weights": dict}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run, and what was found out about it.

    Attributes:
        folder: Where it is.
        name: Of its folder; the whole path where several have one name.
        config: Its settings.
        figures: Its `metrics.json`.
        curves: How its training went.
    """

    folder: pathlib.Path
    name: str
    config: TrainConfig
    figures: dict[str, Any]
    curves: Curves

    @property
    def data_set(self) -> str:
        """The name of the folder of images that it was measured on."""
        place = self.config.data_dir
        used = self.config.dataset if place is None else os.path.basename(os.path.abspath(place))
        return self.figures.get("data_set", used)

    @property
    def ways(self) -> list[str]:
        """The ways that were measured."""
        return metric_table.ways(self.figures)

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
        ValueError: If there are fewer than two, one is there twice, a file is damaged, or figures
            are of other weights than the translators have.
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
    if not (folder / run_folder.CONFIG).is_file():
        raise FileNotFoundError(
            f"There is no run in {str(folder)!r}: it has no {run_folder.CONFIG}. Give the folder "
            "that training has made, such as runs/fruit."
        )
    return Run(
        folder,
        # Names that are no text can be neither drawn nor written, and some do things to a terminal.
        "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name),
        run_folder.settings_in(folder),
        _read_figures(folder),
        curves.read(folder / run_folder.HISTORY),
    )


def _read_figures(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / record.FIGURES
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
        wanted = TYPES.get(name, int | float)
        if not isinstance(value, wanted):
            raise ValueError(
                f"{str(path)!r} is damaged. Take it out and measure anew: {measure} "
                f"Received: {name}={str(value)[:50]!r}"
            )
    if stale := record.stale_translators(folder, figures):
        raise ValueError(
            f"{str(path)!r} tells of other weights than those in {' and '.join(stale)}, which were "
            f"trained further. Measure anew: {measure}"
        )
    return figures
