"""All figures that say how good translators are on a data set."""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from cyclegan_keras.data import augment
from cyclegan_keras.data.images import denormalize
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics import (
    diagnostics,
    distances,
    paired,
    round_trip,
    segmentation,
)
from cyclegan_keras.metrics.domain_classifier import DomainClassifier
from cyclegan_keras.metrics.features import Extractor, Features

Figures = dict[str, Any]

MAX_TRAIN_IMAGES = 500  # of each domain, for the classifier and for nearest neighbours
# Without test images, every so manieth training image is kept from the classifier, to test it on.
HOLD_OUT = 5
K = diagnostics.MIN_DENSITY - 1  # The neighbour that density and coverage go by.


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was found out about translators.

    Attributes:
        figures: Numbers by name, and the name of the extractor; see `Judge.measure`.
        cycle_errors: For `"A"` and `"B"`, the cycle error of each image, in the order of
            `Judge.pixels`; empty of one generator alone.
        features: For each way, `"AB"` and `"BA"`, the feature vectors of the translations, in the
            same order; empty without an extractor.
    """

    figures: Figures
    cycle_errors: dict[str, np.ndarray]
    features: dict[str, Features]


class Judge:
    """Measures translators, as often as wanted, always on the same images.

    These are the test images or, where there are none, the training images; of more than 500 a
    domain, 500, evenly spaced. What does not depend on the translators is measured once.

    Args:
        loader: Where the images come from.
        extractor: The network whose features images are compared by; `None` leaves out all that
            takes features.
        palettes: For a domain, `"A"` or `"B"`, whose images are maps of labels, the colour of each
            class; `None` means what the data set says of itself.

    Attributes:
        extractor: As given.
        pixels: For `"A"` and `"B"`, the images that it measures on, `(count, height, width, 3)`,
            uint8.
        paths: For `"A"` and `"B"`, their files.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the test images are said to be pairs and are not.
    """

    def __init__(
        self,
        loader: DataLoader,
        extractor: Extractor | None = None,
        palettes: Mapping[str, segmentation.Palette] | None = None,
    ) -> None:
        paired.check_pairs(loader)
        self.extractor = extractor
        self._loader = loader
        self._palettes = loader.palettes if palettes is None else palettes
        self.pixels = {
            domain: round_trip.spread(loader.evaluation_pixels(domain)) for domain in "AB"
        }
        self.paths = round_trip.files(loader)
        # Already now: when a long training ends, the files may be gone.
        self._digest = round_trip.digest(self.paths)
        self._real: _Real | None = None

    @property
    def real(self) -> "_Real":
        """What the extractor sees in the real images.

        Raises:
            FileNotFoundError: If there are no training images.
            ValueError: If there is no extractor, or a domain has too few images.
        """
        if self.extractor is None:
            raise ValueError("A `Judge` without an extractor has no features.")
        if self._real is None:
            self._real = _Real(self._loader, self.extractor, self.pixels)
        return self._real

    def measure(self, translators: dict[str, Any]) -> Measured:
        """Measures generators.

        Args:
            translators: By name, `g_AB`, `g_BA` or both.

        Returns:
            Figures, and what they are the means of. The figures are, for the way from A to B (and
            likewise `_BA`; what needs the way back, or features, or the truth, only where there is
            such a thing):

            `change_AB` (from image to translation), `cycle_A` (there and back against the
            original), `identity_A` (an image of A through the generator that makes A): mean
            absolute differences in 8-bit levels, in [0, 255].
            `truth_AB`, `psnr_AB`, `ssim_AB`: translation against the truth, with
            `truth_untranslated`, `psnr_untranslated` and `ssim_untranslated`, the same both ways,
            to hold them against.
            `pixel_accuracy_AB`, `class_accuracy_AB`, `class_iou_AB`: where B are maps of labels and
            the truth is known, shares in [0, 1].
            `extractor`: the name of the feature space of all that follows.
            `kernel_AB` and `frechet_AB`: from the translations to the real images of B, with
            `kernel_untranslated` and `frechet_untranslated` of the real images of A to B, and
            `kernel_real_A` and `kernel_real_B` between random halves of real images, to hold them
            against; `kernel_std_AB` over blocks, where there were several.
            `density_AB` and `coverage_AB` of the translations among the real images of B.
            `strength_AB`: share of the translations that a classifier takes for B, with
            `accuracy_A` and `accuracy_B`, its shares of real images told right.
            `diversity_AB`: how far translations are from each other, in shares of how far real
            images of B are.
            `num_A`, `num_B`: the numbers of images; `on_test_images` says which, and `images` is
            the digest of them all.
        """
        figures: Figures = {
            "num_A": len(self.pixels["A"]),
            "num_B": len(self.pixels["B"]),
            "on_test_images": self._loader.has_test_images,
            "images": self._digest,
        }
        if self.extractor is not None:
            figures |= {"extractor": self.extractor.name, **self.real.figures}
        cycle_errors, features = {}, {}
        for way in round_trip.ways_of(translators):
            source = way[0]
            errors, labels, vectors = self._translate(translators, way)
            for name, values in errors.items():
                # Both ways back, and untranslated, there is one of it for each domain, or for all.
                by_domain = f"{name}_{source}" if name in ("cycle", "identity") else f"{name}_{way}"
                key = name if name.endswith("untranslated") else by_domain
                figures[key] = float(np.mean(values))
            if "cycle" in errors:
                cycle_errors[source] = errors["cycle"]
            if labels is not None:
                figures |= {f"{key}_{way}": x for key, x in segmentation.scores(labels).items()}
            if vectors is not None:
                features[way] = vectors
                figures |= {f"{key}_{way}": x for key, x in self.real.judge(way, vectors).items()}
        return Measured(figures, cycle_errors, features)

    def _translate(
        self, translators: dict[str, Any], way: str
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None, Features | None]:
        """Translates all images one way, and keeps of each only what was measured."""
        source, target = way[0], way[1]
        truths = self.pixels[target] if self._loader.test_pairs else None
        palette = self._palettes.get(target) if truths is not None else None
        errors: dict[str, list[np.ndarray]] = defaultdict(list)
        vectors, confusion = [], None
        for batch in round_trip.batches(translators, way, self.pixels[source], truths):
            for name, values in paired.errors(batch).items():
                errors[name].append(values)
            if self.extractor is not None:
                vectors.append(self.extractor(denormalize(batch.translated)))
            if palette is not None and batch.truth is not None:
                found = _confusion(batch.truth, batch.translated, palette)
                confusion = found if confusion is None else confusion + found
        return (
            {name: np.concatenate(values) for name, values in errors.items()},
            confusion,
            Features(np.concatenate(vectors), self.extractor.name) if self.extractor else None,
        )


def _confusion(
    true_imgs: np.ndarray, translated: np.ndarray, palette: segmentation.Palette
) -> np.ndarray:
    true, found = (segmentation.nearest_labels(imgs, palette) for imgs in (true_imgs, translated))
    return segmentation.confusion_matrix(true, found, len(palette))


class _Real:
    """The features of real images, and what follows from them alone.

    Args:
        loader: Where the images come from.
        extractor: What makes features.
        pixels: The images to measure on, of both domains.
    """

    def __init__(
        self, loader: DataLoader, extractor: Extractor, pixels: dict[str, np.ndarray]
    ) -> None:
        least, why = 2, ""
        if not loader.has_test_images:
            least = 3
            why = ", since one of them is kept from the classifier and there are no test images"
        for domain in "AB":
            if len(pixels[domain]) < least:
                raise ValueError(
                    f"Sets of images are compared by features, which takes at least {least} images "
                    f"of each domain{why}; without features, it takes none (--extractor none). "
                    f"Received: {len(pixels[domain])} of {domain}"
                )
        self.test = {domain: extractor.features(pixels[domain]) for domain in "AB"}
        self.train, train_pixels = self.test, pixels
        if loader.has_test_images:
            centres = {d: augment.centre(_to_train_on(loader, d), loader.img_res) for d in "AB"}
            train_pixels = {d: round_trip.spread(centres[d], MAX_TRAIN_IMAGES) for d in "AB"}
            self.train = {d: extractor.features(train_pixels[d]) for d in "AB"}
        # Which images a seed draws must not depend on the names of their files.
        train, test = (
            {d: _by_content(features[d], shown[d]) for d in "AB"}
            for features, shown in ((self.train, train_pixels), (self.test, pixels))
        )
        self._classifier, accuracies = _classify(train, test, loader.has_test_images)
        one, other = self.test["A"], self.test["B"]
        self.figures: Figures = {
            "kernel_untranslated": distances.kernel_distance(one, other).mean,
            "frechet_untranslated": distances.frechet_distance(one, other),
            **{
                f"kernel_real_{domain}": distances.of_halves(features)
                for domain, features in test.items()
                if len(features) >= 4
            },
            **{f"accuracy_{domain}": accuracy for domain, accuracy in accuracies.items()},
        }

    def judge(self, way: str, features: Features) -> Figures:
        """Compares translations with the real images of their target."""
        target = way[1]
        real = self.test[target]
        kernel = distances.kernel_distance(features, real)
        figures: Figures = {
            "kernel": kernel.mean,
            "frechet": distances.frechet_distance(features, real),
            "strength": self._classifier.share_of("A" if target == "A" else "B", features),
        }
        if variety := distances.diversity(real):
            figures["diversity"] = distances.diversity(features) / variety
        if kernel.std is not None:
            figures["kernel_std"] = kernel.std
        if len(real) > K:
            nearness = distances.density_coverage(real, features, K)
            figures |= {"density": nearness.density, "coverage": nearness.coverage}
        return figures


def _by_content(features: Features, pixels: np.ndarray) -> Features:
    """Puts the features of images into an order that only their pixels decide."""
    digests = [hashlib.sha256(img.tobytes()).digest() for img in pixels]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return Features(features.values[order], features.extractor)


def _classify(
    train: dict[str, Features], test: dict[str, Features], has_test_images: bool
) -> tuple[DomainClassifier, dict[str, float]]:
    """Trains the classifier, and tests it on images that it has not seen."""
    if not has_test_images:
        train = {d: _every(train[d], False) for d in "AB"}
        test = {d: _every(test[d], True) for d in "AB"}
    classifier = DomainClassifier(train["A"], train["B"])
    return classifier, {
        "A": classifier.share_of("A", test["A"]),
        "B": classifier.share_of("B", test["B"]),
    }


def _to_train_on(loader: DataLoader, domain: str) -> np.ndarray:
    try:
        return loader.pixels(domain)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error} Strength takes training images to learn the domains from; without features, "
            "there is no need of them (--extractor none)."
        ) from None


def _every(features: Features, held_out: bool) -> Features:
    is_held = np.arange(len(features)) % HOLD_OUT == 0
    return Features(features.values[is_held == held_out], features.extractor)
