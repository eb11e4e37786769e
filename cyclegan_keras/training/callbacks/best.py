"""The best translators of a run so far, kept beside the last ones."""

import contextlib
import dataclasses
import json
import pathlib
from typing import Any

from cyclegan_keras._files import write_text
from cyclegan_keras._text import counted
from cyclegan_keras.inference import saving
from cyclegan_keras.training.faults import tolerated

FILE = "best.json"


@dataclasses.dataclass(frozen=True)
class Ruler:
    """What translators are compared by; the lower, the better.

    Attributes:
        figure: One of `FIGURES`.
        extractor: The name of the feature space that it is measured in, `None` if it takes none.
    """

    figure: str
    extractor: str | None = None

    def of(self, name: str, figures: dict[str, Any]) -> float:
        """Finds the figure of one translator.

        Args:
            name: Of the translator, such as `g_AB`.
            figures: All figures. The cycle error of `g_AB` is that of A.

        Returns:
            The figure.
        """
        way = name.removeprefix("g_")
        return figures[f"cycle_{way[0]}" if self.figure == "cycle" else f"{self.figure}_{way}"]

    def written(self, value: float) -> str:
        """Writes a value with as many digits as it is worth."""
        return f"{value:.{FIGURES[self.figure][1]}f}"

    def __str__(self) -> str:
        """Names it in plain words."""
        words = FIGURES[self.figure][0]
        return words if self.extractor is None else f"{words} ({self.extractor})"


# In words, and the digits after the point.
FIGURES = {
    "truth": ("error to the truth", 2),
    "kernel": ("kernel distance", 4),
    "frechet": ("Fréchet distance", 2),
    "cycle": ("cycle error", 2),
}


class BestTranslators:
    """Keeps each translator as it was when it was best, as `<name>.best.keras`.

    `best.json` beside them says by what they are the best, and of which steps they are.

    Args:
        run_dir: Where to.
        ruler: What they are compared by.
    """

    def __init__(self, run_dir: pathlib.Path, ruler: Ruler) -> None:
        self._run_dir, self._ruler = run_dir, ruler
        # By name: of what is kept, the value and the step; and since when it is no longer beaten.
        self._best: dict[str, dict[str, Any]] = {}
        self._stale: dict[str, int] = {}

    @property
    def stale(self) -> int:
        """Looks in a row at which no translator was at its best."""
        return min(self._stale.values(), default=0)

    def take(self, translators: dict[str, Any], figures: dict[str, Any], num_steps: int) -> str:
        """Looks at translators, and keeps those that are at their best.

        Args:
            translators: Generators by name.
            figures: Theirs.
            num_steps: How many steps they were trained.

        Returns:
            Sentences that say which are at their best and which are not. One that could not be
            written, since the disk is full, was at its best but is not what later ones must beat.
        """
        sentences: list[str] = []
        for name, translator in translators.items():
            value, before = self._ruler.of(name, figures), self._best.get(name)
            is_best = before is None or value < before["value"]
            self._stale[name] = 0 if is_best else self._stale.get(name, 0) + 1
            if is_best:
                self._keep(name, translator, {"value": value, "step": num_steps})
            what = f" {FIGURES[self._ruler.figure][0]}" if not sentences else ""
            way = f"{name[-2]} → {name[-1]}"
            sentences.append(
                f"{way}{what} {self._ruler.written(value)}, "
                f"{self._held_against(before, is_best, self._stale[name])}."
            )
        return " ".join(sentences)

    def _held_against(self, before: dict[str, Any] | None, is_best: bool, stale: int) -> str:
        if before is None:
            return "the best so far"
        then = f"{self._ruler.written(before['value'])} at step {before['step']:,}"
        if is_best:
            return f"the best so far (before: {then})"
        return f"no better than {then}; {counted(stale, 'evaluation')} without progress"

    def _keep(self, name: str, translator: Any, entry: dict[str, Any]) -> None:
        path = self._run_dir / f"{name}.best.keras"
        with tolerated(str(path)):
            saving.save_generator(translator, path)
            self._best[name] = entry
            record = {**dataclasses.asdict(self._ruler), "translators": self._best}
            write_text(self._run_dir / FILE, json.dumps(record, indent=2) + "\n")

    def count_anew(self) -> None:
        """Gives translators that came to no new best as many looks again."""
        self._stale = dict.fromkeys(self._stale, 0)

    def take_over(self) -> None:
        """Counts the files in the folder as the best so far, if they are so by the same ruler.

        They are, where the training that made them is not gone through again.
        """
        # A file that is damaged says nothing, and is written anew at the next best.
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            record = json.loads((self._run_dir / FILE).read_text("utf-8"))
            if Ruler(record["figure"], record["extractor"]) == self._ruler:
                self._best |= {
                    name: {"value": float(entry["value"]), "step": int(entry["step"])}
                    for name, entry in dict(record["translators"]).items()
                }

    def state(self) -> dict[str, Any]:
        """Returns what is to be beaten, and by what."""
        best = {name: dict(entry) for name, entry in self._best.items()}
        return {**dataclasses.asdict(self._ruler), "best": best, "stale": dict(self._stale)}

    def restore(self, state: dict[str, Any]) -> str | None:
        """Takes over what `state` returned, unless it goes by another ruler.

        Args:
            state: From `state`.

        Returns:
            A sentence if the best are sought anew.
        """
        before = Ruler(state["figure"], state["extractor"])
        if before != self._ruler:
            self._best = {}
            return (
                f"The best translators go by {self._ruler} from here on. Those that were kept went "
                f"by {before}, which cannot be compared, and will be replaced."
            )
        self._best = {name: dict(entry) for name, entry in state["best"].items()}
        self._stale = dict(state["stale"])
        return None
