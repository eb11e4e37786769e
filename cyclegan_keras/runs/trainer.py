"""A whole training, from settings to generators, metrics and a picture in the folder of a run."""

import functools
import json
import logging
import os
import pathlib
import shlex
import time
from collections.abc import Callable
from typing import Any

from cyclegan_keras import _backend
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras._text import counted
from cyclegan_keras.cluster import ALONE, Alone, Cluster, Team, meet, of_environment
from cyclegan_keras.config import scale, value_range
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.runs import record, run_data, run_folder, warm_start

NUM_SHOWN = 6

_log = logging.getLogger(__name__)


def train_run(
    config: TrainConfig,
    asked: Callable[[], int | None] = lambda: None,
    *,
    advises: bool = True,
) -> dict[str, Any]:
    """Trains as the settings say; a run that exists in the folder is continued.

    This is what `cyclegan train` does. Its messages go to the logger `cyclegan_keras`.

    Args:
        config: The settings.
        asked: Called after each step; returns the number of a signal that another process got for
            this one, such as `signal.SIGTERM`, or `None`.
        advises: Whether it says of a run that is finished already how it can be trained further.

    Returns:
        The final metrics, which are also in the run's `metrics.json`.

    Raises:
        FileExistsError: If another process is using the run's folder.
        FileNotFoundError: If the data does not exist.
        KeyboardInterrupt: If SIGINT or SIGTERM interrupted the training. Everything is saved then.
        ValueError: If an image is damaged, the data does not fit the settings, the run was begun
            with other settings, or a loss is NaN.
        WorkerLost: If the environment describes other processes, and not all of them have come.
    """
    began = time.monotonic()
    config = _with_whole_paths(config)
    if config.run_dir is not None:
        config = run_folder.with_decided(config, config.run_dir)
    if config.data_dir is not None and not pathlib.Path(config.data_dir).is_dir():
        raise FileNotFoundError(
            f"No folder {config.data_dir!r}. --data-dir must name a folder that contains trainA "
            "and trainB."
        )
    cluster = of_environment(os.environ)
    is_chief = cluster is None or cluster.is_chief
    if is_chief:  # Others do not write, and may not even see the folder.
        run_folder.check_folder(config)
    if (metrics := record.metrics_if_finished(config)) is not None:
        further = f" To train it further, give --epochs a number above {metrics['epochs']}."
        _log.info(_finished(config, metrics) + further * advises)
        return metrics
    if is_chief:
        goes_on = config.run_dir is not None and run_folder.has_checkpoints(config.run_dir)
        if config.run_dir is not None and not goes_on:
            record.check_nothing_is_lost(config.run_dir)
        if config.start_from is not None and not goes_on:
            warm_start.check(config.start_from)
    if of_scale := scale.warning(config.enlarge, config.image_size):
        _log.warning(of_scale)
    _log.info("Loading TensorFlow …")
    # Only now, since this takes seconds, and wrong flags are reported at once.
    with without_startup_notes():
        from cyclegan_keras.models.from_settings import found_in
        from cyclegan_keras.runs import following, provenance
        from cyclegan_keras.training import devices, strategies
        from cyclegan_keras.training.callbacks import tensorboard

        prepare_tensorflow(config)
        strategy_name = strategies.choose(config.strategy, cluster, config.info)
        found = devices.devices_in_words()

    if config.tensorboard:
        tensorboard.check_installed()
    loader = run_data.read(config)
    config = config.replace(
        value_range=value_range.with_found(config.value_range, loader.value_ranges)
    )
    config = config.replace(**found_in(config, loader))
    if config.info.labels:
        config = config.replace(classes=loader.classes)
    images = provenance.images(loader, config.hash_images)
    team = ALONE
    if cluster is not None and cluster.num_workers > 1:
        # Before TensorFlow computes anything: it takes no other workers after that.
        about = {"settings": config.flat(), "images": images, "software": provenance.versions()}
        team = team_of(cluster, config, about)
    with team.working():
        strategy = strategies.make(strategy_name, cluster, config.wait_for_workers)
        if team.num_workers > 1:
            loader.rows_of = strategies.rows_of(strategy, team)
        if isinstance(team, Team) and not team.is_chief:
            with strategies.scope(strategy):
                gan = make_model(config)
            following.follow(gan, loader, config, team)
            return {}
        if who := strategies.in_words(strategy, team.num_workers, config.batch_size):
            found = f"{found}; {who}"
        return _train(config, loader, images, found, team, strategy, began, asked)


def prepare_tensorflow(config: TrainConfig) -> None:
    """Sets threads, devices and determinism as a training has them.

    TensorFlow keeps them once it has computed anything, so a program that computes before it trains
    calls this first.

    Args:
        config: The settings of the training, or of the first of several.

    Raises:
        SetupError: If Keras does not run on TensorFlow.
        ValueError: If the environment describes devices that cannot be made.
    """
    from cyclegan_keras.training import devices, strategies

    _backend.check_settings()
    devices.use_threads()
    devices.compute_the_same(config.deterministic)
    strategies.prepare_devices()


