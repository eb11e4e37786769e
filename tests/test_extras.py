import pathlib
import tomllib

import pytest

from cyclegan_keras import _extras

ROOT = pathlib.Path(__file__).parents[1]


@pytest.mark.parametrize("extra", _extras.EXTRAS)
def test_the_advice_installs_what_the_extra_would(extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["optional-dependencies"][extra]
    assert list(_extras.EXTRAS[extra]) == wanted
    assert _extras.advice(extra) == "pip install " + " ".join(f'"{name}"' for name in wanted)


def test_nobody_is_sent_to_a_package_that_is_not_published():
    for path in (ROOT / "cyclegan_keras").rglob("*"):
        if path.suffix in (".py", ".j2"):
            assert "cyclegan-keras[" not in path.read_text(), path
