"""The processes of a run while it goes on: the chief leads, and all end if one is lost."""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from cyclegan_keras.cluster.description import Cluster
from cyclegan_keras.cluster.links import Link, Message

# Seconds between two signs of life, and how long their absence is waited through.
BEAT, SILENCE = 2.0, 20.0
# Seconds that the main thread has to end by itself once the chief has ended.
GRACE = 10.0
STATUS_LOST = 75  # As sysexits.h has it: a temporary failure; try again.


class WorkerLost(Exception):  # noqa: N818, the word says it
    """A process of the team is gone, so that no step can be taken any more.

    Attributes:
        exit_status: What `cyclegan` ends with.
    """

    exit_status = STATUS_LOST


class Alone:
    """A team of one process, which has nobody to lead."""

    is_chief, num_workers, index = True, 1, 0
    asked: int | None = None

    def tell(self, message: Message, payload: bytes = b"") -> None:
        """Tells the other processes something; here, there are none."""

    @contextlib.contextmanager
    def working(self) -> Iterator["Alone"]:
        """Holds the team together inside."""
        yield self

    def begin_step(self) -> None:
        """Notes that a step begins, which may not take for ever."""

    def end_step(self) -> None:
        """Notes that the step is done."""


ALONE = Alone()


class Team(Alone):
    """Some processes that have met.

    The chief tells the others what to do; they do it, and send signals on to the chief. Each
    process watches: if another one is gone, says nothing any more, or a step takes too long, this
    one prints a line and ends with status 75, as no step can be taken without the others.
    TensorFlow would wait for ever.

    Args:
        cluster: Who they are.
        links: To all others, of the chief; to the chief, of another one.
        step_timeout: Seconds after which a step counts as stuck.
    """

    def __init__(self, cluster: Cluster, links: list[Link], step_timeout: float) -> None:
        self._cluster, self._links, self._step_timeout = cluster, links, step_timeout
        self.is_chief, self.num_workers = cluster.is_chief, cluster.num_workers
        self.index = cluster.index
        self.asked = None
        self._received: queue.SimpleQueue[tuple[Message, bytes]] = queue.SimpleQueue()
        self._put_back: list[tuple[Message, bytes]] = []
        self._step_began: float | None = None
        self._over = threading.Event()
        self._failing = threading.Lock()

    @contextlib.contextmanager
    def working(self) -> Iterator["Team"]:
        """Holds the team together inside.

        However the chief leaves it, it tells the others how: at the end, by a signal, or with an
        error.

        Yields:
            The team.
        """
        for link in self._links:
            link.read_into(self._received, self._at_once, self._lost)
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        try:
            yield self
        except BaseException as error:
            if _is_of_connection(error):
                time.sleep(3.0)  # In which a thread ends this process, and knows who is lost.
                self.give_up(f"A worker is lost ({_one_line(error)[:200]}). {AGAIN}")
            self._part(_in_words(error))
            raise
        self._part({"kind": "end", "how": "done"})

    def _part(self, message: Message) -> None:
        message = message if self.is_chief else {**message, "kind": "parted"}
        self._over.set()
        for link in self._links:
            with contextlib.suppress(OSError):
                link.send(message)
        for link in self._links:
            link.close()

    def tell(self, message: Message, payload: bytes = b"") -> None:
        """Tells all others something, if this is the chief.

        Args:
            message: What JSON can hold, with a `kind`.
            payload: Bytes behind it.
        """
        for link in self._links if self.is_chief else ():
            try:
                link.send(message, payload)
            except OSError as error:
                self._lost(link, str(error))

    def wait(self, meanwhile: Callable[[], None] = lambda: None) -> tuple[Message, bytes]:
        """Waits for what the chief says next.

        Args:
            meanwhile: Called twice a second.

        Returns:
            The message and the bytes behind it.
        """
        if self._put_back:
            return self._put_back.pop()
        while True:
            meanwhile()
            with contextlib.suppress(queue.Empty):
                return self._received.get(timeout=0.5)

    def put_back(self, message: Message, payload: bytes) -> None:
        """Lets the next `wait` return this."""
        self._put_back.append((message, payload))

    def ask(self, signum: int) -> None:
        """Sends a signal on to the chief, who stops all after the same step.

        Args:
            signum: The signal.
        """
        with contextlib.suppress(OSError):
            self._links[0].send({"kind": "signal", "signum": signum})

    def begin_step(self) -> None:
        """Notes that a step begins, which may not take longer than the limit."""
        self._step_began = time.monotonic()

    def end_step(self) -> None:
        """Notes that the step is done."""
        self._step_began = None

    def give_up(self, text: str) -> None:
        """Ends this process with status 75, and tells the others why.

        Not by an exception: the main thread may be waiting in TensorFlow for the one who is gone,
        and where it is not, TensorFlow waits for that one when the process ends.

        Args:
            text: Why.
        """
        with self._failing:  # One thread says it; the others wait until the process ends.
            if self._over.is_set():
                return
            for link in self._links if self.is_chief else ():
                with contextlib.suppress(OSError):
                    link.send({"kind": "lost", "text": text})
            _end_now(STATUS_LOST, text)

    def _at_once(self, link: Link, message: Message) -> bool:
        kind = message.get("kind")
        if kind == "signal":
            self.asked = int(message["signum"])
        elif kind == "lost":
            self.give_up(str(message["text"]))
        elif kind == "parted":
            self.give_up(_lost_text(link.name, message.get("text") or "it has ended"))
        elif kind == "end":
            threading.Thread(target=self._end_with, args=(message,), daemon=True).start()
            return False
        else:
            return False
        return True

    def _end_with(self, message: Message) -> None:
        """Ends the process if the main thread does not, because it waits in TensorFlow."""
        if not self._over.wait(GRACE):
            status = {"done": 0, "interrupted": 128 + int(message.get("signum", 0))}
            text = message.get("text")
            _end_now(status.get(message["how"], 2), text and f"The chief has ended: {text}")

    def _lost(self, link: Link, reason: str) -> None:
        time.sleep(0.5)  # What it said last may be waiting to be read.
        if not self._over.is_set():
            self.give_up(_lost_text(link.name, reason))

    def _watch(self) -> None:
        while not self._over.wait(BEAT):
            now = time.monotonic()
            for link in self._links:
                try:
                    link.beat()
                except OSError as error:
                    self._lost(link, str(error))
                if now - link.heard > SILENCE and not self._over.is_set():
                    silent = f"no sign of life for {SILENCE:g} seconds"
                    self.give_up(_lost_text(link.name, silent))
            began = self._step_began
            if began is not None and now - began > self._step_timeout:
                self.give_up(
                    f"A step takes longer than {self._step_timeout:g} seconds, so a worker must be "
                    f"stuck. {AGAIN} If steps take that long, give a larger --step-timeout."
                )


