"""The folder of a run: found or created, locked, and never shared by two runs."""

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
    locked,
    remove_partial,
    write_text,
)
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import record

_log = logging.getLogger(__name__)

CONFIG, HISTORY, CHECKPOINTS = "config.json", "history.csv", record.CHECKPOINTS


@contextlib.contextmanager
def opened(
    config: TrainConfig, dataset_name: str, images: dict[str, Any] | None = None
) -> Iterator[pathlib.Path]:
    """Opens the folder of a run, new or begun, for this process alone.

    Args:
        config: The settings. Without a `run_dir`, the folder is that of an unfinished run with the
            same settings and images in `runs`, which ends with the same result as a new one; or
            else `runs/<dataset>`, or the first of `runs/<dataset>-2`, `-3`, … that is free.
        dataset_name: The name of the data set.
        images: The digests of the images, from `provenance`; `None` begins a new run.

    Yields:
        The folder.

    Raises:
        FileExistsError: If the folder contains something else, or another process is using it.
        ValueError: If the run was begun with other settings.
    """
    wanted = pathlib.Path("runs") / dataset_name
    if config.run_dir is not None:
        folder = pathlib.Path(config.run_dir)
        check_folder(config)
        folder.mkdir(parents=True, exist_ok=True)
        if (lock := _locked(folder)) is None:
            raise FileExistsError(
                f"Another process is training in {str(folder)!r}. Wait for it, or give another "
                "--run-dir."
            )
    else:
        folder, lock = _unfinished_folder(config, wanted, images) or _new_folder(wanted)
    try:
        check_folder(config)  # Again, now that no other process can change it.
        for place in (folder, folder / "samples"):
            remove_partial(place)
        yield folder
    finally:
        lock.release()


def _locked(folder: pathlib.Path) -> filelock.BaseFileLock | None:
    """Takes the lock of a folder; `None` if another process has it."""
    return locked(folder / ".lock", _log.warning)


def _unfinished_folder(
    config: TrainConfig, wanted: pathlib.Path, images: dict[str, Any] | None
) -> tuple[pathlib.Path, filelock.BaseFileLock] | None:
    """Finds the unfinished run that the same command began, and locks it.

    The run is identified by its images, not by the name of their folder.
    """
    if images is None:
        return None
    from cyclegan_keras.training.checkpoints import CheckpointStore  # It loads NumPy.

    others: list[str] = []
    same: list[tuple[tuple[int, int], pathlib.Path]] = []
    is_named = re.compile(rf"{re.escape(wanted.name)}(-\d+)?").fullmatch
    folders = [path.parent for path in wanted.parent.glob(f"*/{CONFIG}")]
    for folder in sorted(folders, key=lambda path: (len(path.name), path.name)):
        # A folder that is damaged, of another version or not readable is skipped.
        with contextlib.suppress(ValueError, OSError):
            theirs = TrainConfig.from_json(folder / CONFIG)
            if record.read_metrics(folder).get("epochs", 0) >= theirs.epochs:
                continue
            if differing := _differing(config, theirs):
                if is_named(folder.name):
                    place = shlex.quote(str(folder))
                    others.append(f"{place} --resume` continues it ({differing})")
                continue
            newest = CheckpointStore(folder / CHECKPOINTS).newest()
            if newest is not None and _are_the_same(newest.state.get("images"), images):
                progress = newest.state["progress"]
                same.append(((progress["epoch"], progress["step"]), folder))
            elif is_named(folder.name) and not (
                has_checkpoints(folder) or record.results_in(folder)
            ):
                same.append(((0, 0), folder))  # Interrupted before its first step.
    for _, folder in sorted(same, reverse=True):
        with contextlib.suppress(OSError):  # Not writable.
            if (lock := _locked(folder)) is not None:
                _log.info(
                    f"Continuing the unfinished run in {folder}, with the same settings and images."
                )
                return folder, lock
    if others:
        _log.info(f"Another run is unfinished: `python train.py --run-dir {others[-1]}.")
    return None


def _are_the_same(mine: dict[str, Any] | None, theirs: dict[str, Any]) -> bool:
    from cyclegan_keras.runs import provenance  # It loads TensorFlow.

    return (
        mine is not None
        and mine.keys() == theirs.keys()
        and all(provenance.are_the_same(mine[name], theirs[name]) for name in mine)
    )


