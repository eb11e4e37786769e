"""A connection between the chief and one worker, over which both tell that they are alive."""

import contextlib
import json
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

_HEADER = struct.Struct("!IQ")  # Bytes of the JSON, and bytes behind it.
_MOST_JSON = 1 << 26


class Link:
    """Sends and receives messages: JSON, with bytes behind it.

    Args:
        connection: To the other process.
        name: Of the other process, for messages to a user.
    """

    def __init__(self, connection: socket.socket, name: str) -> None:
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection, self.name = connection, name
        self._sending = threading.Lock()
        self.heard = time.monotonic()

    def send(self, message: Message, payload: bytes = b"") -> None:
        """Sends a message.

        Args:
            message: What JSON can hold.
            payload: Any bytes.

        Raises:
            OSError: If the other process is gone.
        """
        text = json.dumps(message).encode()
        with self._sending:
            self._connection.sendall(_HEADER.pack(len(text), len(payload)) + text)
            if payload:
                self._connection.sendall(payload)

    def beat(self) -> None:
        """Tells that this process is alive, unless it is sending something anyway."""
        if self._sending.acquire(blocking=False):
            try:
                text = b'{"kind": "beat"}'
                self._connection.sendall(_HEADER.pack(len(text), 0) + text)
            finally:
                self._sending.release()

    def receive(self) -> tuple[Message, bytes]:
        """Waits for the next message.

        Returns:
            The message and the bytes behind it.

        Raises:
            OSError: If the other process is gone.
            ValueError: If what came is no message.
        """
        num_text, num_payload = _HEADER.unpack(self._exactly(_HEADER.size))
        if num_text > _MOST_JSON:
            raise ValueError(f"what came from {self.name} is no message of this program")
        message = json.loads(self._exactly(num_text))
        if not isinstance(message, dict):
            raise ValueError(f"what came from {self.name} is no message of this program")
        return message, self._exactly(num_payload)

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count:
            part = self._connection.recv(min(count, 1 << 20))
            if not part:
                raise ConnectionError("it closed the connection")
            self.heard = time.monotonic()
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def read_into(
        self,
        received: "queue.SimpleQueue[tuple[Message, bytes]]",
        at_once: Callable[["Link", Message], bool],
        lost: Callable[["Link", str], None],
    ) -> None:
        """Starts a thread that receives.

        Args:
            received: Where messages go.
            at_once: Called with each message; if it returns true, the message is dealt with.
            lost: Called with the reason once the other process is gone.
        """

        def read() -> None:
            try:
                while True:
                    message, payload = self.receive()
                    if message.get("kind") != "beat" and not at_once(self, message):
                        received.put((message, payload))
            except (OSError, ValueError) as error:
                lost(self, " ".join(str(error).split()))

        self.heard = time.monotonic()
        threading.Thread(target=read, name=f"from {self.name}", daemon=True).start()

    def close(self) -> None:
        """Closes the connection."""
        # The reading thread would keep it open.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
