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

from cyclegan_keras import (
    CUT,
    AugmentedCycleGAN,
    BiGAN,
    CoGAN,
    CyCADA,
    CycleGAN,
    FeatureGAN,
    Pix2Pix,
    Pix2PixHD,
    SimGAN,
    TrainConfig,
)
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


SMALL = {"generator": "unet", "discriminator": "patch16", "gf": 2, "df": 2}
WITHOUT_VIEWS = {name: x for name, x in ALL.items() if not name.startswith("diffaugment")}
WITHOUT_POOL = {name: x for name, x in WITHOUT_VIEWS.items() if name != "pool_size"}


class TinyWithNorms(Tiny):
    """Networks in which the images of a batch affect each other."""

    def build_generator(self) -> keras.Model:
        return with_norm(super().build_generator())

    def build_discriminator(self) -> keras.Model:
        return with_norm(super().build_discriminator())


def with_norm(network: keras.Model) -> keras.Model:
    return keras.Model(network.inputs, keras.layers.BatchNormalization()(network.output))


class WithBatchNorm(FeatureGAN):
    """Compares features of a small network, which is not trained; its generator has batch norm."""

    def build_features(self) -> keras.Model:
        img = keras.Input(self.img_shape)
        x = keras.layers.Conv2D(2, 3, kernel_initializer=keras.initializers.GlorotUniform(1))(img)
        return keras.Model(img, keras.layers.BatchNormalization()(x))

    def build_generator(self) -> keras.Model:
        img = keras.Input(self.img_shape)
        kernel = keras.initializers.GlorotUniform(2)
        x = keras.layers.BatchNormalization()(img)
        x = keras.layers.Conv2D(3, 3, padding="same", kernel_initializer=kernel)(x)
        return keras.Model(img, x)


def pix2pixhd() -> GAN:
    small = {"gf": 2, "df": 2, "num_blocks": 1, "halvings": 1, "enhancer_blocks": 1}
    small |= {"discriminator": "patch16"}
    return Pix2PixHD(
        SHAPE, seed=0, labels="image", lambda_perceptual=0.0, ema=0.9, r1=1.0, r1_every=2, **small
    )


def augmented(latents: str, **settings: object) -> GAN:
    small = {"gf": 2, "df": 2, "ef": 2, "zf": 4, "num_latents": 3, "latent_blocks": 1}
    settings = {**ALL, "source_negatives": 0.5, **small, **settings}
    return AugmentedCycleGAN(
        SHAPE, seed=0, latents=latents, **{n: x for n, x in settings.items() if n != "pool_size"}
    )


def cycada() -> GAN:
    small = {**SMALL, "cf": 2, "feature_units": 4, "feature_rate": 1e-3}
    return CyCADA(SHAPE, ["one", "other", "third"], seed=0, pool_size=3, ema=0.9, **small)


def in_stage(stage: object, gan: GAN) -> GAN:
    gan.begin_stage(stage)
    return gan


def of_recipe(name: str) -> GAN:
    """With a pool and moving averages wherever the recipe has them, and few filters."""
    settings = TrainConfig(recipe=name, image_size=32, gf=2, df=2, seed=0).model_settings()
    return CycleGAN(**settings)


