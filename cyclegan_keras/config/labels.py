"""How the input of a model shows labels: as the colours of a palette, or not at all."""

import json
import pathlib
import re
from typing import Any

AUTO, IMAGE = "auto", "image"

Color = tuple[int, int, int]

_WANTED = (
    f"`labels` must be {AUTO!r}, {IMAGE!r}, the colours of the classes, such as "
    '"#0000e0,#ff0000", at least two and each another one, or a JSON file of such colours'
)


def parse(value: Any) -> str:
    """Returns what a setting says of labels in its one form.

    Args:
        value: "auto", "image", colours such as "#0000e0,#ff0000" or a list of `[r, g, b]`, or the
            path of a JSON file: of such a list, or `{"B": [[r, g, b], ...]}`, which `cyclegan
            evaluate --labels` takes as well. What was found by "auto" stands behind it, as in
            "auto:image".

    Returns:
        "auto", "image" or colours such as "#0000e0,#ff0000", perhaps with "auto:" before.

    Raises:
        ValueError: If it is nothing of that, or the file cannot be read.
    """
    if isinstance(value, list | tuple):
        return _text_of(value, value)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{_WANTED}. Received: labels={value!r}")
    before, _, found = value.rpartition(f"{AUTO}:")
    if not before and found != value:
        return f"{AUTO}:{parse(found)}"
    if value in (AUTO, IMAGE):
        return value
    if re.fullmatch(r"#?[0-9a-fA-F]{6}([,\s]+#?[0-9a-fA-F]{6})*", value.strip()):
        texts = re.findall(r"[0-9a-fA-F]{6}", value)
        colors = [[int(text[place : place + 2], 16) for place in (0, 2, 4)] for text in texts]
        return _text_of(colors, value)
    return _text_of(_read(value), value)


def _read(path: str) -> Any:
    try:
        found = json.loads(pathlib.Path(path).read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"{_WANTED} ({reason}). Received: labels={path!r}") from None
    if isinstance(found, dict):
        if len(found) != 1:
            raise ValueError(
                "The file of `labels` must have the colours of one domain, that of the input. "
                f"Received: those of {', '.join(map(str, found)) or 'none'} in {path!r}"
            )
        (found,) = found.values()
    return found


def _text_of(colors: Any, received: Any) -> str:
    is_right = isinstance(colors, list | tuple) and all(
        isinstance(color, list | tuple)
        and len(color) == 3
        and all(type(level) is int and 0 <= level <= 255 for level in color)
        for color in colors
    )
    if not is_right or not len(colors) == len({tuple(color) for color in colors}) >= 2:
        raise ValueError(f"{_WANTED}. Received: labels={str(received)[:200]!r}")
    return ",".join("#{:02x}{:02x}{:02x}".format(*color) for color in colors)


def colors_of(labels: str) -> list[Color] | None:
    """Reads the colours of the classes.

    Args:
        labels: From `parse`.

    Returns:
        RGB in [0, 255]; `None` if the input is images, or nobody knows yet.
    """
    texts = re.findall(r"#([0-9a-f]{6})", labels)
    return [(int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)) for text in texts] or None
