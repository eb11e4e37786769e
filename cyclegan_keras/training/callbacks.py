"""What hangs on the training loop: progress, samples, and the learning rate."""

import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tqdm
from PIL import Image

from cyclegan_keras import plotting
from cyclegan_keras.data.images import write_image
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.files import PathLike, free_name
from cyclegan_keras.schedules import linear_decay
from cyclegan_keras.training.faults import NotFinite, tolerated
from cyclegan_keras.training.intervals import EveryFewSteps

# Called with a picture (uint8, `(height, width, 3)`), the epoch and the batch, from zero.
Show = Callable[[np.ndarray, int, int], None]
NUM_SAMPLES = 4
SAMPLE_SEED = 9


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


class SampleGrid(EveryFewSteps):
    """Translates the same few images every so often, and hands the picture on.

    Takes test images, or training images where there are none to test with.

    Args:
        loader: Where the images come from.
        interval: Steps between two pictures.
        show: Called with the picture (uint8, `(height, width, 3)`), the epoch and the batch, both
            counted from zero.
        num_images: Of each domain.

    Raises:
        NotFinite: While it is trained, if a translation has pixels that are no numbers.
    """

    def __init__(
        self,
        loader: DataLoader,
        interval: int,
        show: Show,
        num_images: int = NUM_SAMPLES,
    ) -> None:
        super().__init__(interval)
        self._show = show
        self._imgs_A, self._imgs_B = _samples(loader, num_images)

    def act(self, batch: int) -> None:
        """Makes the picture and shows it."""
        try:
            with np.errstate(invalid="raise"):  # Of pixels that are no numbers.
                grid = plotting.grid_of(self.model.translators, self._imgs_A, self._imgs_B)
        except FloatingPointError:
            raise NotFinite(["a translation"], self.epoch, batch) from None
        self._show(grid, self.epoch, batch)


def _samples(loader: DataLoader, num_images: int) -> tuple[np.ndarray, np.ndarray]:
    """The same few images of each domain each time; to train on, if there are none to test with."""
    testing = loader.has_test_images
    count = min(num_images, *(len(loader.paths(domain, testing)) for domain in "AB"))
    # Where test images are pairs, the same places show the same scenes.
    imgs_A, imgs_B = (loader.load_data(domain, count, testing, seed=SAMPLE_SEED) for domain in "AB")
    return imgs_A, imgs_B


def sample_images(model: Any, loader: DataLoader, epoch: int, batch: int) -> Image.Image:
    """Keeps a picture of what a model's translators make, and shows it in a notebook.

    Args:
        model: A model with `translators`.
        loader: Where the images come from.
        epoch: Of the picture's name.
        batch: Of the picture's name.

    Returns:
        The picture, as it is in `images/<dataset>/<epoch>_<batch>.png`; no file is overwritten.

    Raises:
        OSError: If it cannot be written.
    """
    grid = plotting.grid_of(model.translators, *_samples(loader, NUM_SAMPLES))
    path = free_name(pathlib.Path("images") / loader.dataset_name / f"{epoch}_{batch}", ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, grid)
    picture = Image.fromarray(grid)
    if "ipykernel" in sys.modules:  # In the middle of a loop, where a value is not shown by itself.
        from IPython import display

        display.display(picture)
    return picture


