"""Small models and data shared by the whole session: building and tracing is what takes time."""

import gc
import os
import pathlib
import signal
from typing import TYPE_CHECKING

# Before TensorFlow is first imported: its start-up notes are not the tests' subject.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Likewise: of two processes on two cores, neither gains by a second thread. `train` sets its own.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

from cyclegan_keras.cli import log

# TensorFlow is imported where it is used: the process that only hands out the tests needs none.
if TYPE_CHECKING:
    from cyclegan_keras import CycleGAN, DataLoader

# A shell has what it starts in the background (`make test &`) ignore Ctrl-C, and so would every
# process that a test starts in order to send it one.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Likewise `nohup make test`.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

SIZE = 32
REAL_IMAGES = pathlib.Path(__file__).parents[2] / "shared" / "data"


# What a test makes is mostly graphs, of very many small objects that live as long as it does:
# looking for garbage among them as often as Python does by default takes a tenth of the whole time.
gc.set_threshold(100_000, 50, 100)


def pytest_collection_finish() -> None:
    """Leaves out, whenever garbage is looked for, what all tests use and nobody throws away."""
    gc.collect()
    gc.freeze()


# What the library logs is shown as `cyclegan` shows it, where a test calls the library itself.
log.show()


@pytest.fixture(scope="session")
def fruit_dir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A small drawn data set: 6 and 6 images to train on, 4 scenes to test on."""
    from cyclegan_keras.data.fruit.sets import write_fruit

    return write_fruit(
        tmp_path_factory.mktemp("data") / "small_fruit", num_train=6, num_test=4, size=SIZE
    )


@pytest.fixture
def loader(fruit_dir: pathlib.Path) -> "DataLoader":
    from cyclegan_keras import DataLoader

    return DataLoader(fruit_dir.name, (SIZE, SIZE), fruit_dir.parent, seed=0)


@pytest.fixture(scope="session")
def tiny_gan() -> "CycleGAN":
    """One compiled tiny model. Tests may train it; none may rely on its weights."""
    from cyclegan_keras import CycleGAN

    return CycleGAN((SIZE, SIZE, 3), gf=2, df=2, seed=0)


@pytest.fixture
def tiny_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are built of one convolution each: for what a run does around its networks."""
    from tests import tiny

    tiny.use_in_all_models(monkeypatch.setattr)


@pytest.fixture
def float64():
    """Everything built inside is float64: weights, inputs, losses."""
    import keras

    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def dtype_policy():
    """Sets the dtype policy by name, until the test ends."""
    import keras

    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


@pytest.fixture
def untraced():
    """Runs line by line what else would be traced: for a step or two, that takes far less time."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def real_images() -> pathlib.Path:
    """The folder of real photos, which are no part of the project."""
    if not REAL_IMAGES.is_dir():
        pytest.skip(f"needs real images in {REAL_IMAGES}, which is not there")
    return REAL_IMAGES


@pytest.fixture
def random_images():
    """Makes random images in [-1, 1] of a given shape, always the same."""

    def make(*shape: int, seed: int = 0, dtype: str = "float32") -> np.ndarray:
        return np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype)

    return make
