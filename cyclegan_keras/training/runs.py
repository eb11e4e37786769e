"""The folder of a run: found or made, locked, and only ever used for one run."""

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import filelock

from cyclegan_keras.config import TrainConfig
from cyclegan_keras.files import PathLike, is_unsupported, remove_partial, write_text

CONFIG, FIGURES, HISTORY = "config.json", "metrics.json", "history.csv"


def free_name(path: PathLike, suffix: str = "") -> pathlib.Path:
    """Finds a name that is not taken, so that nothing is overwritten.

    Args:
        path: The name that is wanted.
        suffix: Of the name, if it is a file's.

    Returns:
        `path`, or `path-2`, `path-3`, … if there is one of that name already; and the suffix.
    """
    wanted = pathlib.Path(path)
    name, number = wanted.with_name(wanted.name + suffix), 1
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}{suffix}")
    return name


@contextlib.contextmanager
def opened(config: TrainConfig, dataset_name: str) -> Iterator[pathlib.Path]:
    """Opens the folder of a run, new or begun, for this process alone.

    Args:
        config: The settings. Without a `run_dir`, the folder is `runs/<dataset>`, or the first of
            `runs/<dataset>-2`, `-3`, … that is free.
        dataset_name: Of the data set.

    Yields:
        The folder.

    Raises:
        FileExistsError: If there is something else in the folder, or another process at work.
        ValueError: If the run was begun with other settings.
    """
    if config.run_dir is None:
        folder = _new_folder(pathlib.Path("runs") / dataset_name)
    else:
        folder = pathlib.Path(config.run_dir)
        check_folder(config)
        folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise FileExistsError(
            f"Another process is training in {str(folder)!r}. Wait for it, or give another "
            "--run-dir."
        ) from None
    except (OSError, NotImplementedError) as error:
        if not is_unsupported(error):
            raise
        from cyclegan_keras.training.faults import warn  # Only now, for it loads TensorFlow.

        warn(
            f"The disk of {str(folder)!r} knows no locks ({error}). See to it that no other "
            "process trains in that folder."
        )
    try:
        check_folder(config)  # Again: now nobody can change it any more.
        for place in (folder, folder / "samples"):
            remove_partial(place)
        yield folder
    finally:
        lock.release()


def write_settings(folder: pathlib.Path, config: TrainConfig) -> None:
    """Writes the settings of a run, once nothing stands in its way any more.

    Args:
        folder: Of the run.
        config: The settings that it goes on with.
    """
    write_text(folder / CONFIG, config.to_json())


def _new_folder(wanted: pathlib.Path) -> pathlib.Path:
    while True:
        folder = free_name(wanted)
        with contextlib.suppress(FileExistsError):  # Another process was a moment earlier.
            folder.mkdir(parents=True)
            return folder


def check_folder(config: TrainConfig) -> None:
    """Tells early, without touching anything, whether a run can go where it is to go.

    Args:
        config: The settings.

    Raises:
        FileExistsError: If there is something else in the folder.
        ValueError: If the run was begun with other settings.
    """
    if config.run_dir is None:
        return
    folder = pathlib.Path(config.run_dir)
    if not (folder / CONFIG).exists():
        is_used = folder.exists() and not folder.is_dir()
        if is_used or any(not path.name.startswith(".") for path in _content(folder)):
            raise FileExistsError(
                f"There is something in {str(folder)!r} that is no run, and nothing is "
                "overwritten. Give another --run-dir, or move it away."
            )
        return
    differences = config.differences(TrainConfig.from_json(folder / CONFIG))
    if differences:
        shown = ", ".join(
            f"{name}={mine!r} where it was {theirs!r}"
            for name, (mine, theirs) in differences.items()
        )
        raise ValueError(
            f"The run in {str(folder)!r} was begun with other settings. Received: {shown}. Go on "
            "with the old ones (--resume), or give another --run-dir."
        )


def figures_if_finished(config: TrainConfig) -> dict[str, Any] | None:
    """Reads the figures of a run that has nothing left to do.

    Args:
        config: The settings.

    Returns:
        The figures; `None` if the run is not finished, or shall have more epochs.

    Raises:
        ValueError: If the file with the figures is damaged.
    """
    figures = {} if config.run_dir is None else read_figures(config.run_dir)
    return figures if figures.get("epochs", 0) >= config.epochs else None


def read_figures(folder: PathLike) -> dict[str, Any]:
    """Reads the figures of a run.

    Args:
        folder: Of the run.

    Returns:
        What is in its `metrics.json`; nothing if there is no such file.

    Raises:
        ValueError: If the file is damaged.
    """
    path = pathlib.Path(folder) / FIGURES
    try:
        figures = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{str(path)!r} is not JSON ({error}). Take it out.") from None
    if not isinstance(figures, dict):
        raise ValueError(f"{str(path)!r} must hold figures by name. Take it out.")
    for name in ("epochs", "stopped_at_step"):
        if type(figures.get(name, 0)) is not int:
            raise ValueError(
                f"{str(path)!r} is damaged. Take it out. Received: "
                f"{name}={str(figures[name])[:50]!r}"
            )
    return figures


def _content(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
