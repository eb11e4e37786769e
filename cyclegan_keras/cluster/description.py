"""Which processes train together, and which of them this one is, as the environment says."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

WORKERS, INDEX, TF_CONFIG = "CYCLEGAN_WORKERS", "CYCLEGAN_INDEX", "TF_CONFIG"
_ADDRESS = re.compile(r"(?P<host>[^\s:,]+|\[[0-9a-fA-F:.]+\]):(?P<port>\d{1,5})")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The processes that train together. The first one, the chief, writes all files.

    Args:
        workers: The address of each, `host:port`.
        index: Which of them this process is, from zero.

    Raises:
        ValueError: If an address is none or comes twice, or there is no such worker.
    """

    workers: tuple[str, ...]
    index: int

    def __post_init__(self) -> None:
        odd = [one for one in self.workers if not _is_address(one)]
        if odd or not self.workers:
            raise ValueError(
                "Each worker must have an address `host:port`, with a port from 1 to 65535. "
                f"Received: {', '.join(map(repr, odd)) or 'no worker'}"
            )
        if len({*self.workers}) < len(self.workers):
            raise ValueError(
                "Each worker must have an address of its own, on one host another port each. "
                f"Received: {', '.join(self.workers)}"
            )
        if not 0 <= self.index < len(self.workers):
            raise ValueError(
                f"The index of a worker must be from 0 to {len(self.workers) - 1}, as there are "
                f"{len(self.workers)} workers. Received: {self.index}"
            )

    @property
    def num_workers(self) -> int:
        """How many there are."""
        return len(self.workers)

    @property
    def is_chief(self) -> bool:
        """Whether this is the one that writes the files."""
        return self.index == 0

    def name(self, index: int) -> str:
        """Names a worker in messages."""
        return f"worker {index} ({self.workers[index]})"

    def environment(self) -> dict[str, str]:
        """Returns the variables that describe it to a process, `of_environment`'s inverse."""
        return {WORKERS: ",".join(self.workers), INDEX: str(self.index)}


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found["port"]) < 65536


def of_environment(environ: Mapping[str, str]) -> Cluster | None:
    """Reads which processes train together.

    `CYCLEGAN_WORKERS` has the addresses of all, `host:port,host:port`, and `CYCLEGAN_INDEX` which
    one this is. Or TensorFlow's `TF_CONFIG` has both, as JSON.

    Args:
        environ: The variables of the process, such as `os.environ`.

    Returns:
        The cluster; `None` if nothing describes one.

    Raises:
        ValueError: If the description is wrong.
    """
    if workers := environ.get(WORKERS, "").strip():
        index = environ.get(INDEX, "").strip()
        if not index.isdecimal():
            raise ValueError(
                f"Beside {WORKERS}, {INDEX} must say which of the workers this process is, from 0. "
                f"Received: {INDEX}={index!r}"
            )
        return Cluster(tuple(one.strip() for one in workers.split(",")), int(index))
    if described := environ.get(TF_CONFIG, "").strip():
        return _of_tf_config(described)
    return None


def _of_tf_config(text: str) -> Cluster | None:
    try:
        described = json.loads(text)
        jobs: dict[str, Any] = described.get("cluster", {})
        task = described.get("task", {})
        if not jobs:
            return None
        if odd := sorted({*jobs} - {"chief", "worker"}):
            raise ValueError(f"there are jobs other than `chief` and `worker`: {', '.join(odd)}")
        chiefs, workers = list(jobs.get("chief", [])), list(jobs.get("worker", []))
        index = int(task["index"]) + (len(chiefs) if task["type"] == "worker" else 0)
        if task["type"] not in jobs:
            raise ValueError(f"the task is of the type {task['type']!r}, which is not there")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{TF_CONFIG} must be JSON such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}. '
            f"Received: {type(error).__name__}: {error}"
        ) from None
    return Cluster(tuple(map(str, [*chiefs, *workers])), index)
