"""All metrics of generators on a data set."""

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from cyclegan_keras.data import augment
from cyclegan_keras.data.images import denormalize
from cyclegan_keras.data.labels import LabelledDataLoader
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics import (
    diagnostics,
    distances,
    hidden_code,
    label_accuracy,
    latents,
    paired,
    round_trip,
    segmentation,
)
from cyclegan_keras.metrics.domain_classifier import DomainClassifier
from cyclegan_keras.metrics.features import Extractor, Features

Metrics = dict[str, Any]

MAX_TRAIN_IMAGES = 500  # per domain, for the classifier and for nearest neighbors
# Without test images, one training image in this many is held out to test the classifier.
HOLD_OUT = 5
K = diagnostics.MIN_DENSITY - 1  # The nearest neighbor that density and coverage use.


@dataclasses.dataclass(frozen=True)
class Results:
    """The results of an evaluation.

    Attributes:
        metrics: Values by name, and the name of the extractor; see `Evaluator.evaluate`.
        cycle_errors: For `"A"` and `"B"`, the cycle error of each image, in the order of
            `Evaluator.pixels`; empty if there is only one generator.
        features: For each direction, `"AB"` and `"BA"`, the feature vectors of the translations,
            in the same order; empty without an extractor.
    """

    metrics: Metrics
    cycle_errors: dict[str, np.ndarray]
    features: dict[str, Features]


