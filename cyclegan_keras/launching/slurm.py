"""Which workers there are, as Slurm tells each task that `srun` starts."""

import re
from collections.abc import Iterator, Mapping

from cyclegan_keras.cluster.description import Cluster

# Each job takes ports of its own, so that two jobs on one host do not meet.
FIRST_PORT, NUM_PORTS, PORTS_OF_A_JOB = 20_000, 20_000, 64


def cluster_of(environ: Mapping[str, str]) -> tuple[Cluster, str | None]:
    """Reads the workers from the variables of a Slurm task.

    Tasks must lie on the nodes in blocks, as they do unless `srun --distribution` says otherwise.

    Args:
        environ: The variables of the process.

    Returns:
        The cluster; and which of the tasks of its node this is, as `"rank/count"`, `None` if Slurm
        shows each task its own GPUs only.

    Raises:
        ValueError: If this is no task of Slurm, or a variable cannot be understood.
    """
    try:
        nodes = environ.get("SLURM_STEP_NODELIST") or environ["SLURM_JOB_NODELIST"]
        tasks = environ.get("SLURM_STEP_TASKS_PER_NODE") or environ["SLURM_TASKS_PER_NODE"]
        index, job = int(environ["SLURM_PROCID"]), int(environ["SLURM_JOB_ID"])
    except KeyError as error:
        raise ValueError(
            "--launcher slurm reads which workers there are from the variables of a Slurm task. "
            f"Start it by srun. Missing: {error.args[0]}"
        ) from None
    names, counts = list(hosts(nodes)), list(numbers(tasks))
    if len(names) != len(counts):
        raise ValueError(
            f"Slurm's lists of nodes and of tasks must be equally long. Received: {nodes!r} and "
            f"{tasks!r}"
        )
    first = FIRST_PORT + job * PORTS_OF_A_JOB % NUM_PORTS
    workers = [
        (f"{name}:{first + rank}", f"{rank}/{count}")
        for name, count in zip(names, counts, strict=True)
        for rank in range(count)
    ]
    cluster = Cluster(tuple(address for address, _ in workers), index)
    shows_own = "SLURM_GPUS_PER_TASK" in environ
    return cluster, None if shows_own else workers[index][1]


def numbers(text: str) -> Iterator[int]:
    """Expands Slurm's short form of a list of numbers.

    Args:
        text: Such as "2(x3),1".

    Yields:
        The numbers, such as 2, 2, 2, 1.

    Raises:
        ValueError: If it is none.
    """
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if found is None:
            raise ValueError(f"Slurm's list of tasks cannot be understood. Received: {text!r}")
        yield from [int(found[1])] * int(found[2] or 1)


def hosts(text: str) -> Iterator[str]:
    """Expands Slurm's short form of a list of hosts.

    Args:
        text: Such as "gpu[01-03,07],login".

    Yields:
        The names, such as gpu01, gpu02, gpu03, gpu07, login.

    Raises:
        ValueError: If it is none.
    """
    # Commas in brackets do not end a part.
    for part in re.split(r",(?![^\[]*\])", text):
        yield from _expanded(part, text)


def _expanded(part: str, text: str) -> Iterator[str]:
    found = re.fullmatch(r"([^\[\]]*)(?:\[([\d,-]+)\](.*))?", part)
    if found is None:
        raise ValueError(f"Slurm's list of nodes cannot be understood. Received: {text!r}")
    if found[2] is None:
        yield part
        return
    for span in found[2].split(","):
        low, _, high = span.partition("-")
        for number in range(int(low), int(high or low) + 1):
            for rest in _expanded(found[3], text):
                yield f"{found[1]}{number:0{len(low)}d}{rest}"
