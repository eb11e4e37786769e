"""Serve the generators of a run: a page in the browser, and an address that programs can use."""

import argparse
import contextlib
import pathlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from cyclegan_keras._quiet import without_startup_notes
from cyclegan_keras.cli import generator_file
from cyclegan_keras.cli.latent_flags import add_latent_flag, with_seed
from cyclegan_keras.serving.hosts import is_loopback
from cyclegan_keras.serving.limits import Limits

HELP = "serve the generators of a run: a page, and POST /api/translate"

HOST, PORT = "127.0.0.1", 8000
USUAL = Limits()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of this command.

    Args:
        parser: The parser of this command.
    """
    parser.add_argument("--run-dir", required=True, metavar="DIR", help="folder of the run")
    parser.add_argument(
        "--best",
        action="store_true",
        help="serve the best generators, which --evaluate-every has kept, instead of the last ones",
    )
    parser.add_argument(
        "--host",
        default=HOST,
        help="where to listen; with another than this computer's own, such as 0.0.0.0, everybody "
        f"in the network can use the server (default: {HOST})",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=PORT,
        metavar="N",
        help=f"where to listen; 0 takes a free one (default: {PORT})",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name by which the server is reached, such as that of a proxy; may be "
        "repeated",
    )
    parser.add_argument(
        "--max-megabytes",
        type=float,
        default=USUAL.body_bytes / 1e6,
        metavar="N",
        help=f"largest file of a picture (default: {USUAL.body_bytes / 1e6:g})",
    )
    parser.add_argument(
        "--max-megapixels",
        type=float,
        default=USUAL.pixels / 1e6,
        metavar="N",
        help=f"largest picture (default: {USUAL.pixels / 1e6:g})",
    )
    parser.add_argument(
        "--max-waiting",
        type=int,
        default=USUAL.waiting,
        metavar="N",
        help="pictures that may wait for their turn; beyond, senders are told to come back "
        f"(default: {USUAL.waiting})",
    )
    add_latent_flag(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        arguments: The parsed command line.

    Returns:
        The exit status, 0.

    Raises:
        FileNotFoundError: If the run or a generator is missing.
        OSError: If it cannot listen there.
        ValueError: If a limit is out of range, or a generator cannot be loaded.
    """
    limits = _limits(arguments)
    if not 0 <= arguments.port <= 65535:
        raise ValueError(f"--port must be in 0 to 65535. Received: {arguments.port}")
    run_dir = pathlib.Path(arguments.run_dir)
    files = generator_file.of_run(run_dir, best=arguments.best)
    ranges = {way: file.ranges for way, file in files.items()}
    print("Loading TensorFlow …", flush=True)
    with without_startup_notes():
        from cyclegan_keras.inference.pictures import Ranges
        from cyclegan_keras.inference.translate import Manner, Translator
        from cyclegan_keras.serving.server import Server

    generators = with_seed({way: file.load() for way, file in files.items()}, arguments.latent_seed)
    server = Server(
        {
            way: Translator(generators[way], Manner(fit=file.fit), Ranges(*ranges[way]))
            for way, file in files.items()
        },
        run_dir.resolve().name,
        arguments.host,
        arguments.port,
        allowed_hosts=tuple(arguments.allow_host),
        limits=limits,
    )
    if not is_loopback(arguments.host):
        print(
            f"Warning: everybody who can reach {arguments.host} can use this server, without a "
            "password and unencrypted.",
            file=sys.stderr,
            flush=True,
        )
    with _asked_to_end() as end, server.running():
        print(f"Serving {run_dir} at {server.address}  (Ctrl-C ends)", flush=True)
        while not end.wait(1):
            pass
        print("Ending: requests that have begun are finished.", flush=True)
    return 0


def _limits(arguments: argparse.Namespace) -> Limits:
    for name in ("max_megabytes", "max_megapixels", "max_waiting"):
        value = getattr(arguments, name)
        if not 0 < value < 1e6:
            raise ValueError(
                f"--{name.replace('_', '-')} must be above 0 and below a million. Received: {value}"
            )
    body_bytes = max(1, round(arguments.max_megabytes * 1e6))
    return Limits(
        body_bytes=body_bytes,
        bodies_bytes=max(USUAL.bodies_bytes, 2 * body_bytes),
        pixels=max(1, round(arguments.max_megapixels * 1e6)),
        waiting=arguments.max_waiting,
        connections=max(USUAL.connections, 2 * arguments.max_waiting),
    )


@contextlib.contextmanager
def _asked_to_end() -> Iterator[threading.Event]:
    """Has SIGINT and SIGTERM set an event; a second one ends the process as usual."""
    end = threading.Event()
    before: dict[int, Any] = {}
    signals: tuple[int, ...] = (signal.SIGINT, signal.SIGTERM)

    def ask(signum: int, frame: Any) -> None:
        end.set()
        signal.signal(signum, before[signum])

    for signum in signals:
        before[signum] = signal.signal(signum, ask)
    try:
        yield end
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
