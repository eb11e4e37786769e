"""Processes that work on one damaged file after the other, and who looks after them."""

import abc
import collections
import multiprocessing
import multiprocessing.connection
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

# After these, a worker is of no more use.
ENDING = ("crash", "hang", "memory")


class Worker(abc.ABC):
    """A process that works on one file after the other, and who looks after it.

    Args:
        work: What it does, given its end of a pipe, `seed` and `folder`: it puts "ready" into the
            pipe, and for each task that it takes out, what came of it.
        seed: Of all files.
        folder: Where it may write: it has a folder there, named after its process.
        file_name: Of the file that it works on, in that folder.
    """

    def __init__(
        self, work: Callable[..., None], seed: int, folder: pathlib.Path, file_name: str
    ) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, seed, folder), daemon=True)
        self.process.start()
        other.close()
        self.file = folder / str(self.process.pid) / file_name
        self.task: Any = None
        if self.pipe.recv() != "ready":
            raise RuntimeError("A worker did not come to terms with the good files.")

    def give(self, task: Any) -> None:
        """Gives it a file to work on."""
        self.task = task
        self.pipe.send(task)

    @abc.abstractmethod
    def look(self) -> tuple[str, str] | None:
        """Says what came of the file and why, if anything did."""

    def is_spent(self, result: str) -> bool:
        """Tells whether another one must take over after this result."""
        return result in ENDING or not self.process.is_alive()

    def seconds_used(self) -> float:
        """Seconds of the processor's time so far."""
        # Behind the name, which may have blanks and brackets in it.
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2]
        user, system = stat.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        """Ends it, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run(
    tasks: Sequence[Any], jobs: int, begin: Callable[[], Worker]
) -> Iterator[tuple[Any, pathlib.Path, str, str]]:
    """Works on all files in several processes, and yields each with its result and the reason.

    Args:
        tasks: What is given to workers.
        jobs: How many processes.
        begin: Begins one.

    Yields:
        The task, its file, and what `Worker.look` said.
    """
    workers: list[Worker] = []
    rest = list(reversed(tasks))
    try:
        while True:
            while len(workers) < jobs and rest:
                workers.append(begin())
                workers[-1].give(rest.pop())
            if not workers:
                return
            multiprocessing.connection.wait([worker.pipe for worker in workers], timeout=0.05)
            for worker in workers[:]:
                if (found := worker.look()) is None:
                    continue
                yield worker.task, worker.file, *found
                if rest and not worker.is_spent(found[0]):
                    worker.give(rest.pop())
                else:
                    worker.end()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.end()


def table(heading: str, counts: dict[str, collections.Counter[str]], results: Sequence[str]) -> str:
    """Writes how many files of each kind had which result, as a Markdown table."""
    rows = {**counts, "all": sum(counts.values(), collections.Counter())}
    lines = [
        f"| {heading} | files | {' | '.join(results)} |",
        "| --- |" + " ---: |" * (1 + len(results)),
    ]
    for kind, count in rows.items():
        cells = (count.total(), *(count[result] for result in results))
        lines.append(f"| {kind} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)
