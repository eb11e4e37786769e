"""The metrics that can decide which generators are the best; for all of them, lower is better."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Monitor:
    """A metric that decides which generators are the best.

    Attributes:
        name: The first part of its key in the metrics, such as `kernel` of `kernel_AB`.
        label: Its name in messages.
        decimals: The number of decimals that are shown.
        needs_features: Whether it depends on an extractor.
    """

    name: str
    label: str
    decimals: int
    needs_features: bool = False

    def value(self, generator: str, metrics: dict[str, Any]) -> float:
        """Finds the value of one generator.

        Args:
            generator: Its name, such as `g_AB`.
            metrics: From `Evaluator.evaluate`. The cycle error of `g_AB` is that of A.

        Returns:
            The value.
        """
        way = generator.removeprefix("g_")
        return metrics[f"{self.name}_{way[0] if self.name == 'cycle' else way}"]

    def shown(self, value: float) -> str:
        """Writes a value for people."""
        return f"{value:.{self.decimals}f}"

    def label_with(self, extractor: str | None) -> str:
        """Writes the label and the extractor that the values depend on, if any."""
        return self.label if extractor is None else f"{self.label}, features of {extractor}"


MONITORS = {
    monitor.name: monitor
    for monitor in (
        Monitor("truth", "error to the ground truth", 2),
        Monitor("kernel", "KID (kernel distance)", 4, needs_features=True),
        Monitor("frechet", "FID (Fréchet distance)", 2, needs_features=True),
        Monitor("cycle", "cycle error", 2),
    )
}
