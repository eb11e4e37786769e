"""Times Adam on the book's networks, variable by variable and as one flat buffer.

    python benchmarks/adam.py [--size 64]

The second form is what a fused optimizer of all networks would do. Both, and a plain pass over as
many weights, take turns in one process; figures are medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from cyclegan_keras import CycleGAN, TrainConfig

# An update reads the weight, both moments and the gradient, and writes all but the last.
BYTES_A_WEIGHT = 28


def adam(shapes: Sequence[Sequence[int]]) -> Callable[[], None]:
    """Makes a traced update of variables.

    Args:
        shapes: Of the variables.

    Returns:
        The function, which updates all of them once.
    """
    weights, momentums, velocities = (
        [tf.Variable(tf.zeros(shape)) for shape in shapes] for _ in range(3)
    )
    gradients = [tf.fill(shape, 1e-3) for shape in shapes]

    @tf.function
    def update() -> None:
        numbers = {
            name: tf.constant(value)
            for name, value in {
                "beta1_power": 0.5,
                "beta2_power": 0.999,
                "lr": 2e-4,
                "beta1": 0.5,
                "beta2": 0.999,
                "epsilon": 1e-7,
            }.items()
        }
        for w, m, v, gradient in zip(weights, momentums, velocities, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=m.handle, v=v.handle, grad=gradient, **numbers
            )

    return update


def increment(num_weights: int) -> Callable[[], None]:
    """Makes a traced pass that reads 4 bytes and writes 4 bytes for each weight.

    Args:
        num_weights: How many there are.

    Returns:
        The function.
    """
    source, target = tf.zeros(num_weights), tf.Variable(tf.zeros(num_weights))

    @tf.function
    def update() -> None:
        target.assign(source + 1.0)

    return update


def main() -> None:
    """Prints milliseconds and gigabytes a second."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--size", type=int, default=64, help="of the images, in pixels")
    size = parser.parse_args().size
    gan = CycleGAN((size, size, 3), config=TrainConfig(image_size=size, recipe="book").model)
    networks = (gan.g_AB, gan.g_BA, gan.d_A, gan.d_B)
    shapes = [tuple(w.shape) for network in networks for w in network.trainable_weights]
    num_weights = sum(int(np.prod(shape)) for shape in shapes)
    forms = {
        f"Adam, {len(shapes)} variables": (adam(shapes), BYTES_A_WEIGHT),
        "Adam, one flat buffer": (adam([(num_weights,)]), BYTES_A_WEIGHT),
        "a plain pass": (increment(num_weights), 8),
    }
    times: dict[str, list[float]] = {name: [] for name in forms}
    for turn in range(60):
        for name, (update, _) in forms.items():
            start = time.perf_counter()
            update()
            if turn >= 10:
                times[name].append(time.perf_counter() - start)
    print(f"{num_weights:,} weights")
    for name, (_, count) in forms.items():
        seconds = statistics.median(times[name])
        print(f"{name:25} {1e3 * seconds:6.2f} ms  {count * num_weights / seconds / 1e9:5.1f} GB/s")


if __name__ == "__main__":
    main()