class Evaluator:
    """Evaluates generators, as often as needed, always on the same images.

    It uses the test images or, if there are none, the training images; at most 500 per domain,
    evenly spaced. What does not depend on the generators is computed once.

    Args:
        loader: Loads the images.
        extractor: The network whose features are compared; `None` leaves out all metrics that need
            features.
        palettes: For each domain, `"A"` or `"B"`, whose images are label maps, the color of each
            class; `None` takes those of the data set.
        classifiers: The names of networks that label images, if the loader is a
            `LabelledDataLoader`. They are measured as far as `evaluate` gets them.

    Attributes:
        extractor: As given.
        pixels: For `"A"` and `"B"`, the images that it evaluates on, `(count, height, width, 3)`,
            uint8.
        paths: For `"A"` and `"B"`, the files of these images.

    Raises:
        FileNotFoundError: If the data set's folder does not exist.
        ValueError: If `dataset.json` declares the test images pairs, but they are not.
    """

    def __init__(
        self,
        loader: DataLoader,
        extractor: Extractor | None = None,
        palettes: Mapping[str, segmentation.Palette] | None = None,
        classifiers: Collection[str] = (),
    ) -> None:
        paired.check_pairs(loader)
        self.extractor = extractor
        self._loader = loader
        self._classifiers = tuple(classifiers)
        self._palettes = loader.palettes if palettes is None else palettes
        self.pixels = {
            domain: round_trip.spread(loader.evaluation_pixels(domain)) for domain in "AB"
        }
        self.paths = round_trip.files(loader)
        # Computed now, because the files may be gone when a long training ends.
        self._digest = round_trip.digest(self.paths)
        self._real: _Real | None = None

    @property
    def real(self) -> "_Real":
        """The features of the real images, and the metrics that depend on them alone.

        Raises:
            FileNotFoundError: If there are no training images.
            ValueError: If there is no extractor, or a domain has too few images.
        """
        if self.extractor is None:
            raise ValueError(
                "Features need an extractor. Give `Evaluator` one, such as "
                "`features.choose()`. Received: extractor=None"
            )
        if self._real is None:
            self._real = _Real(self._loader, self.extractor, self.pixels)
        return self._real

    def evaluate(self, generators: dict[str, Any]) -> Results:
        """Computes all metrics of generators.

        Args:
            generators: By name, `g_AB`, `g_BA` or both; their encoders, `e_A` and `e_B`, if they
                have latents; and the classifiers.

        Returns:
            The metrics, and the values of single images behind them. The metrics of the direction
            from A to B are listed here; those of B to A end with `_BA`. Metrics that need the
            opposite generator, features or the ground truth are left out where these are missing.

            `change_AB` (translation against input), `cycle_A` (an image of A translated to B and
            back, against the original), `identity_A` (an image of A translated by `g_BA`, against
            the original): mean absolute differences in 8-bit levels, in [0, 255].
            `inversion_AB`: what the generator took an image of A for, against the image, if it
            translates by inversion; likewise.
            `truth_AB`, `psnr_AB`, `ssim_AB`: translation against the ground truth. Reference
            values: `truth_untranslated`, `psnr_untranslated` and `ssim_untranslated`, which are the
            same in both directions.
            `pixel_accuracy_AB`, `class_accuracy_AB`, `class_iou_AB`: segmentation scores in [0, 1],
            if images of B are label maps and the ground truth is known.
            `extractor`: the name of the network whose features all following metrics compare.
            `kernel_AB` and `frechet_AB`: KID (kernel distance) and FID (Fréchet distance) between
            translations and real images of B. Reference values: `kernel_untranslated` and
            `frechet_untranslated`, between real images of A and B; `kernel_real_A` and
            `kernel_real_B`, between random halves of the real images. `kernel_std_AB` is the
            standard deviation over the blocks, if there were several.
            `density_AB` and `coverage_AB` of the translations among the real images of B.
            `strength_AB`: target-domain classification rate, the share of the translations that a
            classifier assigns to B. Reference values: `accuracy_A` and `accuracy_B`, the shares of
            real images that it classifies correctly.
            `diversity_AB`: mean distance between translations, divided by that between real images
            of B.
            Those of `label_accuracy.label_metrics`, if there are classifiers.
            `num_A`, `num_B`: the numbers of images. `on_test_images` tells whether they are test
            images; `images` is a digest of their files.
        """
        metrics: Metrics = {
            "num_A": len(self.pixels["A"]),
            "num_B": len(self.pixels["B"]),
            "on_test_images": self._loader.has_test_images,
            "images": self._digest,
        }
        if self.extractor is not None:
            metrics |= {"extractor": self.extractor.name, **self.real.metrics}
        cycle_errors, features = {}, {}
        for way in round_trip.ways_of(generators):
            source = way[0]
            errors, labels, vectors = self._translate(generators, way)
            for name, values in errors.items():
                # Cycle and identity errors are named by domain; reference values have no suffix.
                by_domain = f"{name}_{source}" if name in ("cycle", "identity") else f"{name}_{way}"
                key = name if name.endswith("untranslated") else by_domain
                metrics[key] = float(np.mean(values))
            if "cycle" in errors:
                cycle_errors[source] = errors["cycle"]
            if labels is not None:
                metrics |= {f"{key}_{way}": x for key, x in segmentation.scores(labels).items()}
            if vectors is not None:
                features[way] = vectors
                metrics |= {f"{key}_{way}": x for key, x in self.real.compare(way, vectors).items()}
        classifiers = {name: generators[name] for name in self._classifiers if name in generators}
        if classifiers:
            metrics |= label_accuracy.label_metrics(
                generators, classifiers, self.pixels, self._labels()
            )
        return Results(metrics, cycle_errors, features)

    def _labels(self) -> dict[str, np.ndarray | None]:
        """The labels of the images that it evaluates on."""
        if not isinstance(self._loader, LabelledDataLoader):
            return {"A": None, "B": None}
        found = {domain: self._loader.evaluation_labels(domain) for domain in "AB"}
        return {d: None if of is None else round_trip.spread(of) for d, of in found.items()}

    def evaluate_thoroughly(self, generators: dict[str, Any]) -> Results:
        """Computes all metrics of generators, those included that take longer.

        Args:
            generators: As for `evaluate`.

        Returns:
            As `evaluate`, with more metrics: `noisy_cycle_1_A` and so on (`hidden_code.measure`);
            `one_to_many_AB`, `latent_error_AB`, and, if the ground truth is known, `mse_AB` and
            `truth_encoded_AB` (`metrics.latents`).
        """
        results = self.evaluate(generators)
        metrics = results.metrics
        metrics |= hidden_code.measure(generators, self.pixels)
        for way in round_trip.ways_of(generators):
            source, target = self.pixels[way[0]], self.pixels[way[1]]
            found: dict[str, float | None] = {
                "latent_error": latents.latent_error(generators, way, source)
            }
            if self.extractor is not None:
                real, g = self.real.test[way[1]], generators[f"g_{way}"]
                found["one_to_many"] = latents.one_to_many(g, source, real, self.extractor)
            if self._loader.test_pairs:
                found |= latents.with_true_latents(generators, way, source, target)
            metrics |= {f"{key}_{way}": x for key, x in found.items() if x is not None}
        return results

    def _translate(
        self, generators: dict[str, Any], way: str
    ) -> tuple[dict[str, np.ndarray], np.ndarray | None, Features | None]:
        """Translates all images in one direction, and keeps only the measurements of each."""
        source, target = way[0], way[1]
        truths = self.pixels[target] if self._loader.test_pairs else None
        palette = self._palettes.get(target) if truths is not None else None
        errors: dict[str, list[np.ndarray]] = defaultdict(list)
        vectors, confusion = [], None
        for batch in round_trip.batches(generators, way, self.pixels[source], truths):
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


