"""Measures what checkpoints and `--deterministic` cost a training.

    python benchmarks/checkpointing.py [--size 64] [--steps 60]

With checkpoints written one after the other, as fast as the disk takes them, against none; and
steps with TensorFlow's deterministic operations against steps without, in processes of their own,
turn by turn.
"""

import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

ROUNDS = 3


def step_seconds(size: int, steps: int, deterministic: bool) -> float:
    """Measures the median step of the book's recipe at batch size 1.

    Args:
        size: Height and width of the images, in pixels.
        steps: How many to time, after five that are not.
        deterministic: Whether `--deterministic` is on.

    Returns:
        Seconds.
    """
    train_step = _made(size, deterministic).train_step
    batch = _batch(size)
    return statistics.median(_timed(lambda: train_step(batch), steps + 5)[5:])


def checkpoint_seconds(size: int, steps: int) -> dict[str, float]:
    """Measures steps with nothing beside them, and with checkpoints written all the time.

    Args:
        size: Height and width of the images, in pixels.
        steps: How many of each to time.

    Returns:
        `alone` and `beside`: seconds a step, means; `wait`: seconds that the training waits for a
        checkpoint to be copied, the median; `write`: seconds that its thread takes to write
        and flush it; `num_bytes`.
    """
    from cyclegan_keras.training.callbacks.checkpointing import Checkpointing
    from cyclegan_keras.training.checkpoints import CheckpointStore
    from cyclegan_keras.training.faults import NotFiniteGuard
    from cyclegan_keras.training.progress import Progress

    gan, batch, progress = _made(size), _batch(size), Progress()
    _timed(lambda: gan.train_step(batch), 5)
    alone = statistics.mean(_timed(lambda: gan.train_step(batch), steps))
    with tempfile.TemporaryDirectory() as folder:
        store, writes, calls = CheckpointStore(folder), [], []
        save = store.save
        store.save = lambda *state: writes.extend(_timed(lambda: save(*state), 1))
        saves = Checkpointing(store, 0, NotFiniteGuard(steps))
        saves.set_model(gan)
        saves.set_params({"epochs": 1, "steps": steps, "progress": progress})
        begun = time.perf_counter()
        saves.on_epoch_begin(0)
        for step in range(steps):
            progress.end_step(gan.train_step(batch))
            calls += _timed(lambda step=step: saves.on_train_batch_end(step), 1)
        beside = (time.perf_counter() - begun) / steps
        saves.wait()
        newest = max(pathlib.Path(folder).glob("checkpoint-*"))
        num_bytes = sum(path.stat().st_size for path in newest.iterdir())
    # At most steps there was nothing to do, since the last one was still being written.
    waits = sorted(calls)[1 - len(writes) :]
    return {
        "alone": alone,
        "beside": beside,
        "wait": statistics.median(waits),
        "write": statistics.median(writes),
        "num_bytes": num_bytes,
    }


def _made(size: int, deterministic: bool = False) -> Any:
    from cyclegan_keras import CycleGAN
    from cyclegan_keras.training import devices

    devices.use_threads()
    devices.compute_the_same(deterministic)
    return CycleGAN((size, size, 3), seed=0)


def _batch(size: int) -> tuple[Any, Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return tuple(rng.uniform(-1, 1, (1, size, size, 3)).astype("float32") for _ in "AB")


def _timed(call: Any, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        begun = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begun)
    return seconds


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--inside", choices=("plain", "deterministic"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        print(step_seconds(arguments.size, arguments.steps, arguments.inside == "deterministic"))
        return
    seconds: dict[str, list[float]] = {"plain": [], "deterministic": []}
    for _ in range(ROUNDS):
        for kind, found in seconds.items():
            command = [sys.executable, __file__, "--inside", kind, "--size", str(arguments.size)]
            command += ["--steps", str(arguments.steps)]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found.append(float(out.split()[-1]))
    plain, same = (statistics.median(found) for found in seconds.values())
    print(f"--deterministic: {same:.3f} s a step against {plain:.3f} s, {same / plain:.2f} times")
    figures = checkpoint_seconds(arguments.size, arguments.steps)
    print(
        f"A checkpoint: {figures['num_bytes'] / 1e6:.0f} MB; the training waits "
        f"{figures['wait']:.3f} s; written and flushed in {figures['write']:.1f} s, "
        f"while a step takes {figures['beside'] / figures['alone']:.2f} times as long "
        f"({figures['beside']:.3f} s against {figures['alone']:.3f} s)"
    )


if __name__ == "__main__":
    main()
