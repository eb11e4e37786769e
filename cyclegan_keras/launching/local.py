"""Several workers on this machine, one process each."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Any

from cyclegan_keras.cluster.description import Cluster
from cyclegan_keras.cluster.team import STATUS_LOST

LOCAL = "CYCLEGAN_LOCAL"  # "rank/count" of a worker among those of its host.
# Seconds that the others have to end once one of them has ended with an error.
PATIENCE = 30.0
_FORWARDED = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def launch(command: Sequence[str], num_workers: int) -> int:
    """Runs a command once for each worker, and waits until all have ended.

    The first one, the chief, writes to this terminal; of the others, errors are shown.

    Args:
        command: The words of the command, the program first.
        num_workers: How many workers.

    Returns:
        The exit status: that of the chief or, if that is 0, of another worker; 75 if one was
        killed.
    """
    cluster = [f"localhost:{port}" for port in _free_ports(num_workers)]
    workers: list[subprocess.Popen[Any]] = []
    previous = {}
    try:
        for index in range(num_workers):
            described = Cluster(tuple(cluster), index).environment()
            workers.append(
                subprocess.Popen(
                    command,
                    env={**os.environ, **described, LOCAL: f"{index}/{num_workers}"},
                    stdin=None if index == 0 else subprocess.DEVNULL,
                    stdout=None if index == 0 else subprocess.DEVNULL,
                    # Ctrl-C would reach all of them and be sent on to the chief as well.
                    start_new_session=True,
                )
            )

        def forward(signum: int, frame: Any) -> None:
            # To one of them, which has all stop after the same step.
            first = next((one for one in workers if one.poll() is None), None)
            if first is not None:
                first.send_signal(signum)

        previous = {
            signum: signal.signal(signum, forward)
            for signum in _FORWARDED
            if signal.getsignal(signum) != signal.SIG_IGN
        }
        _wait(workers)
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
        for one in workers:
            if one.poll() is None:
                one.kill()
                one.wait()
    return _status([one.returncode for one in workers])


def _wait(workers: list[subprocess.Popen[Any]]) -> None:
    """Waits until all have ended, or one has failed and the others have had time to notice."""
    until, asked = None, False
    while any(one.poll() is None for one in workers):
        if until is None and any(one.returncode for one in workers):
            until = time.monotonic() + PATIENCE
        if until is not None and time.monotonic() > until:
            if asked:
                return
            for one in workers:
                with contextlib.suppress(OSError):
                    one.terminate()
            until, asked = time.monotonic() + PATIENCE, True
        time.sleep(0.1)


def _status(statuses: list[int]) -> int:
    """The status to tell, of those of all workers, where a negative one is a signal."""
    failed = [status for status in statuses if status]
    # One that was killed is why others ended with 75; and an error of the command tells more.
    of_errors = [status for status in failed if 0 < status != STATUS_LOST]
    if of_errors:
        return of_errors[0]
    return STATUS_LOST if failed else 0


def _free_ports(count: int) -> list[int]:
    """Finds ports that nobody listens at."""
    with contextlib.ExitStack() as open_ones:
        ports = []
        for _ in range(count):
            one = open_ones.enter_context(socket.socket())
            one.bind(("", 0))
            ports.append(one.getsockname()[1])
    return ports