def generator_metrics(metrics: Metrics) -> dict[str, float]:
    """Selects the metrics that depend on the generators.

    Args:
        metrics: From `Evaluator.evaluate`.

    Returns:
        Those of a direction, such as `kernel_AB`, and the cycle and identity errors.
    """
    return {
        name: value
        for name, value in metrics.items()
        if name.endswith(("_AB", "_BA")) or name.startswith(("cycle_", "identity_", "noisy_cycle_"))
    }


def _confusion(
    true_imgs: np.ndarray, translated: np.ndarray, palette: segmentation.Palette
) -> np.ndarray:
    true, found = (segmentation.nearest_labels(imgs, palette) for imgs in (true_imgs, translated))
    return segmentation.confusion_matrix(true, found, len(palette))


class _Real:
    """The features of real images, and the metrics that depend on them alone.

    Args:
        loader: Loads the images.
        extractor: Computes the features.
        pixels: The images to evaluate on, of both domains.
    """

    def __init__(
        self, loader: DataLoader, extractor: Extractor, pixels: dict[str, np.ndarray]
    ) -> None:
        least, why = 2, ""
        if not loader.has_test_images:
            least = 3
            why = ", because one of them is held out and there are no test images"
        for domain in "AB":
            if len(pixels[domain]) < least:
                raise ValueError(
                    f"Metrics that compare features need at least {least} images per domain{why}. "
                    "Add images, or leave these metrics out (--extractor none). "
                    f"Received: {len(pixels[domain])} of {domain}"
                )
        self.test = {domain: extractor.features(pixels[domain]) for domain in "AB"}
        self.train, train_pixels = self.test, pixels
        if loader.has_test_images:
            centres = {d: augment.centre(_to_train_on(loader, d), loader.img_res) for d in "AB"}
            train_pixels = {d: round_trip.spread(centres[d], MAX_TRAIN_IMAGES) for d in "AB"}
            self.train = {d: extractor.features(train_pixels[d]) for d in "AB"}
        # Random draws must not depend on the names of the files.
        train, test = (
            {d: _by_content(features[d], shown[d]) for d in "AB"}
            for features, shown in ((self.train, train_pixels), (self.test, pixels))
        )
        self._classifier, accuracies = _classify(train, test, loader.has_test_images)
        one, other = self.test["A"], self.test["B"]
        self.metrics: Metrics = {
            "kernel_untranslated": distances.kernel_distance(one, other).mean,
            "frechet_untranslated": distances.frechet_distance(one, other),
            **{
                f"kernel_real_{domain}": distances.of_halves(features)
                for domain, features in test.items()
                if len(features) >= 4
            },
            **{f"accuracy_{domain}": accuracy for domain, accuracy in accuracies.items()},
        }

    def compare(self, way: str, features: Features) -> Metrics:
        """Compares translations with real images of the target domain."""
        target = way[1]
        real = self.test[target]
        kernel = distances.kernel_distance(features, real)
        metrics: Metrics = {
            "kernel": kernel.mean,
            "frechet": distances.frechet_distance(features, real),
            "strength": self._classifier.share_of("A" if target == "A" else "B", features),
        }
        if variety := distances.diversity(real):
            metrics["diversity"] = distances.diversity(features) / variety
        if kernel.std is not None:
            metrics["kernel_std"] = kernel.std
        if len(real) > K:
            nearness = distances.density_coverage(real, features, K)
            metrics |= {"density": nearness.density, "coverage": nearness.coverage}
        return metrics


def _by_content(features: Features, pixels: np.ndarray) -> Features:
    """Sorts the features of images by a digest of their pixels."""
    digests = [hashlib.sha256(img.tobytes()).digest() for img in pixels]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    return Features(features.values[order], features.extractor)


def _classify(
    train: dict[str, Features], test: dict[str, Features], has_test_images: bool
) -> tuple[DomainClassifier, dict[str, float]]:
    """Trains the classifier, and tests it on images that it was not trained on."""
    if not has_test_images:
        train = {d: _every(train[d], False) for d in "AB"}
        test = {d: _every(test[d], True) for d in "AB"}
    classifier = DomainClassifier(train["A"], train["B"])
    return classifier, {
        "A": classifier.share_of("A", test["A"]),
        "B": classifier.share_of("B", test["B"]),
    }


def _to_train_on(loader: DataLoader, domain: str) -> Any:
    try:
        return loader.pixels(domain)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{error} The domain classifier needs training images. Add them, or leave out all "
            "metrics that need features (--extractor none)."
        ) from None


def _every(features: Features, held_out: bool) -> Features:
    is_held = np.arange(len(features)) % HOLD_OUT == 0
    return Features(features.values[is_held == held_out], features.extractor)
