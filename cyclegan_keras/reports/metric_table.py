"""What each figure is called, means, and is held against: the tables of a report."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cyclegan_keras.metrics.round_trip import WAYS

TWO_PLACES, FOUR_PLACES, FOUR_DIGITS = "{:.2f}", "{:.4f}", "{:.4g}"
DECIBELS, SHARE = "{:.2f} dB", "{:.0%}"
LOWER, HIGHER = "lower is better", "higher is better"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of each way, in words.

    Attributes:
        title: What it is called.
        key: Its name in `metrics.json`, with `{way}`, `{source}` and `{target}` in it.
        format: How it is written.
        better: Which way is better.
        meaning: What it is, in a sentence or two.
        against: What to hold it against: words and a name, both with the same in them.
    """

    title: str
    key: str
    format: str
    better: str
    meaning: str
    against: tuple[tuple[str, str], ...] = ()

    def name(self, way: str) -> str:
        """Says the figure's name in `metrics.json`, for one way."""
        return _filled(self.key, way)

    @property
    def best(self) -> Callable[[Iterable[float]], float] | None:
        """What finds the best of several values; `None` where neither end is the best."""
        choices: dict[str, Callable[[Iterable[float]], float]] = {LOWER: min, HIGHER: max}
        return choices.get(self.better)


def title_of(figure: Figure, space: str = "") -> str:
    """Writes what stands above a drawing of a figure.

    Args:
        figure: The figure.
        space: The name of the extractor, if it depends on one.

    Returns:
        One line, or two.
    """
    title = f"{figure.title} ({figure.better})"
    return f"{title}\n{space}" if space else title


@dataclasses.dataclass(frozen=True)
class Kind:
    """Figures that are shown together.

    Attributes:
        title: Of their table.
        about: A sentence on all of them.
        figures: Them.
        by_features: Whether they depend on the extractor.
    """

    title: str
    about: str
    figures: tuple[Figure, ...]
    by_features: bool = False


@dataclasses.dataclass(frozen=True)
class Cell:
    """The value of a figure for one way, and the values to hold it against, as text."""

    value: str
    against: list[str]


