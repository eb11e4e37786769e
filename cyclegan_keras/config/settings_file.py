"""Files of settings: those that people write, and those that runs of any version have written."""

import json
import os
import pathlib
from collections.abc import Collection
from typing import Any

from cyclegan_keras._files import PathLike

# What the first version wrote of each run, when there was the book's recipe only.
_FIRST = {"dataset", "data_dir", "image_size", "batch_size", "epochs", "sample_interval", "seed"}
_FIRST |= {"run_dir", "lambda_cycle", "lambda_id", "gf", "df", "learning_rate"}
# Settings of a recipe that came after the recipes did. A new one has its place here, too.
_LATER = {"padding", "norm", "skips", "residual", "d_norm", "d_shift", "d_colour", "d_source"}
_LATER |= {"exact_residual"}


def read(path: PathLike, known: Collection[str]) -> dict[str, Any]:
    """Reads a file of settings.

    Args:
        path: Of the file.
        known: The names of all settings.

    Returns:
        What is in it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON, or has settings that do not exist, or one twice.
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
    if not isinstance(settings, dict) or not settings.keys() <= {*known}:
        unknown = sorted(settings.keys() - {*known}) if isinstance(settings, dict) else settings
        raise ValueError(
            f"The settings file {name!r} must be an object with keys among {sorted(known)}. "
            f"Received: {unknown}"
        )
    return settings


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    settings = dict(pairs)
    if len(settings) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{max(names, key=names.count)!r} is there more than once")
    return settings


def completed(settings: dict[str, Any], book: dict[str, Any]) -> dict[str, Any]:
    """Adds to the file of an earlier version's run what there was no setting for until then.

    Args:
        settings: What is in a file.
        book: All that recipes decide, as the book's has it.

    Returns:
        The settings. One that was written by hand, with a recipe or the defaults and some changed,
        is as it was.
    """
    if settings.keys() >= _FIRST and "recipe" not in settings:
        return {**book, **settings}
    if settings.keys() >= book.keys() - _LATER:
        # Residual generators could not let black and white pass at first.
        later = {
            **{name: book[name] for name in _LATER},
            "exact_residual": not settings.get("residual"),
        }
        return {**later, **settings}
    return settings
