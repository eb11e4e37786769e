"""A process that trains on one kind of step when it is told to, and says how long each took.

Each implementation gets a process of its own, so that none meets the other's threads or memory.
Lines come in on standard input: a number of steps to do, or `end`. Answers are JSON, one a line.
"""

import json
import resource
import sys
import time

import numpy as np


def make(name: str, recipe: str, size: int, batch_size: int):
    """Makes one implementation.

    Args:
        name: `book`, `ours`, `torch`, `torch_compile` or `torch_autotune`.
        recipe: `book` or `paper`: whose networks and step.
        size: Height and width of the images, in pixels.
        batch_size: Images of each domain in one step.

    Returns:
        Its number of weights, and a function that trains on a batch and returns a finite loss.
    """
    if name == "book":
        from book_loop import BookCycleGAN

        book = BookCycleGAN(size, batch_size)
        return book.num_weights, book.step
    if name == "ours":
        from cyclegan_keras import CycleGAN, TrainConfig
        from cyclegan_keras.training.devices import use_threads

        use_threads()
        gan = CycleGAN(**TrainConfig.make(recipe=recipe, image_size=size).model_settings())
        networks = (gan.g_AB, gan.g_BA, gan.d_A, gan.d_B)
        num_weights = sum(network.count_params() for network in networks)
        return num_weights, lambda A, B: float(gan.train_step((A, B))["g_loss"])
    if recipe == "paper":
        from torch_paper_step import TorchPaperCycleGAN

        modes = {"torch": None, "torch_compile": "default", "torch_autotune": "max-autotune"}
        num_blocks = 6 if size < 256 else 9
        other = TorchPaperCycleGAN(num_blocks=num_blocks, mode=modes[name])
    else:
        from torch_step import TorchCycleGAN

        other = TorchCycleGAN(size, batch_size, compiled=name == "torch_compile")
    return other.num_weights, other.step


def main() -> None:
    """Serves one implementation until it is told to end."""
    name, recipe, size, batch_size = *sys.argv[1:3], int(sys.argv[3]), int(sys.argv[4])
    answers, sys.stdout = sys.stdout, sys.stderr
    started = time.perf_counter()
    num_weights, step = make(name, recipe, size, batch_size)
    rng = np.random.default_rng(0)
    batches = [
        [rng.uniform(-1, 1, (batch_size, size, size, 3)).astype("float32") for _ in "AB"]
        for _ in range(4)
    ]
    step(*batches[0])
    first = time.perf_counter() - started
    step(*batches[1])
    print(json.dumps({"num_weights": num_weights, "first": first}), file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        seconds = []
        for index in range(int(line)):
            begun = time.perf_counter()
            loss = step(*batches[index % len(batches)])
            seconds.append(time.perf_counter() - begun)
            if not np.isfinite(loss):
                raise FloatingPointError(f"the loss of {name} is {loss}")
        print(json.dumps(seconds), file=answers, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"peak_bytes": peak}), file=answers, flush=True)


if __name__ == "__main__":
    main()