MODELS = {
    "tiny": lambda: TinyWithNorms(SHAPE, seed=0, **ALL),
    "joint": lambda: Tiny(SHAPE, seed=0, discriminator_update="joint", pool_size=2, r2=0.5),
    "book": lambda: of_recipe("book"),
    "paper": lambda: of_recipe("paper"),
    "fast": lambda: of_recipe("fast"),
    "wasserstein": lambda: CycleGAN(SHAPE, gf=2, df=2, seed=0, dropout=0.5, **ALL),
    "pix2pix": lambda: Pix2Pix(SHAPE, gf=2, df=2, seed=0, dropout=0.5, ema=0.9),
    # Fewer patches than there are places, so that it matters which are taken.
    "cut": lambda: CUT(
        SHAPE, seed=0, num_patches=8, projection_dim=4, flip_equivariance=True, **SMALL, **ALL
    ),
    "simgan": lambda: SimGAN(SHAPE, seed=0, source_negatives=0.5, **SMALL, **ALL),
    "feature_gan": lambda: WithBatchNorm(SHAPE, seed=0, source_negatives=0.5, **SMALL, **ALL),
    "bigan": lambda: BiGAN(SHAPE, seed=0, **SMALL, **WITHOUT_VIEWS),
    "cogan": lambda: CoGAN(SHAPE, seed=0, gf=2, df=2, **WITHOUT_POOL),
    "pix2pixhd_global": lambda: in_stage(0, pix2pixhd()),
    "pix2pixhd_enhancer": lambda: in_stage(1, pix2pixhd()),
    "pix2pixhd_all": lambda: pix2pixhd(),
    "augmented": lambda: augmented("both"),
    # Gradients as they are at first are twice as long.
    "augmented_clipped": lambda: augmented("B", clip=0.05),
    "cycada_source": lambda: in_stage("source", cycada()),
    "cycada_image": lambda: in_stage("image", cycada()),
    "cycada_task": lambda: in_stage("task", cycada()),
    "cycada_feature": lambda: in_stage("feature", cycada()),
}


Trained = tuple[list[dict[str, np.ndarray]], dict[str, np.ndarray], dict[str, np.ndarray], float]


# What Adam adds to the root by which it divides; `None` for what the recipe has.
epsilon: float | None = None


def train(
    model: str, sizes: list[int], strategy: object = None, noise: int | None = None
) -> Trained:
    """Takes a step of each batch size.

    Returns losses, all variables before and after, and how far some weight has moved. With noise, a
    random half of the first weights is the next larger number.
    """
    with strategy.scope() if strategy else contextlib.nullcontext():
        gan = MODELS[model]()
    if noise is not None:
        rng = np.random.default_rng(noise)
        for weight in gan.trainable_variables:
            x = weight.numpy()
            weight.assign(np.where(rng.random(x.shape) < 0.5, np.nextafter(x, x.dtype.type(9)), x))
    if epsilon is not None:
        for network in gan.compiled_models:
            network.optimizer.epsilon = epsilon
    before, losses = values(gan), []
    first = [x.numpy() for x in gan.trainable_variables]
    for step, size in enumerate(sizes):
        rng = np.random.default_rng(step)
        batch = tuple(rng.uniform(-1, 1, (2, size, *SHAPE)))
        if hasattr(gan, "classes"):
            batch = tuple((imgs, rng.integers(0, len(gan.classes), size)) for imgs in batch)
        losses.append({name: np.asarray(x) for name, x in gan.train_step(batch).items()})
    moved = max(
        np.abs(x - y.numpy()).max() for x, y in zip(first, gan.trainable_variables, strict=True)
    )
    return losses, before, values(gan), float(moved)


def values(gan: GAN) -> dict[str, np.ndarray]:
    return {
        f"{'weight' if x.trainable else 'state'} {name}": np.asarray(x.numpy(), float)
        for name, x in variables_of(gan).items()
    }


def farthest(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    assert one.keys() == other.keys()
    # Of large values, such as squares of gradients, their last digits.
    return float(
        max((np.abs(one[name] - x) / np.maximum(1.0, np.abs(x))).max() for name, x in other.items())
    )


def weights(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Without states, such as an optimizer's means of large gradients."""
    return {name: x for name, x in values.items() if name.startswith("weight ")}


def by_mirrors(replicas: int, model: str, sizes: list[int]) -> list[Trained]:
    """Trains on several devices of this process."""
    devices = [f"CPU:{number}" for number in range(replicas)]
    return [train(model, sizes, tf.distribute.MirroredStrategy(devices))]


def by_workers(count: int, model: str, more: list[str]) -> list[Trained]:
    """Trains by several processes; returns what each of them has then."""
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(socket.socket()) for _ in range(count)]
        for door in doors:
            door.bind(("localhost", 0))
        addresses = tuple(f"localhost:{door.getsockname()[1]}" for door in doors)
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, __file__, model, *more, "--into", folder]
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
        return [unpacked(pathlib.Path(folder, f"{index}.npz")) for index in range(count)]


