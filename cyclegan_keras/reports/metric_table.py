"""The name, meaning and reference values of each metric: the tables of a report."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cyclegan_keras.metrics import hidden_code
from cyclegan_keras.metrics.round_trip import WAYS

TWO_PLACES, FOUR_PLACES, FOUR_DIGITS = "{:.2f}", "{:.4f}", "{:.4g}"
DECIBELS, SHARE, PERMILLE = "{:.2f} dB", "{:.0%}", "{:.1%}"
LOWER, HIGHER = "lower is better", "higher is better"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric that each direction has, in words.

    Attributes:
        title: Its name.
        key: Its key in `metrics.json`, a template with `{way}`, `{source}` and `{target}`.
        format: The format of its values.
        better: Whether lower or higher is better.
        meaning: Its definition in a sentence or two.
        references: Its reference values: for each, a label and a key, which are such templates,
            too.
    """

    title: str
    key: str
    format: str
    better: str
    meaning: str
    references: tuple[tuple[str, str], ...] = ()

    def name(self, way: str) -> str:
        """Fills in the key for one direction."""
        return filled(self.key, way)

    @property
    def best(self) -> Callable[[Iterable[float]], float] | None:
        """Finds the best of several values; `None` if neither the lowest nor the highest is."""
        choices: dict[str, Callable[[Iterable[float]], float]] = {LOWER: min, HIGHER: max}
        return choices.get(self.better)


def title_of(metric: Metric, space: str = "") -> str:
    """Makes the title of a chart.

    Args:
        metric: The metric.
        space: The name of the extractor, if the metric depends on one.

    Returns:
        One line, or two.
    """
    title = f"{metric.title} ({metric.better})"
    return f"{title}\n{space}" if space else title


@dataclasses.dataclass(frozen=True)
class Kind:
    """Metrics that share a table.

    Attributes:
        title: Of the table.
        about: A sentence about all of them.
        metrics: The metrics.
        measured_by: The key in `metrics.json` of the network that they were measured with, if
            there is one. Only values of the same network are comparable.
    """

    title: str
    about: str
    metrics: tuple[Metric, ...]
    measured_by: str | None = None

    @property
    def by_features(self) -> bool:
        """Whether they depend on the extractor."""
        return self.measured_by == "extractor"


@dataclasses.dataclass(frozen=True)
class Cell:
    """The value of a metric for one direction, and its reference values, as text."""

    value: str
    references: list[str]


