"""The model that settings describe."""

from collections.abc import Iterable
from typing import Any

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.training import devices


def make_model(config: TrainConfig) -> Any:
    """Makes the model of a run, with its initial weights.

    Args:
        config: The settings.

    Returns:
        A `CycleGAN`, a `Pix2Pix`, or another model that is registered.

    Raises:
        ValueError: If the model has other networks than its entry says.
    """
    make = config.info.load()
    with devices.precision(config.precision):
        model = make(**config.model_settings())
    _check_names("generators", model.generators, [f"g_{way}" for way in config.ways], config)
    _check_names("discriminators", model.discriminators, config.discriminators, config)
    # Some of these may be there only once they have been trained.
    possible = [*config.info.companions_of(config), *config.classifiers]
    _check_names("companions", {**dict.fromkeys(possible), **model.companions}, possible, config)
    return model


def found_in(config: TrainConfig, loader: DataLoader) -> dict[str, Any]:
    """Decides the settings of a model that its images decide, once these have been read.

    Args:
        config: The settings.
        loader: Loads the images.

    Returns:
        What was decided, by the names of settings; of most models, nothing.

    Raises:
        ValueError: If the images are not what the settings say.
    """
    find = getattr(config.info.load(), "found_in", None)
    return {} if find is None else dict(find(config.model, loader))


def _check_names(what: str, found: dict[str, Any], wanted: Iterable[str], config: Any) -> None:
    """Evaluating and reporting go by the entry, and would leave out in silence what it has not."""
    if set(found) != set(wanted):
        raise ValueError(
            f"The model {config.info.name} must have the {what} {', '.join(wanted)}, as its entry "
            f"in `config.models` says. Received: {', '.join(found)}"
        )
