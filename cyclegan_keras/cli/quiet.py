"""Keeps TensorFlow's start-up notes off the screen."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

# Where the notes come from: which instructions it was built for, and that there is no GPU. They are
# printed before any log level is heeded. Errors from elsewhere are passed on.
NOTES = (
    "All log messages before absl::InitializeLog()",
    "cpu_feature_guard.cc",
    "To enable the following instructions",
    "cuda_platform.cc",
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
