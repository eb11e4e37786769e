"""What a run has come to: translators and metrics, and whether these are of those."""

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
EARLIER = "earlier"  # The folder for what tells of weights that were trained further.


def metrics_if_finished(config: TrainConfig) -> dict[str, Any] | None:
    """Reads the metrics of a run that has nothing left to do.

    Args:
        config: The settings.

    Returns:
        The metrics; `None` if the run is not finished, or shall have more epochs.

    Raises:
        ValueError: If the file with the metrics is damaged.
    """
    if config.run_dir is None:
        return None
    metrics = read_metrics(config.run_dir)
    is_stale = stale_translators(pathlib.Path(config.run_dir), metrics)
    return metrics if metrics.get("epochs", 0) >= config.epochs and not is_stale else None


def stale_translators(folder: pathlib.Path, metrics: dict[str, Any]) -> list[str]:
    """Finds translators that are no longer those that metrics were measured of.

    Args:
        folder: Of the run.
        metrics: Its metrics. Those of earlier versions do not say of which weights they are, and
            count as too old where the run has gone on for longer than they say.

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
        folder: Of the run.

    Returns:
        What is in its `metrics.json`; nothing if there is no such file.

    Raises:
        ValueError: If the file is damaged.
    """
    path = pathlib.Path(folder) / METRICS
    try:
        metrics = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not JSON ({error}). Take it out.") from None
    if not isinstance(metrics, dict):
        raise ValueError(f"{str(path)!r} must hold metrics by name. Take it out.")
    if not isinstance(metrics.get("weights", {}), dict):
        raise ValueError(f"{str(path)!r} is damaged. Take it out. Received: weights")
    for name in ("epochs", "stopped_at_step"):
        if type(metrics.get(name, 0)) is not int:
            raise ValueError(
                f"{str(path)!r} is damaged. Take it out. Received: "
                f"{name}={str(metrics[name])[:50]!r}"
            )
    return metrics


def results_in(folder: PathLike) -> list[str]:
    """Lists what a run has come to: translators and metrics.

    Args:
        folder: Of the run.

    Returns:
        Names of files, in order.
    """
    place = pathlib.Path(folder)
    names = (path.name for path in place.iterdir()) if place.is_dir() else ()
    return sorted(name for name in names if name.endswith(".keras") or name == METRICS)


def cannot_go_on(folder: PathLike) -> str | None:
    """Says why a run needs a checkpoint to go on from, if it does.

    Without one it would begin anew and overwrite what it has come to.

    Args:
        folder: Of the run.

    Returns:
        A sentence; `None` if there is nothing to overwrite.
    """
    if not (found := results_in(folder)):
        return None
    return (
        f"The run in {str(folder)!r} has {' and '.join(found[:3])}, but no checkpoint to go on "
        f"from, and nothing is overwritten. Rather {how_to_train_further(folder)}."
    )


def how_to_train_further(folder: PathLike) -> str:
    """Names the way on for a run that cannot go on as it is asked to.

    Args:
        folder: Of the run.

    Returns:
        What to do, without a full stop.
    """
    place = shlex.quote(str(folder))
    return f"train its networks further in another run, with --from {place} and another --run-dir"


def check_nothing_is_lost(folder: PathLike) -> None:
    """Raises an error that teaches if a run without checkpoints has come to something.

    Args:
        folder: Of the run.

    Raises:
        ValueError: If so.
    """
    if (reason := cannot_go_on(folder)) is not None:
        raise ValueError(reason)


def set_aside(folder: pathlib.Path) -> None:
    """Puts away what tells of the translators as they are, before they are trained further.

    Metrics, report and picture go to `earlier` (or `earlier-2`, …), so that nobody takes them for
    those of the new weights, and nothing is lost.

    Args:
        folder: Of the run.
    """
    stale = [folder / name for name in (METRICS, REPORT, PICTURE) if (folder / name).exists()]
    if stale:
        place = free_name(folder / EARLIER)
        place.mkdir()
        for path in stale:
            path.rename(place / path.name)


def weights_of(paths: Iterable[pathlib.Path]) -> dict[str, str | None]:
    """Digests the weights in `.keras` files, whenever they were written.

    Args:
        paths: Of the files.

    Returns:
        SHA-256 by the name of the file; `None` if it is no such file.
    """
    return {path.name: _weights_digest(path) for path in paths}


def _weights_digest(path: pathlib.Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return hashlib.sha256(archive.read("model.weights.h5")).hexdigest()
    except (OSError, KeyError, zipfile.BadZipFile):
        return None
