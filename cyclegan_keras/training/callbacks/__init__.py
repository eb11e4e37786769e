"""Callbacks of the training loop."""

from cyclegan_keras.training.callbacks.book import book_callbacks
from cyclegan_keras.training.callbacks.learning_rate import LearningRateDecay
from cyclegan_keras.training.callbacks.progress_bar import ProgressBar
from cyclegan_keras.training.callbacks.samples import (
    SampleGrid,
    Show,
    sample_images,
    shows_all,
    shows_samples,
    writes_samples_to,
)
from cyclegan_keras.training.callbacks.stages import Stages

__all__ = [
    "LearningRateDecay",
    "ProgressBar",
    "SampleGrid",
    "Show",
    "Stages",
    "book_callbacks",
    "sample_images",
    "shows_all",
    "shows_samples",
    "writes_samples_to",
]
