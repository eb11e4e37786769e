"""The key of a study: what the page does not tell."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterable
from typing import Any

from cyclegan_keras._files import PathLike, write_text
from cyclegan_keras.study import json_files

FORMAT, VERSION = "cyclegan study key", 1
SUFFIX = ".key.json"
REAL_OR_FAKE, TWO_RUNS = "real or fake", "two runs"


@dataclasses.dataclass(frozen=True)
class Key:
    """What is needed to score the results of a study.

    Attributes:
        study: The study's random name, 16 hexadecimal digits, which page and results have as well.
        kind: `REAL_OR_FAKE` or `TWO_RUNS`.
        way: `"AB"` or `"BA"`.
        runs: The name of the run, or of both.
        exposure_ms: How long an image is to be shown, in milliseconds.
        scored: For the pair of places of each trial, the place whose choice is counted: that of the
            translation, or of the first run.
        about: What else is worth knowing later: data set, generators, the files of each pair.
    """

    study: str
    kind: str
    way: str
    runs: tuple[str, ...]
    exposure_ms: float
    scored: dict[tuple[int, int], int]
    about: dict[str, Any]


def place(page: PathLike) -> pathlib.Path:
    """Returns where the key of a page is: `study.key.json` beside `study.html`."""
    path = pathlib.Path(page)
    return path.with_name(path.stem + SUFFIX)


def check_free(page: PathLike) -> None:
    """Checks that neither a page nor its key exists.

    Args:
        page: Of the page.

    Raises:
        FileExistsError: If one of them does.
    """
    for path in (page, place(page)):
        check_missing(path)


def check_missing(path: PathLike) -> None:
    """Checks that a file of a study does not exist.

    Args:
        path: Of the file.

    Raises:
        FileExistsError: If it does.
    """
    if os.path.lexists(path):  # Also a link that leads nowhere.
        raise FileExistsError(
            f"{str(path)!r} exists, and a study is never replaced, since its results could not be "
            "scored any more. Give another --output."
        )


def write(path: PathLike, key: Key) -> None:
    """Writes a key whole or not at all.

    Args:
        path: Of the file, which must not exist.
        key: The key.

    Raises:
        FileExistsError: If there is a file.
        OSError: If it cannot be written.
    """
    check_missing(path)
    content = {
        "format": FORMAT,
        "version": VERSION,
        **{name: getattr(key, name) for name in ("study", "kind", "way", "runs", "exposure_ms")},
        "trials": [{"pair": pair, "scored": scored} for pair, scored in key.scored.items()],
        "about": key.about,
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


def read(path: PathLike) -> Key:
    """Reads a key.

    Args:
        path: Of the file.

    Returns:
        The key.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a key, or damaged.
    """
    content = json_files.read(path, FORMAT, VERSION, "key")
    try:
        return _key(content)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The key {str(path)!r} is damaged. Take the one that `cyclegan study make` has "
            f"written. Received: {type(error).__name__}: {str(error)[:80]}"
        ) from None


def _key(content: dict[str, Any]) -> Key:
    scored = {}
    for trial in content["trials"]:
        one, other = trial["pair"]
        pair, place = (one, other), trial["scored"]
        if not all(json_files.is_count(value) for value in (*pair, place)):
            raise ValueError("places that are no numbers")
        if not one < other or place not in pair or pair in scored:
            raise ValueError(f"pair {list(pair)} with {place}")
        scored[pair] = place
    if len(places := [place for pair in scored for place in pair]) != len(set(places)):
        raise ValueError("an image in two pairs")
    runs = tuple(content["runs"])
    expected = {REAL_OR_FAKE: 1, TWO_RUNS: 2}[content["kind"]]
    texts = (content["study"], content["way"], *runs)
    if not scored or len(runs) != expected or not all(isinstance(text, str) for text in texts):
        raise ValueError("no trials or no runs")
    if not json_files.is_milliseconds(content["exposure_ms"]) or not content["exposure_ms"]:
        raise ValueError("exposure_ms")
    return Key(
        content["study"],
        content["kind"],
        content["way"],
        runs,
        content["exposure_ms"],
        scored,
        dict(content.get("about", {})),
    )


def find(study: str, folders: Iterable[PathLike]) -> pathlib.Path:
    """Finds the key of a study by its name.

    Args:
        study: The name in a result.
        folders: Where to look, the first first.

    Returns:
        The file.

    Raises:
        FileNotFoundError: If it is in none of them.
    """
    looked = dict.fromkeys(pathlib.Path(folder) for folder in folders)
    for folder in looked:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                if read(path).study == study:
                    return path
            except (OSError, ValueError):
                continue  # Of another study, or damaged: then it is not found, and asked for.
    where = " and ".join(repr(str(folder)) for folder in looked)
    raise FileNotFoundError(
        f"The key of study {study!r} is not in {where}. Give the file that `cyclegan study make` "
        "has written beside the page, with --key."
    )
