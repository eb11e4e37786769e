"""Measuring translators while they are trained: whether they still improve, and what is wrong."""

import contextlib
import dataclasses
import logging
import pathlib
import re
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from cyclegan_keras._text import counted
from cyclegan_keras.training.callbacks.best import BestTranslators, Ruler
from cyclegan_keras.training.faults import NotFinite, NotFiniteGuard
from cyclegan_keras.training.intervals import EveryFewSteps
from cyclegan_keras.training.progress import MeanLogs

_log = logging.getLogger(__name__)

Sink = Callable[[int, dict[str, float], str | None], None]
_Looks = dict[str, list[float]]


@dataclasses.dataclass(frozen=True)
class Judging:
    """Who judges translators, and by what.

    The training knows none of it, and is handed this.

    Attributes:
        measure: From generators by name to figures by name, those of `quality.Judge`.
        ruler: The figure that says which are the best.
        faults: From figures to a sentence for each fault of a translator.
        faults_of_discriminators: From the shares of right judgements and the losses at the last
            looks, each by the name of the discriminator, to a sentence for each fault; `None` if
            their scores have no right side.
    """

    measure: Callable[[dict[str, Any]], dict[str, Any]]
    ruler: Ruler
    faults: Callable[[dict[str, Any]], list[str]]
    faults_of_discriminators: Callable[[_Looks, _Looks], list[str]] | None


class Evaluation(EveryFewSteps):
    """Measures the translators every so often and after the last step, and keeps the best ones.

    It says whether they still improve, and names each fault when it is seen, and when it is seen
    again after it was gone. Hang it on behind `guard` and in front of what writes the figures.

    Args:
        judging: Who judges, and by what.
        interval: Steps between two looks.
        run_dir: Where the best translators are kept.
        guard: Asked before each look, so that nothing is made of a model that is broken.
        sinks: Each is called with the steps done, the figures of the translators, and the name of
            the extractor that some of them depend on, `None` if there is none.
        patience: After so many looks in a row at which no translator was at its best, the training
            ends; 0 means never.

    Raises:
        NotFinite: While the model is trained, if a loss, a weight or a figure is infinite or no
            number.
    """

    def __init__(
        self,
        judging: Judging,
        interval: int,
        run_dir: pathlib.Path,
        guard: NotFiniteGuard,
        sinks: Iterable[Sink] = (),
        patience: int = 0,
    ) -> None:
        super().__init__(interval)
        self._judging, self._guard = judging, guard
        self._sinks, self._patience = list(sinks), patience
        self._best = BestTranslators(run_dir, judging.ruler)
        self._means = MeanLogs()
        self._looks: list[dict[str, float]] = []
        self._seen: set[str] = set()
        self._stopped: dict[str, int] | None = None

    @property
    def stopped_at(self) -> int | None:
        """The step after which the training was ended for want of progress, if it was."""
        return None if self._stopped is None else self._stopped["step"]

    def on_train_begin(self, logs: Any = None) -> None:
        """Takes over the best translators of a time that `restore` may know nothing of."""
        progress = self.params["progress"]
        if progress.epoch or progress.step:
            self._best.take_over()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Takes in how the discriminators did, and looks if it is time, or the last step."""
        if self._judging.faults_of_discriminators:
            self._means.add(self._of_discriminators(logs or {}))
        super().on_train_batch_end(batch, logs)
        if self._is_last(batch) and self.num_steps % self.interval:
            self.act(batch)

    def act(self, batch: int) -> None:
        """Measures, tells, and keeps the best."""
        translators = self.model.translators
        figures = self._measure(translators, batch)
        for sink in self._sinks:
            sink(self.num_steps, figures_of_translators(figures), figures.get("extractor"))
        _say(f"Step {self.num_steps:,}: {self._best.take(translators, figures, self.num_steps)}")
        self._name_faults(figures)
        if 0 < self._patience <= self._best.stale and not self._is_last(batch):
            self._stopped = {"step": self.num_steps, "epochs": self.params["epochs"]}
            self.model.stop_training = True
            _say(
                f"Stopped after step {self.num_steps:,}: no translator was at its best in the last "
                f"{counted(self._best.stale, 'evaluation')}."
            )

    def _measure(self, translators: dict[str, Any], batch: int) -> dict[str, Any]:
        self._guard.check()
        odd = [
            f"{name}'s {variable.path}"
            for name, translator in translators.items()
            for variable in translator.variables
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all()
        ]
        if not odd:
            # What comes of pixels that are no numbers is found below.
            with np.errstate(invalid="ignore"):
                figures = self._judging.measure(translators)
            found = figures_of_translators(figures)
            odd = [name for name, value in found.items() if not np.isfinite(value)]
        if odd:
            raise NotFinite(odd, self.epoch, batch)
        return figures

    def _name_faults(self, figures: dict[str, Any]) -> None:
        faults = list(self._judging.faults(figures))
        if self._judging.faults_of_discriminators:
            self._looks = [*self._looks[-1:], self._means.mean()]
            accuracies, losses = (
                {
                    name.removesuffix(end): [means[name] for means in self._looks]
                    for name in self._looks[-1]
                    if name.endswith(end)
                }
                for end in ("_acc", "_loss")
            )
            faults += self._judging.faults_of_discriminators(accuracies, losses)
        self._means = MeanLogs()
        for fault in faults:
            if _kind_of(fault) not in self._seen:
                _say(f"  {fault}")
        self._seen = {_kind_of(fault) for fault in faults}

    def state(self) -> dict[str, Any]:
        """Returns what the next look depends on."""
        return {
            "interval": self.interval,
            "attempt": self.params["progress"].attempt,
            "best": self._best.state(),
            "means": self._means.state(),
            "looks": self._looks,
            "seen": sorted(self._seen),
            "stopped": self._stopped,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what `state` returned; ends a training that was to end already."""
        if note := self._best.restore(state["best"]):
            _say(note)
        now = {"interval": self.interval, "attempt": self.params["progress"].attempt}
        if any(state[name] != value for name, value in now.items()):
            # What was measured after the checkpoint is not measured again: it is as good as it was.
            self._best.take_over()
        self._means.restore(state["means"])
        self._looks = state["looks"]
        self._seen = set(state["seen"])
        if (stopped := state["stopped"]) is None:
            return
        is_over = self.params["epochs"] <= stopped["epochs"]
        if is_over and 0 < self._patience <= self._best.stale:
            self._stopped = stopped
            self.model.stop_training = True
        else:
            self._best.count_anew()

    def _of_discriminators(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Shares of right judgements, and losses."""
        names = self.model.discriminators
        wanted = [f"{name}_{what}" for name in names for what in ("acc", "loss")]
        return {name: logs[name] for name in wanted if name in logs}

    def _is_last(self, batch: int) -> bool:
        params = self.params
        return self.epoch + 1 == params["epochs"] and batch + 1 == params["steps"]


def figures_of_translators(figures: dict[str, Any]) -> dict[str, float]:
    """Leaves out what does not depend on the translators, and so never changes.

    Args:
        figures: From `quality.Judge`.

    Returns:
        Those of a way, such as `kernel_AB`, and the cycle and identity errors.
    """
    return {
        name: value
        for name, value in figures.items()
        if name.endswith(("_AB", "_BA")) or name.startswith(("cycle_", "identity_"))
    }


def _kind_of(fault: str) -> str:
    """A fault without its numbers, which are others at each look."""
    return re.sub(r"-?\d[\d.,]*", "", fault)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # Whoever read it may be gone; the training need not end.
        _log.info(text)
