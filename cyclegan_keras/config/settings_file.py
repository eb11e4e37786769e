"""Files of settings: those that people write, and those that runs of any version have written."""

import json
import os
import pathlib
from collections.abc import Collection
from typing import Any

from cyclegan_keras._files import PathLike

# Files without a version have all settings side by side, by their flat names.
VERSION = 2
# What every version has written of each run.
_ALWAYS = {"dataset", "data_dir", "image_size", "batch_size", "epochs", "sample_interval", "seed"}
_ALWAYS |= {"run_dir", "learning_rate"}


def read(path: PathLike) -> dict[str, Any]:
    """Reads a file of settings.

    Args:
        path: Of the file.

    Returns:
        What is in it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON, has a setting twice, or is of a later version.
    """
    name = os.fspath(path)
    try:
        text = pathlib.Path(path).read_text("utf-8-sig")  # Some editors put a mark before it.
        settings = json.loads(text, object_pairs_hook=_each_once)
    except FileNotFoundError:
        raise FileNotFoundError(f"No settings file {name!r}.") from None
    except OSError as error:
        raise ValueError(
            f"Cannot read the settings file {name!r}: {error.strerror}. Give a file, such as "
            "the config.json in the folder of a run."
        ) from None
    except ValueError as error:
        raise ValueError(f"The settings file {name!r} is not JSON: {error}.") from None
    if not isinstance(settings, dict):
        raise ValueError(f"The settings file {name!r} must be an object. Received: {settings}")
    version = settings.get("version", 1)
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(
            f"The settings file {name!r} is of version {version!r}, and this program reads files "
            f"up to version {VERSION}. Install a newer cyclegan-keras."
        )
    return settings


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    settings = dict(pairs)
    if len(settings) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} is there more than once")
    return settings


def is_of_a_run(names: Collection[str]) -> bool:
    """Returns whether a file with these settings was written by a run, and not by hand."""
    return {*names} >= _ALWAYS


def completed(values: dict[str, Any]) -> dict[str, Any]:
    """Adds to the file of an earlier version what the default of a setting does not say.

    Any other setting that came later has a default that changes nothing.

    Args:
        values: What a run has written, by flat names.

    Returns:
        The values.
    """
    # Residual generators could not let black and white pass at first.
    return {"exact_residual": not values.get("residual_output"), **values}
