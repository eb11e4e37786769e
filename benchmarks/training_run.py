"""Measures whole runs of `train.py`: how soon they begin, what they wait for, what they take.

    python benchmarks/training_run.py [--data-dir DIR] [--size 128] [--epochs 2]

A run is the real command in a process of its own; only `CycleGAN.train_step` is wrapped in a clock.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]


def measure(data_dir: str | None, size: int, epochs: int = 2) -> dict[str, float]:
    """Trains by the book's recipe for some epochs, at batch size 1, in a temporary folder.

    Args:
        data_dir: A folder with `trainA` and `trainB`; `None` means the drawn set.
        size: Height and width of the images, in pixels.
        epochs: At least two for a share: the first one, with the tracing, does not count.

    Returns:
        `first_step`: seconds from the command to the end of the first step; `share`: of the wall
        time of all epochs but the first, what was spent in steps (not for one epoch);
        `peak_bytes` of memory; `steps` in all.
    """
    command = [sys.executable, __file__, "--inside", "--image-size", str(size)]
    command += ["--recipe", "book", "--batch-size", "1", "--epochs", str(epochs)]
    if data_dir is not None:
        command += ["--data-dir", os.path.abspath(data_dir)]
    with tempfile.TemporaryDirectory() as folder:
        if data_dir is None:  # Drawing is done once in a set's life and is not timed.
            draw = (
                "from cyclegan_keras.data.fruit.sets import write_fruit; write_fruit('data/fruit')"
            )
            subprocess.run([sys.executable, "-c", draw], cwd=folder, check=True)
        # The system's clock, since two processes read it.
        environment = {**os.environ, "BEGUN": str(time.time()), "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        return json.loads(pathlib.Path(folder, "figures.json").read_text("utf-8"))


def _train_with_a_clock(argv: list[str]) -> None:
    # The command's own imports happen here, and are in the time to the first step.
    from cyclegan_keras import _registration
    from cyclegan_keras._quiet import without_startup_notes
    from cyclegan_keras.cli.main import main as command

    _registration.leave_out_optional_parts()  # As the command does where the process is its own.
    with without_startup_notes():
        from cyclegan_keras.models.cyclegan import CycleGAN

    spans: list[tuple[float, float]] = []
    plain = CycleGAN.train_step

    def timed(self: Any, data: Any) -> Any:
        start = time.time()
        logs = plain(self, data)
        float(logs["g_loss"])  # Waits for the device, if it is not done.
        spans.append((start, time.time()))
        return logs

    CycleGAN.train_step = timed
    status = command(argv, "train.py", "train")
    if status:
        raise SystemExit(status)
    epochs = int(argv[argv.index("--epochs") + 1])
    steps = len(spans) // epochs
    figures = {
        "first_step": spans[0][1] - float(os.environ["BEGUN"]),
        "steps": len(spans),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    if epochs > 1:
        wall = spans[-1][1] - spans[steps - 1][1]
        figures["share"] = sum(end - start for start, end in spans[steps:]) / wall
    pathlib.Path("figures.json").write_text(json.dumps(figures), "utf-8")


def main() -> None:
    """Measures and prints."""
    if sys.argv[1:2] == ["--inside"]:
        _train_with_a_clock(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", metavar="DIR", help="default: the drawn set")
    parser.add_argument("--size", type=int, default=128, metavar="N", help="pixels")
    parser.add_argument("--epochs", type=int, default=2, metavar="N")
    arguments = parser.parse_args()
    figures = measure(arguments.data_dir, arguments.size, arguments.epochs)
    words = [f"first step after {figures['first_step']:.1f} s"]
    if "share" in figures:
        words.append(f"{figures['share']:.1%} of an epoch in steps")
    words.append(f"peak memory {figures['peak_bytes'] / 1e9:.2f} GB")
    print("; ".join(words))


if __name__ == "__main__":
    main()
