"""Puts together who judges the translators of a run, as its settings say."""

import functools
import logging
from typing import Any

from cyclegan_keras.config.train_config import TrainConfig

_log = logging.getLogger(__name__)

TAKE_FEATURES = ("kernel", "frechet")


def make_judge(config: TrainConfig, loader: Any) -> tuple[Any, Any]:
    """Makes the judge of a run, and tells what it cannot do before the training begins.

    Args:
        config: The settings.
        loader: The `DataLoader`.

    Returns:
        A `Judge` for the figures at the end, and the `Judging` that is made of it for those while
        the model is trained, `None` if none are wanted then.

    Raises:
        ConnectionError: If the extractor's weights cannot be downloaded.
        FileNotFoundError: If there is no extractor, and the truth is not known.
        ValueError: If there is no such figure as the best translators are to be kept by, or the
            images are too few.
    """
    from cyclegan_keras.metrics import diagnostics, evaluator
    from cyclegan_keras.training.callbacks.best import Ruler
    from cyclegan_keras.training.callbacks.evaluating import Judging

    if not config.evaluate_every:
        return evaluator.Judge(loader), None
    figure = _figure(config, loader)
    extractor = _extractor(config, loader, figure)
    judge = evaluator.Judge(loader, extractor)
    if extractor is not None:
        _log.info(f"Looking at the real images with {extractor.name} …")
        _ = judge.real  # Found out now, what is wrong with them is told now.
    takes_features = extractor is not None and figure in TAKE_FEATURES
    ruler = Ruler(figure, extractor.name if takes_features else None)
    _log.info(f"Judged  by {ruler}, every {config.evaluate_every:,} steps")
    of_discriminators = None
    if (blind_loss := diagnostics.blind_loss(config)) is not None:
        of_discriminators = functools.partial(
            diagnostics.faults_of_discriminators,
            blind_loss=blind_loss,
            settings=config.info.settings,
        )
    return judge, Judging(
        measure=lambda translators: judge.measure(translators).figures,
        ruler=ruler,
        faults=functools.partial(diagnostics.faults, settings=config.info.settings),
        faults_of_discriminators=of_discriminators,
    )


def _figure(config: TrainConfig, loader: Any) -> str:
    if config.monitor == "ground_truth" and not loader.test_pairs:
        raise ValueError(
            "`monitor` cannot be ground_truth, which is not known here: testA and testB in "
            f"{str(loader.directory)!r} are no pairs. Leave --monitor out, or, if they are, add "
            "\"test_pairs\": true to its dataset.json. Received: monitor='ground_truth'"
        )
    if config.monitor == "auto":
        return "truth" if loader.test_pairs else "kernel"
    # Files and columns have kept the names that these metrics had first.
    return {"ground_truth": "truth", "kid": "kernel", "fid": "frechet"}.get(
        config.monitor, config.monitor
    )


def _extractor(config: TrainConfig, loader: Any, figure: str) -> Any:
    from cyclegan_keras.metrics import features

    if config.extractor == "none":
        if figure in TAKE_FEATURES:
            raise ValueError(
                f"`monitor` cannot be {config.monitor}, which takes features, with "
                "extractor='none'. Give --monitor cycle, or ground_truth where it is known, or an "
                f"extractor. Received: monitor={config.monitor!r}"
            )
        return None
    try:
        return features.choose(config.extractor)
    except FileNotFoundError as error:
        if config.extractor != "auto" or not loader.test_pairs:
            raise
        if figure in TAKE_FEATURES:
            raise ValueError(
                f"`monitor` cannot be {config.monitor}, which takes features. {error} Or leave "
                "--monitor out: the ground truth is known here. "
                f"Received: monitor={config.monitor!r}"
            ) from error
        _log.info(f"{error} Going on without distance, strength and diversity.")
        return None
