"""The results of a run: saved generators and metrics, and whether they belong together."""

import hashlib
import json
import pathlib
import shlex
import zipfile
from collections.abc import Iterable
from typing import Any

from cyclegan_keras._files import PathLike, free_name
from cyclegan_keras.config.train_config import TrainConfig

METRICS, REPORT, PICTURE = "metrics.json", "report.html", "translations.png"
CHECKPOINTS = "checkpoints"
EARLIER = "earlier"  # The folder for the results of weights that were trained further.


def metrics_if_finished(config: TrainConfig) -> dict[str, Any] | None:
    """Reads the metrics of a run if it is finished.

    Args:
        config: The settings.

    Returns:
        The metrics; `None` if the run is not finished, or `epochs` has been increased.

    Raises:
        ValueError: If the file with the metrics is damaged.
    """
    if config.run_dir is None:
        return None
    metrics = read_metrics(config.run_dir)
    is_stale = stale_translators(pathlib.Path(config.run_dir), metrics)
    return metrics if metrics.get("epochs", 0) >= config.epochs and not is_stale else None


def stale_translators(folder: pathlib.Path, metrics: dict[str, Any]) -> list[str]:
    """Finds saved generators that metrics do not belong to, because they were trained further.

    Args:
        folder: The folder of the run.
        metrics: Of the run. Those of earlier versions do not record the weights, and count as
            outdated if the run was trained for longer than they say.

    Returns:
        Names of files.
    """
    if (digests := metrics.get("weights")) is None:
        from cyclegan_keras.training.checkpoints import CheckpointStore  # It loads NumPy.

        newest = CheckpointStore(folder / CHECKPOINTS).newest() if "epochs" in metrics else None
        progress = {"epoch": 0, "step": 0} if newest is None else newest.state["progress"]
        if (progress["epoch"], progress["step"]) > (metrics.get("epochs", 0), 0):
            return [path.name for path in sorted(folder.glob("g_??.keras"))]
        return []
    return [name for name, digest in digests.items() if _weights_digest(folder / name) != digest]


def read_metrics(folder: PathLike) -> dict[str, Any]:
    """Reads the metrics of a run.

    Args:
        folder: The folder of the run.

    Returns:
        The contents of its `metrics.json`; empty if the file does not exist.

    Raises:
        ValueError: If the file is damaged.
    """
    path = pathlib.Path(folder) / METRICS
    try:
        metrics = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not JSON ({error}). Remove it.") from None
    if not isinstance(metrics, dict):
        raise ValueError(f"{str(path)!r} must contain metrics by name. Remove it.")
    if not isinstance(metrics.get("weights", {}), dict):
        raise ValueError(f"{str(path)!r} is damaged. Remove it. Received: weights")
    for name in ("epochs", "stopped_at_step"):
        if type(metrics.get(name, 0)) is not int:
            raise ValueError(
                f"{str(path)!r} is damaged. Remove it. Received: {name}={str(metrics[name])[:50]!r}"
            )
    return metrics


def results_in(folder: PathLike) -> list[str]:
    """Lists the results of a run: saved generators and metrics.

    Args:
        folder: The folder of the run.

    Returns:
        Names of files, sorted.
    """
    place = pathlib.Path(folder)
    names = (path.name for path in place.iterdir()) if place.is_dir() else ()
    return sorted(name for name in names if name.endswith(".keras") or name == METRICS)


def cannot_go_on(folder: PathLike) -> str | None:
    """Explains why a run without checkpoints cannot be resumed, if it has results.

    It would begin again and overwrite them.

    Args:
        folder: The folder of the run.

    Returns:
        A sentence; `None` if there is nothing to overwrite.
    """
    if not (found := results_in(folder)):
        return None
    return (
        f"The run in {str(folder)!r} has {' and '.join(found[:3])}, but no checkpoint to resume "
        f"from, and nothing is overwritten. Instead, {how_to_train_further(folder)}."
    )


def how_to_train_further(folder: PathLike) -> str:
    """Explains how to train the networks of a run further if it cannot be resumed.

    Args:
        folder: The folder of the run.

    Returns:
        An instruction, without a full stop.
    """
    place = shlex.quote(str(folder))
    return f"train its networks further in another run, with --from {place} and another --run-dir"


def check_nothing_is_lost(folder: PathLike) -> None:
    """Checks that a run without checkpoints has no results that would be overwritten.

    Args:
        folder: The folder of the run.

    Raises:
        ValueError: If it has.
    """
    if (reason := cannot_go_on(folder)) is not None:
        raise ValueError(reason)


def set_aside(folder: pathlib.Path) -> None:
    """Moves the results of the present generators away before these are trained further.

    Metrics, report and picture go to `earlier` (or `earlier-2`, …), so that nothing is lost, and
    nobody mistakes them for those of the new weights.

    Args:
        folder: The folder of the run.
    """
    stale = [folder / name for name in (METRICS, REPORT, PICTURE) if (folder / name).exists()]
    if stale:
        place = free_name(folder / EARLIER)
        place.mkdir()
        for path in stale:
            path.rename(place / path.name)


def weights_of(paths: Iterable[pathlib.Path]) -> dict[str, str | None]:
    """Computes digests of the weights in `.keras` files, which do not depend on the date.

    Args:
        paths: The files.

    Returns:
        SHA-256 by the name of the file; `None` if it cannot be read.
    """
    return {path.name: _weights_digest(path) for path in paths}


def _weights_digest(path: pathlib.Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return hashlib.sha256(archive.read("model.weights.h5")).hexdigest()
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
