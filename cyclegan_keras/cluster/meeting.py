"""How the processes of a run find each other before TensorFlow starts.

TensorFlow's own meeting stands the interpreter still until all are there: no signal, no message, no
end. So they meet here first, and go to TensorFlow's together.
"""

import contextlib
import logging
import selectors
import socket
import time
from collections.abc import Mapping
from typing import Any

from cyclegan_keras.cluster.description import Cluster
from cyclegan_keras.cluster.links import Link
from cyclegan_keras.cluster.team import Team, WorkerLost

_log = logging.getLogger(__name__)

GREETING = "cyclegan_keras"
_AGAIN_IN = 0.3  # Seconds between two attempts to reach the chief.

About = Mapping[str, Mapping[str, Any]]


def meet(cluster: Cluster, about: About, wait: float, step_timeout: float) -> Team:
    """Waits until all processes are there, and have the same to do.

    Args:
        cluster: Who they are.
        about: What must be the same for all: for each subject, such as "settings", values by name.
        wait: Seconds to wait for the others.
        step_timeout: Of the team.

    Returns:
        The team.

    Raises:
        OSError: If the chief's port is in use.
        ValueError: If a worker was started otherwise than the chief.
        WorkerLost: If not all have come in time.
    """
    about = {subject: dict(values) for subject, values in about.items()}
    until = time.monotonic() + wait
    if cluster.is_chief:
        links = _gather(cluster, about, until, wait)
    else:
        links = [_join(cluster, about, until, wait)]
    return Team(cluster, links, step_timeout)


def _gather(cluster: Cluster, about: About, until: float, wait: float) -> list[Link]:
    """Waits, as the chief, for all others."""
    found: dict[int, Link] = {}
    with contextlib.closing(_listening(cluster)) as door, selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        _log.info(f"Waiting for {cluster.num_workers - 1} other workers at {cluster.workers[0]} …")
        while len(found) < cluster.num_workers - 1:
            if not selector.select(max(0.0, until - time.monotonic())):
                missing = [i for i in range(1, cluster.num_workers) if i not in found]
                _close(found.values())
                raise WorkerLost(
                    f"After {wait:g} seconds, {', '.join(map(cluster.name, missing))} "
                    f"{'is' if len(missing) == 1 else 'are'} missing. Start the same command there "
                    "(or give a larger --wait-for-workers), and here again."
                )
            connection, _ = door.accept()
            welcomed = _greeted(connection, cluster, about)
            if welcomed is not None:
                index, link, wrong = welcomed
                if wrong:
                    link.send({"kind": "refused", "text": wrong})
                    for other in found.values():
                        with contextlib.suppress(OSError):
                            other.send({"kind": "refused", "text": wrong})
                    _close([link, *found.values()])
                    raise ValueError(wrong)
                if index in found:  # It was started again while the others were waited for.
                    found[index].close()
                found[index] = link
    for index, link in found.items():
        try:
            link.send({"kind": "welcome"})
        except OSError as error:
            raise WorkerLost(
                f"The {cluster.name(index)} came and went ({error}). Start all again."
            ) from None
    return [found[index] for index in sorted(found)]


def _listening(cluster: Cluster) -> socket.socket:
    host, _, port = cluster.workers[0].rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    # TensorFlow listens at the same port afterwards, beside the connections that stay open.
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(("", int(port)))
        door.listen(cluster.num_workers + 8)
    except OSError as error:
        door.close()
        raise OSError(
            f"The chief cannot listen at port {port} ({error.strerror or error}). Give the workers "
            "other ports, or end what uses it."
        ) from None
    return door


def _greeted(
    connection: socket.socket, cluster: Cluster, about: About
) -> tuple[int, Link, str | None] | None:
    """Reads who has come, and what is wrong about it; `None` if it is nobody of this run."""
    connection.settimeout(10.0)
    try:
        link = Link(connection, "somebody")
        connection.settimeout(10.0)
        hello, _ = link.receive()
        index = hello["index"]
        if hello["kind"] != GREETING or not 0 < index < cluster.num_workers:
            raise ValueError("no worker of this run")
        connection.settimeout(None)
    except (OSError, ValueError, KeyError, TypeError):
        connection.close()
        return None
    link.name = cluster.name(index)
    theirs = {"workers": {"workers": hello.get("workers")}, **hello.get("about", {})}
    mine = {"workers": {"workers": list(cluster.workers)}, **about}
    return index, link, _difference(cluster.name(index), mine, theirs)


def _join(cluster: Cluster, about: About, until: float, wait: float) -> Link:
    """Goes, as another one than the chief, to the chief."""
    host, _, port = cluster.workers[0].rpartition(":")
    hello = {
        "kind": GREETING,
        "index": cluster.index,
        "workers": list(cluster.workers),
        "about": about,
    }
    _log.info(f"Waiting for the chief, {cluster.name(0)} …")
    while True:
        left = until - time.monotonic()
        if left <= 0:
            raise WorkerLost(
                f"After {wait:g} seconds, the chief, {cluster.name(0)}, is not there, or waits for "
                "others. Start the same command there (or give a larger --wait-for-workers), and "
                "here again."
            )
        link = None
        try:
            connection = socket.create_connection((host.strip("[]"), int(port)), timeout=left)
            link = Link(connection, cluster.name(0))
            link.send(hello)
            connection.settimeout(left)
            answer, _ = link.receive()
        except (OSError, ValueError):  # Not there yet, or started again.
            if link is not None:
                link.close()
            time.sleep(_AGAIN_IN)
            continue
        if answer.get("kind") == "welcome":
            connection.settimeout(None)
            return link
        link.close()
        raise ValueError(str(answer.get("text") or "The chief did not want this worker."))


def _difference(name: str, mine: About, theirs: Any) -> str | None:
    """Says in what a worker differs from the chief; `None` if it does not."""
    found = []
    for subject, values in mine.items():
        others = theirs.get(subject) or {}
        for key in sorted({*values, *others}):
            if values.get(key) != others.get(key):
                found.append(
                    f"{key} {_shown(others.get(key))} there, {_shown(values.get(key))} here"
                )
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            return (
                f"The {name} has other {subject} than the chief: {'; '.join(found[:3])}{more}. "
                "Start all workers with the same command, software and images."
            )
    return None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _close(links: Any) -> None:
    for link in links:
        link.close()