TRUTH = Kind(
    "Errors to the ground truth",
    "Each translation is compared with its ground truth.",
    (
        Metric(
            "mean absolute error",
            "truth_{way}",
            TWO_PLACES,
            LOWER,
            "Mean absolute difference of a pixel, in levels of 0 to 255.",
            (("untranslated", "truth_untranslated"),),
        ),
        Metric(
            "PSNR",
            "psnr_{way}",
            DECIBELS,
            HIGHER,
            "Peak signal-to-noise ratio: the mean squared error, in decibels below the largest "
            "possible value. Large errors weigh more than in the mean absolute error.",
            (("untranslated", "psnr_untranslated"),),
        ),
        Metric(
            "SSIM",
            "ssim_{way}",
            FOUR_PLACES,
            HIGHER,
            "Structural similarity: compares brightness, contrast and structure in small windows. "
            "Equal images have 1.",
            (("untranslated", "ssim_untranslated"),),
        ),
        Metric(
            "mean absolute error with the true latent",
            "truth_encoded_{way}",
            TWO_PLACES,
            LOWER,
            "As the mean absolute error, with the latent that the encoder finds in the image and "
            "its ground truth, not with a random one.",
            (("random latents", "truth_{way}"),),
        ),
        Metric(
            "mean squared error",
            "mse_{way}",
            FOUR_PLACES,
            LOWER,
            "Mean squared difference of numbers in [-1, 1]; with the true latent, if there are "
            "latents.",
        ),
    ),
)
LABELS = Kind(
    "Segmentation scores",
    "Each pixel of a translation counts as the class with the nearest color, and is compared with "
    "the class in the ground truth.",
    (
        Metric(
            "per-pixel accuracy",
            "pixel_accuracy_{way}",
            SHARE,
            HIGHER,
            "Share of the pixels with the correct class.",
        ),
        Metric(
            "per-class accuracy",
            "class_accuracy_{way}",
            SHARE,
            HIGHER,
            "The same within each class, averaged over the classes, so that all count alike.",
        ),
        Metric(
            "class IoU",
            "class_iou_{way}",
            SHARE,
            HIGHER,
            "For each class, the pixels in both images divided by those in either (intersection "
            "over union), averaged over the classes.",
        ),
    ),
)
SEGMENTATION = Kind(
    "Segmentation of photos made from labels",
    "A small network, trained on real photos and their labels, says what each pixel of a generated "
    "photo shows, and that is compared with the labels that the photo was made from. Its own score "
    "on the real photos is the ceiling.",
    tuple(
        Metric(
            f"{metric.title} of photos",
            f"seg_{metric.key}",
            SHARE,
            HIGHER,
            metric.meaning,
            tuple(
                (words, f"seg_{metric.key.removesuffix('_{way}')}_{end}_{{target}}")
                for words, end in (("real photos", "real"), ("most frequent class", "frequent"))
            ),
        )
        for metric in LABELS.metrics
    ),
    measured_by="segmentation",
)
# KID and classification rate stand together: a generator that hardly changes its input can have a
# low KID, but then it has a low classification rate.
FEATURES = Kind(
    "Feature metrics",
    "A trained network, the extractor, turns each image into a feature vector, and the features of "
    "translations are compared with those of real images of the target domain. Only values from "
    "the same extractor are comparable. Read KID and classification rate together.",
    (
        Metric(
            "KID (kernel distance)",
            "kernel_{way}",
            FOUR_PLACES,
            LOWER,
            "Distance of the set of translations to the real images of the target domain (squared "
            "maximum mean discrepancy). Sets from one distribution have 0 on average.",
            (
                ("untranslated", "kernel_untranslated"),
                ("halves of real {target}", "kernel_real_{target}"),
                ("standard deviation over blocks", "kernel_std_{way}"),
            ),
        ),
        Metric(
            "target-domain classification rate",
            "strength_{way}",
            SHARE,
            HIGHER,
            "Share of the translations that a classifier, trained on real training images, "
            "assigns to the target domain.",
            (
                ("real {target}", "accuracy_{target}"),
                ("untranslated", "mistaken_{source}"),
            ),
        ),
        Metric(
            "FID (Fréchet distance)",
            "frechet_{way}",
            FOUR_DIGITS,
            LOWER,
            "Distance between Gaussians fitted to both sets. It is biased upwards for few images: "
            "compare only values from equal numbers of images.",
            (("untranslated", "frechet_untranslated"),),
        ),
        Metric(
            "density",
            "density_{way}",
            TWO_PLACES,
            "about 1 is best",
            "Density of real images around the translations. Below 1, some translations look like "
            "no real image; above 1, they concentrate on the most common kind.",
        ),
        Metric(
            "coverage",
            "coverage_{way}",
            SHARE,
            HIGHER,
            "Share of the real images with a translation nearby.",
        ),
        Metric(
            "diversity",
            "diversity_{way}",
            SHARE,
            "about 100% is best",
            "Mean distance between translations, relative to that between real images of the "
            "target domain. Far below 100%, the generator produces nearly the same image for every "
            "input.",
        ),
        Metric(
            "diversity of one image",
            "one_to_many_{way}",
            SHARE,
            "below 100%; neither",
            "Mean distance between 10 translations of one image with random latents, relative to "
            "that between real images of the target domain. A generator without a latent has 0%.",
        ),
    ),
    measured_by="extractor",
)
CHANGE = Kind(
    "Cycle, identity and change",
    "Mean absolute differences of a pixel, in levels of 0 to 255. They do not show whether "
    "translations look right.",
    (
        Metric(
            "cycle error",
            "cycle_{source}",
            TWO_PLACES,
            LOWER,
            "Between an image and its reconstruction, the image translated there and back.",
        ),
        Metric(
            "identity error",
            "identity_{target}",
            TWO_PLACES,
            LOWER,
            "What the generator changes in images that are of the target domain already.",
        ),
        Metric(
            "inversion error",
            "inversion_{way}",
            TWO_PLACES,
            LOWER,
            "Of a generator that translates by inversion: between an image and what the generator "
            "of its own domain makes of the latent variable that was found for it. What is lost "
            "here is lost in the translation as well.",
        ),
        Metric(
            "change",
            "change_{way}",
            TWO_PLACES,
            "neither; near 0, the generator copies",
            "Between an image and its translation.",
        ),
    ),
)
CLASSIFIERS = Kind(
    "Classification of B",
    "Classifiers label images of B. All but the last one have learned from labels of A alone.",
    (
        Metric(
            "source only",
            "label_source_{way}",
            PERMILLE,
            HIGHER,
            "Share of the images of B that a classifier labels rightly which was trained on images "
            "of A as they are.",
            (("of A", "label_source_A"), ("all as the most frequent class", "label_most_B")),
        ),
        Metric(
            "image stage",
            "label_image_{way}",
            PERMILLE,
            HIGHER,
            "Of a classifier that was trained on images of A translated to B.",
        ),
        Metric(
            "feature stage",
            "label_feature_{way}",
            PERMILLE,
            HIGHER,
            "Of the classifier of the source, adapted until its scores of B look like those of A.",
        ),
        Metric(
            "image and feature stage",
            "label_both_{way}",
            PERMILLE,
            HIGHER,
            "Of the classifier of the image stage, adapted likewise.",
        ),
        Metric(
            "trained on B",
            "label_target_{way}",
            PERMILLE,
            HIGHER,
            "Of a classifier that was trained on labels of B, which the others have not seen.",
        ),
        Metric(
            "labels kept",
            "kept_{way}",
            PERMILLE,
            HIGHER,
            "Share of the translations that a classifier, trained on real images of the target "
            "domain, gives the label of their original.",
        ),
    ),
)
LATENTS = Kind(
    "Latents",
    "A latent decides what a translation has and its source does not tell.",
    (
        Metric(
            "error of the latent",
            "latent_error_{way}",
            FOUR_PLACES,
            LOWER,
            "Mean absolute difference between the numbers of a random latent and those that the "
            "encoder finds in the translation with it. If all were 0, it would be 0.80.",
        ),
    ),
)
HIDDEN = Kind(
    "Hidden code",
    "Cycle errors, with noise on the translation before it is translated back, in levels of 0 to "
    "255. If they grow much with noise that nobody sees, the way back reads what it needs from an "
    "invisible code in the pixels, and not from what the translation shows.",
    tuple(
        Metric(
            f"with noise of {level:g} level{'' if level == 1 else 's'}",
            f"noisy_cycle_{level:g}_{{source}}",
            TWO_PLACES,
            LOWER,
            f"The standard deviation of the noise is {level:g} of 255 levels.",
            (("without noise", "cycle_{source}"),),
        )
        for level in hidden_code.LEVELS
    ),
)
KINDS = (TRUTH, CLASSIFIERS, LABELS, SEGMENTATION, FEATURES, LATENTS, CHANGE, HIDDEN)


