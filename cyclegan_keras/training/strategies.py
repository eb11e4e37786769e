"""On which devices and hosts a model is trained: TensorFlow's strategies."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from cyclegan_keras.cluster import Alone, Cluster
from cyclegan_keras.replicas import Share

# Splits the processor into so many devices, to try several replicas where there is no GPU.
CPUS = "CYCLEGAN_CPUS"
# Which of the workers on this host this one is, as "rank/count"; a launcher sets it.
LOCAL = "CYCLEGAN_LOCAL"


def prepare_devices() -> None:
    """Makes the devices of this process, as the environment says, before TensorFlow is in use.

    Raises:
        ValueError: If the environment says something else.
    """
    if cpus := os.environ.get(CPUS):
        if not cpus.isdecimal() or not 1 <= int(cpus) <= 64:
            raise ValueError(f"{CPUS} must be a number from 1 to 64. Received: {CPUS}={cpus!r}")
        processor = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * int(cpus)
        if tf.config.get_logical_device_configuration(processor) != parts:
            tf.config.set_logical_device_configuration(processor, parts)
    gpus = tf.config.list_physical_devices("GPU")
    if (local := os.environ.get(LOCAL)) and gpus:
        tf.config.set_visible_devices(own_gpus(gpus, local), "GPU")


def own_gpus(gpus: list[Any], local: str) -> list[Any]:
    """Chooses the GPUs of one of several workers on a host.

    Args:
        gpus: All of the host.
        local: `"rank/count"`: which worker of the host, from zero, and how many there are.

    Returns:
        Its GPUs, in equal numbers for all workers.

    Raises:
        ValueError: If there are fewer GPUs than workers.
    """
    rank, count = map(int, local.split("/"))
    each = len(gpus) // count
    if not each:
        raise ValueError(
            f"Each worker must have a GPU of its own. Received: {count} workers on a host of "
            f"{len(gpus)} GPUs"
        )
    return gpus[rank * each : (rank + 1) * each]


def choose(name: str | None, cluster: Cluster | None, info: Any) -> str:
    """Decides which strategy is taken.

    Args:
        name: "one", "mirrored", "multi_worker", or `None` for what fits.
        cluster: What the environment describes, if anything.
        info: The model's entry.

    Returns:
        "one", "mirrored" or "multi_worker".

    Raises:
        ValueError: If several workers are wanted and not described, or described and not wanted,
            or the model is none for several devices.
    """
    are_several = cluster is not None and cluster.num_workers > 1
    if name == "multi_worker" and cluster is None:
        raise ValueError(
            "`strategy` multi_worker needs to know all workers. Set CYCLEGAN_WORKERS to their "
            "addresses, host:port,host:port, and CYCLEGAN_INDEX to the number of this one, or "
            "TensorFlow's TF_CONFIG; or give --launcher local --workers 2. Received: neither"
        )
    if name in ("one", "mirrored") and are_several:
        raise ValueError(
            "The environment describes several workers (CYCLEGAN_WORKERS or TF_CONFIG), each of "
            "which would train by itself. Leave --strategy out, or the description. "
            f"Received: strategy={name}"
        )
    if name is None:
        if are_several:
            name = "multi_worker"
        else:
            has_gpus = len(tf.config.list_physical_devices("GPU")) > 1
            name = "mirrored" if has_gpus and info.on_replicas else "one"
    if name != "one" and not info.on_replicas:
        raise ValueError(
            f"The step of {info.title} is not known to be right on several devices: its entry does "
            "not say `on_replicas`. Train it with --strategy one and without other workers. "
            f"Received: strategy={name}"
        )
    return name


def make(name: str, cluster: Cluster | None, wait: float) -> Any:
    """Makes a strategy. Models that are made in its scope are trained on all its devices.

    Args:
        name: From `choose`.
        cluster: The workers, for "multi_worker", who have met.
        wait: Seconds that TensorFlow's own meeting of the workers may take.

    Returns:
        A `tf.distribute.Strategy`; `None` for "one".
    """
    if name == "one":
        return None
    if name == "multi_worker" and cluster is not None and cluster.num_workers > 1:
        with _alarm(wait), _own_handlers(), _once():
            return tf.distribute.MultiWorkerMirroredStrategy(
                tf.distribute.cluster_resolver.SimpleClusterResolver(
                    tf.train.ClusterSpec({"worker": list(cluster.workers)}),
                    task_type="worker",
                    task_id=cluster.index,
                    rpc_layer="grpc",
                )
            )
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Ends the process if it takes longer: Python stands still in there, even for signals."""
    if not hasattr(signal, "setitimer") or not _is_main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(1.0, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _once() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ValueError(
            "Several workers train one run in each process, before TensorFlow has computed "
            "anything. Start each run in a process of its own. "
            f"({' '.join(str(error).split())})"
        ) from None


@contextlib.contextmanager
def _own_handlers() -> Iterator[None]:
    """Sets handlers of signals again, which TensorFlow replaces by one that swallows SIGTERM."""
    if not _is_main_thread():
        yield
        return
    before = {signum: signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            if handler is not None:
                signal.signal(signum, handler)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def scope(strategy: Any) -> contextlib.AbstractContextManager[Any]:
    """Makes the context in which the model of a run is made.

    Args:
        strategy: From `make`.

    Returns:
        The context.
    """
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def rows_of(strategy: Any, team: Alone) -> Callable[[int], slice]:
    """Tells which rows of a batch the replicas of this process take.

    Args:
        strategy: From `make`.
        team: The processes.

    Returns:
        A function of the number of images in the whole batch.
    """
    replicas = num_replicas(strategy)
    each = replicas // team.num_workers

    def rows(num_images: int) -> slice:
        first = Share(team.index * each, replicas, num_images)
        last = Share((team.index + 1) * each - 1, replicas, num_images)
        return slice(first.start, last.stop)

    return rows


def num_replicas(strategy: Any) -> int:
    """Counts the devices that compute a step together, on all hosts."""
    return 1 if strategy is None else int(strategy.num_replicas_in_sync)


def in_words(strategy: Any, num_workers: int, batch_size: int) -> str | None:
    """Says who computes a step.

    Args:
        strategy: From `make`.
        num_workers: How many processes there are.
        batch_size: Images of a batch.

    Returns:
        A line; `None` for one device.
    """
    replicas = num_replicas(strategy)
    if replicas == 1:
        return None
    where = f" of {num_workers} workers" if num_workers > 1 else ""
    all_shares = (Share(index, replicas, batch_size) for index in range(replicas))
    shares = sorted({one.stop - one.start for one in all_shares})
    each = " or ".join(map(str, shares))
    if batch_size < replicas:
        return (
            f"{replicas} replicas{where} for a batch of {batch_size}: each computes all of it, and "
            f"nothing is gained. Give --batch-size {replicas} or more."
        )
    return f"{replicas} replicas{where}, {each} of {batch_size} images each"