def _train(
    config: TrainConfig,
    loader: Any,
    images: dict[str, Any],
    devices: str,
    team: Alone,
    strategy: Any,
    began: float,
    asked: Callable[[], int | None],
) -> dict[str, Any]:
    """Trains, and leaves everything in the run's folder."""
    from cyclegan_keras.data.images import write_image
    from cyclegan_keras.inference import saving
    from cyclegan_keras.metrics import diagnostics, from_settings
    from cyclegan_keras.runs import session
    from cyclegan_keras.training import strategies

    evaluator = from_settings.make_evaluator(config, loader)
    with run_folder.opened(config, loader.dataset_name, images) as run_dir:
        config = run_folder.with_decided(config, run_dir)
        length = counted(config.epochs, "epoch")
        if config.minutes is not None and config.steps is None:
            length = f"{config.minutes:g} min, in epochs"
        _log.info(
            f"Data    {loader.directory}: {counted(len(loader.paths('A')), 'image')} of A, "
            f"{len(loader.paths('B')):,} of B; {_size_in_words(config)}"
            f"\nDevice  {devices}"
            f"\nRun     {run_dir}: {length} of "
            f"{counted(loader.num_batches(config.batch_size), 'step')}"
        )
        with strategies.scope(strategy):
            gan = make_model(config)
        start = None
        if config.start_from is not None:
            start = functools.partial(
                warm_start.start_from, source=config.start_from, make_model=make_model
            )
        training = session.Session(
            gan, loader, config, run_dir, evaluator, start, began, team, asked
        )
        told = loader.skipped_in_words()
        stopped_at = training.train()
        config = training.config
        for line in loader.skipped_in_words():
            if line not in told:  # Those that were decoded during the training.
                _log.info(line)
        networks = saving.networks_to_save(gan)
        record.set_aside(run_dir)  # Results of `cyclegan evaluate` during the training.
        saved = saving.save_translators(networks, run_dir)
        _log.info(f"Saved   {' and '.join(map(str, saved))}")
        write_image(run_dir / record.PICTURE, _picture(networks, loader))
        metrics = {
            "epochs": config.epochs,
            **({} if stopped_at is None else {"stopped_at_step": stopped_at}),
            **evaluator.evaluate(networks).metrics,
            "weights": record.weights_of(saved),
        }
        saving.save_metrics(metrics, run_dir / record.METRICS)
        _log.info(diagnostics.summary(metrics))
        if not config.evaluate_every:
            place = shlex.quote(str(run_dir))
            _log.info(f"How good is it? cyclegan evaluate --run-dir {place} writes a report.")
        return metrics


# What may differ between the processes that train together: where each finds its files.
_OWN_SETTINGS = ("data_dir", "run_dir", "start_from", "wait_for_workers", "step_timeout")


def team_of(cluster: Cluster, config: TrainConfig, about: dict[str, dict[str, Any]]) -> Team:
    """Waits for the other processes of a run.

    Args:
        cluster: Who they are.
        config: The settings.
        about: What must be the same for all, by subject.

    Returns:
        The team.

    Raises:
        ValueError: If another process was started otherwise.
        WorkerLost: If not all have come in time.
    """
    settings = {k: v for k, v in about["settings"].items() if k not in _OWN_SETTINGS}
    # As JSON brings them, in which tuples are lists.
    about = json.loads(json.dumps({**about, "settings": settings}))
    return meet(cluster, about, config.wait_for_workers, config.step_timeout)


def _with_whole_paths(config: TrainConfig) -> TrainConfig:
    """Makes paths absolute, so that the run can be resumed from any folder."""
    changes: dict[str, Any] = {}
    if config.data_dir is not None:
        changes["data_dir"] = os.path.abspath(run_data.place(config))
    if config.extractor.endswith(".keras"):
        changes["extractor"] = os.path.abspath(config.extractor)
    if config.start_from is not None:
        places = warm_start.paths_in(config.start_from)
        changes["start_from"] = os.pathsep.join(map(os.path.abspath, places))
    return config.replace(**changes) if changes else config


def _size_in_words(config: TrainConfig) -> str:
    height, width = config.img_res
    return f"trained at {height}×{width} pixels (height×width){', gray' * (config.channels == 1)}"


def _finished(config: TrainConfig, metrics: dict[str, float]) -> str:
    if (step := metrics.get("stopped_at_step")) is None:
        return f"The run in {config.run_dir} is finished."
    return f"The run in {config.run_dir} is finished; early stopping ended it after step {step:,}."


def make_model(config: TrainConfig) -> Any:
    """Makes the model of a run, with its initial weights.

    Args:
        config: The settings.

    Returns:
        A `CycleGAN`, a `Pix2Pix`, or another registered model.
    """
    from cyclegan_keras.models import from_settings

    return from_settings.make_model(config)


def _picture(generators: dict[str, Any], loader: Any) -> Any:
    """Draws a few test images and their translations, beside the ground truth if it is known.

    Args:
        generators: By name, `g_AB`, `g_BA` or both.
        loader: The `DataLoader`.

    Returns:
        A picture, uint8, `(height, width, 3)`.
    """
    from cyclegan_keras import plotting

    testing = loader.has_test_images
    count = min(NUM_SHOWN, *(len(loader.paths(domain, testing)) for domain in "AB"))
    imgs_A, imgs_B = (loader.load_data(domain, count, testing, seed=0) for domain in "AB")
    are_pairs = loader.test_pairs if testing else loader.paired
    return plotting.grid_of(generators, imgs_A, imgs_B, are_pairs)