AGAIN = "All end. Start the same command again on every host; it goes on from the last checkpoint."


def _lost_text(name: str, reason: str) -> str:
    return f"The {name} is lost ({reason}). {AGAIN}"


def _in_words(error: BaseException) -> Message:
    if isinstance(error, KeyboardInterrupt):
        return {
            "kind": "end",
            "how": "interrupted",
            "signum": getattr(error, "signum", signal.SIGINT),
            "text": "interrupted",
        }
    return {"kind": "end", "how": "error", "text": _one_line(error)}


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _is_of_connection(error: BaseException) -> bool:
    """Whether TensorFlow, which must not be imported here, cannot reach another process."""
    names = ("UnavailableError", "AbortedError", "CancelledError", "DeadlineExceededError")
    more = ("InternalError", "UnknownError", "FailedPreconditionError")
    kind = type(error)
    return kind.__module__.startswith("tensorflow.") and kind.__name__ in (*names, *more)


def _end_now(status: int, text: str | None) -> None:
    if text:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            print(f"\ncyclegan: error: {text}", file=sys.stderr, flush=True)
    os._exit(status)


def ended_by_chief(message: Message) -> Any:
    """Tells how the chief has ended, in another process.

    Args:
        message: Of the kind "end".

    Returns:
        `None` at the end of the run, the signal by which it was interrupted, or the text of an
        error.
    """
    if message["how"] == "done":
        return None
    return message["signum"] if message["how"] == "interrupted" else str(message["text"])