TRUTH = Kind(
    "To the truth",
    "The true translation of each image is known; how far is the translation from it?",
    (
        Figure(
            "mean absolute error",
            "truth_{way}",
            TWO_PLACES,
            LOWER,
            "Mean difference of a pixel, in levels of 0 to 255.",
            (("untranslated", "truth_untranslated"),),
        ),
        Figure(
            "PSNR",
            "psnr_{way}",
            DECIBELS,
            HIGHER,
            "Peak signal-to-noise ratio: the squared error, as decibels below the brightest "
            "signal. Large errors weigh more than in the mean absolute error.",
            (("untranslated", "psnr_untranslated"),),
        ),
        Figure(
            "SSIM",
            "ssim_{way}",
            FOUR_PLACES,
            HIGHER,
            "Structural similarity: brightness, contrast and pattern in small windows. Equal "
            "images have 1.",
            (("untranslated", "ssim_untranslated"),),
        ),
    ),
)
LABELS = Kind(
    "As maps of labels",
    "Each pixel of a translation is taken for the class whose colour is nearest, and held against "
    "the class in the truth.",
    (
        Figure(
            "per-pixel accuracy",
            "pixel_accuracy_{way}",
            SHARE,
            HIGHER,
            "Share of the pixels whose class is right.",
        ),
        Figure(
            "per-class accuracy",
            "class_accuracy_{way}",
            SHARE,
            HIGHER,
            "The same within each class, and the mean over the classes: rare ones count as much.",
        ),
        Figure(
            "class IoU",
            "class_iou_{way}",
            SHARE,
            HIGHER,
            "For each class, the pixels that are of it in both, over those that are of it in "
            "either (intersection over union); the mean over the classes.",
        ),
    ),
)
# Distance and strength one under the other: a generator that hardly changes its input can have a
# short distance, and then it has no strength.
FEATURES = Kind(
    "By features",
    "A trained network, the extractor, turns each image into a vector of features; translations "
    "are compared with real images of their target by these. Such figures can only be held "
    "against those of the same extractor. Look at distance and strength together.",
    (
        Figure(
            "kernel distance",
            "kernel_{way}",
            FOUR_PLACES,
            LOWER,
            "How far the translations, as a set, are from real images of the target (squared "
            "maximum mean discrepancy). Sets of one kind have 0, give or take chance.",
            (
                ("untranslated", "kernel_untranslated"),
                ("halves of real {target}", "kernel_real_{target}"),
                ("deviation over blocks", "kernel_std_{way}"),
            ),
        ),
        Figure(
            "strength",
            "strength_{way}",
            SHARE,
            HIGHER,
            "Share of the translations that a classifier, trained on real training images, takes "
            "for the target.",
            (
                ("real {target} taken for {target}", "accuracy_{target}"),
                ("untranslated", "mistaken_{source}"),
            ),
        ),
        Figure(
            "Fréchet distance",
            "frechet_{way}",
            FOUR_DIGITS,
            LOWER,
            "The distance of two Gaussians that fit both sets best. It comes out too large for "
            "few images: hold it against figures of equally many images only.",
            (("untranslated", "frechet_untranslated"),),
        ),
        Figure(
            "density",
            "density_{way}",
            TWO_PLACES,
            "about 1 is best",
            "How crowded with real images the places of the translations are. Less than 1: some "
            "look like no real image. More: they keep to the commonest kind.",
        ),
        Figure(
            "coverage",
            "coverage_{way}",
            SHARE,
            HIGHER,
            "Share of the real images that have a translation near.",
        ),
        Figure(
            "diversity",
            "diversity_{way}",
            SHARE,
            "about 100% is best",
            "How far translations are from each other, in shares of how far real images of the "
            "target are. Far less: the generator makes much the same of everything.",
        ),
    ),
    by_features=True,
)
CHANGE = Kind(
    "There and back",
    "Mean differences of a pixel, in levels of 0 to 255. They do not say whether translations look "
    "right.",
    (
        Figure(
            "cycle error",
            "cycle_{source}",
            TWO_PLACES,
            LOWER,
            "From an image to what is left of it after its way there and back.",
        ),
        Figure(
            "identity error",
            "identity_{target}",
            TWO_PLACES,
            LOWER,
            "What this way's generator changes in images that are of the target already.",
        ),
        Figure(
            "change",
            "change_{way}",
            TWO_PLACES,
            "neither; near 0 it copies",
            "From an image to its translation.",
        ),
    ),
)
KINDS = (TRUTH, LABELS, FEATURES, CHANGE)


def rows(kind: Kind, figures: Mapping[str, Any]) -> list[tuple[Figure, dict[str, Cell | None]]]:
    """Makes the rows of a table.

    Args:
        kind: Which table.
        figures: From `Judge.measure`.

    Returns:
        Each figure that was measured at least one way, with a cell for each way; `None` where it
        was not.
    """
    known = {
        **figures,
        **{
            f"mistaken_{d}": 1 - figures[f"accuracy_{d}"]
            for d in "AB"
            if f"accuracy_{d}" in figures
        },
    }
    found = [
        (figure, {way: _cell(figure, way, known) for way in ways(figures)})
        for figure in kind.figures
    ]
    return [(figure, cells) for figure, cells in found if any(cells.values())]


def ways(figures: Mapping[str, Any]) -> list[str]:
    """Tells which ways figures are of."""
    return [way for way in WAYS if f"change_{way}" in figures]


def _cell(figure: Figure, way: str, known: Mapping[str, Any]) -> Cell | None:
    if figure.name(way) not in known:
        return None
    against = [
        f"{_filled(words, way)}: {figure.format.format(known[_filled(key, way)])}"
        for words, key in figure.against
        if _filled(key, way) in known
    ]
    return Cell(figure.format.format(known[figure.name(way)]), against)


def _filled(text: str, way: str) -> str:
    return text.format(way=way, source=way[0], target=way[1])
