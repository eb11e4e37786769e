"""How many steps fit into the time that a run may take."""

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import keras

from cyclegan_keras._text import counted
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.metrics import round_trip
from cyclegan_keras.training.callbacks.checkpointing import variables_of
from cyclegan_keras.training.callbacks.stages import first_steps

_log = logging.getLogger(__name__)

# Share of the time that the rate is measured for, and the fewest steps.
SHARE, MIN_STEPS = 0.05, 10
# Shares of the steps after which their number is corrected: before the learning rate decays in the
# recipes of the papers, and close to the end.
CORRECTED_AT = (0.4, 0.9)
# What a training takes beside each step, in seconds: callbacks, samples, checkpoints. Measured with
# steps of 0.035 seconds; it hardly depends on the networks.
BESIDE_STEP = 0.0045
# The start of the program and the end of a run, in seconds: saving, tracing; and, for each pair of
# test images, in steps of one image: translating both there and back without gradients.
SECONDS_TO_SAVE, STEPS_TO_EVALUATE = 5.0, 0.6


def decide(
    config: TrainConfig,
    model: Any,
    loader: DataLoader,
    began: float,
    after_step: Callable[[bool], None] = lambda is_last: None,
) -> TrainConfig:
    """Measures the rate of steps, and decides how many a run takes.

    The steps that are measured are undone: the model is what it was, random numbers included.

    Args:
        config: The settings, with `minutes`.
        model: The model that will be trained.
        loader: Loads its images.
        began: When the run began, as `time.monotonic` has it.
        after_step: Called after each step, with whether it was the last.

    Returns:
        The settings with `epochs` and `steps`.
    """
    seconds = 60.0 * (config.minutes or 0.0)
    before = {name: variable.numpy() for name, variable in variables_of(model).items()}
    rate = BESIDE_STEP + _mean_seconds(model, loader, config, SHARE * seconds, after_step)
    for name, variable in variables_of(model).items():
        variable.assign(before[name])
    evaluating = _seconds_to_evaluate(config, loader, rate)
    left = seconds - (time.monotonic() - began) - SECONDS_TO_SAVE - evaluating
    if config.evaluate_every:
        rate += evaluating / config.evaluate_every
    steps = max(1, int(left / rate))
    epochs = math.ceil(steps / loader.num_batches(config.batch_size))
    _log.info(
        f"Time    {config.minutes:g} min at {1 / rate:.3g} steps a second: "
        f"{counted(steps, 'step')}, {counted(epochs, 'epoch')}"
    )
    return config.replace(epochs=epochs, steps=steps, minutes=config.minutes)


class TimeLimit(keras.callbacks.Callback):
    """Corrects the number of steps that was decided, by the rate of the training itself.

    It does so when two fifths of the steps are done, and again close to the end. In a training in
    stages, only the last stage is made longer or shorter.

    Args:
        config: The settings, with `minutes` and what was decided.
        loader: Loads the images.
        began: When the run began, as `time.monotonic` has it.
        decided: Called with the settings whenever `epochs` and `steps` have changed.
    """

    def __init__(
        self,
        config: TrainConfig,
        loader: DataLoader,
        began: float,
        decided: Callable[[TrainConfig], None],
    ) -> None:
        super().__init__()
        self._config, self._loader, self._began, self._decided = config, loader, began, decided
        self._shares = list(CORRECTED_AT)

    def on_train_begin(self, logs: Any = None) -> None:
        """Looks up from which step on the rate counts."""
        progress, num_steps = self.params["progress"], self.params["num_steps"]
        last_stage = [0, *first_steps(getattr(self.model, "stages", ()), num_steps)][-1]
        # After that step, whatever is done once is done.
        self._from = 1 + max(last_stage, progress.epoch * self.params["steps"] + progress.step)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Corrects the number of steps if it is time."""
        steps = self.params["steps"]
        done = self._epoch * steps + batch + 1
        if done == self._from:
            self._since = self._now(logs)
        if not self._shares or done < self._shares[0] * self.params["num_steps"]:
            return
        self._shares.pop(0)
        if (
            self._from < done < self.params["num_steps"]
            and (passed := self._now(logs) - self._since) > 0
        ):
            self._correct(done, passed / (done - self._from))

    def _now(self, logs: Any) -> float:
        float(next(iter(logs.values())))  # Waits for the device.
        return time.monotonic()

    def _correct(self, done: int, rate: float) -> None:
        config = self._config
        left = 60.0 * (config.minutes or 0.0) - (time.monotonic() - self._began) - SECONDS_TO_SAVE
        left -= _seconds_to_evaluate(config, self._loader, rate)
        num_steps = done + max(1, int(left / rate))
        epochs = math.ceil(num_steps / self.params["steps"])
        self.params.update(num_steps=num_steps, epochs=epochs)
        self._config = config.replace(epochs=epochs, steps=num_steps, minutes=config.minutes)
        self._decided(self._config)


def _seconds_to_evaluate(config: TrainConfig, loader: DataLoader, rate: float) -> float:
    num_images = max(len(loader.paths(domain, loader.has_test_images)) for domain in "AB")
    num_images = min(num_images, round_trip.MAX_IMAGES)
    return num_images * STEPS_TO_EVALUATE * rate / config.batch_size


def _mean_seconds(
    model: Any,
    loader: DataLoader,
    config: TrainConfig,
    seconds: float,
    after_step: Callable[[bool], None],
) -> float:
    """Measures the seconds that a step takes in the mean of all stages of a training."""
    shares, present = getattr(model, "stages", (1.0,)), getattr(model, "stage", 0)
    if len(shares) == 1:
        return seconds_per_step(model, loader, config, seconds, after_step)
    mean, last = 0.0, max(stage for stage, share in enumerate(shares) if share)
    for stage, share in enumerate(shares):
        if share:
            model.begin_stage(stage)
            mean += share * seconds_per_step(
                model,
                loader,
                config,
                share * seconds,
                lambda is_last, stage=stage: after_step(is_last and stage == last),  # type: ignore[misc]
            )
    model.stage = present
    return mean


def seconds_per_step(
    model: Any,
    loader: DataLoader,
    config: TrainConfig,
    seconds: float,
    after_step: Callable[[bool], None] = lambda is_last: None,
) -> float:
    """Takes some steps, and measures how long each takes.

    Args:
        model: The model, which is changed.
        loader: Loads the images.
        config: The settings.
        seconds: For how long to measure, after the first steps, in which the step is traced.
        after_step: Called after each step, with whether it was the last.

    Returns:
        The mean of the steps, in seconds.
    """
    count, start, epoch = 0, 0.0, 0
    while True:
        for batch in loader.load_batch(
            config.batch_size, seed=(config.seed, epoch), drop_remainder=False
        ):
            logs = model.train_step(batch)
            count += 1
            if count == 2:
                float(logs["g_loss"])  # Waits for the device.
                start = time.monotonic()
            if count >= 2 + MIN_STEPS and time.monotonic() - start >= seconds:
                float(logs["g_loss"])
                after_step(True)
                return (time.monotonic() - start) / (count - 2)
            after_step(False)
        epoch += 1
