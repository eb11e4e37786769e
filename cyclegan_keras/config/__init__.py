"""The settings of a run, and the recipes."""

from cyclegan_keras.config.train_config import TrainConfig

__all__ = ["TrainConfig"]
