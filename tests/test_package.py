"""Importing is cheap, and the public names are all there."""

import ctypes
import hashlib
import importlib.metadata
import inspect
import itertools
import os
import pathlib
import subprocess
import sys
import tomllib

import keras
import numpy as np
import pytest

import cyclegan_keras
from cyclegan_keras import _backend, _registration
from cyclegan_keras.cli.main import main
from cyclegan_keras.config.cyclegan import FAST
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.networks import build_generator

ROOT = pathlib.Path(__file__).parents[1]


def run(code: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert "E0000" not in done.stderr or has_cuda()  # That there is no GPU is no error.
    return done.stdout


def has_cuda() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def test_public_names():
    for name in cyclegan_keras.__all__:
        assert getattr(cyclegan_keras, name).__name__ == name
    assert set(cyclegan_keras.__all__) <= set(dir(cyclegan_keras))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = cyclegan_keras.nonsense


def test_importing_does_not_load_tensorflow():
    code = "import sys, cyclegan_keras, cyclegan_keras.cli.main as m; m.importlib; "
    assert run(f"{code} print({{'tensorflow', 'keras', 'numpy'}} & set(sys.modules))") == "set()\n"


@pytest.fixture(scope="module")
def network_files(tmp_path_factory):
    """A file of each kind of network, by name, and the bits that it makes of an image."""
    folder = tmp_path_factory.mktemp("networks")
    shape = (32, 32, 3)
    made = {
        "unet": build_generator(shape, 2, seed=0),
        "deep_unet": build_generator(shape, 2, "deep_unet", seed=0),
        "resnet": build_generator(shape, 2, "resnet", 1, seed=0),
        "fast": FAST.model.generator.with_settings(gf=2, num_blocks=1).build(shape, seed=0),
        "residual": build_generator(shape, 2, residual=True, seed=0),
        "contrib": build_generator(shape, 2, norm="contrib", seed=0),
    }
    for name, network in made.items():
        network.save(folder / f"{name}.keras")
    return folder, {name: bits_of(network) for name, network in made.items()}


def bits_of(network):
    image = np.linspace(-1, 1, 32 * 32 * 3).reshape(1, 32, 32, 3)
    return hashlib.sha256(np.asarray(network(image)).tobytes()).hexdigest()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("order", "load"),
    [
        (
            "import cyclegan_keras, tensorflow, keras",
            "(lambda file: [keras.models.load_model(file), cyclegan_keras.load_generator(file)])",
        ),
        # Of a real library; see `test_classes_are_registered_once_both_libraries_are_whole`.
        pytest.param(
            "import importlib.util, cyclegan_keras; importlib.util.find_spec('keras')\n"
            "from cyclegan_keras import DataLoader; import tensorflow",
            "cyclegan_keras.load_generator",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import tensorflow as tf, numpy, cyclegan_keras",
            "tf.keras.models.load_model",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "from cyclegan_keras.layers.residual_output import ChangeImage\n"
            "from cyclegan_keras import UpsampleConv2D, CycleGAN; import keras",
            "keras.models.load_model",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_networks_are_known_to_keras_whatever_is_imported_first(order, load, network_files):
    folder, expected = network_files
    code = (
        f"{order}\nimport hashlib, json, sys\nimport numpy as np\n{inspect.getsource(bits_of)}"
        f"for name in {list(expected)}:\n"
        f"    found = {load}(sys.argv[1] + name + '.keras')\n"
        "    for network in found if isinstance(found, list) else [found]:\n"
        "        print(name, bits_of(network))"
    )
    lines = [line.split() for line in run(code, f"{folder}/").splitlines()]
    assert [name for name, _ in lines][:: len(lines) // len(expected)] == list(expected)
    assert [(name, bits) for name, bits in lines if bits != expected[name]] == []


FAKE_KERAS = """
import sys
if "tensorflow" not in sys.modules: import tensorflow
__version__ = "3.15.1"
class backend: backend = staticmethod(lambda: "tensorflow")
is_whole = True
"""
FAKE_TENSORFLOW = """
try: import keras
except ImportError: pass
__version__ = "2.21.0"
class config: list_physical_devices = staticmethod(lambda: [])
is_whole = True
"""


@pytest.fixture
def fakes(tmp_path):
    """Puts a Keras and a TensorFlow that say what a test wants in place of the real ones."""

    def make(keras: str = FAKE_KERAS, tensorflow: str = FAKE_TENSORFLOW) -> dict[str, str]:
        for name, code in (("keras", keras), ("tensorflow", tensorflow)):
            (tmp_path / f"{name}.py").write_text(code)
        paths = [str(tmp_path), str(pathlib.Path(cyclegan_keras.__file__).parents[1])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "KERAS_BACKEND": ""}

    return make


@pytest.mark.parametrize(
    "order", list(itertools.permutations(["cyclegan_keras", "keras", "tensorflow"])), ids="-".join
)
def test_classes_are_registered_once_both_libraries_are_whole(order, fakes):
    """Each imports the other one, in the middle of its own import."""
    code = (
        "import cyclegan_keras._registration as r\n"
        * (order[0] == "cyclegan_keras")
        + "import sys, types\n"
        "class Registering(types.ModuleType):\n"
        "    def __init__(self): print(sys.modules['keras'].is_whole, "
        "sys.modules['tensorflow'].is_whole)\n"
        "import importlib; real = importlib.import_module\n"
        "importlib.import_module = lambda n: Registering() if n.endswith('combined') else None\n"
        f"import {', '.join(order)}\n"
        "print(sum(type(f).__name__ == '_AfterKeras' for f in sys.meta_path))"
    )
    assert run(code, env=fakes()).splitlines() == ["True True", "0"]


@pytest.mark.parametrize("command", [True, False])
def test_a_command_loads_keras_without_what_it_does_not_use(command, fakes, tmp_path):
    for name in _registration.OPTIONAL:
        (tmp_path / f"{name}.py").write_text("")
    env = fakes(
        keras="import gc, threading\n"
        "print(gc.isenabled())\n"
        "def look():\n"
        f"    for name in {_registration.OPTIONAL}:\n"
        "        try: __import__(name); print('there')\n"
        "        except ImportError: print('left out')\n"
        "look()\n"
        "other = threading.Thread(target=look); other.start(); other.join()\n" + FAKE_KERAS
    )
    code = (
        "import gc, sys\n"
        "from cyclegan_keras import _registration as r\n"
        "r.register = lambda: None\n"
        + "r.leave_out_optional_parts()\n"
        * command
        + "import keras\n"
        "print(gc.isenabled())\n"
        "import sklearn, matplotlib, IPython\n"
    )
    found = ["left out" if command else "there"] * 3
    assert run(code, env=env).splitlines() == ["False", *found, *["there"] * 3, "True"]


def test_a_program_finds_them_though_keras_never_came(fakes, tmp_path):
    (tmp_path / "sklearn.py").write_text("print('there')")
    code = (
        "from cyclegan_keras import _registration as r\n"
        "r.leave_out_optional_parts()\n"
        "import tensorflow, sklearn\n"
    )
    assert run(code, env=fakes(tensorflow="")) == "there\n"


def test_it_is_the_processs_own_command_that_leaves_them_out(monkeypatch):
    finder = _registration._AfterKeras()
    monkeypatch.setattr(sys, "meta_path", [finder, *sys.meta_path])
    monkeypatch.setattr(sys, "argv", ["cyclegan", "data", "list"])
    assert main(sys.argv[1:]) == 0
    assert finder.left_out == ()
    assert main() == 0
    assert finder.left_out == _registration.OPTIONAL


@pytest.mark.parametrize(
    ("libraries", "message"),
    [
        (
            {"keras": FAKE_KERAS.replace("3.15.1", "2.15.0")},
            "needs Keras 3.15.1 or newer. Install it with `pip install --upgrade keras`. "
            "Received: Keras 2.15.0",
        ),
        (
            {"tensorflow": FAKE_TENSORFLOW.replace("2.21.0", "2.9.3-rc1")},
            "needs TensorFlow 2.21 or newer. Install it with `pip install --upgrade tensorflow`. "
            "Received: TensorFlow 2.9.3-rc1",
        ),
        (
            {"keras": FAKE_KERAS.replace('lambda: "tensorflow"', 'lambda: "jax"')},
            'computes with the TensorFlow backend of Keras. Set "backend" in '
            "~/.keras/keras.json to 'tensorflow', and start Python anew. Received: backend='jax'",
        ),
        (
            {"keras": "raise ModuleNotFoundError(name='tensorflow')"},
            "needs TensorFlow 2.21 or newer, which is not installed. Install it with "
            "`pip install tensorflow`.",
        ),
        (
            {"keras": "raise ImportError('libcudart.so:\\n not found')"},
            "needs Keras 3.15.1 and TensorFlow 2.21 or newer, and Keras cannot be imported here: "
            "libcudart.so: not found",
        ),
    ],
)
def test_what_cannot_be_computed_with_is_told_in_one_line(libraries, message, fakes, tmp_path):
    env = fakes(**libraries)
    for code in (
        "from cyclegan_keras import CycleGAN",
        "import cyclegan_keras.models.discriminator_updates",
    ):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
        assert done.stderr.splitlines()[-1] == (
            f"cyclegan_keras._backend.SetupError: cyclegan_keras {message}"
        )
    (tmp_path / "g.keras").touch()
    command = "translate --model g.keras --output out .".split()
    command = [sys.executable, "-m", "cyclegan_keras", *command]
    done = subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"python -m cyclegan_keras: error: cyclegan_keras {message}\n"
    assert not (tmp_path / "out").exists()


def test_a_backend_that_is_not_installed_is_told_as_one_that_is():
    code = "import cyclegan_keras\ntry: import keras\nexcept ImportError as error: print(error)"
    assert run(code, env={**os.environ, "KERAS_BACKEND": "jax"}) == (
        "cyclegan_keras computes with the TensorFlow backend of Keras. Set the environment "
        "variable KERAS_BACKEND to 'tensorflow', and start Python anew. Received: backend='jax'\n"
    )


def test_the_least_versions_are_those_that_are_required():
    lines = (pathlib.Path(__file__).parents[1] / "requirements.txt").read_text().splitlines()
    for name, least in (("keras", _backend.KERAS), ("tensorflow", _backend.TENSORFLOW)):
        assert f"{name}>={'.'.join(map(str, least))}" in lines


@pytest.fixture
def channels_first():
    keras.config.set_image_data_format("channels_first")
    yield
    keras.config.set_image_data_format("channels_last")


def test_channels_first_are_told_where_networks_are_built(channels_first, loader, tmp_path, capsys):
    for build in (
        lambda: cyclegan_keras.CycleGAN((32, 32, 3), gf=2, df=2),
        lambda: cyclegan_keras.Pix2Pix((32, 32, 3), gf=2, df=2),
        lambda: build_generator((32, 32, 3), 2, "resnet"),
        efficientnet.build,
    ):
        with pytest.raises(_backend.SetupError, match="with their channels last"):
            build()
    command = ["train", "--data-dir", str(loader.directory), "--run-dir", str(tmp_path / "run")]
    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs images with their channels last" in line
    assert not (tmp_path / "run").exists()


def test_files_are_loaded_whatever_the_channels(network_files, channels_first):
    folder, expected = network_files
    for name, bits in expected.items():
        assert bits_of(cyclegan_keras.load_generator(folder / f"{name}.keras")) == bits


def test_the_version_is_stated_once():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {cyclegan_keras.__version__}\n" in citation
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"]
    assert importlib.metadata.version("cyclegan-keras") == cyclegan_keras.__version__
