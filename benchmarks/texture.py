"""Shows what separates drawn fruit from translated one, and what a discriminator sees of it.

    python benchmarks/texture.py [--steps N] [--discriminator NAME ...] [--detail X ...]
                                 [--size N ...] [--r1 X ...]

First, it draws the test images of `fruit` with one part of the fruit missing, and prints their
kernel distance (KID) to the true ones, as each extractor sees them. Then it trains the
discriminator of the recipe, alone, to tell oranges without pores from true ones, and apples without
streaks, for each receptive field, each amplification of detail, each size of the surroundings, and
each weight of R1. Of new ones, it prints how much higher the scores of true ones are, where 1 is
what they are trained towards; and how often they are right.
"""

import argparse
import contextlib
import itertools
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
# Of each fruit, what it can be drawn without: its own, or that of the other fruit in its place.
PARTS = {
    "orange": ("pores", "gloss", "outline"),
    "apple": ("specks", "streaks", "gloss", "outline"),
}


def _no_dots(*_: Any) -> np.ndarray:
    return np.zeros((still_life._TILE, still_life._TILE), np.float32)


def _no_slopes(*_: Any) -> tuple[np.ndarray, np.ndarray]:
    return _no_dots(), _no_dots()


def _no_noise(rng: Any, cells: int, turn: np.ndarray) -> np.ndarray:
    rng.uniform(size=cells)  # As many draws, so that what comes later is the same.
    return np.zeros_like(turn)


def _with_gloss(skin: Callable[..., Any], gloss: Any) -> Callable[..., Any]:
    return lambda *args: (*skin(*args)[:-1], gloss)


@contextlib.contextmanager
def without(kind: str, part: str) -> Iterator[None]:
    """Draws fruit of a kind without a part of `PARTS`, as long as it is entered."""
    skins, outline = still_life._SKINS, still_life._outline
    (other,) = {*still_life.KINDS} - {kind}
    changes: dict[str, dict[str, Any]] = {
        "pores": {"_dots": _no_dots, "_slopes": _no_slopes},
        "specks": {"_dots": _no_dots},
        "streaks": {"_ring_noise": _no_noise},
        "gloss": {"_SKINS": {**skins, kind: _with_gloss(skins[kind], GLOSS[other])}},
        "outline": {"_outline": lambda scene, _, a, b: outline(scene, other, a, b)},
    }
    with mock.patch.multiple(still_life, **changes[part]):
        yield


def fruit(kind: str, count: int, seed: int) -> np.ndarray:
    """Draws fruit of new scenes, as uint8."""
    rng = np.random.default_rng(seed)
    scenes = [still_life.Scene.random(rng) for _ in range(count)]
    return np.array([still_life.draw_scene(scene, kind, SIZE) for scene in scenes])


def _gloss(kind: str) -> Any:
    scene = still_life.Scene.random(np.random.default_rng(0))
    return still_life._SKINS[kind](scene, np.array([[0.0], [0.0], [1.0]], np.float32))[-1]


GLOSS = {kind: _gloss(kind) for kind in still_life.KINDS}


def print_distances() -> None:
    """Prints the kernel distances of fruit that lacks a part to true fruit of other scenes."""
    extractors = [features.choose(name) for name in EXTRACTORS]
    print(f"| KID to true fruit | {' | '.join(EXTRACTORS)} |", "|---|---:|---:|", sep="\n")
    for kind, parts in PARTS.items():
        references = [each.features(fruit(kind, NUM_TRAIN, 2)) for each in extractors]
        (other,) = {*still_life.KINDS} - {kind}
        shown = {f"{other}s": fruit(other, NUM_TEST, 1), f"true {kind}s": fruit(kind, NUM_TEST, 1)}
        for part in parts:
            with without(kind, part):
                is_others = part in PARTS[other]
                words = f"with the {other}'s {part}" if is_others else f"without {part}"
                shown[f"{kind}s {words}"] = fruit(kind, NUM_TEST, 1)
        for words, imgs in shown.items():
            found = [
                distances.kernel_distance(each.features(imgs), reference).mean
                for each, reference in zip(extractors, references, strict=True)
            ]
            print(f"| {words} | {' | '.join(f'{x:.4f}' for x in found)} |", flush=True)


def seen_of(
    kind: str, part: str, marks: Sequence[int], **settings: Any
) -> list[tuple[float, float]]:
    """Trains a discriminator to tell fruit without a part from true fruit.

    Args:
        kind: Of fruit.
        part: Of its `PARTS`.
        marks: Numbers of steps after which it is tested, in rising order.
        **settings: Of the discriminator and its loss, by their flat names.

    Returns:
        After each, by how much the mean score of new true images is above that of others, and the
        share of images that it is right about: it takes for true what it scores above the median.
    """
    keras.utils.set_random_seed(0)
    config = TrainConfig(**settings).model
    d = config.discriminator.build((SIZE, SIZE, 3), 1)
    d.compile(keras.optimizers.Adam(config.optimizer.learning_rate, beta_1=0.5), "mse")
    true, true_test = normalize(fruit(kind, NUM_TRAIN, 1)), normalize(fruit(kind, NUM_TEST, 2))
    with without(kind, part):
        bare, bare_test = normalize(fruit(kind, NUM_TRAIN, 3)), normalize(fruit(kind, NUM_TEST, 4))
    r1 = config.loss.r1
    step = tf.function(lambda real, fake: update_jointly(d, real, fake, r1=r1))
    rng, seen = np.random.default_rng(0), []
    for number in range(1, marks[-1] + 1):
        i, j = rng.integers(NUM_TRAIN, size=2)
        step(tf.constant(true[i : i + 1]), tf.constant(bare[j : j + 1]))
        if number in marks:
            scores = [
                d.predict(imgs, verbose=0).mean(axis=(1, 2, 3)) for imgs in (true_test, bare_test)
            ]
            middle = np.median(np.concatenate(scores))
            right = np.mean(scores[0] > middle) + np.mean(scores[1] < middle)
            seen.append((float(scores[0].mean() - scores[1].mean()), float(right / 2)))
    return seen


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints both tables.

    Args:
        arguments: The command line; `None` means that of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, metavar="N")
    parser.add_argument(
        "--discriminator", nargs="+", default=["patch16", "patch34"], metavar="NAME"
    )
    parser.add_argument("--detail", type=float, nargs="+", default=[0.0, 16.0], metavar="X")
    parser.add_argument("--size", type=int, nargs="+", default=[3, 7], metavar="N")
    parser.add_argument("--r1", type=float, nargs="+", default=[0.3, 10.0], metavar="X")
    known = parser.parse_args(arguments)
    print_distances()
    marks = [known.steps // 4, known.steps // 2, known.steps]
    names = [f"{part}, {mark} steps" for part in ("pores", "streaks") for mark in marks]
    print(
        "", f"| true above others | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}", sep="\n"
    )
    for name, detail, r1 in itertools.product(known.discriminator, known.detail, known.r1):
        for size in known.size if detail else known.size[:1]:
            settings = {"discriminator": name, "d_detail": detail, "r1": r1, "r1_every": 1}
            settings |= {"d_detail_size": size} if detail else {}
            seen = [
                *seen_of("orange", "pores", marks, **settings),
                *seen_of("apple", "streaks", marks, **settings),
            ]
            flags = f"--discriminator {name} --d-detail {detail:g}"
            flags += f" --d-detail-size {size}" if detail else ""
            cells = " | ".join(f"{gap:.2f}, {100 * share:.0f} %" for gap, share in seen)
            print(f"| `{flags} --r1 {r1:g}` | {cells} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
