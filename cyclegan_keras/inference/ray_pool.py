"""Translates the shards of a request in a pool of Ray's actors, each of which loads the model once.

Ray starts an actor again that died, and gives it its shard again. What was translated is there
then, so nothing is translated twice.
"""

import collections
import dataclasses
import logging
import os
import time
from typing import Any

from cyclegan_keras._extras import advice
from cyclegan_keras.inference import targets
from cyclegan_keras.inference.manifest import BusyError
from cyclegan_keras.inference.request import Planned, Request, Result
from cyclegan_keras.inference.sharding import Shard
from cyclegan_keras.inference.translate import Outcome, load_generator
from cyclegan_keras.inference.video import VideosOutcome

# So that a slow computer does not keep the others waiting: each gets another shard when it is done.
SHARDS_PER_WORKER = 4

# How long an actor that was started again waits for the lock of one that is about to die, in
# seconds.
SECONDS_FOR_LOCK = 60.0

# Of the bars of many shards, nobody can tell how far it all is.
QUIET = {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}

_log = logging.getLogger(__name__)


def run(request: Request, num_workers: int) -> Result:
    """Translates everything that is asked for, on a cluster or on this computer.

    `RAY_ADDRESS` names the cluster; without it, Ray is started here and ends with this call. All
    computers must see the same files under the same names.

    Args:
        request: What to translate. What exists is skipped by an actor that was started again.
        num_workers: How many actors there are, each with a core of its own.

    Returns:
        What came of all shards.

    Raises:
        ModuleNotFoundError: If Ray is not installed.
        OSError: As of `Planned.run`.
        ValueError: As of `Planned.run`, or if `request.overwrite` is true.
    """
    try:
        import ray
        from ray.util.actor_pool import ActorPool
    except ModuleNotFoundError as error:
        raise ValueError(f"--launcher ray needs Ray: {advice('ray')}") from error
    if request.overwrite:
        raise ValueError(
            "--launcher ray cannot replace files, as a worker that is started again goes on with "
            "what is missing. Leave --overwrite out, and give an empty --output."
        )
    if targets.is_file(request.output):
        raise ValueError(f"--launcher ray needs a folder as --output. Received: {request.output!r}")
    planned = request.planned()  # Everything wrong is told now, and once.
    if not (planned.videos or planned.pictures):
        return Result(None, None)
    # The others look for what is missing, and need not check it all again.
    of_actors = dataclasses.replace(request, skip_existing=True, **_absolute(request))
    began_here = not ray.is_initialized()
    if began_here:
        address = os.environ.get("RAY_ADDRESS")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Nobody is told.
        enough = {} if address else {"num_cpus": num_workers, "include_dashboard": False}
        ray.init(address=address, logging_level=logging.WARNING, **enough)
    try:
        actor = ray.remote(
            num_cpus=1, max_restarts=-1, max_task_retries=-1, runtime_env={"env_vars": QUIET}
        )(_Translator)
        actors = [actor.remote(of_actors) for _ in range(num_workers)]
        count = num_workers * SHARDS_PER_WORKER
        shards = [Shard(number, count) for number in range(1, count + 1)]
        results = ActorPool(actors).map_unordered(
            lambda actor, shard: actor.translate.remote(shard), shards
        )
        return _together(list(_told(results, count)), planned)
    except ray.exceptions.RayTaskError as error:
        cause = error.cause
        raise cause if isinstance(cause, OSError | ValueError) else error from None
    finally:
        if began_here:
            ray.shutdown()


class _Translator:
    """What an actor is: the model in memory, and one shard after the other."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._generator = load_generator(request.model)

    def translate(self, shard: Shard) -> Result:
        """Translates what is missing of a shard."""
        until = time.monotonic() + SECONDS_FOR_LOCK
        while True:
            try:
                return self._request.planned(shard).run(self._generator)
            except BusyError:
                if time.monotonic() > until:
                    raise
                time.sleep(1)


def _absolute(request: Request) -> dict[str, Any]:
    """Actors run in folders of their own."""
    return {
        "model": os.path.abspath(request.model),
        "paths": tuple(map(os.path.abspath, request.paths)),
        # A slash at the end says that it is a folder.
        "output": os.path.join(os.path.abspath(request.output), ""),
    }


def _told(results: Any, count: int) -> Any:
    for number, result in enumerate(results, start=1):
        _log.info(f"{number} of {count} shards are translated.")
        yield result


def _together(results: list[Result], planned: Planned) -> Result:
    """Makes one result of those of all shards."""
    pictures = [each.pictures for each in results if each.pictures is not None]
    videos = [each.videos for each in results if each.videos is not None]
    outcome = None
    if planned.pictures is not None:
        failed = {path: reason for each in pictures for path, reason in each.failed.items()}
        outcome = Outcome(
            # Who died had written some that nobody else counts.
            len(planned.pictures) - len(failed),
            failed,
            sum((each.left_out for each in pictures), collections.Counter()),
        )
    together = VideosOutcome({}, {})
    for each in videos:
        together.written.update(each.written)
        together.failed.update(each.failed)
    return Result(outcome, together if planned.videos else None)
