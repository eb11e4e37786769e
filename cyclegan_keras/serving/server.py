"""The server: connections, threads, and the one thread that translates."""

import concurrent.futures
import contextlib
import itertools
import pathlib
import socket
import socketserver
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from cyclegan_keras.export.page import PageSettings, remote_page
from cyclegan_keras.inference.translator import Translator
from cyclegan_keras.serving import pictures, requests
from cyclegan_keras.serving.hosts import Hosts, in_address, is_loopback
from cyclegan_keras.serving.limits import Budget, Limits


class Server(socketserver.TCPServer):
    """Translates pictures over HTTP: the page at `/`, and `POST /api/translate?way=AB`.

    It is Python's own `http.server` with limits. The servers that are usually chosen have no time
    limit for slow senders and none for bodies, so that this part would have to be written for them
    as well; and with one network that takes all cores, nothing is gained by serving faster.

    Args:
        generators: By way: `"AB"`, `"BA"` or both; from `load_generator`, or `Translator`s of
            such; all for images of the same shape.
        title: Of the page, such as the name of the run.
        host: Where to listen. Others than this computer can reach it only if this is another
            address than `"127.0.0.1"`.
        port: Where to listen; 0 takes one that is free.
        allowed_hosts: Further names under which it is reached, such as that of a proxy.
        limits: What it accepts.
        log: Called with a line for each request.

    Raises:
        OSError: If it cannot listen there.
        ValueError: If there is no generator.
    """

    allow_reuse_address = True
    request_queue_size = 256

    def __init__(
        self,
        generators: Mapping[str, keras.Model | Translator],
        title: str = "CycleGAN",
        host: str = "127.0.0.1",
        port: int = 8000,
        *,
        allowed_hosts: tuple[str, ...] = (),
        limits: Limits | None = None,
        log: Callable[[str], object] = requests.print_to_stderr,
    ) -> None:
        self.limits = limits or Limits()
        self.log = log
        self.ways = tuple(generators)
        self.bodies = Budget(self.limits.bodies_bytes)
        self._translators = {
            way: each if isinstance(each, Translator) else Translator(each)
            for way, each in generators.items()
        }
        shape: Any = (None,) * 4
        for translator in self._translators.values():
            shape = translator.generator.input_shape
        settings = PageSettings(
            title,
            self.ways,
            (shape[1] or 256, shape[2] or 256),
            shape[3] or 3,
            max_pixels=self.limits.pixels,
            max_bytes=self.limits.body_bytes,
        )
        page, policy = remote_page(settings)
        self.page, self.policy = page.encode("utf-8"), f"{policy}; frame-ancestors 'none'"
        self._waiting = Budget(self.limits.waiting + 1)
        self._connections = Budget(self.limits.connections)
        self._numbers = itertools.count()
        self._threads: set[threading.Thread] = set()
        self._ended = False
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), requests.Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise OSError(
                f"Cannot listen at {in_address(host)}:{port}: {reason}. Give another --port or "
                "--host."
            ) from None
        self.host, self.port = host, self.server_address[1]
        self.hosts = Hosts(host, self.port, allowed_hosts)
        self._folder = tempfile.TemporaryDirectory(prefix="cyclegan-serve-")
        self._translating = concurrent.futures.ThreadPoolExecutor(1, "translate")

    @property
    def address(self) -> str:
        """The address of the page, for this computer."""
        host = self.host if self.host not in ("0.0.0.0", "::") else "127.0.0.1"
        return f"http://{in_address(host)}:{self.port}/"

    @property
    def is_private(self) -> bool:
        """Whether only this computer can reach it."""
        return is_loopback(self.host)

    @contextlib.contextmanager
    def running(self) -> Iterator["Server"]:
        """Serves inside the block; requests that have begun are finished at its end.

        Yields:
            Itself.
        """
        thread = threading.Thread(target=self.serve_forever, args=(0.1,), name="accept")
        thread.start()
        try:
            yield self
        finally:
            self.shutdown()
            thread.join()
            self.close()

    def close(self) -> None:
        """Stops listening, waits for requests that have begun, and frees everything."""
        if self._ended:
            return
        self._ended = True
        self.server_close()
        deadline = time.monotonic() + self.limits.closing_seconds
        for thread in [*self._threads]:
            thread.join(max(0, deadline - time.monotonic()))
        self._translating.shutdown(wait=False, cancel_futures=True)
        self._folder.cleanup()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answers in a thread of its own, if there are not too many."""
        if not self._connections.take():
            requests.refuse_at_once(request)
            self.shutdown_request(request)
            return
        thread = threading.Thread(
            target=self._process, args=(request, client_address), daemon=True, name="request"
        )
        self._threads.add(thread)
        thread.start()

    def _process(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except (OSError, ValueError):
            pass  # The sender is gone, or was too slow.
        except Exception:
            self.report_failure()
        finally:
            self.shutdown_request(request)
            self._connections.give_back()
            self._threads.discard(threading.current_thread())

    @contextlib.contextmanager
    def new_file(self) -> Iterator[pathlib.Path]:
        """Gives a name for a file that is removed after the block."""
        path = pathlib.Path(self._folder.name) / f"picture-{next(self._numbers)}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def translate(
        self, way: str, path: pathlib.Path, is_gone: Callable[[], bool]
    ) -> bytes | ValueError:
        """Translates a picture when its turn comes.

        Args:
            way: "AB" or "BA".
            path: Its file.
            is_gone: Tells whether nobody waits for it any more, so that it need not be translated.

        Returns:
            The translation as PNG, or what is wrong with the picture.

        Raises:
            RefusedError: If too many wait already.
            ConnectionError: If nobody waits any more.
        """
        if not self._waiting.take():
            raise requests.busy()
        try:
            return self._translating.submit(self._turn, way, path, is_gone).result()
        except MemoryError:
            raise requests.RefusedError(
                413, "The picture is too large for the memory of the server."
            ) from None
        finally:
            self._waiting.give_back()

    def _turn(
        self, way: str, path: pathlib.Path, is_gone: Callable[[], bool]
    ) -> bytes | ValueError:
        if is_gone():
            raise ConnectionAbortedError
        try:
            return pictures.translated(self._translators[way], path, self.limits.pixels)
        except ValueError as error:
            return error

    def report_failure(self) -> None:
        """Writes the traceback of an error that should not be."""
        traceback.print_exc(file=sys.stderr)
