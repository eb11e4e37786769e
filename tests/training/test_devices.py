import re

import keras
import pytest

from cyclegan_keras.training import devices
from tests import forked


def test_devices_are_named():
    assert re.match(r"CPU \(\d+ cores\); no GPU found|\d+ GPU", devices.devices_in_words())


# Each case in a process of its own; forked, so that TensorFlow is imported once for all of them.
CASES = """
import os, sys
import tensorflow as tf
from cyclegan_keras.training import devices

tf.config.list_physical_devices = lambda kind=None: []
for cores, environment in [(2, {}), (8, {}), (2, {"TF_NUM_INTRAOP_THREADS": "2"})]:
    if not (child := os.fork()):
        os.cpu_count = lambda: cores
        os.environ.update(environment)
        devices.use_threads()
        threading = tf.config.threading
        print(
            threading.get_intra_op_parallelism_threads(),
            threading.get_inter_op_parallelism_threads(),
            flush=True,
        )
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.integration
def test_two_cores_get_an_operation_each():
    status, output, errors = forked.run(["-c", CASES], env={"TF_CPP_MIN_LOG_LEVEL": "2"})
    assert status == 0, errors
    # 0 means that TensorFlow chooses.
    assert output.splitlines() == ["1 2", "0 0", "0 0"]


def test_threads_stay_as_they_are_once_in_use():
    keras.ops.ones(1)
    devices.use_threads()


def test_precision_holds_for_what_is_built_inside():
    before = keras.config.dtype_policy().name
    with devices.precision("mixed_bfloat16"):
        layer = keras.layers.Dense(1)
    assert layer.dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before
