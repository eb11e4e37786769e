"""Which settings go together."""

from typing import Any

from cyclegan_keras.config import norms
from cyclegan_keras.config.fields import check_needs, image_size


def check_image_size(config: Any) -> None:
    """Raises an error that teaches if networks cannot take images of this size.

    The networks look closer; this is told before anything is loaded.

    Args:
        config: Settings.

    Raises:
        ValueError: If so.
    """
    size, shorter = config.image_size, min(config.img_res)
    # A model that does not choose among these networks looks for itconfig.
    generator, discriminator = (
        getattr(config, name) if name in config.info.settings else ""
        for name in ("generator", "discriminator")
    )
    if discriminator == "patch286" and shorter < 96:
        raise ValueError(
            "`image_size` must be at least 96, because discriminator=patch286 leaves nothing "
            f"to score of smaller images. Received: image_size={size}"
        )
    factor, halvings = 4 if generator else 1, "twice"
    if generator == "deep_unet":
        factor = 2 ** min(8, shorter.bit_length() - 1)
        halvings = "until one pixel of the shorter side is left, or eight times"
    elif "unet" in generator or discriminator == "book":
        factor, halvings = 16, "four times"
    if any(side % factor for side in config.img_res):
        least = max(32, factor)
        nearest = image_size([max(least, round(x / factor) * factor) for x in config.img_res])
        both = "" if isinstance(size, int) else " in height and in width"
        raise ValueError(
            f"`image_size` must be divisible by {factor}{both}, because the networks halve it "
            f"{halvings}; {nearest} would do. Received: image_size={size}"
        )


def check_together(config: Any, new: set[str]) -> None:
    """Raises an error that teaches if settings do not go together.

    Args:
        config: Settings.
        new: The names of those that were given just now.

    Raises:
        ValueError: If so. It names both.
    """
    if config.best_by == "cycle" and len(config.ways) < 2:
        raise ValueError(
            f"{config.model} has no way back to take a cycle error of; `best_by` must be another "
            "figure. Received: best_by='cycle'"
        )
    check_needs(config, new, config.chosen)
    _check_norms(config, new)
    is_cut = any(round(side * config.enlarge) > side for side in config.img_res)
    if "enlarge" in new and config.enlarge > 1 and not is_cut:
        raise ValueError(
            "`enlarge` does nothing here: it is less than half a pixel of `image_size`. Leave "
            f"it out. Received: enlarge={config.enlarge}, image_size={config.image_size}"
        )
    decay_epochs = config.decay_epochs or 0
    is_new = "decay_epochs" in new or ("decay_epochs" in config.chosen and "epochs" in new)
    if is_new and decay_epochs > config.epochs:
        raise ValueError(
            "`decay_epochs` are the last ones of `epochs`, so there must not be more of them. "
            f"Received: decay_epochs={decay_epochs}, epochs={config.epochs}"
        )
    of_each = (config.lambda_cycle_A, config.lambda_cycle_B)
    if "lambda_cycle" in new and config.lambda_cycle not in of_each:
        raise ValueError(
            "`lambda_cycle` does nothing beside a `lambda_cycle_A` and a `lambda_cycle_B` of "
            f"other values. Leave it out. Received: lambda_cycle={config.lambda_cycle}, "
            f"lambda_cycle_A={of_each[0]}, lambda_cycle_B={of_each[1]}"
        )


def _check_norms(config: Any, new: set[str]) -> None:
    """Looks for normalisations that somebody chose for a network that cannot have them."""
    possible = norms.OF_GENERATORS | norms.OF_DISCRIMINATORS
    for name, other in (("norm", "generator"), ("d_norm", "discriminator")):
        value, network = getattr(config, name), getattr(config, other)
        is_new = name in new or (name in config.chosen and other in new)
        if is_new and value not in possible[network]:
            raise ValueError(
                f"`{name}` does nothing here: this {other} takes {', '.join(possible[network])}"
                f". Received: {name}={value!r}, {other}={network!r}"
            )
