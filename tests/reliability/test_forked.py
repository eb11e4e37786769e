"""The processes that other tests start are like those of `subprocess`, but for what is loaded."""

import signal
import subprocess

import pytest

from tests import forked

pytestmark = pytest.mark.integration

SAYS = """
import os, sys
print(sys.argv, os.environ["SAID"], "PATH" in os.environ, os.getcwd(), __name__)
print("tensorflow" in sys.modules, "cyclegan_keras" in sys.modules, "pytest" in sys.modules)
print("an error", file=sys.stderr)
sys.exit(3)
"""


def test_what_a_program_gets_and_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = forked.run(["-c", SAYS, "a b", "c"], env={"SAID": "yes"})
    assert (status, err) == (3, "an error\n")
    assert out.splitlines() == [
        f"['-c', 'a b', 'c'] yes False {tmp_path} __main__",
        "True False False",
    ]
    (tmp_path / "program.py").write_text("import beside, sys\nraise ValueError(sys.argv)\n")
    (tmp_path / "beside.py").touch()
    status, out, err = forked.run([str(tmp_path / "program.py"), "x"])
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == f"ValueError: ['{tmp_path / 'program.py'}', 'x']"


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_it_is_killed_by_signals(signum):
    with forked.Program(["-c", "import time; time.sleep(600)"]) as program:
        assert program.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(0.01)
        program.send_signal(signum)
    assert program.returncode == -signum
