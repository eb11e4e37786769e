"""Shows what separates drawn oranges from translated ones, and what a discriminator sees of it.

    python benchmarks/pores.py [--steps N] [--detail X [X ...]] [--r1 X [X ...]]

First, it draws the test oranges of `fruit` with one part of an orange missing, and prints their
kernel distance (KID) to the true ones, as each extractor sees them. Then it trains the
discriminator of the recipe, alone, to tell oranges without pores from true ones, and prints how
often it is right about new ones, for each amplification of detail and each weight of R1.
"""

import argparse
import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras import TrainConfig
from cyclegan_keras.data.fruit import still_life
from cyclegan_keras.data.images import normalize
from cyclegan_keras.metrics import distances, features
from cyclegan_keras.models.discriminator_updates import update_jointly

SIZE = 64
NUM_TRAIN, NUM_TEST = 300, 100
EXTRACTORS = ("efficientnet", "efficientnet-lite1")


def _smooth(*_: Any) -> np.ndarray:
    return np.zeros((still_life._TILE, still_life._TILE), np.float32)


def _smooth_slopes(*_: Any) -> tuple[np.ndarray, np.ndarray]:
    return _smooth(), _smooth()


def _glossy(*args: Any, skin: Callable[..., Any]) -> Any:
    """Draws the skin of an orange with the gloss of an apple."""
    *parts, _ = skin(*args)
    return *parts, ((0.50, 80.0), (0.09, 8.0))


@contextlib.contextmanager
def without(part: str) -> Iterator[None]:
    """Draws oranges without a part of theirs, as long as it is entered."""
    with contextlib.ExitStack() as stack:
        change = functools.partial(mock.patch.object, still_life)
        if part == "pores":
            stack.enter_context(change("_dots", _smooth))
            stack.enter_context(change("_slopes", _smooth_slopes))
        elif part == "highlight":
            skin = functools.partial(_glossy, skin=still_life._orange_skin)
            stack.enter_context(mock.patch.dict(still_life._SKINS, orange=skin))
        elif part == "outline":
            of_apple = functools.partial(_outline_of_apple, outline=still_life._outline)
            stack.enter_context(change("_outline", of_apple))
        yield


def _outline_of_apple(scene: Any, _: str, a: Any, b: Any, outline: Callable[..., Any]) -> Any:
    return outline(scene, "apple", a, b)


def oranges(count: int, seed: int, kind: str = "orange") -> np.ndarray:
    """Draws fruit of new scenes, as uint8."""
    rng = np.random.default_rng(seed)
    scenes = [still_life.Scene.random(rng) for _ in range(count)]
    return np.array([still_life.draw_scene(scene, kind, SIZE) for scene in scenes])


def print_distances() -> None:
    """Prints the kernel distances of oranges that lack a part to true ones of other scenes."""
    kinds = {"apples": oranges(NUM_TEST, 1, "apple"), "true oranges": oranges(NUM_TEST, 1)}
    for part in ("pores", "highlight", "outline"):
        with without(part):
            kinds[f"without {part}" if part == "pores" else f"an apple's {part}"] = oranges(
                NUM_TEST, 1
            )
    true = oranges(NUM_TRAIN, 2)
    print(f"| KID to true oranges | {' | '.join(EXTRACTORS)} |", "|---|---:|---:|", sep="\n")
    extractors = [features.choose(name) for name in EXTRACTORS]
    references = [each.features(true) for each in extractors]
    for kind, imgs in kinds.items():
        found = [
            distances.kernel_distance(each.features(imgs), reference).mean
            for each, reference in zip(extractors, references, strict=True)
        ]
        print(f"| {kind} | {' | '.join(f'{x:.4f}' for x in found)} |")


def right_about_pores(detail: float, r1: float, marks: Sequence[int]) -> list[float]:
    """Trains a discriminator to tell oranges without pores from true ones.

    Args:
        detail: How far detail is amplified.
        r1: γ of R1.
        marks: Numbers of steps after which it is tested, in rising order.

    Returns:
        The share of new oranges of which it was right, after each. It takes for true what it scores
        above the median of all.
    """
    keras.utils.set_random_seed(0)
    config = TrainConfig(d_detail=detail, r1=r1).model
    d = config.discriminator.build((SIZE, SIZE, 3), 1)
    d.compile(keras.optimizers.Adam(config.optimizer.learning_rate, beta_1=0.5), "mse")
    true, true_test = normalize(oranges(NUM_TRAIN, 1)), normalize(oranges(NUM_TEST, 2))
    with without("pores"):
        smooth, smooth_test = normalize(oranges(NUM_TRAIN, 3)), normalize(oranges(NUM_TEST, 4))
    step = tf.function(lambda real, fake: update_jointly(d, real, fake, r1=r1))
    rng, shares = np.random.default_rng(0), []
    for number in range(1, marks[-1] + 1):
        i, j = rng.integers(NUM_TRAIN, size=2)
        step(tf.constant(true[i : i + 1]), tf.constant(smooth[j : j + 1]))
        if number in marks:
            scores = [
                d.predict(imgs, verbose=0).mean(axis=(1, 2, 3)) for imgs in (true_test, smooth_test)
            ]
            middle = np.median(np.concatenate(scores))
            right = np.mean(scores[0] > middle) + np.mean(scores[1] < middle)
            shares.append(float(right / 2))
    return shares


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints both tables.

    Args:
        arguments: The command line; `None` means that of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, metavar="N")
    parser.add_argument("--detail", type=float, nargs="+", default=[0.0, 16.0], metavar="X")
    parser.add_argument("--r1", type=float, nargs="+", default=[1.0, 10.0], metavar="X")
    known = parser.parse_args(arguments)
    print_distances()
    marks = [known.steps // 4, known.steps // 2, known.steps]
    print("", f"| right after | {' | '.join(f'{mark} steps' for mark in marks)} |", sep="\n")
    print(f"|---|{'---:|' * len(marks)}")
    for detail in known.detail:
        for r1 in known.r1:
            shares = right_about_pores(detail, r1, marks)
            cells = " | ".join(f"{100 * share:.0f} %" for share in shares)
            print(f"| `--d-detail {detail:g} --r1 {r1:g}` | {cells} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