class LearningRateDecay(keras.callbacks.Callback):
    """Lets the learning rate of every optimizer fall in a straight line towards the end.

    It sets the rates before each step, to a share of the first ones that depends on nothing but the
    step, and gives the optimizers their first rates back when the training ends, however it ends.
    To train on with another rate, assign it to an optimizer's `learning_rate` between two
    trainings; what is assigned while the model is trained is overwritten at the next step.

    Args:
        decay_epochs: How many epochs at the end it falls over; 0 keeps it constant.
        learning_rate: The first rate of every optimizer. `None` means the rate that each one has
            when the training begins or, where it goes on from a checkpoint, had when it began.
            Optimizers with a schedule of their own follow that, as long as `decay_epochs` is 0.

    Raises:
        ValueError: When the training begins, if there is something to decay and an optimizer has a
            schedule of its own.
    """

    def __init__(self, decay_epochs: int, learning_rate: float | None = None) -> None:
        super().__init__()
        self._decay_epochs = decay_epochs
        self._learning_rate = learning_rate
        self._optimizers: list[keras.optimizers.Optimizer] = []

    def on_train_begin(self, logs: Any = None) -> None:
        """Remembers the first rates."""
        optimizers = self.model.optimizers
        self._optimizers = [one for one in optimizers if _is_settable(one)]
        if self._decay_epochs and len(self._optimizers) < len(optimizers):
            raise ValueError(
                "An optimizer with a learning rate schedule of its own cannot follow another one. "
                "Compile with a number as `learning_rate`, or leave the decay out. Received: "
                f"decay_epochs={self._decay_epochs}"
            )
        if self._learning_rate is not None:
            # Whatever a checkpoint left there. Read back below, in the precision that it has then.
            self._set([self._learning_rate] * len(self._optimizers))
        self._rates = [float(optimizer.learning_rate) for optimizer in self._optimizers]
        self._num_steps = self.params["epochs"] * self.params["steps"]
        self._epoch = 0

    def state(self) -> dict[str, Any]:
        """Returns the first rates, which those in the optimizers no longer show."""
        return {"rates": list(self._rates)}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes over what `state` returned."""
        if self._learning_rate is None:
            self._rates = list(state["rates"])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remembers the epoch."""
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Sets the rates for this step."""
        steps = self.params["steps"]
        decay_from = max(0, self._num_steps - self._decay_epochs * steps)
        factor = linear_decay(self._epoch * steps + batch, decay_from, self._num_steps)
        self._set([rate * factor for rate in self._rates])

    def on_train_end(self, logs: Any = None) -> None:
        """Sets the first rates again, for whatever is trained next."""
        self._set(self._rates)

    def _set(self, rates: list[float]) -> None:
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.learning_rate = rate


def _is_settable(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the rate is a number that is kept, and not what a schedule says."""
    return isinstance(optimizer.learning_rate, keras.Variable)


def writes_samples_to(directory: PathLike) -> Show:
    """Makes a function that keeps the pictures of `SampleGrid` as PNG files.

    Args:
        directory: The folder, made when the first picture comes.

    Returns:
        A function that writes `<epoch>_<batch>.png`, as the book names them.
    """
    folder = pathlib.Path(directory)

    def write(grid: np.ndarray, epoch: int, batch: int) -> None:
        with tolerated(f"the sample {folder / f'{epoch}_{batch}.png'}"):
            folder.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{epoch}_{batch}.png", grid)

    return write


def shows_all(shows: list[Show]) -> Show:
    """Makes a function that hands the pictures of `SampleGrid` to several others.

    Args:
        shows: Those.

    Returns:
        A function that calls each in turn.
    """

    def show(grid: np.ndarray, epoch: int, batch: int) -> None:
        for one in shows:
            one(grid, epoch, batch)

    return show


def shows_samples() -> Show:
    """Makes a function that shows the pictures of `SampleGrid` in a notebook.

    Returns:
        A function that puts each picture in the place of the one before.
    """
    from IPython import display

    place = display.display(None, display_id=True)

    def show(grid: np.ndarray, epoch: int, batch: int) -> None:
        place.update(Image.fromarray(grid))

    return show


def book_callbacks(loader: DataLoader, sample_interval: int) -> list[keras.callbacks.Callback]:
    """What `CycleGAN.train` shows by itself: progress, and samples in `images/<dataset>/`.

    Args:
        loader: Where the samples come from.
        sample_interval: Steps between two pictures.

    Returns:
        Callbacks.

    Reference:
        *GANs in Action*, listing 9.6.
    """
    folder = free_name(pathlib.Path("images") / loader.dataset_name)
    return [ProgressBar(), SampleGrid(loader, sample_interval, writes_samples_to(folder))]
