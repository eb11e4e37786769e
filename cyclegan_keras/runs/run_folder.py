"""The folder of a run: found or made, locked, and only ever used for one run."""

import contextlib
import logging
import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

import filelock

from cyclegan_keras._files import (
    PathLike,
    free_name,
    is_unsupported,
    remove_partial,
    write_text,
)
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import record

_log = logging.getLogger(__name__)

CONFIG, HISTORY, CHECKPOINTS = "config.json", "history.csv", "checkpoints"


@contextlib.contextmanager
def opened(
    config: TrainConfig, dataset_name: str, images: dict[str, Any] | None = None
) -> Iterator[pathlib.Path]:
    """Opens the folder of a run, new or begun, for this process alone.

    Args:
        config: The settings. Without a `run_dir`, the folder is that of an unfinished run of the
            same settings and images in `runs`, which comes to the same end as a new one would; or
            else `runs/<dataset>`, or the first of `runs/<dataset>-2`, `-3`, … that is free.
        dataset_name: Of the data set.
        images: The digests of the images, from `provenance`; `None` begins a new run.

    Yields:
        The folder.

    Raises:
        FileExistsError: If there is something else in the folder, or another process at work.
        ValueError: If the run was begun with other settings.
    """
    folder, lock = _found(config, pathlib.Path("runs") / dataset_name, images)
    if config.run_dir is not None:
        folder = pathlib.Path(config.run_dir)
        check_folder(config)
        folder.mkdir(parents=True, exist_ok=True)
    elif folder is None:
        folder = _new_folder(pathlib.Path("runs") / dataset_name)
    lock = lock or _locked(folder)
    if lock is None:
        raise FileExistsError(
            f"Another process is training in {str(folder)!r}. Wait for it, or give another "
            "--run-dir."
        )
    try:
        check_folder(config)  # Again: now nobody can change it any more.
        for place in (folder, folder / "samples"):
            remove_partial(place)
        yield folder
    finally:
        lock.release()


def _locked(folder: pathlib.Path) -> filelock.BaseFileLock | None:
    """Takes the lock of a folder; `None` if another process has it."""
    lock = filelock.FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return None
    except (OSError, NotImplementedError) as error:
        if not is_unsupported(error):
            raise
        _log.warning(
            f"The disk of {str(folder)!r} knows no locks ({error}). See to it that no other "
            "process trains in that folder."
        )
    return lock


def _found(
    config: TrainConfig, wanted: pathlib.Path, images: dict[str, Any] | None
) -> tuple[pathlib.Path | None, filelock.BaseFileLock | None]:
    """Finds the unfinished run that the same command began, and locks it."""
    if config.run_dir is not None or images is None:
        return None, None
    from cyclegan_keras.training.checkpoints import CheckpointStore  # It loads NumPy.

    others: list[str] = []
    same: list[tuple[tuple[int, int], pathlib.Path]] = []
    for folder in _unfinished(wanted):
        if differing := _differing(config, TrainConfig.from_json(folder / CONFIG)):
            others.append(f"{shlex.quote(str(folder))} --resume` goes on with it ({differing})")
            continue
        newest = CheckpointStore(folder / CHECKPOINTS).newest()
        state = None if newest is None else newest.state
        if state is None and not record.results_in(folder):
            same.append(((0, 0), folder))  # Stopped before its first step.
        elif state is not None and state["images"] == images:
            same.append(((state["progress"]["epoch"], state["progress"]["step"]), folder))
    for _, folder in sorted(same, reverse=True):
        if (lock := _locked(folder)) is not None:
            _log.info(f"Going on with {folder}: it is unfinished, of the same settings and images.")
            return folder, lock
    if others:
        _log.info(f"Another run is unfinished: `python train.py --run-dir {others[-1]}.")
    return None, None


def _unfinished(wanted: pathlib.Path) -> list[pathlib.Path]:
    """Lists the folders of a data set's runs that have not come to their end."""
    name = re.compile(rf"{re.escape(wanted.name)}(-\d+)?")
    found = []
    for path in _content(wanted.parent):
        if name.fullmatch(path.name) and (path / CONFIG).is_file():
            with contextlib.suppress(ValueError, OSError):  # Damaged, or of another version.
                config = TrainConfig.from_json(path / CONFIG)
                if record.read_figures(path).get("epochs", 0) < config.epochs:
                    found.append(path)
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _differing(config: TrainConfig, theirs: TrainConfig) -> str:
    """What keeps a command from being the one that began a run; nothing if it may be it."""
    differences = config.differences(theirs)
    differences |= {
        name: (getattr(config, name), getattr(theirs, name))
        for name in ("epochs", "decay_epochs")
        if getattr(config, name) != getattr(theirs, name)
    }
    return ", ".join(f"{name}={other!r}" for name, (_, other) in differences.items())


def has_checkpoints(folder: PathLike) -> bool:
    """Whether there is a checkpoint in a run's folder, whole or not."""
    return any((pathlib.Path(folder) / CHECKPOINTS).glob("checkpoint-*"))


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


def _content(folder: pathlib.Path) -> list[pathlib.Path]:
    return list(folder.iterdir()) if folder.is_dir() else []
