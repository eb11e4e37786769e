"""What figures mean, in plain words; and what goes wrong, by name."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.metrics.round_trip import WAYS

# Below this share of real images told right, what the classifier says of translations is not worth
# much.
MIN_ACCURACY = 0.8
# Mean change of a pixel, in 8-bit levels, below which nobody sees a difference: more than what
# `ChangeImage` does to black and white where it is to change nothing.
COPYING = 3.1
# Real images that it takes to know the fifth neighbour of each, which density goes by.
MIN_DENSITY = 6
# How far apart translations are, in shares of real images, below which they look alike.
COLLAPSE = 0.5
# Share of right judgements from which on a discriminator has won.
WINS = 0.99
# How much larger than that of one that does not look at images its loss is when it has lost. Where
# all goes well, it is about as large: translations are hard to tell. And it is right hardly more
# often than by chance, look after look; in the first, wild steps its loss may be as large, too.
LOSES, CHANCE = 1.5, 0.55


def arrow(way: str) -> str:
    """Writes `"AB"` as people read it."""
    return f"{way[0]} → {way[1]}"


def in_words(figures: Mapping[str, Any]) -> str:
    """Says what was measured.

    Args:
        figures: From `Judge.measure`.

    Returns:
        A few lines of text.
    """
    kind = "test" if figures["on_test_images"] else "training"
    lines = [f"Mean absolute errors on {kind} images, in levels of 0 to 255:"]
    lines += [_truth(figures, way) for way in WAYS if f"truth_{way}" in figures]
    lines += [
        f"  {arrow(way)} change from the image {figures[f'change_{way}']:6.2f}"
        for way in WAYS
        if f"change_{way}" in figures
    ]
    for name in ("cycle", "identity"):
        if f"{name}_A" in figures:
            values = f"{figures[f'{name}_A']:6.2f} (A)   {figures[f'{name}_B']:6.2f} (B)"
            lines.append(f"  {name:<20} {values}")
    if not any(f"kernel_{way}" in figures for way in WAYS):
        return "\n".join(lines)
    lines.append(f"By the features of {figures['extractor']}, on {kind} images:")
    lines += [_distance(figures, way) for way in WAYS if f"kernel_{way}" in figures]
    lines += [_strength(figures, way) for way in WAYS if f"strength_{way}" in figures]
    return "\n".join(lines)


def _truth(figures: Mapping[str, Any], way: str) -> str:
    mine, plain = figures[f"truth_{way}"], figures["truth_untranslated"]
    share = f"   ({mine / plain:.0%})" if plain else ""
    return f"  {arrow(way)} to the truth  {mine:6.2f}   untranslated {plain:6.2f}{share}"


def _distance(figures: Mapping[str, Any], way: str) -> str:
    target = way[1]
    real = figures.get(f"kernel_real_{target}")
    among = "" if real is None else f"   real {target} among themselves {real:.4f}"
    return (
        f"  {arrow(way)} kernel distance to {target}  {figures[f'kernel_{way}']:.4f}   "
        f"untranslated {figures['kernel_untranslated']:.4f}{among}"
    )


def _strength(figures: Mapping[str, Any], way: str) -> str:
    target = way[1]
    return (
        f"  {arrow(way)} strength  {figures[f'strength_{way}']:.0%} taken for {target}   "
        f"(real {target}: {figures[f'accuracy_{target}']:.0%})"
    )


def left_out(figures: Mapping[str, Any]) -> list[str]:
    """Names the figures by features that could not be measured on so few or such images.

    Args:
        figures: From `Judge.measure`.

    Returns:
        A sentence for each of them; none if all were measured, or there was no extractor.
    """
    found = []
    targets = [(way, way[1]) for way in WAYS if f"kernel_{way}" in figures]
    for way, target in targets:
        images = f"real images of {target}"
        number = f"there are {figures[f'num_{target}']}"
        if f"density_{way}" not in figures:
            found.append(
                f"No density and coverage of {arrow(way)}: they take at least {MIN_DENSITY} "
                f"{images}, and {number}."
            )
        if f"kernel_real_{target}" not in figures:
            found.append(f"No kernel distance among {images}: it takes at least 4, and {number}.")
        if f"diversity_{way}" not in figures:
            found.append(
                f"No diversity of {arrow(way)}: all {images} are the same to "
                f"{figures['extractor']}, so there is no variety to hold it against."
            )
    return found


def faults(figures: Mapping[str, Any], settings: Collection[str] | None = None) -> list[str]:
    """Names what is wrong with translators.

    Args:
        figures: From `Judge.measure`; what is missing is not looked at.
        settings: The names of the model's, so that no other one is advised; `None` means all.

    Returns:
        A sentence for each fault, none if there are none.
    """
    found = [words for way in WAYS for words in _faults_of(figures, way, settings)]
    accuracies = {d: figures[f"accuracy_{d}"] for d in "AB" if f"accuracy_{d}" in figures}
    if accuracies and min(accuracies.values()) < MIN_ACCURACY:
        shares = " and ".join(f"{share:.0%} of real {d}" for d, share in accuracies.items())
        found.append(
            f"The classifier tells only {shares} right, so strength says little here: the two "
            "domains look too much alike to this extractor, or there are too few images."
        )
    return found


def _has(setting: str, settings: Collection[str] | None) -> bool:
    return settings is None or setting in settings


def _advice(text: str, flags: Sequence[str], settings: Collection[str] | None) -> str:
    """A sentence with those flags in it that the model has; nothing if it has none of them."""
    known = [f"--{flag.replace('_', '-')}" for flag in flags if _has(flag, settings)]
    return f" {text.format(' or '.join(known))}" if known else ""


def _faults_of(figures: Mapping[str, Any], way: str, settings: Collection[str] | None) -> list[str]:
    source, target = way[0], way[1]
    found = []
    change, diversity = figures.get(f"change_{way}"), figures.get(f"diversity_{way}")
    if change is not None and change < COPYING:
        found.append(
            f"g_{way} copies its input: it changes a pixel by {change:.1f} of 255 levels on "
            "average."
            + _advice("A smaller {} lets it change more.", ("lambda_id", "lambda_cycle"), settings)
        )
    if diversity is not None and diversity < COLLAPSE:
        found.append(
            f"g_{way} makes much the same of everything (mode collapse): its translations are "
            f"{diversity:.0%} as far from each other as real images of {target} are."
            + _advice(
                "A larger {} ties each translation to its image.",
                ("lambda_cycle", "lambda_l1"),
                settings,
            )
        )
    kernel, plain = figures.get(f"kernel_{way}"), figures.get("kernel_untranslated")
    if kernel is not None and plain is not None and kernel >= plain:
        found.append(
            f"What g_{way} makes is no nearer to real images of {target} than images of {source} "
            f"are as they stand (kernel distance {kernel:.4f}, untranslated {plain:.4f})."
        )
    return found


def blind_loss(config: TrainConfig) -> float | None:
    """The loss of a discriminator that gives all images the same score.

    Args:
        config: The settings of a run.

    Returns:
        That of the objective; `None` if it is not known, since the scores have no right side, or
        the model has losses of its own.
    """
    if "objective" not in config.info.settings:
        return None
    from cyclegan_keras.losses import OBJECTIVES  # It loads TensorFlow.

    return OBJECTIVES[config.objective].blind_loss


def faults_of_discriminators(
    accuracies: Mapping[str, Sequence[float]],
    losses: Mapping[str, Sequence[float]],
    blind_loss: float,
    settings: Collection[str] | None = None,
) -> list[str]:
    """Names discriminators that the game is over for.

    Args:
        accuracies: For the names of discriminators, such as `d_A`, the share of scores on the right
            side of the objective's threshold, at one look after another, each over many steps. To
            say that one has lost takes the last two.
        losses: For the same names, the losses at these looks, each the mean over real and
            translated images.
        blind_loss: That of one that gives all images the same score; see `losses.Objective`.
        settings: The names of the model's, so that no other one is advised; `None` means all.

    Returns:
        A sentence for each, none if there are none.
    """
    found = []
    for name, shares in accuracies.items():
        looks = list(zip(shares, losses[name], strict=True))[-2:]
        accuracy, loss = looks[-1]
        if accuracy >= WINS:
            found.append(
                f"{name} always wins ({accuracy:.1%} right): the generator learns little from it "
                "any more, and what it made before may be better. With few images, it has learned "
                "them by heart; more images help"
                + (
                    ", and --diffaugment-translation 0.125 may."
                    if _has("diffaugment_translation", settings)
                    else "."
                )
            )
        elif len(looks) == 2 and all(x <= CHANCE and y >= LOSES * blind_loss for x, y in looks):
            found.append(
                f"{name} always loses (loss {loss:.2f}; one that does not look at images "
                f"has {blind_loss:.2f}): it tells the generator nothing about real images. Is it "
                "trained at all?"
                + _advice("A larger {} helps it.", ("df",), settings)
                + _advice("So does {} discriminators.", ("update_first",), settings)
            )
    return found
