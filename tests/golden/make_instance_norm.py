"""Make the golden reference files with TensorFlow Addons' own InstanceNormalization.

Two files are written next to this script:

``instance_norm.npz``
    The layer by itself. For each case: ``<case>/x``, ``/gamma``, ``/beta``, ``/epsilon``,
    ``/cotangent``, ``/y``, ``/dx``, ``/dgamma`` and ``/dbeta``, where the gradients are those of
    ``sum(y * cotangent)``. A case without affine parameters has arrays of shape ``(0,)`` for
    ``gamma``, ``beta``, ``dgamma`` and ``dbeta``. ``cases`` lists the case names.

``unet_tfa.npz``
    The small U-Net generator and the patch discriminator of "GANs in Action", built with
    tf.keras and that layer. ``x`` is the input of both; for each network there are
    ``<network>/names``, ``<network>/w0``, ``<network>/w1``, ... (the same order as the names,
    that of ``model.get_weights()``) and the output ``<network>/y``.

Both have ``versions``: TensorFlow, TensorFlow Addons and Python, in that order.

TensorFlow Addons is no longer developed and does not work with Keras 3, so the files are made in
an environment of their own, with Python 3.11, from the top folder of the project::

    python3.11 -m venv legacy-env
    legacy-env/bin/python -m pip install -r requirements-legacy.txt
    legacy-env/bin/python tests/golden/make_instance_norm.py --force

Without ``--force`` nothing is written if either file exists.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]

HERE = Path(__file__).resolve().parent
LAYER_FILE = HERE / "instance_norm.npz"
NETWORK_FILE = HERE / "unet_tfa.npz"

IMG_SHAPE = (32, 32, 3)
BATCH = 2
FILTERS = 4


@dataclass(frozen=True)
class Case:
    """One set of settings and one input for the layer by itself."""

    name: str
    seed: int
    shape: tuple[int, int, int, int]
    mean: float = 0.0
    std: float = 1.0
    epsilon: float | None = None  # None: the layer's default
    affine: bool = True


CASES = (
    Case("square", seed=1, shape=(2, 8, 8, 3), mean=0.5, std=2.0),
    Case("odd", seed=2, shape=(1, 5, 7, 4)),
    Case("small", seed=3, shape=(3, 2, 2, 6), std=0.1),
    Case("large_offset", seed=4, shape=(2, 8, 8, 3), mean=100.0, std=0.5),
    Case("epsilon_1e-5", seed=5, shape=(2, 6, 6, 3), std=0.02, epsilon=1e-5),
    Case("no_affine", seed=6, shape=(2, 6, 6, 3), affine=False),
)


def run_case(case: Case, tf: Any, tfa: Any) -> Arrays:
    """Run the layer and its gradients for one case."""
    rng = np.random.default_rng(case.seed)
    channels = case.shape[-1]
    x = rng.normal(case.mean, case.std, case.shape).astype(np.float32)
    cotangent = rng.normal(size=case.shape).astype(np.float32)
    gamma = beta = np.zeros(0, np.float32)

    settings: dict[str, Any] = {"center": case.affine, "scale": case.affine}
    if case.epsilon is not None:
        settings["epsilon"] = case.epsilon
    layer = tfa.layers.InstanceNormalization(**settings)
    layer.build(case.shape)
    if case.affine:
        gamma = rng.normal(1.0, 0.5, channels).astype(np.float32)
        beta = rng.normal(0.0, 0.5, channels).astype(np.float32)
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)

    inputs = tf.constant(x)
    sources = [inputs, layer.gamma, layer.beta] if case.affine else [inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        y = layer(inputs)
        total = tf.reduce_sum(y * cotangent)
    gradients = [gradient.numpy() for gradient in tape.gradient(total, sources)]
    dx, dgamma, dbeta = gradients if case.affine else (gradients[0], gamma, beta)

    return {
        "x": x,
        "gamma": gamma,
        "beta": beta,
        "epsilon": np.array(layer.epsilon, np.float64),
        "cotangent": cotangent,
        "y": y.numpy(),
        "dx": dx,
        "dgamma": dgamma,
        "dbeta": dbeta,
    }


def downsample(inputs: Any, filters: int, name: str, tf: Any, tfa: Any, norm: bool = True) -> Any:
    """Halve the image: convolution, leaky ReLU and, if asked, instance normalisation."""
    layers = tf.keras.layers
    out = layers.Conv2D(filters, 4, strides=2, padding="same", name=f"{name}_conv")(inputs)
    out = layers.LeakyReLU(alpha=0.2, name=f"{name}_act")(out)
    if norm:
        out = tfa.layers.InstanceNormalization(name=f"{name}_norm")(out)
    return out


def upsample(inputs: Any, skip: Any, filters: int, name: str, tf: Any, tfa: Any) -> Any:
    """Double the image: upsampling, convolution, instance normalisation and the skip."""
    layers = tf.keras.layers
    out = layers.UpSampling2D(size=2, name=f"{name}_up")(inputs)
    out = layers.Conv2D(
        filters, 4, strides=1, padding="same", activation="relu", name=f"{name}_conv"
    )(out)
    out = tfa.layers.InstanceNormalization(name=f"{name}_norm")(out)
    return layers.Concatenate(name=f"{name}_concat")([out, skip])


def build_generator(tf: Any, tfa: Any) -> Any:
    """Build the U-Net generator."""
    layers = tf.keras.layers
    gf = FILTERS
    image = layers.Input(shape=IMG_SHAPE, name="image")
    d1 = downsample(image, gf, "d1", tf, tfa)
    d2 = downsample(d1, gf * 2, "d2", tf, tfa)
    d3 = downsample(d2, gf * 4, "d3", tf, tfa)
    d4 = downsample(d3, gf * 8, "d4", tf, tfa)
    u1 = upsample(d4, d3, gf * 4, "u1", tf, tfa)
    u2 = upsample(u1, d2, gf * 2, "u2", tf, tfa)
    u3 = upsample(u2, d1, gf, "u3", tf, tfa)
    u4 = layers.UpSampling2D(size=2, name="u4_up")(u3)
    output = layers.Conv2D(
        IMG_SHAPE[-1], 4, strides=1, padding="same", activation="tanh", name="output_conv"
    )(u4)
    return tf.keras.Model(image, output, name="generator")


def build_discriminator(tf: Any, tfa: Any) -> Any:
    """Build the patch discriminator; its first block has no normalisation."""
    layers = tf.keras.layers
    df = FILTERS
    image = layers.Input(shape=IMG_SHAPE, name="image")
    d1 = downsample(image, df, "d1", tf, tfa, norm=False)
    d2 = downsample(d1, df * 2, "d2", tf, tfa)
    d3 = downsample(d2, df * 4, "d3", tf, tfa)
    d4 = downsample(d3, df * 8, "d4", tf, tfa)
    validity = layers.Conv2D(1, 4, strides=1, padding="same", name="output_conv")(d4)
    return tf.keras.Model(image, validity, name="discriminator")


def on_grid(values: np.ndarray, step: float = 1 / 256) -> np.ndarray:
    """Round to multiples of a power of two: exact in float32, and the file compresses well."""
    return (np.round(values / step) * step).astype(np.float32)


def run_network(model: Any, x: np.ndarray, seed: int) -> Arrays:
    """Give a network random weights and run it."""
    rng = np.random.default_rng(seed)
    names = [weight.name.split(":")[0] for weight in model.weights]
    weights = [
        on_grid(rng.normal(1.0 if name.endswith("/gamma") else 0.0, 0.1, weight.shape))
        for name, weight in zip(names, model.get_weights(), strict=True)
    ]
    model.set_weights(weights)
    stored = {f"w{index}": weight for index, weight in enumerate(model.get_weights())}
    return {"names": np.array(names), **stored, "y": model(x, training=False).numpy()}


def layer_arrays(tf: Any, tfa: Any) -> Arrays:
    """Return everything for the file of the layer by itself."""
    arrays: Arrays = {"cases": np.array([case.name for case in CASES])}
    for case in CASES:
        for key, value in run_case(case, tf, tfa).items():
            arrays[f"{case.name}/{key}"] = value
    return arrays


def network_arrays(tf: Any, tfa: Any) -> Arrays:
    """Return everything for the file of the whole networks."""
    x = on_grid(np.random.default_rng(10).uniform(-1.0, 1.0, (BATCH, *IMG_SHAPE)))
    arrays: Arrays = {"x": x}
    models = (build_generator(tf, tfa), build_discriminator(tf, tfa))
    for seed, model in enumerate(models, start=11):
        for key, value in run_network(model, x, seed).items():
            arrays[f"{model.name}/{key}"] = value
    return arrays


def main() -> int:
    """Write both files."""
    parser = argparse.ArgumentParser(description="Make the TensorFlow Addons golden files.")
    parser.add_argument("--force", action="store_true", help="overwrite existing files")
    force: bool = parser.parse_args().force

    existing = [path.name for path in (LAYER_FILE, NETWORK_FILE) if path.exists()]
    if existing and not force:
        print(f"not overwriting {', '.join(existing)}: use --force", file=sys.stderr)
        return 1

    # Imported here, by name, as the package's own environment has no TensorFlow Addons. Without
    # oneDNN the values depend less on the processor.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    tf: Any = import_module("tensorflow")
    tfa: Any = import_module("tensorflow_addons")

    versions = np.array(
        [
            f"tensorflow {tf.__version__}",
            f"tensorflow-addons {tfa.__version__}",
            f"python {platform.python_version()}",
        ]
    )
    contents: dict[Path, dict[str, Any]] = {
        LAYER_FILE: layer_arrays(tf, tfa),
        NETWORK_FILE: network_arrays(tf, tfa),
    }
    for path, arrays in contents.items():
        np.savez_compressed(path, versions=versions, **arrays)
        print(f"{path.name}: {len(arrays) + 1} arrays, {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
