"""The page of a study: one HTML file that works without a network, and does not know the truth."""

import base64
import dataclasses
import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from typing import Any

import jinja2
import markupsafe
import numpy as np

from cyclegan_keras.study import results, sheets
from cyclegan_keras.study.dealing import Deal
from cyclegan_keras.study.material import Material

_TEMPLATES = importlib.resources.files("cyclegan_keras.study") / "templates"


@dataclasses.dataclass(frozen=True)
class Timing:
    """The times of a trial, in milliseconds, as in the pix2pix and CycleGAN studies.

    Attributes:
        before: The blank before the first image.
        exposure: How long each image is shown.
        between: The blank between the images.
        answer: From the end of the second image to when an answer is taken.
        feedback: How long both images are shown with their truth, in practice.
    """

    before: int = 900
    exposure: int = 1000
    between: int = 600
    answer: int = 100
    feedback: int = 2400

    @property
    def trial(self) -> int:
        """All but the answer and the feedback."""
        return self.before + 2 * self.exposure + self.between + self.answer


SECONDS_TO_ANSWER = 1.5  # A guess, for how long a participant is told that it takes.


def render(study: str, material: Material, deal: Deal, timing: Timing, subject: str | None) -> str:
    """Makes the page.

    Args:
        study: The study's random name.
        material: The pairs of images.
        deal: Where they are, and the trials.
        timing: The times of a trial.
        subject: What the images show, in words for the participants.

    Returns:
        HTML. It tells which image is real for practice trials only.
    """
    size = sheets.shown_size(*material.scored.shape[1:3])
    placed: dict[int, np.ndarray] = {
        place: img
        for places, imgs in ((deal.scored, material.scored), (deal.other, material.other))
        for place, img in zip(places, imgs, strict=True)
    }
    down, across = sheets.pitch(size)
    data = {
        "study": study,
        "format": results.FORMAT,
        "version": results.VERSION,
        "hasReal": material.has_real,
        "timing": dataclasses.asdict(timing),
        "size": size,
        "pitch": [down, across],
        "columns": sheets.COLUMNS,
        "perSheet": sheets.PER_SHEET,
        "practice": [
            {"pair": deal.pair(index), "real": deal.other[index] if material.has_real else None}
            for index in deal.practice
        ],
        # In an order that says no more than the places do, which are random.
        "trials": sorted(deal.pair(index) for index in deal.trials),
        "sheets": list(sheets.sheets([placed[place] for place in sorted(placed)], size)),
    }
    script, style = _text("study.js"), _text("study.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    seconds = (
        len(deal.practice) * (timing.feedback if material.has_real else 0)
        + (len(deal.practice) + len(deal.trials)) * timing.trial
    ) / 1000 + (len(deal.practice) + len(deal.trials)) * SECONDS_TO_ANSWER
    page = (
        _environment()
        .from_string(_text("study.html.j2"))
        .render(
            data=data,
            script=markupsafe.Markup(script),
            script_digest=digest,
            style=markupsafe.Markup(style),
            subject=subject,
            has_real=material.has_real,
            num_practice=len(deal.practice),
            num_trials=len(deal.trials),
            exposure=f"{timing.exposure / 1000:g}",
            minutes=max(1, round(seconds / 60)),
            examples=[_example(img, size) for img in material.examples],
        )
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _example(pixels: np.ndarray, size: Sequence[int]) -> str:
    return sheets.data_uri(sheets.shown(pixels, (max(1, size[0] // 2), max(1, size[1] // 2))))


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


@functools.cache
def _environment() -> Any:
    return jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
