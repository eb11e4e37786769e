"""Evaluation during training: it keeps the best generators, names problems, and stops early."""

import contextlib
import logging
import pathlib
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any

import keras
import numpy as np

from cyclegan_keras._text import counted
from cyclegan_keras.inference import saving
from cyclegan_keras.metrics import diagnostics
from cyclegan_keras.metrics.evaluator import Evaluator, generator_metrics
from cyclegan_keras.metrics.monitors import Monitor
from cyclegan_keras.training.callbacks.best import BestGenerators
from cyclegan_keras.training.faults import NotFinite, NotFiniteGuard
from cyclegan_keras.training.intervals import EveryFewSteps
from cyclegan_keras.training.progress import MeanLogs

_log = logging.getLogger(__name__)

Sink = Callable[[int, dict[str, float], str | None], None]


class Evaluation(EveryFewSteps):
    """Evaluates the generators every `interval` steps and after the last one.

    It saves the best ones, logs whether they still improve, and reports each problem when it first
    appears and whenever it reappears. Place it behind `guard` and in front of what writes the
    metrics.

    Args:
        evaluator: Computes the metrics.
        monitor: The metric that decides which generators are the best.
        interval: Steps between two evaluations.
        run_dir: The folder for the best generators.
        guard: Asked before each evaluation, so that no broken model is evaluated or saved.
        sinks: Each is called with the number of steps, the metrics of the generators, and the name
            of the extractor that some of them depend on, or `None`.
        patience: Early stopping: the training ends after this many evaluations in a row in which no
            generator improved; 0 means never.
        settings: The names of the model's settings, so that problems come with the right advice;
            `None` means all.
        blind_loss: The loss of a discriminator that gives all images the same score. `None` leaves
            out problems of discriminators.

    Raises:
        NotFinite: During the training, if a loss, a weight or a metric is infinite or NaN.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        monitor: Monitor,
        interval: int,
        run_dir: pathlib.Path,
        guard: NotFiniteGuard,
        sinks: Iterable[Sink] = (),
        patience: int = 0,
        settings: Collection[str] | None = None,
        blind_loss: float | None = None,
    ) -> None:
        super().__init__(interval)
        self._evaluator, self._guard = evaluator, guard
        self._sinks, self._patience = list(sinks), patience
        self._settings, self._blind_loss = settings, blind_loss
        used = evaluator.extractor if monitor.needs_features else None
        self._best = BestGenerators(run_dir, monitor, None if used is None else used.name)
        # Of the discriminators, since the last evaluation; and at the last two evaluations.
        self._means = MeanLogs()
        self._last_means: list[dict[str, float]] = []
        self._reported: set[str] = set()
        self._stopped: dict[str, int] | None = None

    @property
    def stopped_at(self) -> int | None:
        """The step after which early stopping ended the training, if it did."""
        return None if self._stopped is None else self._stopped["step"]

    def on_train_begin(self, logs: Any = None) -> None:
        """Adopts the best generators of a training without evaluation state, if it continues."""
        progress = self.params["progress"]
        if progress.epoch or progress.step:
            self._best.adopt_saved()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Collects the discriminators' results, and evaluates if it is time, or the last step."""
        if self._blind_loss is not None:
            self._means.add(self._of_discriminators(logs or {}))
        super().on_train_batch_end(batch, logs)
        if self._is_last(batch) and self.num_steps % self.interval:
            self.act(batch)

    def act(self, batch: int) -> None:
        """Evaluates, logs the result, and saves the best generators."""
        generators = saving.networks_to_save(self.model)
        metrics = self._evaluate(generators, batch)
        for sink in self._sinks:
            sink(self.num_steps, generator_metrics(metrics), metrics.get("extractor"))
        _say(f"Step {self.num_steps:,}: {self._best.update(generators, metrics, self.num_steps)}")
        self._report_problems(metrics)
        if 0 < self._patience <= self._best.waited and not self._is_last(batch):
            self._stopped = {"step": self.num_steps, "epochs": self.params["epochs"]}
            self.model.stop_training = True
            _say(
                f"Early stopping after step {self.num_steps:,}: no generator improved in the last "
                f"{counted(self._best.waited, 'evaluation')}."
            )

    def _evaluate(self, generators: dict[str, Any], batch: int) -> dict[str, Any]:
        self._guard.check()
        odd = [
            f"{name}'s {variable.path}"
            for name, generator in generators.items()
            for variable in generator.variables
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all()
        ]
        if not odd:
            # Pixels that are NaN lead to metrics that are NaN, which are found below.
            with np.errstate(invalid="ignore"):
                metrics = self._evaluator.evaluate(generators).metrics
            found = generator_metrics(metrics)
            odd = [name for name, value in found.items() if not np.isfinite(value)]
        if odd:
            raise NotFinite(odd, self.epoch, batch)
        return metrics

    def _report_problems(self, metrics: dict[str, Any]) -> None:
        problems = diagnostics.problems(metrics, self._settings)
        if self._blind_loss is not None:
            self._last_means = [*self._last_means[-1:], self._means.mean()]
            accuracies, losses = (
                {
                    name.removesuffix(end): [means[name] for means in self._last_means]
                    for name in self._last_means[-1]
                    if name.endswith(end)
                }
                for end in ("_acc", "_loss")
            )
            problems += diagnostics.discriminator_problems(
                accuracies, losses, self._blind_loss, self._settings
            )
        self._means = MeanLogs()
        for problem in problems:
            if _without_numbers(problem) not in self._reported:
                _say(f"  {problem}")
        self._reported = {_without_numbers(problem) for problem in problems}

    def state(self) -> dict[str, Any]:
        """Returns all that the next evaluation depends on."""
        return {
            "interval": self.interval,
            "attempt": self.params["progress"].attempt,
            "best": self._best.state(),
            "means": self._means.state(),
            "looks": self._last_means,
            "seen": sorted(self._reported),
            "stopped": self._stopped,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restores a state; ends a training that early stopping had ended already."""
        if note := self._best.restore(state["best"]):
            _say(note)
        now = {"interval": self.interval, "attempt": self.params["progress"].attempt}
        if any(state[name] != value for name, value in now.items()):
            # The evaluations after the checkpoint are not repeated, so their results count.
            self._best.adopt_saved()
        self._means.restore(state["means"])
        self._last_means = state["looks"]
        self._reported = set(state["seen"])
        if (stopped := state["stopped"]) is None:
            return
        is_over = self.params["epochs"] <= stopped["epochs"]
        if is_over and 0 < self._patience <= self._best.waited:
            self._stopped = stopped
            self.model.stop_training = True
        else:
            self._best.reset_patience()

    def _of_discriminators(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Selects accuracies and losses of the discriminators."""
        names = self.model.discriminators
        wanted = [f"{name}_{what}" for name in names for what in ("acc", "loss")]
        return {name: logs[name] for name in wanted if name in logs}

    def _is_last(self, batch: int) -> bool:
        params = self.params
        return self.epoch * params["steps"] + batch + 1 == params["num_steps"]


def _without_numbers(problem: str) -> str:
    """Identifies a problem by its sentence without the numbers, which change every time."""
    return re.sub(r"-?\d[\d.,]*", "", problem)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # If nobody reads the output, the training still goes on.
        _log.info(text)
