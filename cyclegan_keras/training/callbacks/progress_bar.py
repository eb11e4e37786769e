"""A progress bar over the steps of a training."""

import sys
import time
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tqdm


class ProgressBar(keras.callbacks.Callback):
    """A progress bar over all steps, with the mean losses of the epoch and the remaining time.

    Args:
        **kwargs: For `tqdm.tqdm`, such as `file` or `mininterval`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        # A file gets fewer updates, because each is a new line there.
        stream: Any = kwargs.get("file", sys.stderr)
        interval = 0.5 if stream.isatty() else 10.0
        self._kwargs = {"mininterval": interval, "unit": "step", "dynamic_ncols": True, **kwargs}
        self._shown = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Draws the empty bar."""
        steps, progress = self.params["steps"], self.params["progress"]
        done = progress.epoch * steps + progress.step
        self._bar = tqdm.tqdm(total=self.params["num_steps"], initial=done, **self._kwargs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Stores the epoch."""
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Advances the bar by one step."""
        self._bar.total = self.params["num_steps"]
        now = time.monotonic()
        if now - self._shown >= self._bar.mininterval:
            self._bar.set_postfix_str(self._words(self._means()), refresh=False)
            self._shown = now
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Shows the mean losses of the epoch."""
        self._bar.set_postfix_str(self._words(logs))

    def on_train_end(self, logs: Any = None) -> None:
        """Closes the bar."""
        self._bar.close()

    def _means(self) -> dict[str, float]:
        return self.params["progress"].means.mean()

    def _words(self, means: dict[str, float]) -> str:
        """Writes the losses that the book prints, abbreviated."""
        shown = {"D": ("d_loss",), "acc": ("d_acc",), "G": ("g_loss",), **self._shown_losses()}
        losses = [
            (word, float(np.mean([means[name] for name in names])))
            for word, names in shown.items()
            if all(name in means for name in names)
        ]
        epoch = f"epoch {self._epoch + 1}/{self.params['epochs']}"
        return " ".join([epoch, *(f"{name} {x:.3f}" for name, x in losses)])

    def _shown_losses(self) -> Mapping[str, tuple[str, ...]]:
        return getattr(self.model, "shown_losses", {})
