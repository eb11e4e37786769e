"""A summary of an evaluation in words, and the typical problems of GANs that metrics reveal."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics.round_trip import WAYS

# Below this accuracy on real images, the classifier's verdict on translations says little.
MIN_ACCURACY = 0.8
# Mean change of a pixel, in 8-bit levels, below which nobody sees a difference. It is above what
# `ChangeImage` does to black and white where it should change nothing.
COPYING = 3.1
# Real images needed so that each has a fifth neighbor, which density and coverage use.
MIN_DENSITY = 6
# Relative diversity below which translations look alike.
COLLAPSE = 0.5
# Accuracy from which on a discriminator always wins.
WINS = 0.99
# A discriminator has lost if its loss is this many times that of a discriminator that ignores its
# input, and its accuracy is at most CHANCE, in two evaluations in a row. In a healthy training, its
# loss is close to that of one that ignores its input, since translations are hard to recognize; and
# in the first, unstable steps, it can be as large as this.
LOSES, CHANCE = 1.5, 0.55


def arrow(way: str) -> str:
    """Writes a direction, `"AB"` or `"BA"`, for people: `A → B`."""
    return f"{way[0]} → {way[1]}"


def summary(metrics: Mapping[str, Any]) -> str:
    """Summarizes an evaluation.

    Args:
        metrics: From `Evaluator.evaluate`.

    Returns:
        A few lines of text.
    """
    kind = "test" if metrics["on_test_images"] else "training"
    lines = [f"Mean absolute errors on {kind} images, in levels of 0 to 255:"]
    lines += [_truth(metrics, way) for way in WAYS if f"truth_{way}" in metrics]
    lines += [
        f"  {arrow(way)} change of the input       {metrics[f'change_{way}']:6.2f}"
        for way in WAYS
        if f"change_{way}" in metrics
    ]
    lines += [
        f"  {arrow(way)} error of the inversion    {metrics[f'inversion_{way}']:6.2f}"
        for way in WAYS
        if f"inversion_{way}" in metrics
    ]
    for name in ("cycle", "identity"):
        if f"{name}_A" in metrics:
            values = f"{metrics[f'{name}_A']:6.2f} (A)   {metrics[f'{name}_B']:6.2f} (B)"
            lines.append(f"  {f'{name} error':<25} {values}")
    lines += _labels(metrics, kind)
    if not any(f"kernel_{way}" in metrics for way in WAYS):
        return "\n".join(lines)
    lines.append(f"Comparing features of {metrics['extractor']}, on {kind} images:")
    lines += [_kid(metrics, way) for way in WAYS if f"kernel_{way}" in metrics]
    lines += [_classification(metrics, way) for way in WAYS if f"strength_{way}" in metrics]
    return "\n".join(lines)


def _truth(metrics: Mapping[str, Any], way: str) -> str:
    error, untranslated = metrics[f"truth_{way}"], metrics["truth_untranslated"]
    share = f"   ({error / untranslated:.0%})" if untranslated else ""
    return (
        f"  {arrow(way)} error to ground truth     {error:6.2f}   "
        f"untranslated {untranslated:5.2f}{share}"
    )


def _labels(metrics: Mapping[str, Any], kind: str) -> list[str]:
    """The table of classifiers, and how many labels translations keep."""
    found = [
        (words, metrics[key])
        for words, key in (
            ("source only", "label_source_AB"),
            ("image stage", "label_image_AB"),
            ("feature stage", "label_feature_AB"),
            ("image and feature stage", "label_both_AB"),
            ("trained on B", "label_target_AB"),
            ("labels kept A → B", "kept_AB"),
            ("labels kept B → A", "kept_BA"),
        )
        if key in metrics
    ]
    lines = [f"  {words:<25} {share:6.1%}" for words, share in found]
    return [f"Labels that are right, on {kind} images of B:", *lines] if lines else []


def _kid(metrics: Mapping[str, Any], way: str) -> str:
    target = way[1]
    real = metrics.get(f"kernel_real_{target}")
    halves = "" if real is None else f"   halves of real {target} {real:.4f}"
    return (
        f"  {arrow(way)} KID (kernel distance)  {metrics[f'kernel_{way}']:.4f}   "
        f"untranslated {metrics['kernel_untranslated']:.4f}{halves}"
    )


def _classification(metrics: Mapping[str, Any], way: str) -> str:
    target = way[1]
    return (
        f"  {arrow(way)} classified as {target}  {metrics[f'strength_{way}']:.0%}   "
        f"(real {target}: {metrics[f'accuracy_{target}']:.0%})"
    )


def not_measured(metrics: Mapping[str, Any]) -> list[str]:
    """Lists the metrics that could not be computed with these generators or on these images.

    Args:
        metrics: From `Evaluator.evaluate`.

    Returns:
        A sentence for each of them; none if all were computed, or there was no extractor.
    """
    found = []
    if any(f"inversion_{way}" in metrics for way in WAYS):
        found.append(
            "No identity errors and no cycle errors with noise: a translation by inversion goes "
            "back by the latent variable that was found, and not by pixels. So its cycle error is "
            "that of the inversion."
        )
    targets = [(way, way[1]) for way in WAYS if f"kernel_{way}" in metrics]
    for way, target in targets:
        images = f"real images of {target}"
        number = f"there are {metrics[f'num_{target}']}"
        if f"density_{way}" not in metrics:
            found.append(
                f"No density and coverage of {arrow(way)}: they need at least {MIN_DENSITY} "
                f"{images}, and {number}."
            )
        if f"kernel_real_{target}" not in metrics:
            found.append(
                f"No KID (kernel distance) between halves of the {images}: it needs at least 4, "
                f"and {number}."
            )
        if f"diversity_{way}" not in metrics:
            found.append(
                f"No diversity of {arrow(way)}: it is relative to that of the {images}, which all "
                f"have the same features of {metrics['extractor']}."
            )
    return found


def problems(metrics: Mapping[str, Any], settings: Collection[str] | None = None) -> list[str]:
    """Finds typical problems of generators: copies, mode collapse, no progress to the target.

    Args:
        metrics: From `Evaluator.evaluate`; metrics that are missing are not checked.
        settings: The names of the model's settings, so that no others are advised; `None` means
            all.

    Returns:
        A sentence for each problem.
    """
    found = [sentence for way in WAYS for sentence in _problems_of(metrics, way, settings)]
    accuracies = {d: metrics[f"accuracy_{d}"] for d in "AB" if f"accuracy_{d}" in metrics}
    if accuracies and min(accuracies.values()) < MIN_ACCURACY:
        shares = " and ".join(f"{share:.0%} of real {d}" for d, share in accuracies.items())
        found.append(
            f"The classifier recognizes only {shares}, so the target-domain classification rate "
            "says little here: the features of the two domains are too similar, or there are too "
            "few images."
        )
    return found


def _has(setting: str, settings: Collection[str] | None) -> bool:
    return settings is None or setting in settings


def _advice(text: str, flags: Sequence[str], settings: Collection[str] | None) -> str:
    """Fills those flags into a sentence that the model has; no sentence if it has none of them."""
    known = [f"--{flag.replace('_', '-')}" for flag in flags if _has(flag, settings)]
    return f" {text.format(' or '.join(known))}" if known else ""


def _problems_of(
    metrics: Mapping[str, Any], way: str, settings: Collection[str] | None
) -> list[str]:
    source, target = way[0], way[1]
    found = []
    change, diversity = metrics.get(f"change_{way}"), metrics.get(f"diversity_{way}")
    if change is not None and change < COPYING:
        found.append(
            f"g_{way} copies its input: it changes a pixel by {change:.1f} of 255 levels on "
            "average."
            + _advice("A smaller {} lets it change more.", ("lambda_id", "lambda_cycle"), settings)
        )
    if diversity is not None and diversity < COLLAPSE:
        found.append(
            f"g_{way} produces nearly the same image for every input (mode collapse): the distance "
            f"between its translations is {diversity:.0%} of that between real images of {target}."
            + _advice(
                "A larger {} ties each translation to its input.",
                ("lambda_cycle", "lambda_l1"),
                settings,
            )
        )
    kernel, untranslated = metrics.get(f"kernel_{way}"), metrics.get("kernel_untranslated")
    if kernel is not None and untranslated is not None and kernel >= untranslated:
        found.append(
            f"g_{way} brings its images no closer to {target}: the KID (kernel distance) of the "
            f"translations to real images of {target} is {kernel:.4f}, that of the untranslated "
            f"images of {source} is {untranslated:.4f}."
        )
    return found


def blind_loss(config: TrainConfig) -> float | None:
    """Finds the loss of a discriminator that gives all images the same score.

    Args:
        config: The settings of a run.

    Returns:
        The loss, which depends on the objective; `None` if the objective has no threshold between
        real and translated, or the model has losses of its own.
    """
    if "objective" not in config.info.settings:
        return None
    from cyclegan_keras.losses import OBJECTIVES  # It loads TensorFlow.

    return OBJECTIVES[config.objective].blind_loss


def discriminator_problems(
    accuracies: Mapping[str, Sequence[float]],
    losses: Mapping[str, Sequence[float]],
    blind_loss: float,
    settings: Collection[str] | None = None,
) -> list[str]:
    """Finds discriminators that always win or always lose.

    Args:
        accuracies: For the name of each discriminator, such as `d_A`, its accuracy at successive
            evaluations, each a mean over many steps. That a discriminator has lost is decided by
            the last two.
        losses: For the same names, the losses at these evaluations, each the mean over real and
            translated images.
        blind_loss: The loss of a discriminator that gives all images the same score; see
            `losses.Objective`.
        settings: The names of the model's settings, so that no others are advised; `None` means
            all.

    Returns:
        A sentence for each problem.
    """
    found = []
    for name, shares in accuracies.items():
        last = list(zip(shares, losses[name], strict=True))[-2:]
        accuracy, loss = last[-1]
        if accuracy >= WINS:
            found.append(
                f"{name} always wins (accuracy {accuracy:.1%}): the generator learns little from "
                "it any more, and earlier translations may be better. If there are few images, it "
                "has memorized them; more images help"
                + (
                    ", and --diffaugment-translation 0.125 or --r1 10 may help."
                    if _has("diffaugment_translation", settings)
                    else "."
                )
            )
        elif len(last) == 2 and all(x <= CHANCE and y >= LOSES * blind_loss for x, y in last):
            found.append(
                f"{name} always loses (loss {loss:.2f}; a discriminator that ignores its input "
                f"has {blind_loss:.2f}): the generator learns nothing from it about real images. "
                "Check that it is trained."
                + _advice("A larger {} may help it.", ("df",), settings)
                + _advice("So may {} discriminators.", ("update_first",), settings)
            )
    return found
