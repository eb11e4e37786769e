"""One training session: from the latest checkpoint of a run to its end or next interruption."""

import contextlib
import logging
import pathlib
import shlex
import time
from collections.abc import Callable
from typing import Any

import keras

from cyclegan_keras._text import counted
from cyclegan_keras.cluster import ALONE, Alone
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.inference import saving
from cyclegan_keras.metrics import diagnostics, from_settings
from cyclegan_keras.metrics.evaluator import Evaluator
from cyclegan_keras.runs import following, provenance, record, run_folder, time_limit
from cyclegan_keras.runs.warm_start import Taken
from cyclegan_keras.training import callbacks, loop
from cyclegan_keras.training.callbacks import tensorboard
from cyclegan_keras.training.callbacks.checkpointing import Checkpointing, restore
from cyclegan_keras.training.callbacks.evaluating import Evaluation
from cyclegan_keras.training.callbacks.history import HistoryCSV
from cyclegan_keras.training.callbacks.teamwork import GO, HALT, Lead, Watch
from cyclegan_keras.training.checkpoints import Checkpoint, CheckpointStore
from cyclegan_keras.training.faults import (
    Interrupted,
    NotFinite,
    NotFiniteGuard,
    StopOnSignal,
    tolerated,
    warn,
)
from cyclegan_keras.training.progress import Progress

_log = logging.getLogger(__name__)

# Rollbacks for one fault. If these are in vain, another order of the images will not help either.
MAX_ATTEMPTS = 3