def work(model: str, sizes: list[int], folder: str) -> None:
    """Is one of the workers, and leaves what it has then in a folder."""
    cluster = of_environment(os.environ)
    assert cluster is not None
    strategy = strategies.make("multi_worker", cluster, 60.0)
    losses, before, after, moved = train(model, sizes, strategy)
    parts = {f"{step}": each for step, each in enumerate(losses)}
    parts |= {"before": before, "after": after, "moved": {"": np.asarray(moved)}}
    np.savez(
        pathlib.Path(folder, f"{cluster.index}.npz"),
        **{
            f"{part} {name}": array
            for part, arrays in parts.items()
            for name, array in arrays.items()
        },
    )


def unpacked(path: pathlib.Path) -> Trained:
    parts: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path) as arrays:
        for key in arrays:
            part, _, name = key.partition(" ")
            parts.setdefault(part, {})[name] = arrays[key]
    before, after, moved = (parts.pop(part) for part in ("before", "after", "moved"))
    return [parts[str(step)] for step in range(len(parts))], before, after, float(moved[""])


def main() -> None:
    """Compares, as the arguments say."""
    parser = argparse.ArgumentParser()
    # One in a process: in a second one, TensorFlow takes what devices exchange for another's.
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--workers", type=int, help="in so many processes instead")
    parser.add_argument("--sizes", type=int, nargs="+", default=[4, 4, 3])
    parser.add_argument("--eager", action="store_true")
    parser.add_argument("--float32", action="store_true")
    parser.add_argument("--mixed", action="store_true", help="mixed_float16")
    parser.add_argument("--epsilon", type=float, help="of Adam")
    parser.add_argument(
        "--noise", type=int, metavar="SEED", help="and one device after a rounding of the weights"
    )
    parser.add_argument("--into", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    model, sizes = arguments.model, arguments.sizes
    global epsilon
    epsilon = arguments.epsilon
    replicas = arguments.workers or arguments.replicas
    if not arguments.workers:
        processor = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * replicas
        tf.config.set_logical_device_configuration(processor, parts)
    tf.config.run_functions_eagerly(arguments.eager)
    if arguments.mixed:
        keras.config.set_dtype_policy("mixed_float16")
    elif not arguments.float32:
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
    if arguments.into:
        work(model, sizes, arguments.into)
        return
    losses, before, after, moved = train(model, sizes)
    if arguments.workers:
        more = ["--workers", str(arguments.workers), "--sizes", *map(str, sizes)]
        more += [f"--{x}" for x in ("eager", "float32", "mixed") if getattr(arguments, x)]
        more += [] if epsilon is None else ["--epsilon", str(epsilon)]
        found = by_workers(arguments.workers, model, more)
    else:
        found = by_mirrors(replicas, model, sizes)
    theirs, before_theirs, after_theirs, _ = found[0]
    apart = {
        "model": model,
        "replicas": replicas,
        "at_first": farthest(before, before_theirs),
        "losses": max(farthest(x, y) for x, y in zip(losses, theirs, strict=True)),
        "variables": farthest(after, after_theirs),
        "weights": farthest(weights(after), weights(after_theirs)),
        "among_workers": max(farthest(after_theirs, each[2]) for each in found),
        "moved": moved,
    }
    if arguments.noise is not None:
        losses_noisy, _, after_noisy, _ = train(model, sizes, noise=arguments.noise)
        apart["losses_by_noise"] = max(
            farthest(x, y) for x, y in zip(losses, losses_noisy, strict=True)
        )
        apart["weights_by_noise"] = farthest(weights(after), weights(after_noisy))
    print(json.dumps(apart), flush=True)


if __name__ == "__main__":
    main()
