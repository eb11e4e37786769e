"""Trains small models in float64 on one device and on several, and prints how far they are apart.

A process of its own, since the processor is split into devices before TensorFlow is in use. With
`--workers`, the several devices are those of so many further processes, each of which runs this
program once more.
"""

import argparse
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras import CycleGAN, Pix2Pix, TrainConfig
from cyclegan_keras.cluster import Cluster, of_environment
from cyclegan_keras.models.base import GAN
from cyclegan_keras.training import strategies
from cyclegan_keras.training.callbacks.checkpointing import variables_of
from tests.tiny import Tiny

SHAPE = (32, 32, 3)
ALL = {
    "pool_size": 3,
    "ema": 0.9,
    "objective": "wasserstein",
    "diffaugment_translation": 0.2,
    "diffaugment_color": 1.0,
    "diffaugment_cutout": 0.3,
    "r1": 1.0,
    "r1_every": 2,
}


def of_recipe(name: str) -> GAN:
    """With a pool and moving averages wherever the recipe has them, and few filters."""
    settings = TrainConfig(recipe=name, image_size=32, gf=2, df=2, seed=0).model_settings()
    return CycleGAN(**settings)


MODELS = {
    "tiny": lambda: Tiny(SHAPE, seed=0, **ALL),
    "joint": lambda: Tiny(SHAPE, seed=0, discriminator_update="joint", pool_size=2, r2=0.5),
    "book": lambda: of_recipe("book"),
    "paper": lambda: of_recipe("paper"),
    "fast": lambda: of_recipe("fast"),
    "wasserstein": lambda: CycleGAN(SHAPE, gf=2, df=2, seed=0, dropout=0.5, **ALL),
    "pix2pix": lambda: Pix2Pix(SHAPE, gf=2, df=2, seed=0, dropout=0.5, ema=0.9),
}


def train(model: str, sizes: list[int], strategy: object = None) -> tuple[list, dict, dict]:
    """Takes a step of each batch size; returns losses, and all variables before and after."""
    with strategy.scope() if strategy else contextlib.nullcontext():
        gan = MODELS[model]()
    before, losses = values(gan), []
    for step, size in enumerate(sizes):
        imgs = np.random.default_rng(step).uniform(-1, 1, (2, size, *SHAPE))
        losses.append({name: np.asarray(x) for name, x in gan.train_step(tuple(imgs)).items()})
    return losses, before, values(gan)


def values(gan: GAN) -> dict[str, np.ndarray]:
    return {name: np.asarray(x.numpy(), float) for name, x in variables_of(gan).items()}


def farthest(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    assert one.keys() == other.keys()
    return float(max(np.abs(one[name] - other[name]).max() for name in one))


Trained = tuple[list[dict[str, np.ndarray]], dict[str, np.ndarray], dict[str, np.ndarray]]


def by_mirrors(replicas: int, model: str, sizes: list[int]) -> list[Trained]:
    """Trains on several devices of this process."""
    devices = [f"CPU:{number}" for number in range(replicas)]
    return [train(model, sizes, tf.distribute.MirroredStrategy(devices))]


def by_workers(count: int, models: list[str], more: list[str]) -> dict[str, list[Trained]]:
    """Trains by several processes; returns by model what each of them has then."""
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("localhost", 0))
        addresses = tuple(f"localhost:{door.getsockname()[1]}" for door in doors)
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, *models, *more, "--into", folder]
        workers = [
            subprocess.Popen(words, env={**os.environ, **Cluster(addresses, index).environment()})
            for index in range(count)
        ]
        try:
            statuses = [worker.wait() for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        if any(statuses):
            raise SystemExit(f"The workers have ended with {statuses}.")
        return {
            model: [unpacked(pathlib.Path(folder, f"{model}-{i}.npz")) for i in range(count)]
            for model in models
        }


def work(models: list[str], sizes: list[int], folder: str) -> None:
    """Is one of the workers, and leaves what it has then in a folder."""
    cluster = of_environment(os.environ)
    assert cluster is not None
    strategy = strategies.make("multi_worker", cluster, 60.0)
    for model in models:
        losses, before, after = train(model, sizes, strategy)
        steps = {f"{step}": each for step, each in enumerate(losses)}
        np.savez(
            pathlib.Path(folder, f"{model}-{cluster.index}.npz"),
            **{
                f"{part} {name}": array
                for part, arrays in {**steps, "before": before, "after": after}.items()
                for name, array in arrays.items()
            },
        )


def unpacked(path: pathlib.Path) -> Trained:
    parts: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as arrays:
        for key in arrays:
            part, _, name = key.partition(" ")
            parts.setdefault(part, {})[name] = arrays[key]
    before, after = parts.pop("before"), parts.pop("after")
    return [parts[str(step)] for step in range(len(parts))], before, after


def main() -> None:
    """Compares, as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", choices=MODELS)
    # TensorFlow takes groups of one size only in a process.
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--workers", type=int, help="in so many processes instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 4, 3])
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--into", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sizes, replicas = arguments.sizes, arguments.workers or arguments.replicas
    if not arguments.workers:
        processor = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * replicas
        tf.config.set_logical_device_configuration(processor, parts)
    tf.config.run_functions_eagerly(arguments.eager)
    if not arguments.float32:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    if arguments.into:
        work(arguments.models, sizes, arguments.into)
        return
    if arguments.workers:
        more = ["--workers", str(arguments.workers), "--sizes", *map(str, sizes)]
        more += [f"--{name}" for name in ("eager", "float32") if getattr(arguments, name)]
        several = by_workers(arguments.workers, arguments.models, more)
    for model in arguments.models:
        losses, before, after = train(model, sizes)
        weights = [f"model/{place:04d}" for place in range(4)]
        found = several[model] if arguments.workers else by_mirrors(replicas, model, sizes)
        theirs, before_theirs, after_theirs = found[0]
        apart = {
            "model": model,
            "replicas": replicas,
            "at_first": farthest(before, before_theirs),
            "losses": max(farthest(x, y) for x, y in zip(losses, theirs, strict=True)),
            "variables": farthest(after, after_theirs),
            "among_workers": max(farthest(after_theirs, each[2]) for each in found),
            "moved": farthest(*({w: x[w] for w in weights} for x in (before, after))),
        }
        print(json.dumps(apart), flush=True)


if __name__ == "__main__":
    main()
