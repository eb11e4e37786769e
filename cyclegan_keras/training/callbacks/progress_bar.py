"""A bar over the steps of a training."""

import sys
import time
from typing import Any

import keras
import numpy as np
import tqdm


class ProgressBar(keras.callbacks.Callback):
    """A bar over all steps, with the mean losses of the epoch so far and the time left.

    Args:
        **kwargs: Of `tqdm.tqdm`, such as `file` or `mininterval`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        # In a file, where nothing is overwritten, a line now and then is enough.
        stream: Any = kwargs.get("file", sys.stderr)
        interval = 0.5 if stream.isatty() else 10.0
        self._kwargs = {"mininterval": interval, "unit": "step", "dynamic_ncols": True, **kwargs}
        self._shown = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Draws the empty bar."""
        steps, progress = self.params["steps"], self.params["progress"]
        done = progress.epoch * steps + progress.step
        total = self.params["epochs"] * steps
        self._bar = tqdm.tqdm(total=total, initial=done, **self._kwargs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remembers the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the bar on by one."""
        now = time.monotonic()
        if now - self._shown >= self._bar.mininterval:
            self._bar.set_postfix_str(self._words(self._means()), refresh=False)
            self._shown = now
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shows the epoch's last figures."""
        self._bar.set_postfix_str(self._words(logs))

    def on_train_end(self, logs: Any = None) -> None:
        """Leaves the bar as it stands."""
        self._bar.close()

    def _means(self) -> dict[str, float]:
        return self.params["progress"].means.mean()

    def _words(self, means: dict[str, float]) -> str:
        """The losses as the book prints them, in short."""
        losses = [
            ("D", means.get("d_loss")),
            ("acc", means.get("d_acc")),
            ("G", means.get("g_loss")),
            ("adv", _both(means, "valid")),
            ("cycle", _both(means, "reconstr")),
            ("id", _both(means, "img", "_id")),
            ("L1", means.get("fake_loss")),
        ]
        epoch = f"epoch {self._epoch + 1}/{self.params['epochs']}"
        return " ".join([epoch, *(f"{name} {x:.3f}" for name, x in losses if x is not None)])


def _both(means: dict[str, float], start: str, end: str = "") -> float | None:
    """The mean of a loss over the two domains, or the loss itself, if there is such a one."""
    pair = [means.get(f"{start}_{domain}{end}_loss") for domain in "AB"]
    return (
        means.get(f"{start}{end}_loss")
        if None in pair
        else float(np.mean([x for x in pair if x is not None]))
    )
