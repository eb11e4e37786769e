"""Colours that stand for classes, in images that are maps of labels."""

from typing import Any

Palette = list[tuple[int, int, int]]


def checked(labels: Any) -> dict[str, Palette]:
    """Makes sure that what somebody wrote down is palettes.

    Args:
        labels: Should be a dict from `"A"`, `"B"` or both to RGB colours in [0, 255], at least two
            and each another one.

    Returns:
        The same, with colours as tuples.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(labels, dict) or not all(
        domain in ("A", "B") and _is_palette(colours) for domain, colours in labels.items()
    ):
        raise ValueError(
            '"labels" must name the colours of the classes, at least two and each another one, '
            'such as {"B": [[0, 0, 224], [255, 0, 0]]}, with numbers in [0, 255]. '
            f"Received: {str(labels)[:200]}"
        )
    return {domain: [tuple(colour) for colour in colours] for domain, colours in labels.items()}


def _is_palette(colours: Any) -> bool:
    if not isinstance(colours, list | tuple) or not all(map(_is_colour, colours)):
        return False
    return len(colours) == len({tuple(colour) for colour in colours}) >= 2


def _is_colour(colour: Any) -> bool:
    return (
        isinstance(colour, list | tuple)
        and len(colour) == 3
        and all(type(level) is int and 0 <= level <= 255 for level in colour)
    )
