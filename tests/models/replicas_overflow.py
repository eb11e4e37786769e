"""Trains in half precision on two devices, with an overflow on the second; prints what is left.

A process of its own, since the processor is split into devices before TensorFlow is in use.
"""

import json
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

from cyclegan_keras.training.callbacks.checkpointing import variables_of
from tests.tiny import Tiny

SHAPE = (32, 32, 3)


def main() -> None:
    """Takes a step with an overflow, and one without."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    keras.config.set_dtype_policy("mixed_float16")
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        gan = Tiny(SHAPE, seed=0)
    imgs = np.random.default_rng(0).uniform(-1, 1, (2, 2, *SHAPE)).astype("float32")
    broken = imgs.copy()
    broken[:, 1] = np.inf  # The row of the second device.
    found = {}
    for name, batch in (("broken", broken), ("whole", imgs)):
        before = [v.numpy() for v in gan.combined.trainable_variables]
        gan.train_step(tuple(batch))
        after = [v.numpy() for v in gan.combined.trainable_variables]
        found[name] = {
            "finite": all(np.isfinite(v.numpy()).all() for v in variables_of(gan).values()),
            "moved": any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True)),
            "steps": int(gan.combined.optimizer.iterations.numpy()),
            "scale": float(gan.combined.optimizer.dynamic_scale.numpy()),
            # On each device.
            "same": all(
                len({np.asarray(part).tobytes() for part in v.value.values}) == 1
                for v in gan.combined.trainable_variables
            ),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
