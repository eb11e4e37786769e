"""Times one training step against the book's loop and against PyTorch, interleaved in one run.

    python benchmarks/train_step.py

Wants PyTorch for its two rows (`pip install -r benchmarks/requirements.txt`) and does without them
otherwise, saying so. Every implementation has a process of its own; they take turns, in one order
and then in the other, so that what else the machine does hits all alike. Figures are medians over
steps.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
from typing import Any, NamedTuple

import arithmetic
import numpy as np

HERE = pathlib.Path(__file__).parent
NAMES = {
    "ours": "cyclegan_keras",
    "book": "the book's loop",
    "torch": "PyTorch, eager",
    "torch_compile": "PyTorch, torch.compile",
    "torch_autotune": "PyTorch, torch.compile, max-autotune",
}
# PyTorch's networks are channels-last already. OpenVINO's backend of `torch.compile` has no
# gradients, and Intel's extension has no release for the PyTorch of requirements.txt.
OF_PAPER_ONLY = ("torch_autotune",)


class Case(NamedTuple):
    """What is timed.

    Attributes:
        recipe: `book`, with its U-Net, or `paper`, with its ResNet of 6 blocks, or of 9 from 256
            pixels on.
        size: Height and width of the images, in pixels.
        batch_size: Images of each domain in one step.
    """

    recipe: str
    size: int
    batch_size: int

    def __str__(self) -> str:
        network = "U-Net" if self.recipe == "book" else f"ResNet-{self.num_blocks}"
        return f"{network}, {self.size}×{self.size}, batch {self.batch_size}"

    @property
    def num_blocks(self) -> int:
        """Residual blocks of the paper's generator for images of this size."""
        return 6 if self.size < 256 else 9

    @property
    def multiplications(self) -> int:
        """Those that convolutions as they are written cannot do without."""
        if self.recipe == "book":
            g, d = (
                arithmetic.generator_layers(self.size),
                arithmetic.discriminator_layers(self.size),
            )
        else:
            g = arithmetic.resnet_layers(self.size, num_blocks=self.num_blocks)
            d = arithmetic.patch70_layers(self.size)
        return arithmetic.step_multiplications(g, d, self.batch_size)


CASES = (
    Case("book", 64, 1),
    Case("book", 128, 1),
    Case("book", 128, 8),
    Case("paper", 128, 1),
    Case("paper", 256, 1),
)


