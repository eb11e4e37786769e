import re
import subprocess
import sys

import keras
import pytest

from cyclegan_keras.training import devices


def test_devices_are_named():
    assert re.match(r"CPU \(\d+ cores\); no GPU found|\d+ GPU", devices.devices_in_words())


def threads_in_a_new_process(cores: int, **environment: str) -> str:
    code = (
        "import os; os.cpu_count = lambda: " + str(cores) + "; import tensorflow as tf; "
        "tf.config.list_physical_devices = lambda kind=None: []; "
        "from cyclegan_keras.training import devices; devices.use_threads(); "
        "threading = tf.config.threading; "
        "print(threading.get_intra_op_parallelism_threads(), "
        "threading.get_inter_op_parallelism_threads())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("cores", "environment", "expected"),
    [(2, {}, "1 2"), (8, {}, "0 0"), (2, {"TF_NUM_INTRAOP_THREADS": "2"}, "0 0")],
)
def test_two_cores_get_an_operation_each(cores, environment, expected):
    # 0 means that TensorFlow chooses.
    assert threads_in_a_new_process(cores, **environment) == expected


def test_threads_stay_as_they_are_once_in_use():
    keras.ops.ones(1)
    devices.use_threads()


def test_precision_holds_for_what_is_built_inside():
    before = keras.config.dtype_policy().name
    with devices.precision("mixed_bfloat16"):
        layer = keras.layers.Dense(1)
    assert layer.dtype_policy.name == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == before
