"""Importing is cheap, and the public names are all there."""

import importlib.metadata
import pathlib
import subprocess
import sys
import tomllib

import pytest

import cyclegan_keras

ROOT = pathlib.Path(__file__).parents[1]


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_public_names():
    for name in cyclegan_keras.__all__:
        assert getattr(cyclegan_keras, name).__name__ == name
    assert set(cyclegan_keras.__all__) <= set(dir(cyclegan_keras))
    with pytest.raises(AttributeError, match="nonsense"):
        _ = cyclegan_keras.nonsense


def test_importing_does_not_load_tensorflow():
    code = "import sys, cyclegan_keras, cyclegan_keras.cli.main as m; m.importlib; "
    assert run(f"{code} print({{'tensorflow', 'keras', 'numpy'}} & set(sys.modules))") == "set()\n"


@pytest.mark.parametrize("order", ["cyclegan_keras, keras", "keras, cyclegan_keras"])
def test_classes_are_known_to_keras_whatever_is_imported_first(order):
    names = ["InstanceNormalization", "UpsampleConv2D", "FusedAdam", "Combined"]
    code = (
        f"import {order}\n"
        f"for name in {names}:\n"
        "    print(keras.saving.get_registered_object(f'cyclegan_keras>{name}').__name__)"
    )
    assert run(code).split() == names


@pytest.mark.parametrize("first", ["UpsampleConv2D", "CycleGAN"])
def test_any_name_may_be_imported_first(first):
    assert run(f"from cyclegan_keras import {first}; print({first}.__name__)") == f"{first}\n"


@pytest.mark.parametrize("module", ["layers", "optimizers", "combined"])
def test_any_registering_module_may_be_imported_first(module):
    assert run(f"import cyclegan_keras.{module} as m; print(m.PACKAGE)") == "cyclegan_keras\n"


def test_the_version_is_stated_once():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"\nversion: {cyclegan_keras.__version__}\n" in citation
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert "version" not in project["project"]
    assert importlib.metadata.version("cyclegan-keras") == cyclegan_keras.__version__