def _differing(config: TrainConfig, theirs: TrainConfig) -> str:
    """Lists the settings in which a command differs from the one that began a run."""
    differences = config.differences(theirs)
    if config.minutes is not None and config.minutes == theirs.minutes:
        config = config.replace(minutes=config.minutes, epochs=theirs.epochs, steps=theirs.steps)
    differences |= {
        name: (getattr(config, name), getattr(theirs, name))
        for name in ("minutes", "epochs", "decay_epochs", "patience", "steps")
        if getattr(config, name) != getattr(theirs, name)
    }
    return ", ".join(f"{name}={other!r}" for name, (_, other) in differences.items())


def with_decided(config: TrainConfig, folder: PathLike) -> TrainConfig:
    """Takes what a run has decided by the time that it may take.

    Args:
        config: The settings of a command.
        folder: Of the run, which may not have begun.

    Returns:
        The settings, with `epochs` and `steps` of the run if it has decided them.

    Raises:
        ValueError: If the run was begun with another time, or with none.
    """
    path = pathlib.Path(folder) / CONFIG
    if config.minutes is None or not path.exists() or not has_checkpoints(folder):
        return config
    theirs = TrainConfig.from_json(path)
    if theirs.minutes != config.minutes:
        raise ValueError(
            f"The run in {str(folder)!r} was begun with minutes={theirs.minutes}, by which its "
            "length is decided. Leave --minutes out, or give --epochs to train it further. "
            f"Received: minutes={config.minutes}"
        )
    return config.replace(minutes=theirs.minutes, epochs=theirs.epochs, steps=theirs.steps)


def has_checkpoints(folder: PathLike) -> bool:
    """Whether the folder of a run contains a checkpoint, complete or not."""
    return any((pathlib.Path(folder) / CHECKPOINTS).glob("checkpoint-*"))


def settings_in(folder: PathLike) -> TrainConfig:
    """Reads the settings of a run.

    Args:
        folder: The folder of the run.

    Returns:
        Its settings, with the folder as `run_dir`, even if it was moved since.

    Raises:
        FileNotFoundError: If it has no settings file.
        ValueError: If the settings file is damaged.
    """
    config = TrainConfig.from_json(pathlib.Path(folder) / CONFIG)
    return config.replace(run_dir=str(folder))


def write_settings(folder: pathlib.Path, config: TrainConfig) -> None:
    """Writes the settings of a run.

    Args:
        folder: The folder of the run.
        config: The settings.
    """
    write_text(folder / CONFIG, config.to_json())


def _new_folder(wanted: pathlib.Path) -> tuple[pathlib.Path, filelock.BaseFileLock]:
    """Creates the first folder whose name is free, or takes an empty one, and locks it."""
    wanted.parent.mkdir(parents=True, exist_ok=True)
    number, folder = 1, wanted
    while True:
        lock = None
        try:
            folder.mkdir()
            lock = _locked(folder)
        except FileExistsError:  # A folder, a file, or a broken link.
            with contextlib.suppress(OSError):  # Not readable or writable.
                lock = _locked(folder) if _is_empty(folder) else None
        if lock is not None:
            if _is_empty(folder):  # Another process may have used it until now.
                return folder, lock
            lock.release()
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")


def _is_empty(folder: pathlib.Path) -> bool:
    """Whether a folder contains nothing but hidden files, such as a lock."""
    return all(path.name.startswith(".") for path in folder.iterdir())


def check_folder(config: TrainConfig) -> None:
    """Checks early, without changing anything, whether a run can use its folder.

    Args:
        config: The settings.

    Raises:
        FileExistsError: If the folder contains something else.
        ValueError: If the run was begun with other settings.
    """
    if config.run_dir is None:
        return
    folder = pathlib.Path(config.run_dir)
    if not (folder / CONFIG).exists():
        if folder.exists() and not (folder.is_dir() and _is_empty(folder)):
            raise FileExistsError(
                f"{str(folder)!r} contains something that is not a run, and nothing is "
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
            f"The run in {str(folder)!r} was begun with other settings. Received: {shown}. Leave "
            f"{'that' if len(differences) == 1 else 'them'} out to continue with the old ones, or "
            f"{record.how_to_train_further(folder)}."
        )
