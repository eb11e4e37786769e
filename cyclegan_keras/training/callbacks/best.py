"""The best generators of a run so far, kept beside the last ones."""

import contextlib
import json
import pathlib
from typing import Any

from cyclegan_keras._files import write_text
from cyclegan_keras._text import counted
from cyclegan_keras.inference import saving
from cyclegan_keras.metrics.monitors import MONITORS, Monitor
from cyclegan_keras.metrics.round_trip import ways_of
from cyclegan_keras.training.faults import tolerated

FILE = "best.json"


class BestGenerators:
    """Saves each generator whenever it improves, as `<name>.best.keras`.

    `best.json` beside these files records the metric, and the value and step of each generator.

    Args:
        run_dir: The folder of the run.
        monitor: The metric that decides.
        extractor: The name of the extractor that the metric depends on, if any.
    """

    def __init__(self, run_dir: pathlib.Path, monitor: Monitor, extractor: str | None) -> None:
        self._run_dir, self._monitor = run_dir, monitor
        # The keys of `best.json` and of checkpoints.
        self._measure = {"figure": monitor.name, "extractor": extractor}
        # By name of generator: value and step of the saved one.
        self._best: dict[str, dict[str, Any]] = {}
        # By name of generator: evaluations since it last improved.
        self._waited: dict[str, int] = {}

    @property
    def waited(self) -> int:
        """The number of evaluations in a row in which no generator improved."""
        return min(self._waited.values(), default=0)

    def update(self, generators: dict[str, Any], metrics: dict[str, Any], num_steps: int) -> str:
        """Compares generators with the best so far, and saves those that improved.

        Args:
            generators: By name; and their encoders, which are saved with them.
            metrics: Of the generators.
            num_steps: The number of steps that they were trained.

        Returns:
            A sentence for each generator that says whether it improved. If the disk is full, it is
            not saved, and the next ones are compared with the one that was saved before.
        """
        sentences: list[str] = []
        for name in (f"g_{way}" for way in ways_of(generators)):
            value, before = self._monitor.value(name, metrics), self._best.get(name)
            is_best = before is None or value < before["value"]
            self._waited[name] = 0 if is_best else self._waited.get(name, 0) + 1
            if is_best:
                self._save(name, generators, {"value": value, "step": num_steps})
            label = "" if sentences else f" {self._monitor.label}"
            way = f"{name[-2]} → {name[-1]}"
            sentences.append(
                f"{way}{label} {self._monitor.shown(value)}, "
                f"{self._comparison(before, is_best, self._waited[name])}."
            )
        return " ".join(sentences)

    def _comparison(self, before: dict[str, Any] | None, is_best: bool, waited: int) -> str:
        if before is None:
            return "the best so far"
        then = f"{self._monitor.shown(before['value'])} at step {before['step']:,}"
        if is_best:
            return f"the best so far (before: {then})"
        return f"no better than {then}; {counted(waited, 'evaluation')} without improvement"

    def _save(self, name: str, generators: dict[str, Any], entry: dict[str, Any]) -> None:
        path = self._run_dir / f"{name}.best.keras"
        # The encoder that finds the latents of this generator.
        names = [each for each in (f"e_{name[-1]}", name) if each in generators]
        with tolerated(str(path)):
            saving.save_translators(
                {f"{each}.best": generators[each] for each in names}, self._run_dir
            )
            self._best[name] = entry
            record = {**self._measure, "translators": self._best}
            write_text(self._run_dir / FILE, json.dumps(record, indent=2) + "\n")

    def reset_patience(self) -> None:
        """Counts evaluations without improvement from zero again."""
        self._waited = dict.fromkeys(self._waited, 0)

    def adopt_saved(self) -> None:
        """Takes the generators in the folder as the best so far, if the same metric chose them.

        Needed where the training that saved them is not repeated.
        """
        # A damaged file is ignored, and replaced at the next improvement.
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            record = json.loads((self._run_dir / FILE).read_text("utf-8"))
            if self._is_comparable(record):
                self._best |= {
                    name: {"value": float(entry["value"]), "step": int(entry["step"])}
                    for name, entry in dict(record["translators"]).items()
                }

    def _is_comparable(self, record: dict[str, Any]) -> bool:
        return {name: record[name] for name in self._measure} == self._measure

    def state(self) -> dict[str, Any]:
        """Returns the metric, the best values so far, and the evaluations since."""
        best = {name: dict(entry) for name, entry in self._best.items()}
        return {**self._measure, "best": best, "stale": dict(self._waited)}

    def restore(self, state: dict[str, Any]) -> str | None:
        """Restores a state, unless another metric chose the best generators.

        Args:
            state: From `state`.

        Returns:
            A note if the search for the best generators begins again.
        """
        if self._is_comparable(state):
            self._best = {name: dict(entry) for name, entry in state["best"].items()}
            self._waited = dict(state["stale"])
            return None
        self._best = {}
        now = self._monitor.label_with(self._measure["extractor"])
        before = MONITORS[state["figure"]].label_with(state["extractor"])
        return (
            f"The best generators are chosen by {now} from here on. Those saved so far were chosen "
            f"by {before}, which is not comparable, and will be replaced."
        )
