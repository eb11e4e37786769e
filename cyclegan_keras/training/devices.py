"""What TensorFlow computes on, with how many threads and how many bits."""

import contextlib
import os
from collections.abc import Iterator

import keras
import tensorflow as tf


def use_threads() -> None:
    """Lets two operations run side by side, with one thread each, on a machine of two cores.

    The step is two symmetric halves, A to B and B to A, so that each core can take a half; that is
    faster than to share out every single operation. On more cores TensorFlow's own choice stands:
    there, nothing else has been measured. `TF_NUM_INTRAOP_THREADS` and `TF_NUM_INTEROP_THREADS` in
    the environment go before. Does nothing once TensorFlow is in use.
    """
    if os.cpu_count() != 2 or tf.config.list_physical_devices("GPU"):
        return
    if {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"} & set(os.environ):
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(2)
    except RuntimeError:  # TensorFlow has begun, with the threads that it has.
        return


def compute_the_same(deterministic: bool) -> None:
    """Makes TensorFlow compute the same bits each time on a GPU too, if that is asked for.

    On a CPU, all that this package computes with does so anyway, with the same number of threads.

    Args:
        deterministic: Whether it is asked for. It cannot be taken back within a process.
    """
    if deterministic:
        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Gives the models that are built inside a precision to compute with.

    Args:
        policy: "float32", "mixed_bfloat16" or "mixed_float16"; the mixed ones keep float32 weights.

    Yields:
        Nothing; build the models inside. They keep it.
    """
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def devices_in_words() -> str:
    """Names the devices that TensorFlow computes on.

    Returns:
        Such as "1 GPU (NVIDIA L4)", or "CPU (2 cores)" where there is no GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"CPU ({os.cpu_count()} cores); no GPU found"
    names = {
        tf.config.experimental.get_device_details(gpu).get("device_name", "unnamed") for gpu in gpus
    }
    return f"{len(gpus)} GPU{'s' * (len(gpus) > 1)} ({', '.join(sorted(names))})"