class Worker:
    """A process that trains with one implementation.

    Args:
        name: Of the implementation, one of `NAMES`.
        case: What it trains.
    """

    def __init__(self, name: str, case: Case) -> None:
        self.name = name
        self.seconds: list[float] = []
        environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "step_worker.py"), name, *map(str, tuple(case))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        started = self._answer()
        self.first: float = started["first"]
        self.num_weights: int = started["num_weights"]

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{NAMES[self.name]} did not run")
        return json.loads(line)

    def _tell(self, line: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._answer()

    def run(self, num_steps: int) -> None:
        """Trains for some steps and notes how long each took."""
        self.seconds += self._tell(str(num_steps))

    def end(self) -> None:
        """Ends the process, and asks it for its largest memory."""
        self.peak_bytes: int = self._tell("end")["peak_bytes"]
        self._process.wait()


def matmul_rate(seconds: float = 4.0) -> float:
    """Measures the machine's own rate of large float32 matrix products.

    Args:
        seconds: For about how long.

    Returns:
        The median rate of TensorFlow's product of 3072×3072 matrices, in GFLOP/s.
    """
    code = f"""
import time, numpy as np, tensorflow as tf
a = tf.random.normal((3072, 3072))
product = tf.function(tf.matmul)
product(a, a).numpy()
rates, end = [], time.perf_counter() + {seconds}
while time.perf_counter() < end:
    begun = time.perf_counter()
    product(a, a)[0, 0].numpy()
    rates.append(2 * 3072**3 / (time.perf_counter() - begun) / 1e9)
print(np.median(rates))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return float(result.stdout)


def measure(
    case: Case, names: tuple[str, ...], rounds: int, round_seconds: float
) -> dict[str, Any]:
    """Measures one case.

    Args:
        case: What is timed.
        names: The implementations.
        rounds: How often each takes its turn.
        round_seconds: How long a turn lasts, about.

    Returns:
        For each implementation that ran: `median` seconds of a step, `first` (seconds from the
        process's imports to the end of its first step) and `peak_bytes`; and `matmul`, in GFLOP/s.
    """
    workers = []
    for name in names:
        try:
            workers.append(Worker(name, case))
        except RuntimeError as error:
            print(f"  {error}", flush=True)
    if len({worker.num_weights for worker in workers}) != 1:
        raise RuntimeError("the implementations do not have the same number of weights")
    rates = [matmul_rate()]
    for index in range(rounds):
        for worker in workers if index % 2 == 0 else workers[::-1]:
            typical = statistics.median(worker.seconds) if worker.seconds else worker.first
            worker.run(max(2, min(30, round(round_seconds / typical))))
    rates.append(matmul_rate())
    for worker in workers:
        worker.end()
    results: dict[str, Any] = {
        worker.name: {
            "median": float(np.median(worker.seconds)),
            "first": worker.first,
            "peak_bytes": worker.peak_bytes,
        }
        for worker in workers
    }
    return {**results, "matmul": float(np.mean(rates))}


def table(results: dict[Case, dict[str, Any]]) -> str:
    """Writes the measurements as a Markdown table.

    Args:
        results: What `measure` returned, by case.

    Returns:
        The table.
    """
    head = ["", *map(str, results)]
    rows = [head, ["---"] * len(head)]
    for name, words in NAMES.items():
        row = [f"seconds a step: {words}"]
        row += [f"{r[name]['median']:.3f}" if name in r else "–" for r in results.values()]
        rows.append(row)
    for name in list(NAMES)[1:]:
        row = [f"times as fast as {NAMES[name]}"]
        for r in results.values():
            row.append(f"{r[name]['median'] / r['ours']['median']:.2f}" if name in r else "–")
        rows.append(row)
    rates = {case: _rate(case, r) for case, r in results.items()}
    rows.append(["GFLOP/s of the least arithmetic", *(f"{rate:.0f}" for rate in rates.values())])
    rows.append(["GFLOP/s of a matrix product", *(f"{r['matmul']:.0f}" for r in results.values())])
    shares = (rates[case] / r["matmul"] for case, r in results.items())
    rows.append(["share of it", *(f"{share:.0%}" for share in shares)])
    for name, words in NAMES.items():
        row = [f"peak memory, GB: {words}"]
        row += [
            f"{r[name]['peak_bytes'] / 1e9:.2f}" if name in r else "–" for r in results.values()
        ]
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _rate(case: Case, result: dict[str, Any]) -> float:
    return 2 * case.multiplications / result["ours"]["median"] / 1e9


def main() -> None:
    """Measures all cases and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=6, metavar="N", help="turns for each")
    parser.add_argument("--seconds", type=float, default=2.0, metavar="X", help="of one turn")
    arguments = parser.parse_args()
    print(table(measure_all(arguments.rounds, arguments.seconds)))


def measure_all(rounds: int = 6, round_seconds: float = 2.0) -> dict[Case, Any]:
    """Measures all cases with all implementations that can run here.

    Args:
        rounds: How often each takes its turn.
        round_seconds: How long a turn lasts, about.

    Returns:
        What `measure` returns, by case. The paper's step has no loop in the book.
    """
    has_torch = importlib.util.find_spec("torch") is not None
    if not has_torch:
        print("PyTorch is not installed: its rows stay empty.", flush=True)
    names = tuple(name for name in NAMES if has_torch or not name.startswith("torch"))
    results = {}
    for case in CASES:
        print(f"{case} …", flush=True)
        others = ("book",) if case.recipe == "paper" else OF_PAPER_ONLY
        some = tuple(name for name in names if name not in others)
        results[case] = measure(case, some, rounds, round_seconds)
    return results


if __name__ == "__main__":
    main()
