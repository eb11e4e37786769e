"""The evaluator of a run and the metric it monitors, as the run's settings say."""

import logging

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics import features
from cyclegan_keras.metrics.evaluator import Evaluator
from cyclegan_keras.metrics.monitors import MONITORS, Monitor

WITHOUT_FEATURES = "Continuing without the metrics that need features (KID, FID and others)."

# Files and columns keep the names that these metrics had first.
_NAMES = {"ground_truth": "truth", "kid": "kernel", "fid": "frechet", "cycle": "cycle"}

_log = logging.getLogger(__name__)


def make_evaluator(config: TrainConfig, loader: DataLoader) -> Evaluator:
    """Makes the evaluator of a run, and reports what is wrong with it before the training begins.

    Args:
        config: The settings. Unless generators are evaluated during the training, the evaluator
            has no extractor.
        loader: Loads the images.

    Returns:
        The evaluator.

    Raises:
        ConnectionError: If the extractor's weights cannot be downloaded.
        FileNotFoundError: If there is no extractor, and the ground truth is not known.
        ValueError: If the metric to monitor cannot be computed, or there are too few images.
    """
    if not config.evaluate_every:
        return Evaluator(loader, classifiers=config.classifiers)
    monitor = choose_monitor(config, loader)
    extractor = _extractor(config, loader, monitor)
    evaluator = Evaluator(loader, extractor, classifiers=config.classifiers)
    name = None
    if evaluator.extractor is not None:
        name = evaluator.extractor.name
        _log.info(f"Computing the features of the real images with {name} …")
        _ = evaluator.real  # Computed now, so that errors come before the training.
    label = monitor.label_with(name if monitor.needs_features else None)
    _log.info(f"Monitor {label}, every {config.evaluate_every:,} steps")
    return evaluator


def choose_monitor(config: TrainConfig, loader: DataLoader) -> Monitor:
    """Chooses the metric that decides which generators are the best.

    Args:
        config: The settings. `auto` means the error to the ground truth if that is known, else KID.
        loader: Loads the images.

    Returns:
        The metric.

    Raises:
        ValueError: If it cannot be computed.
    """
    name = config.monitor
    if name == "auto":
        name = "ground_truth" if loader.test_pairs else "kid"
    if name == "ground_truth" and not loader.test_pairs:
        raise ValueError(
            "`monitor` cannot be ground_truth, which is not known: testA and testB in "
            f"{str(loader.directory)!r} are not pairs. Leave --monitor out, or, if they are, add "
            "\"test_pairs\": true to its dataset.json. Received: monitor='ground_truth'"
        )
    if config.extractor == "none" and MONITORS[_NAMES[name]].needs_features:
        raise ValueError(
            f"`monitor` cannot be {name}, which needs features, with extractor='none'. Give "
            "--monitor cycle, or ground_truth if that is known, or an extractor. "
            f"Received: monitor={config.monitor!r}"
        )
    return MONITORS[_NAMES[name]]


def _extractor(
    config: TrainConfig, loader: DataLoader, monitor: Monitor
) -> features.Extractor | None:
    name = config.info.judge if config.extractor == "auto" else config.extractor
    if name == "none":
        return None
    try:
        return features.choose(name)
    except FileNotFoundError as error:
        if config.extractor != "auto" or not loader.test_pairs:
            raise
        if monitor.needs_features:
            raise ValueError(
                f"`monitor` cannot be {config.monitor}, which needs features. {error} Or leave "
                "--monitor out, since the ground truth is known. "
                f"Received: monitor={config.monitor!r}"
            ) from error
        _log.info(f"{error} {WITHOUT_FEATURES}")
        return None
