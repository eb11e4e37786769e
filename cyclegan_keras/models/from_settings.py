"""The model that settings describe."""

from typing import Any

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.models.cyclegan import CycleGAN
from cyclegan_keras.models.pix2pix import Pix2Pix
from cyclegan_keras.training import devices


def make_model(config: TrainConfig) -> Any:
    """Makes the model of a run, with its initial weights.

    Args:
        config: The settings.

    Returns:
        A `CycleGAN` or a `Pix2Pix`.
    """
    kind = Pix2Pix if config.model == "pix2pix" else CycleGAN
    with devices.precision(config.precision):
        return kind(**config.model_settings())