class Session:
    """Trains a model; it can be interrupted and resumed at any step.

    Args:
        model: A `CycleGAN`, a `Pix2Pix` or another `GAN`, made with the settings.
        loader: Loads the images.
        config: The settings.
        run_dir: The folder of the run, which no other process is using.
        evaluator: Evaluates the generators every `evaluate_every` steps; not needed if that is 0.
        start: Gives the model its initial weights, if they are not random.
        began: When the run began, as `time.monotonic` has it; `None` means now.
        team: The processes that take the steps together, of which this is the chief.
        asked: Gives a signal that another process got for this one; or `None`.

    Attributes:
        config: The settings. Training decides those that are open.
    """

    def __init__(
        self,
        model: Any,
        loader: DataLoader,
        config: TrainConfig,
        run_dir: pathlib.Path,
        evaluator: Evaluator | None = None,
        start: Callable[[Any], Taken] | None = None,
        began: float | None = None,
        team: Alone = ALONE,
        asked: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._team, self._asked = team, asked
        self._time_limit: time_limit.TimeLimit | None = None
        self._model, self._loader, self.config, self._run_dir = model, loader, config, run_dir
        self._evaluator, self._start = evaluator, start
        self._began = time.monotonic() if began is None else began
        self._store = CheckpointStore(run_dir / run_folder.CHECKPOINTS, config.keep)
        self._store.remove_leftovers()
        self._about = provenance.provenance(loader, model, team.num_workers, config.hash_images)

    def train(self) -> int | None:
        """Trains to the end, beginning with the newest checkpoint, if there is one.

        Returns:
            The step after which early stopping ended the training; `None` if it went to the end.

        Raises:
            Interrupted: If a signal interrupted the training. Everything is saved then.
            ValueError: If the checkpoint is of another model or of other images; or if a loss is
                infinite or NaN, and `on_nan` is not `rollback` or rollbacks were in vain.
        """
        checkpoint = self._store.load_latest(warn, or_else=record.cannot_go_on(self._run_dir))
        progress = Progress()
        if checkpoint is not None:
            provenance.check(self._about, checkpoint.state, warn)
            self._check_epochs(Progress.from_state(checkpoint.state["progress"]))
            progress = self._go_to(checkpoint)
            # The checkpoint records the initial weights; their source may be gone.
            self._remember_start(checkpoint.state.get("start_digest"))
            if progress.epoch < self.config.epochs:
                record.set_aside(self._run_dir)
        elif self._start is not None:
            taken = self._start(self._model)
            self._remember_start(taken.digest)
            _log.info(taken)
        if checkpoint is None and self.config.minutes is not None:
            self.config = self._decide_length()
            if self._team.num_workers == 1:  # The others have been told how long they train.
                self._time_limit = time_limit.TimeLimit(
                    self.config, self._loader, self._began, self._decided
                )
        # Written only now, so that settings that are refused never replace the right ones.
        run_folder.write_settings(self._run_dir, self.config)
        if checkpoint is not None:
            _log.info(f"Resumed {checkpoint.path}: {_in_words(progress)}")
        attempts = Attempts(self._loader.num_batches(self.config.batch_size))
        # One handler for all attempts, so that no signal is lost between two of them.
        with StopOnSignal(lambda: self._team.asked or self._asked()) as stop:
            while True:
                try:
                    self._lead(progress)
                    return self._train_from(progress, stop)
                except NotFinite as fault:
                    checkpoint = self._store.load_latest(warn)
                    progress = self._after(fault, progress, checkpoint, attempts.after(progress))

    def _decide_length(self) -> TrainConfig:
        """Measures how many steps fit into the time, with those who take them together."""
        team, model = self._team, self._model
        if team.num_workers > 1:
            team.tell({"kind": following.STATE}, following.state_of(model))
            team.tell({"kind": following.MEASURE})
        return time_limit.decide(
            self.config,
            model,
            self._loader,
            self._began,
            after_step=lambda is_last: team.tell({"kind": HALT if is_last else GO}),
        )

    def _decided(self, config: TrainConfig) -> None:
        self.config = config
        self._decay.decay_epochs = config.decay_epochs or 0
        with tolerated("the settings"):
            run_folder.write_settings(self._run_dir, config)

    def _lead(self, progress: Progress) -> None:
        """Gives the other processes the state of this one, and lets them train from there."""
        if self._team.num_workers == 1:
            return
        self._team.tell({"kind": following.STATE}, following.state_of(self._model))
        about = {
            "progress": progress.state(),
            "epochs": self.config.epochs,
            "steps": self.config.steps,
        }
        self._team.tell({"kind": following.TRAIN, **about})

    def _remember_start(self, digest: str | None) -> None:
        self.config = self.config.replace(start_digest=digest)
        self._about["start_digest"] = digest

    def _check_epochs(self, progress: Progress) -> None:
        """Refuses fewer epochs or steps than were trained already."""
        epochs, steps = self.config.epochs, self.config.steps
        in_epoch = self._loader.num_batches(self.config.batch_size)
        if steps is not None and (
            progress.epoch > -(-steps // in_epoch)
            # The epoch in which the last step was counts as completed.
            or (progress.step and progress.epoch * in_epoch + progress.step > steps)
        ):
            raise ValueError(
                f"The run in {str(self._run_dir)!r} has trained longer than `steps` already: it "
                f"is {_in_words(progress)} of {counted(in_epoch, 'step')}. Leave --steps out, or "
                f"give more. Received: steps={steps}"
            )
        if (progress.epoch, progress.step) > (epochs, 0):
            raise ValueError(
                f"The run in {str(self._run_dir)!r} has trained longer than `epochs` already: it "
                f"is {_in_words(progress)}. Leave --epochs out, or give at least "
                f"{progress.epoch + (progress.step > 0)}. Received: epochs={epochs}"
            )

    def _train_from(self, progress: Progress, stop: StopOnSignal) -> int | None:
        config = self.config
        guard = NotFiniteGuard(config.sample_interval)
        checkpointing = Checkpointing(self._store, config.checkpoint_interval, guard, self._about)
        history, shows, board = self._writers()
        evaluation = self._evaluation(guard, history)
        self._decay = callbacks.LearningRateDecay(config.decay_epochs or 0, config.learning_rate)
        hooks: list[keras.callbacks.Callback | None] = [
            Watch(self._team),
            guard,
            callbacks.ProgressBar(),
            callbacks.Stages(),
            self._decay,
            board,
            evaluation,
            history,
            callbacks.SampleGrid(self._loader, config.sample_interval, shows),
            self._time_limit,
            checkpointing,
            stop,
            Lead(self._team),
        ]
        try:
            loop.run(
                self._model,
                self._loader,
                config.epochs,
                config.batch_size,
                [hook for hook in hooks if hook is not None],
                seed=config.seed,
                progress=progress,
                num_steps=config.steps,
            )
            checkpointing.wait()
            stop.check()
        except BaseException as error:
            self._team.end_step()
            self._team.tell({"kind": HALT})
            if not isinstance(error, Interrupted):
                raise
            self._break_off(error, checkpointing, progress)
            raise
        return None if evaluation is None else evaluation.stopped_at

    def _writers(self) -> tuple[HistoryCSV, callbacks.Show, tensorboard.TensorBoardLog | None]:
        """Makes what writes metrics, what writes samples, and TensorBoard, which gets both."""
        path, interval = self._run_dir / run_folder.HISTORY, self.config.sample_interval
        writes = callbacks.writes_samples_to(self._run_dir / "samples")
        if not self.config.tensorboard:
            return HistoryCSV(path, interval), writes, None
        board = tensorboard.TensorBoardLog(self._run_dir / "tensorboard")
        history = HistoryCSV(path, interval, sinks=[board.write_row])
        return history, callbacks.shows_all([writes, board.write_sample]), board

    def _evaluation(self, guard: NotFiniteGuard, history: HistoryCSV) -> Evaluation | None:
        config = self.config
        if self._evaluator is None or not config.evaluate_every:
            return None
        return Evaluation(
            self._evaluator,
            from_settings.choose_monitor(config, self._loader),
            config.evaluate_every,
            self._run_dir,
            guard,
            sinks=[history.add_metrics],
            patience=config.patience,
            settings=config.info.settings,
            blind_loss=diagnostics.blind_loss(config),
        )

    def _break_off(
        self, interrupted: Interrupted, checkpointing: Checkpointing, progress: Progress
    ) -> None:
        try:
            checkpointing.take()
            checkpointing.wait()
        except NotFinite as fault:
            checkpoint = self._store.load_latest(warn)
            if checkpoint is None:
                warn(f"{fault} Nothing was saved.")
                return
            warn(f"{fault} That state was not saved; the last good checkpoint remains.")
            progress = self._go_to(checkpoint)
        with tolerated("a generator"):
            record.set_aside(self._run_dir)
            self._save_networks()
        with contextlib.suppress(OSError):  # The terminal may be gone.
            _log.info(
                f"Interrupted by {interrupted} {_in_words(progress)}. To continue: "
                f"python train.py --run-dir {shlex.quote(str(self._run_dir))} --resume"
            )

    def _after(
        self, fault: NotFinite, broken: Progress, checkpoint: Checkpoint | None, attempts: int
    ) -> Progress:
        """Goes back to the last good state, and either continues from there or stops."""
        text = f"{fault}{self._images_of(fault, broken)}"
        if checkpoint is None:
            raise ValueError(
                f"{text} There is no earlier checkpoint to go back to. Begin another run with a "
                "smaller --learning-rate."
            ) from None
        progress = self._go_to(checkpoint)
        if self.config.on_nan == "rollback" and attempts <= MAX_ATTEMPTS:
            warn(f"{text} Going back to {checkpoint.path.name}, {_in_words(progress)}.")
            progress.attempt = broken.attempt + 1
            return progress
        record.set_aside(self._run_dir)
        saved = self._save_networks()
        tried, way_out = "", ", or continue with --resume --on-nan rollback"
        if self.config.on_nan == "rollback":
            tried, way_out = f" after going back {MAX_ATTEMPTS} times", ""
        raise ValueError(
            f"{text} Stopped{tried}. {' and '.join(path.name for path in saved)} come from the "
            f"last good checkpoint, {str(checkpoint.path)!r}, {_in_words(progress)}. Begin another "
            f"run with a smaller --learning-rate{way_out}."
        ) from None

    def _save_networks(self) -> list[pathlib.Path]:
        return saving.save_translators(saving.networks_to_save(self._model), self._run_dir)

    def _images_of(self, fault: NotFinite, progress: Progress) -> str:
        if fault.step is None:
            return ""
        seed = progress.seed_of_epoch(self.config.seed, fault.epoch)
        domains = self._loader.batch_paths(self.config.batch_size, seed, fault.step)
        names = (repr(str(path)) for paths in domains for path in paths)
        return f" The images of that step were {', '.join(names)}."

    def _go_to(self, checkpoint: Checkpoint) -> Progress:
        restore(self._model, checkpoint)
        return Progress.from_state(checkpoint.state["progress"])


class Attempts:
    """Counts how often the same fault has occurred.

    Faults count as the same until the training is an epoch past the first of them. A newer
    checkpoint alone is no progress, since it may be of the step before the next fault.

    Args:
        steps: Steps in an epoch.
    """

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._first: int | None = None
        self._count = 0

    def after(self, progress: Progress) -> int:
        """Counts a fault.

        Args:
            progress: Of the training when the fault was noticed.

        Returns:
            How often this fault has occurred by now, from one.
        """
        step = progress.epoch * self._steps + progress.step
        if self._first is None or step > self._first + self._steps:
            self._first, self._count = step, 0
        self._count += 1
        return self._count


def _in_words(progress: Progress) -> str:
    steps = f" and {counted(progress.step, 'step')}" if progress.step else ""
    return f"after {counted(progress.epoch, 'epoch')}{steps}"
