"""Trains small models in float64 on one device and on several, and prints how far they are apart.

A process of its own, since the processor is split into devices before TensorFlow is in use.
"""

import argparse
import contextlib
import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras import CycleGAN, Pix2Pix, TrainConfig
from cyclegan_keras.models.base import GAN
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


def main() -> None:
    """Compares, as the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", choices=MODELS)
    # TensorFlow takes groups of one size only in a process.
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 4, 3])
    parser.add_argument("--eager", action="store_true")
    arguments = parser.parse_args()
    processor = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * arguments.replicas
    tf.config.set_logical_device_configuration(processor, parts)
    tf.config.run_functions_eagerly(arguments.eager)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    for model in arguments.models:
        losses, before, after = train(model, arguments.sizes)
        weights = [f"model/{place:04d}" for place in range(4)]
        replicas = arguments.replicas
        devices = [f"CPU:{number}" for number in range(replicas)]
        strategy = tf.distribute.MirroredStrategy(devices)
        theirs, before_theirs, after_theirs = train(model, arguments.sizes, strategy)
        apart = {
            "model": model,
            "replicas": replicas,
            "at_first": farthest(before, before_theirs),
            "losses": max(farthest(x, y) for x, y in zip(losses, theirs, strict=True)),
            "variables": farthest(after, after_theirs),
            "moved": farthest(*({w: x[w] for w in weights} for x in (before, after))),
        }
        print(json.dumps(apart), flush=True)


if __name__ == "__main__":
    main()
