"""The score of a study: how often people were fooled, or which run they preferred."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from cyclegan_keras._text import counted
from cyclegan_keras.study.key import TWO_RUNS, Key
from cyclegan_keras.study.results import MAX_DEVIATION, Person
from cyclegan_keras.study.statistics import Rate, binomial_test, bootstrapped_rate

FEW_PEOPLE = 10
# Of 40 trials, at least 31 on one side. Of a thousand people who toss coins, one does that at most.
ONE_SIDED = 0.001


@dataclasses.dataclass(frozen=True)
class Scores:
    """The figures of a study.

    Attributes:
        rate: The share of trials in which the scored image was chosen: how often people were
            fooled, or preferred the first run.
        p_value: Of the exact binomial test of that share against a half.
        left: The share of trials in which the left image was chosen.
        left_p_value: Of the exact binomial test of that share against a half.
        num_people: With at least one trial that counts.
        num_trials: That count.
        num_dropped: Trials that do not, because an image was not shown as long as it should.
        without_trials: The files of people who have no trial that counts.
        one_sided: The files of people who nearly always chose the same side, and the share of
            choices of the left.
    """

    rate: Rate
    p_value: float
    left: float
    left_p_value: float
    num_people: int
    num_trials: int
    num_dropped: int
    without_trials: list[str]
    one_sided: list[tuple[str, float]]


def score(people: Sequence[Person]) -> Scores:
    """Computes the figures of a study.

    Args:
        people: From `results.read`.

    Returns:
        The figures.

    Raises:
        ValueError: If no trial is left.
    """
    kept = [person for person in people if person.counted]
    if not kept:
        raise ValueError(
            "No trial counts: in each, an image was shown more than "
            f"{MAX_DEVIATION} ms too long or too short, or the page was left. Repeat the study in "
            f"another browser or computer. Received: {counted(len(people), 'result')}"
        )
    counts = [sum(person.counted) for person in kept]
    totals = [len(person.counted) for person in kept]
    lefts = [sum(person.lefts) for person in kept]
    num_trials = sum(totals)
    return Scores(
        bootstrapped_rate(counts, totals),
        binomial_test(sum(counts), num_trials),
        sum(lefts) / num_trials,
        binomial_test(sum(lefts), num_trials),
        len(kept),
        num_trials,
        sum(person.dropped for person in people),
        [person.file for person in people if not person.counted],
        [
            (person.file, left / total)
            for person, left, total in zip(kept, lefts, totals, strict=True)
            if binomial_test(left, total) < ONE_SIDED
        ],
    )


def as_json(scores: Scores, key: Key) -> dict[str, Any]:
    """Arranges the figures for a file.

    Args:
        scores: From `score`.
        key: The study's key.

    Returns:
        What `json.dumps` takes.
    """
    about = {"study": key.study, "kind": key.kind, "way": key.way, "runs": list(key.runs)}
    return {**about, **dataclasses.asdict(scores)}


def summary(scores: Scores, key: Key) -> list[str]:
    """Puts the figures into words.

    Args:
        scores: From `score`.
        key: The study's key.

    Returns:
        Lines for the terminal, warnings last.
    """
    rate, way = scores.rate, " → ".join(key.way)
    title = "Preferred" if key.kind == TWO_RUNS else "Fooled"
    kind = (
        f"{key.runs[0]} or {key.runs[1]}" if key.kind == TWO_RUNS else f"{key.runs[0]}, {key.kind}"
    )
    of = f" chose {key.runs[0]}" if key.kind == TWO_RUNS else " took the translation for real"
    lines = [
        f"Study      {kind}, {way}",
        f"People     {scores.num_people}, {counted(scores.num_trials, 'trial')}"
        f", {scores.num_dropped} dropped",
        f"{title:<10} {rate.value:.1%}{of}, ± {rate.std:.1%} "
        f"(95% interval {rate.low:.1%} to {rate.high:.1%})",
        f"Against ½  p = {scores.p_value:.2g} (exact binomial test)",
        f"Left       {scores.left:.1%} of the choices, p = {scores.left_p_value:.2g}",
    ]
    return lines + warnings(scores)


def warnings(scores: Scores) -> list[str]:
    """Tells what makes the figures doubtful.

    Args:
        scores: From `score`.

    Returns:
        Sentences.
    """
    found = []
    if scores.num_people < FEW_PEOPLE:
        found.append(
            f"These are fewer than {FEW_PEOPLE} people: the interval is too narrow, since it "
            "cannot know how much people differ."
        )
    if scores.num_dropped:
        found.append(
            f"{counted(scores.num_dropped, 'trial')} dropped: an image was shown more than "
            f"{MAX_DEVIATION} ms too long or too short, or the page was left meanwhile."
        )
    if scores.without_trials:
        names = ", ".join(map(repr, scores.without_trials))
        found.append(f"No trial counts of {names}.")
    if scores.left_p_value < ONE_SIDED:
        found.append("The sides were not chosen equally often; see the single files.")
    for file, left in scores.one_sided:
        found.append(f"{file!r} chose the left in {left:.0%} of the trials. It is counted.")
    return found
