"""Programs in processes that have loaded TensorFlow already, which takes seconds.

A server imports TensorFlow and Keras and never uses them. What is forked off it, before TensorFlow
has begun to compute, is as good as a process that has imported them by itself; arguments,
environment, folder, output, signals and the end are its own.
"""

import multiprocessing
import os
import pathlib
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tensorflow", "keras"])


class Program:
    """A running program, as `subprocess.Popen` has it, with its output as text.

    Args:
        words: What stands after `python`: the file of a program, and its arguments; or `-c`, code,
            and its arguments.
        env: Its environment; by default, that of this process.
    """

    def __init__(self, words: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        folder = tempfile.mkdtemp(prefix="program-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._output = [pathlib.Path(folder) / name for name in ("out", "err")]
        for path in self._output:
            path.touch()
        environment = dict(os.environ if env is None else env)
        self._process = _context.Process(
            target=_run, args=([*words], environment, os.getcwd(), [*map(str, self._output)])
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """Its status, the negative number of a signal that has killed it; `None` while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """As `returncode`."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end, at most some seconds, and returns its status."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("a program", timeout or 0.0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Waits for its end, and returns what it has written to the output and the error output."""
        self.wait(timeout)
        out, err = (path.read_text("utf-8") for path in self._output)
        return out, err

    def send_signal(self, signum: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self._process.pid is not None and self.poll() is None:
            os.kill(self._process.pid, signum)

    def kill(self) -> None:
        """Kills it, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wait()


def run(words: Sequence[str], env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Runs a program to its end; returns its status, output and error output."""
    with Program(words, env) as program:
        out, err = program.communicate()
    return program.wait(), out, err


def _run(words: list[str], env: dict[str, str], folder: str, output: list[str]) -> None:
    """What the process does: it becomes the program."""
    from tensorflow.python.eager import context

    if (used := context.context_safe()) is not None and used._initialized:
        raise RuntimeError("TensorFlow had been used before the process was forked.")
    for descriptor, path in zip((1, 2), output, strict=True):
        opened = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program, *sys.argv[1:] = words
    if program == "-c":
        code = sys.argv.pop(1)
        sys.argv[0] = program
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv[0] = program
        sys.path.insert(0, os.path.dirname(os.path.abspath(program)))
        runpy.run_path(program, run_name="__main__")
