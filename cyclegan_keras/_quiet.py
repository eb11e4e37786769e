"""Keeps TensorFlow's start-up notes off the screen."""

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator

# Where the notes come from: which instructions it was built for, and that there is no GPU. They are
# printed before any log level is heeded, or as errors (303: CUDA's driver is not installed). Other
# errors are passed on: one of a driver that is there and fails is worth reading.
NOTES = (
    "All log messages before absl::InitializeLog()",
    "cpu_feature_guard.cc",
    "To enable the following instructions",
    "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)",
    "CUDA_ERROR_NO_DEVICE",
    "cudart_stub.cc",
    "port.cc",
)


@contextlib.contextmanager
def without_startup_notes() -> Iterator[None]:
    """Holds back what native code prints to standard error, and then passes on all but the notes.

    Yields:
        Nothing; import TensorFlow inside.
    """
    try:
        error_stream = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # A notebook's or a test's own stream.
        yield
        return
    sys.stderr.flush()
    screen = os.dup(error_stream)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), error_stream)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, error_stream)
            os.close(screen)
            held_back.seek(0)
            for line in held_back.read().decode(errors="replace").splitlines():
                if not any(note in line for note in NOTES):
                    print(line, file=sys.stderr)


def look_for_no_gpu() -> None:
    """Lets TensorFlow find out in silence that there is no GPU, where CUDA's driver is missing.

    It would otherwise do so with the first operation and print an error, whatever the log level,
    that reads as if something were broken. Where there is a driver, nothing is done: whoever has a
    GPU may still choose among the devices before the first operation.
    """
    if "tensorflow" not in sys.modules:
        return
    try:
        ctypes.CDLL("libcuda.so.1")  # As TensorFlow does.
    except OSError:
        import tensorflow as tf

        with without_startup_notes():
            tf.config.list_physical_devices()
