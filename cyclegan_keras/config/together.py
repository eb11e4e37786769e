"""Which settings go together."""

from collections.abc import Mapping
from typing import Any

from cyclegan_keras.config import parts
from cyclegan_keras.config.fields import Setting, image_size


def check(config: Any, given: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """Raises an error that teaches if settings do not go together.

    Args:
        config: Settings.
        given: The values that were given just now.
        chosen: All values that somebody chose.

    Raises:
        ValueError: If so. It names both.
    """
    if not config.learning_rate:
        raise ValueError(
            f"`learning_rate` must be above 0. Received: learning_rate={config.learning_rate}"
        )
    _check_image_size(config)
    config.model.check_run(config)
    if config.monitor == "cycle" and len(config.ways) < 2:
        raise ValueError(
            f"{config.info.name} has no way back to take a cycle error of; `monitor` must be "
            "another metric. Received: monitor='cycle'"
        )
    _check_networks(config, given, chosen)
    _check_needs(config, given, chosen)
    is_cropped = any(round(side * config.enlarge) > side for side in config.img_res)
    if "enlarge" in given and config.enlarge > 1 and not is_cropped:
        raise ValueError(
            "`enlarge` does nothing here: it is less than half a pixel of `image_size`. Leave "
            f"it out. Received: enlarge={config.enlarge}, image_size={config.image_size}"
        )
    both = {"minutes", "epochs"} <= {name for name, value in given.items() if value is not None}
    if both and config.steps is None:  # Else it is what was decided by it.
        raise ValueError(
            "`minutes` decides `epochs`. Give one of the two. "
            f"Received: minutes={config.minutes}, epochs={config.epochs}"
        )
    decay_epochs = config.decay_epochs or 0
    is_new = "decay_epochs" in given or ("decay_epochs" in chosen and "epochs" in given)
    if is_new and decay_epochs > config.epochs:
        raise ValueError(
            "`decay_epochs` are the last ones of `epochs`, so there must not be more of them. "
            f"Received: decay_epochs={decay_epochs}, epochs={config.epochs}"
        )
    of_each = (config.lambda_cycle_A, config.lambda_cycle_B)
    if "lambda_cycle" in given and config.lambda_cycle not in of_each:
        raise ValueError(
            "`lambda_cycle` does nothing beside a `lambda_cycle_A` and a `lambda_cycle_B` of "
            f"other values. Leave it out. Received: lambda_cycle={config.lambda_cycle}, "
            f"lambda_cycle_A={of_each[0]}, lambda_cycle_B={of_each[1]}"
        )


def _check_image_size(config: Any) -> None:
    """Looks whether networks can take images of this size, before anything is loaded."""
    size, shorter = config.image_size, min(config.img_res)
    networks = [
        part for part in vars(config.model).values() if isinstance(part, parts.NetworkConfig)
    ]
    for network in networks:
        if network.least > shorter:
            raise ValueError(
                f"`image_size` must be at least {network.least}, because {network.least_because}. "
                f"Received: image_size={size}"
            )
    factor, halvings = max((n.factor(shorter) for n in networks), default=(1, ""))
    if any(side % factor for side in config.img_res):
        least = max(32, factor)
        nearest = image_size([max(least, round(x / factor) * factor) for x in config.img_res])
        both = "" if isinstance(size, int) else " in height and in width"
        raise ValueError(
            f"`image_size` must be divisible by {factor}{both}, because the networks halve it "
            f"{halvings}; {nearest} would do. Received: image_size={size}"
        )


def _check_networks(config: Any, given: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """Looks for settings of a network that is not the one that was chosen."""
    has = {**config.data.settings(), **config.model.settings(), **config.run.settings()}
    for name, value in {**chosen, **given}.items():
        if name in given and not config.has(name):
            raise ValueError(
                f"`{name}` is no setting of {config.info.name}. Leave it out. "
                f"Received: {name}={value!r}, model={config.info.name!r}"
            )
        if name in has or not config.has(name):
            continue
        for other in has.values():
            kinds = [
                kind
                for kind, part in (other.about["kinds"] or {}).items()
                if name in part.settings()
            ]
            if not kinds or not {name, other.name} & given.keys():
                continue
            setting = other.about["kinds"][kinds[0]].settings()[name]
            if setting.checked(value) not in setting.about["off"]:
                raise ValueError(
                    f"`{name}` does nothing here: it takes `{other.name}` to be "
                    f"{' or '.join(kinds)}. Leave one of the two out, or change it. "
                    f"Received: {name}={value!r}, {other.name}={getattr(config, other.name)!r}"
                )


def check_choices(
    model: parts.Part, chosen: Mapping[str, Any], known: Mapping[str, Setting]
) -> None:
    """Raises an error that teaches if a network cannot have what another one can.

    Args:
        model: Settings of a model, of the kinds of networks that are wanted.
        chosen: Values that are to be put in.
        known: All settings, with the choices of all networks.

    Raises:
        ValueError: If so. It names both.
    """
    for other, _, network in model._walk():
        if not isinstance(network, parts.Part):
            continue
        for name, setting in network.settings().items():
            is_of_another = name in chosen and not parts.fits(setting, chosen[name])
            if is_of_another and parts.fits(known[name], chosen[name]):
                raise ValueError(
                    f"`{name}` does nothing here: this {other.name} takes "
                    f"{', '.join(map(str, setting.choices or ()))}. "
                    f"Received: {name}={chosen[name]!r}, {other.name}={network.kind!r}"
                )


def _check_needs(config: Any, given: Mapping[str, Any], chosen: Mapping[str, Any]) -> None:
    """Looks for settings that have no effect beside the others."""
    has = {**config.data.settings(), **config.model.settings(), **config.run.settings()}
    for name, setting in has.items():
        needs = setting.about["needs"]
        # Who turns a part off turns off what belongs to it, whatever that was.
        if needs is None or not (
            name in given or (name in chosen and needs.other in given and needs.among is not None)
        ):
            continue
        value, other_value = getattr(config, name), getattr(config, needs.other)
        if value not in setting.about["off"] and not needs.is_met_by(other_value):
            raise ValueError(
                f"`{name}` does nothing here: it takes {needs.in_words()}. Leave one of the two "
                f"out, or change it. Received: {name}={value!r}, {needs.other}={other_value!r}"
            )
