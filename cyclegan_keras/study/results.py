"""What participants answered, as the files that the page saves."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

from cyclegan_keras._files import PathLike
from cyclegan_keras.study import json_files
from cyclegan_keras.study.key import Key

FORMAT, VERSION = "cyclegan study result", 1
MAX_DEVIATION = 50  # Milliseconds that an image may be shown too long or too short.


@dataclasses.dataclass(frozen=True)
class Person:
    """The answers of one participant.

    Attributes:
        file: Where they are from.
        participant: The random name that the page gave them.
        counted: For each trial that was kept, whether the scored image was chosen.
        lefts: For each of these, whether the left image was chosen.
        dropped: The number of trials left out, because an image was not shown as long as it should.
    """

    file: str
    participant: str
    counted: list[bool]
    lefts: list[bool]
    dropped: int


def study_of(path: PathLike) -> str:
    """Returns the name of the study that a result belongs to.

    Args:
        path: Of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no result.
    """
    content = json_files.read(path, FORMAT, VERSION, "result")
    return str(content.get("study"))[:40]


def read(paths: Sequence[PathLike], key: Key) -> list[Person]:
    """Reads the results of one study.

    Args:
        paths: The files, at least one.
        key: The study's key.

    Returns:
        The participants, in an order that does not depend on that of the files.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If one is no result, is damaged, or belongs to another study; or if two are of
            the same participant.
    """
    known: dict[str, Person] = {}
    for path in paths:
        person = _read(path, key)
        if (earlier := known.get(person.participant)) is not None:
            raise ValueError(
                "Each result must be given once. "
                f"Received: {earlier.file!r} and {person.file!r}, which are of the same participant"
            )
        known[person.participant] = person
    return [known[name] for name in sorted(known)]


def _read(path: PathLike, key: Key) -> Person:
    name = str(pathlib.Path(path))
    content = json_files.read(path, FORMAT, VERSION, "result")
    if content.get("study") != key.study:
        raise ValueError(
            f"{name!r} belongs to another study. Score each study by itself, with its own key. "
            f"Received: study {str(content.get('study'))[:40]!r}, where the key is of {key.study!r}"
        )
    try:
        return _person(name, content, key)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The result {name!r} is damaged, and does not count. Ask the participant for the file "
            f"again, or leave it out. Received: {type(error).__name__}: {str(error)[:80]}"
        ) from None


def _person(name: str, content: dict[str, Any], key: Key) -> Person:
    participant = content["participant"]
    if not isinstance(participant, str) or not participant:
        raise ValueError("no participant")
    counted, lefts, seen = [], [], set()
    for trial in content["trials"]:
        sides = {"left": trial["left"], "right": trial["right"]}
        if not all(json_files.is_count(place) for place in sides.values()):
            raise ValueError("places that are no numbers")
        low, high = sorted(sides.values())
        pair = (low, high)
        if pair not in key.scored or pair in seen:
            raise ValueError(f"images {list(pair)}, no trial of the study or one twice")
        seen.add(pair)
        is_chosen = sides[trial["chosen"]] == key.scored[pair]
        if _was_shown_well(trial, key.exposure_ms):
            counted.append(is_chosen)
            lefts.append(trial["chosen"] == "left")
    if len(seen) != len(key.scored):
        raise ValueError(f"{len(seen)} trials of {len(key.scored)}")
    return Person(name, participant, counted, lefts, len(seen) - len(counted))


def _was_shown_well(trial: dict[str, Any], exposure_ms: float) -> bool:
    one, other = trial["exposure_ms"]
    if not all(json_files.is_milliseconds(time) for time in (one, other)):
        raise ValueError("exposure_ms")
    if not isinstance(trial["left_page"], bool):
        raise ValueError("left_page")
    if trial["left_page"]:
        return False
    return all(abs(time - exposure_ms) <= MAX_DEVIATION for time in (one, other))
