"""Reading JSON files that come from other people."""

import json
import os
import pathlib
from typing import Any

from cyclegan_keras._files import PathLike

MAX_BYTES = 2**24  # A result of 500 trials has less than a hundredth of that.
LONGEST = 1e9  # Milliseconds, about 11 days.


def read(path: PathLike, wanted: str, version: int, noun: str) -> dict[str, Any]:
    """Reads a file that has a format and a version.

    Args:
        path: Of the file.
        wanted: The format that it must name.
        version: The version that it must have.
        noun: What it is called in errors.

    Returns:
        The object in it, of which nothing but format and version was checked.

    Raises:
        FileNotFoundError: If there is no such file.
        OSError: If it cannot be read.
        ValueError: If it is no such file.
    """
    name = repr(os.fspath(path))
    place = pathlib.Path(path)
    if not place.exists():
        raise FileNotFoundError(f"There is no {noun} {name}.")
    if not place.is_file() or place.stat().st_size > MAX_BYTES:
        raise ValueError(f"{name} is no {noun} of a study: it is no file of at most 16 MB.")
    try:
        content = json.loads(place.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{name} is no {noun} of a study, or damaged: it is not JSON "
            f"({' '.join(str(error).split())[:120]})."
        ) from None
    found = content.get("format") if isinstance(content, dict) else None
    if found != wanted:
        told = f"a {found!r}" if isinstance(found, str) and len(found) < 40 else "something else"
        raise ValueError(f"{name} must be a {wanted}, but it is {told}. Give another file.")
    if content.get("version") != version:
        raise ValueError(
            f"{name} must have version {version}. Update cyclegan_keras to read it. "
            f"Received: version={str(content.get('version'))[:20]}"
        )
    return content


def is_count(value: Any) -> bool:
    """Whether a value is a whole number of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_milliseconds(value: Any) -> bool:
    """Whether a value is a time in milliseconds, of at least 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value <= LONGEST  # Not so for NaN.
