"""The settings, metrics and curves of a run, read without loading its networks."""

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
# Of entries that are not numbers.
TEXTS = ("extractor", "segmentation", "data_set", "images")
TYPES = {"translators": list, "weights": dict, **dict.fromkeys(TEXTS, str)}


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that was evaluated.

    Attributes:
        folder: Its folder.
        name: The name of the folder; the whole path if several runs have the same name.
        config: Its settings.
        metrics: Its `metrics.json`.
        curves: The curves of its training.
    """

    folder: pathlib.Path
    name: str
    config: TrainConfig
    metrics: dict[str, Any]
    curves: Curves

    @property
    def data_set(self) -> str:
        """The name of the data set that it was evaluated on."""
        place = self.config.data_dir
        used = self.config.dataset if place is None else os.path.basename(os.path.abspath(place))
        return self.metrics.get("data_set", used)

    @property
    def ways(self) -> list[str]:
        """The directions that were evaluated."""
        return metric_table.ways(self.metrics)

    @property
    def translators(self) -> dict[str, pathlib.Path]:
        """The files that were evaluated, by the names of the generators."""
        evaluated, found = self.metrics.get("translators", []), {}
        for name in (f"g_{way}" for way in self.ways):
            kind = ".best" if f"{name}.best.keras" in evaluated else ""
            found[name] = self.folder / f"{name}{kind}.keras"
        return found


def read(folders: Sequence[PathLike]) -> list[Run]:
    """Reads runs.

    Args:
        folders: The folders of the runs.

    Returns:
        The runs, in the same order.

    Raises:
        FileNotFoundError: If a run does not exist or was not evaluated.
        ValueError: If there are fewer than two runs, a run is given twice, a file is damaged, or
            the metrics do not belong to the weights in the folder.
    """
    if len(folders) < 2:
        raise ValueError(
            "A comparison needs at least two runs; for a single one, `cyclegan evaluate` writes a "
            f"report. Received: {', '.join(repr(str(folder)) for folder in folders)}"
        )
    known: dict[pathlib.Path, PathLike] = {}
    for folder in folders:
        place = pathlib.Path(folder).resolve()
        if place in known:
            raise ValueError(
                "Each run must be given once. "
                f"Received: {str(known[place])!r} and {str(folder)!r}, which are the same folder"
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
            f"There is no run in {str(folder)!r}: it has no {run_folder.CONFIG}. Give a folder "
            "that `cyclegan train` has written, such as runs/fruit."
        )
    return Run(
        folder,
        # Unprintable names can be neither drawn nor written, and some control the terminal.
        "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name),
        run_folder.settings_in(folder),
        _read_metrics(folder),
        curves.read(folder / run_folder.HISTORY),
    )


def _read_metrics(folder: pathlib.Path) -> dict[str, Any]:
    path = folder / record.METRICS
    evaluate = f"cyclegan evaluate --run-dir {shlex.quote(str(folder))}"
    try:
        metrics = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"The run in {str(folder)!r} was not evaluated yet: it has no {path.name}. Evaluate it "
            f"with: {evaluate}"
        ) from None
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} is not JSON ({error}). Remove it and evaluate again: {evaluate}"
        ) from None
    if not isinstance(metrics, dict) or not all(name in metrics for name in NEEDED):
        raise ValueError(
            f"{str(path)!r} must contain metrics by name, with {', '.join(NEEDED)}. Remove it and "
            f"evaluate again: {evaluate}"
        )
    for name, value in metrics.items():
        wanted = TYPES.get(name, int | float)
        if not isinstance(value, wanted):
            raise ValueError(
                f"{str(path)!r} is damaged. Remove it and evaluate again: {evaluate} "
                f"Received: {name}={str(value)[:50]!r}"
            )
    if stale := record.stale_translators(folder, metrics):
        raise ValueError(
            f"{str(path)!r} belongs to other weights than those in {' and '.join(stale)}, which "
            f"were trained further. Evaluate again: {evaluate}"
        )
    return metrics