def rows(kind: Kind, metrics: Mapping[str, Any]) -> list[tuple[Metric, dict[str, Cell | None]]]:
    """Makes the rows of a table.

    Args:
        kind: The table.
        metrics: From `Evaluator.evaluate`.

    Returns:
        Each metric that was computed for at least one direction, with a cell for each direction;
        `None` where it was not.
    """
    known = with_mistaken(metrics)
    found = [
        (metric, {way: _cell(metric, way, known) for way in ways(metrics)})
        for metric in kind.metrics
    ]
    return [(metric, cells) for metric, cells in found if any(cells.values())]


def with_mistaken(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Adds the shares of real images that a classifier assigns to the other domain."""
    shares = {d: metrics[f"accuracy_{d}"] for d in "AB" if f"accuracy_{d}" in metrics}
    return {**metrics, **{f"mistaken_{d}": 1 - share for d, share in shares.items()}}


def ways(metrics: Mapping[str, Any]) -> list[str]:
    """Lists the directions that metrics are of."""
    return [way for way in WAYS if f"change_{way}" in metrics]


def _cell(metric: Metric, way: str, known: Mapping[str, Any]) -> Cell | None:
    if metric.name(way) not in known:
        return None
    references = [
        f"{filled(words, way)}: {metric.format.format(known[filled(key, way)])}"
        for words, key in metric.references
        if filled(key, way) in known
    ]
    return Cell(metric.format.format(known[metric.name(way)]), references)


def filled(text: str, way: str) -> str:
    """Fills in a template of `Metric` for one direction."""
    return text.format(way=way, source=way[0], target=way[1])
