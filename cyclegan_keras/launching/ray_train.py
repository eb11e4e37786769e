"""Workers that Ray Train starts, on any hosts of a Ray cluster, and starts again if one fails."""

import contextlib
import importlib.util
import logging
import os
import pathlib
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cyclegan_keras import _extras
from cyclegan_keras._backend import SetupError
from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cluster import WorkerLost, description
from cyclegan_keras.config.train_config import TrainConfig

_log = logging.getLogger(__name__)

MAX_FAILURES = 3
# Where Ray keeps what it needs, in the folder of the run, while it trains.
STORAGE = ".ray"
AGAIN_IN = 0.5  # Seconds between two looks at what the workers have told.


def launch(config: TrainConfig, num_workers: int) -> None:
    """Trains by workers of Ray.

    `RAY_ADDRESS` names the cluster; without it, Ray is started here and ends with this call. Each
    restart goes on from the last checkpoint, so the run needs a folder, and all hosts must see it:
    a worker on any of them may be the chief. What the workers log is logged here. A signal to this
    process stops all of them after the same step, with everything saved.

    Args:
        config: The settings.
        num_workers: How many workers, each with one GPU, if Ray has any.

    Raises:
        KeyboardInterrupt: If a signal interrupted the training.
        ValueError: If Ray is not installed, the run has no folder, or something is wrong with what
            was asked for.
        WorkerLost: If workers have failed more often than they are started again.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError(
            f"--launcher ray needs Ray, which is not installed. Install it, {_extras.advice('ray')}"
        )
    if config.run_dir is None:
        raise ValueError(
            "--launcher ray needs --run-dir, a folder that all hosts of Ray see: workers that are "
            "started again go on from the checkpoints there. Received: none"
        )
    folder = pathlib.Path(config.run_dir).resolve()
    with without_startup_notes():
        try:
            import ray.train
            import ray.train.tensorflow
        except ImportError as error:  # Ray by itself has no part for training.
            raise ValueError(
                f"--launcher ray needs Ray Train. Install it, {_extras.advice('ray')} ({error})"
            ) from None
        from cyclegan_keras.training.faults import Interrupted, StopOnSignal

    with _running(ray, num_workers), _storage(folder), StopOnSignal() as stop:
        has_gpus = _look_for_room(ray.cluster_resources(), num_workers)
        board = ray.remote(num_cpus=0)(Board).remote()
        trainer = ray.train.tensorflow.TensorflowTrainer(
            train_loop_per_worker=_train,
            train_loop_config={
                "settings": config.to_json(),
                "folder": os.getcwd(),
                "board": board,
            },
            scaling_config=ray.train.ScalingConfig(num_workers=num_workers, use_gpu=has_gpus),
            run_config=ray.train.RunConfig(
                name=STORAGE,
                storage_path=str(folder),
                failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES),
            ),
        )
        failed = _fit(ray, trainer, board, stop)
        wrong, signum = ray.get([board.wrong.remote(), board.stopped_by.remote()])
        if signum is not None:
            stop.forget()
            raise Interrupted(signum)
        if wrong is not None:
            raise ValueError(wrong)
        if failed is not None:
            raise WorkerLost(
                f"Workers have failed {MAX_FAILURES + 1} times, and Ray starts them no more. Start "
                "the same command again; it goes on from the last checkpoint. "
                f"({' '.join(str(failed).split())[-500:]})"
            ) from failed


@contextlib.contextmanager
def _running(ray: Any, num_workers: int) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    address = os.environ.get("RAY_ADDRESS")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Nobody is told.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    enough = {} if address else {"num_cpus": num_workers, "include_dashboard": False}
    # Of what its processes write, most is Ray's own; the workers' lines come by the board.
    ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **enough)
    try:
        yield
    finally:
        ray.shutdown()


def _look_for_room(has: Mapping[str, float], num_workers: int) -> bool:
    """Warns if workers will be waited for, and tells whether there is a GPU for each."""
    if (cores := has.get("CPU", 0)) < num_workers:
        _log.warning(
            f"Ray has {cores:g} processor cores for {num_workers} workers, each of which takes "
            "one. It waits until there are more; or give fewer --workers."
        )
    return has.get("GPU", 0) >= num_workers


@contextlib.contextmanager
def _storage(folder: pathlib.Path) -> Iterator[None]:
    """Removes at the end what Ray has put into the folder of the run, and that if it is new."""
    is_new = not folder.exists()
    try:
        yield
    finally:
        shutil.rmtree(folder / STORAGE, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # By now there is a run in it.
                folder.rmdir()


def _fit(ray: Any, trainer: Any, board: Any, stop: Any) -> Exception | None:
    """Waits for the end, and meanwhile shows what the workers tell and passes a signal on.

    Not in this thread, where Ray would take Ctrl-C for itself.
    """
    failed: list[Exception] = []

    def fit() -> None:
        try:
            trainer.fit()
        except Exception as error:
            failed.append(error)

    fitting = threading.Thread(target=fit, name="ray", daemon=True)
    fitting.start()
    told, asked = 0, False
    while True:
        is_over = not fitting.is_alive()
        for line in ray.get(board.lines_from.remote(told)):
            _log.log(*line)
            told += 1
        if is_over:
            return failed[0] if failed else None
        if stop.signum is not None and not asked:
            asked = True
            board.ask.remote(int(stop.signum))
        fitting.join(AGAIN_IN)


class Board:
    """What the workers and the process that has started them tell each other: an actor of Ray."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str]] = []
        self._wrong: dict[int, str] = {}
        self._lives = 0
        self._asked: int | None = None
        self._stopped_by: int | None = None

    def begin(self, rank: int) -> bool:
        """Notes that a worker begins, and returns whether there is anything for it to do."""
        if self._wrong:
            return False
        if rank == 0:
            if self._lives:
                text = "A worker has failed. Ray has started all of them again"
                self.say(logging.WARNING, f"{text} ({self._lives} of {MAX_FAILURES} times).")
            self._lives += 1
        return True

    def say(self, level: int, text: str) -> None:
        """Takes a line for the log."""
        self._lines.append((level, text))

    def lines_from(self, place: int) -> list[tuple[int, str]]:
        """Returns the lines of the log from a place on, with their levels."""
        return self._lines[place:]

    def fail(self, rank: int, text: str) -> None:
        """Takes what is wrong with what was asked for, which no restart would mend."""
        self._wrong[rank] = text

    def wrong(self) -> str | None:
        """Returns what is wrong, as the first worker has it if that has noticed."""
        return self._wrong[min(self._wrong)] if self._wrong else None

    def ask(self, signum: int) -> None:
        """Takes a signal for the workers."""
        self._asked = signum

    def asked(self) -> int | None:
        """Returns the signal for the workers."""
        return self._asked

    def stop(self, signum: int) -> None:
        """Takes the signal by which the workers were stopped."""
        self._stopped_by = signum

    def stopped_by(self) -> int | None:
        """Returns the signal by which the workers were stopped."""
        return self._stopped_by


