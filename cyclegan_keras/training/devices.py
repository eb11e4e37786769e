"""The devices, threads and precision that TensorFlow computes with."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf


def use_threads() -> None:
    """Runs two operations in parallel, with one thread each, on a machine with two cores.

    A step consists of two symmetric halves, A to B and B to A, so that each core can compute one.
    This is faster than splitting every single operation. On more cores, TensorFlow's defaults are
    kept, since nothing else has been measured there. `TF_NUM_INTRAOP_THREADS` and
    `TF_NUM_INTEROP_THREADS` in the environment take precedence. Does nothing once TensorFlow is in
    use.
    """
    if os.cpu_count() != 2 or tf.config.list_physical_devices("GPU"):
        return
    if {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"} & set(os.environ):
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(2)
    except RuntimeError:  # TensorFlow is in use already.
        return


def compute_the_same(deterministic: bool) -> None:
    """Makes TensorFlow deterministic on a GPU, too, if requested.

    On a CPU, all operations that this package uses are deterministic anyway, as long as the number
    of threads is the same.

    Args:
        deterministic: Whether it is requested. A process cannot undo it.
    """
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Sets the precision of models that are built inside the context.

    Args:
        policy: "float32", "mixed_bfloat16" or "mixed_float16"; the mixed ones keep float32 weights.

    Yields:
        Nothing; build the models inside. They keep their precision.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def devices_in_words() -> str:
    """Describes the devices that TensorFlow computes on.

    Returns:
        Such as "1 GPU (NVIDIA L4)", or "CPU (2 cores); no GPU found".
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU ({os.cpu_count()} cores); no GPU found"
    names = {
        tf.config.experimental.get_device_details(gpu).get("device_name", "unnamed") for gpu in gpus
    }
    return f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({', '.join(sorted(names))})"
