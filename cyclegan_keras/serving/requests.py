"""Answers one request: checks everything before it reads, and reads within limits."""

import contextlib
import http.client
import http.server
import io
import json
import pathlib
import select
import socket
import sys
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from cyclegan_keras.serving.pictures import TooLargeError

if TYPE_CHECKING:
    from cyclegan_keras.serving.server import Server

TRANSLATE = "/api/translate"
METHODS = {"/": "GET, HEAD", TRANSLATE: "POST"}
CHUNK = 65_536
# Of the headers, beside the request line, whose length http.server limits.
MAX_HEAD = 2 * CHUNK
# What is read and dropped of a body that was refused, so that the sender gets to read why.
MAX_DROPPED = 64_000_000
DROP_SECONDS = 5

HEADERS = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RefusedError(Exception):
    """A request that is not fulfilled.

    Args:
        status: Of the answer.
        message: What was wanted, and what to do.
        **headers: Of the answer, with `_` for `-`.
    """

    def __init__(self, status: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def busy() -> RefusedError:
    """Tells the sender to come back."""
    return RefusedError(503, "The server is busy. Try again in a second.", Retry_After="1")


class LimitedReader(io.RawIOBase):
    """Reads from a connection until a point in time, and so many bytes at most.

    Args:
        connection: The connection.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deadline = 0.0
        self._left = 0

    def allow(self, seconds: float, count: int) -> None:
        """Begins anew.

        Args:
            seconds: From now, in which all must be there; a time-out of the connection alone would
                start again with each byte.
            count: How many bytes may come.
        """
        self._deadline = time.monotonic() + seconds
        self._left = count

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what is there."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        if self._left <= 0:
            raise http.client.LineTooLong("head")
        self._connection.settimeout(seconds)
        count = self._connection.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request, and closes the connection."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    server_version = "cyclegan"
    sys_version = ""

    def setup(self) -> None:
        """Puts limits on what is read before the request is known."""
        super().setup()
        self._reader = LimitedReader(self.connection)
        self.rfile = io.BufferedReader(self._reader, CHUNK)
        self._reader.allow(self.server.limits.head_seconds, MAX_HEAD)
        self._start = time.monotonic()
        self._is_read = False

    def do_any(self) -> None:
        """Answers whatever was asked."""
        self.close_connection = True
        try:
            try:
                self._answer()
            except RefusedError as refused:
                self._refuse(refused)
            except (ConnectionError, TimeoutError):
                raise
            except Exception:
                self.server.report_failure()
                self._refuse(
                    RefusedError(500, "The translation failed. The server's output says why.")
                )
        except (ConnectionError, TimeoutError):
            self._log("gone")

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_any

    def handle_expect_100(self) -> bool:
        """Waits: a body is asked for once it is known to be welcome."""
        return True

    def _answer(self) -> None:
        self._check_sender()
        path, _, query = self.path.partition("?")
        if path not in METHODS:
            raise RefusedError(404, f"There are / and {TRANSLATE} only.")
        if self.command not in METHODS[path].split(", "):
            allowed = METHODS[path]
            raise RefusedError(405, f"Use {allowed} there.", Allow=allowed)
        if path == "/":
            self._send(200, "text/html; charset=utf-8", self.server.page)
        else:
            self._translate(query)

    def _check_sender(self) -> None:
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not self.server.hosts.is_own(hosts[0]):
            raise RefusedError(
                421,
                "This server does not answer under that name. Use the address that it printed, or "
                "start it with --allow-host.",
            )
        origins = self.headers.get_all("Origin", [])
        if any(not self.server.hosts.is_own_page(origin, hosts[0]) for origin in origins):
            raise RefusedError(403, "Pages of other sites may not use this server.")
        # Of requests without an Origin, such as those for pictures.
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            # People may follow a link to the page, but nothing may embed it.
            is_link = self.headers.get("Sec-Fetch-Dest") == "document" and self.command == "GET"
            if not is_link or self.path != "/":
                raise RefusedError(403, "Pages of other sites may not use this server.")

    def _translate(self, query: str) -> None:
        way = self._way(query)
        length = self._length()
        with contextlib.ExitStack() as stack:
            path = stack.enter_context(self.server.new_file())
            self._receive(path, length, stack)
            picture = self.server.translate(way, path, self._is_gone)
        if isinstance(picture, TooLargeError):
            raise RefusedError(413, str(picture))
        if isinstance(picture, ValueError):
            raise RefusedError(422, " ".join(str(picture).split()))
        self._send(200, "image/png", picture)

    def _way(self, query: str) -> str:
        ways = self.server.ways
        try:
            found = urllib.parse.parse_qs(query, strict_parsing=True, max_num_fields=1)
        except ValueError:
            found = {}
        way = found.get("way", [""])[0]
        if way not in ways:
            usage = " or ".join(f"{TRANSLATE}?way={known}" for known in ways)
            raise RefusedError(400, f"Say which way: {usage}.")
        return way

    def _length(self) -> int:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or not lengths:
            raise RefusedError(411, "Send the picture's file with its Content-Length.")
        text = lengths[0]
        if len(lengths) != 1 or not (text.isascii() and text.isdigit() and len(text) < 16):
            raise RefusedError(400, "Content-Length must be one number.")
        length, most = int(text), self.server.limits.body_bytes
        if length > most:
            raise RefusedError(413, f"A picture's file must have at most {most:,} bytes.")
        if not length:
            raise RefusedError(400, "Send the picture's file as the body.")
        return length

    def _receive(self, path: pathlib.Path, length: int, stack: contextlib.ExitStack) -> None:
        """Writes the body to a file; bytes count from when they are there, not as announced."""
        self._reader.allow(self.server.limits.body_seconds, length)
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        with open(path, "xb") as file:
            while length:
                try:
                    chunk = self.rfile.read1(min(CHUNK, length))
                except TimeoutError:
                    raise RefusedError(408, "The picture came too slowly.") from None
                if not chunk:
                    raise RefusedError(400, "The picture's file is shorter than announced.")
                if not self.server.bodies.take(len(chunk)):
                    raise busy()
                stack.callback(self.server.bodies.give_back, len(chunk))
                file.write(chunk)
                length -= len(chunk)
        self._is_read = True

    def _is_gone(self) -> bool:
        """Whether nobody waits for the answer any more."""
        with contextlib.suppress(OSError):
            ready, _, _ = select.select([self.connection], [], [], 0)
            return bool(ready) and not self.connection.recv(1, socket.MSG_PEEK)
        return True

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.request_version = self.protocol_version  # Even what is no HTTP gets a status line.
        self.connection.settimeout(self.server.limits.answer_seconds)
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        own = {"Content-Type": kind, "Content-Length": str(len(body))}
        if status < 400:
            own["Content-Security-Policy"] = self.server.policy
        for name, value in {**HEADERS, **own, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self._log(str(status))

    def _refuse(self, refused: RefusedError) -> None:
        body = json.dumps({"error": str(refused)}).encode("utf-8")
        self._send(refused.status, "application/json", body, **refused.headers)
        if not self._is_read:
            self._drop_rest()

    def _drop_rest(self) -> None:
        """Reads on for a moment: closing with bytes unread would take the answer back."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.connection.shutdown(socket.SHUT_WR)
            self._reader.allow(DROP_SECONDS, MAX_DROPPED)
            while self.rfile.read1(CHUNK):
                pass

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers what http.server itself refuses, such as lines that are too long."""
        self.close_connection = True
        if not hasattr(self, "command") or self.command is None:
            self.command = ""
        if code == 501:
            code = 405
        with contextlib.suppress(OSError):
            self._refuse(RefusedError(code, http.HTTPStatus(code).phrase + "."))

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: `_log` does, once for each request."""

    def _log(self, outcome: str) -> None:
        seconds = time.monotonic() - self._start
        command, path = self.command or "-", getattr(self, "path", "-")
        line = f"{self.client_address[0]} {command[:10]} {path[:80]} {outcome} {seconds:.2f} s"
        self.server.log("".join(c if c.isprintable() else "?" for c in line))


def refuse_at_once(connection: socket.socket) -> None:
    """Tells a connection for which there is no thread to come back, without reading from it.

    Args:
        connection: The connection; it is not closed.
    """
    refused = busy()
    body = json.dumps({"error": str(refused)}).encode("utf-8")
    head = [f"HTTP/1.1 {refused.status} Service Unavailable", "Content-Type: application/json"]
    head += [f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in {**HEADERS, **refused.headers}.items()]
    with contextlib.suppress(OSError):
        connection.settimeout(0.1)
        connection.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)


def print_to_stderr(line: str) -> None:
    """Writes a line of the log."""
    with contextlib.suppress(OSError):  # Whoever read it has gone; the server goes on.
        print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)