def _train(loop_config: dict[str, Any]) -> None:
    """Runs in each worker, for which Ray has set TF_CONFIG."""
    import ray
    import ray.train

    # Another description would be taken first.
    for name in (description.WORKERS, description.INDEX):
        os.environ.pop(name, None)
    board, rank = loop_config["board"], ray.train.get_context().get_world_rank()
    if not ray.get(board.begin.remote(rank)):
        return
    try:
        os.chdir(loop_config["folder"])
        with _telling(board, rank):
            _run(loop_config["settings"], _asked(board))
    except KeyboardInterrupt as interrupt:
        ray.get(board.stop.remote(int(getattr(interrupt, "signum", signal.SIGINT))))
    except (ValueError, OSError, SetupError) as error:
        ray.get(board.fail.remote(rank, " ".join(str(error).split()) or type(error).__name__))
        raise  # So that Ray ends those, too, who wait for this one.


def _run(settings: str, asked: Callable[[], int | None]) -> None:
    from cyclegan_keras.runs.trainer import train_run

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "config.json"
        path.write_text(settings, "utf-8")
        config = TrainConfig.from_json(path)
    train_run(config, asked)


@contextlib.contextmanager
def _telling(board: Any, rank: int) -> Iterator[None]:
    """Sends what is logged to the board: of the chief, everything; of others, nothing."""
    logger, handler = logging.getLogger("cyclegan_keras"), _ToBoard(board)
    logger.setLevel(logging.INFO)
    if rank == 0:
        logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _ToBoard(logging.Handler):
    def __init__(self, board: Any) -> None:
        super().__init__()
        self._board = board

    def emit(self, record: logging.LogRecord) -> None:
        self._board.say.remote(record.levelno, self.format(record))


def _asked(board: Any) -> Callable[[], int | None]:
    """Looks for a signal on the board, in a thread, so that no step waits for it."""
    import ray

    found: list[int] = []

    def look() -> None:
        with contextlib.suppress(ray.exceptions.RayError):  # The end of everything.
            while not found:
                time.sleep(AGAIN_IN)
                if (signum := ray.get(board.asked.remote())) is not None:
                    found.append(signum)

    threading.Thread(target=look, name="asked", daemon=True).start()
    return lambda: found[0] if found else None
