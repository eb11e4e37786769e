"""The `cyclegan` command: finds the verb, and turns errors into one line."""

import argparse
import contextlib
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import cyclegan_keras
from cyclegan_keras import _registration
from cyclegan_keras._backend import SetupError
from cyclegan_keras.cli import log
from cyclegan_keras.cluster import WorkerLost

VERBS = (
    "train",
    "ablate",
    "evaluate",
    "compare",
    "translate",
    "export",
    "serve",
    "convert",
    "study",
    "data",
)


def main(argv: Sequence[str] | None = None, prog: str = "cyclegan", verb: str | None = None) -> int:
    """Runs one verb of the command line.

    Args:
        argv: The words after the command's name; `None` means the process's own.
        prog: The command's name, for usage lines.
        verb: Which verb it is; `None` means that the first word says so.

    Returns:
        The exit status: 0, 1 if `translate` was told to go on past errors and did, 2 for anything
        wrong with what was asked, 75 if another worker of the run is lost, 130 after Ctrl-C, 143
        after SIGTERM, 129 after SIGHUP.
    """
    _open_what_is_closed()
    parser = argparse.ArgumentParser(prog=prog)
    version = f"cyclegan-keras {cyclegan_keras.__version__}"
    parser.add_argument("--version", action="version", version=version)
    if verb is not None:
        _make_parser_of(verb, parser)
    else:
        parser.description = "Unpaired image-to-image translation with CycleGAN on Keras 3."
        verbs = parser.add_subparsers(required=True, metavar="VERB")
        for name in VERBS:
            _make_parser_of(name, verbs.add_parser(name, help=_module(name).HELP))
    arguments = parser.parse_args(argv)
    arguments.command = _command(argv, verb)
    # TensorFlow's notes on how it was built tell a user nothing; its errors are still shown.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if argv is None:  # Else the process is somebody else's, who may use all of Keras.
        _registration.leave_out_optional_parts()
    _print_any_name()
    log.show()
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt as interrupt:
        with contextlib.suppress(OSError):  # The terminal itself may be gone.
            print(f"{prog}: interrupted", file=sys.stderr)
        return getattr(interrupt, "exit_status", 130)
    except BrokenPipeError:
        # Whoever read the output has gone. Python would write there once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except WorkerLost as lost:
        print(f"{prog}: error: {lost}", file=sys.stderr)
        return lost.exit_status
    except Exception as error:
        message = _in_words(error)
        if arguments.debug or message is None:
            raise
        print(f"{prog}: error: {message}", file=sys.stderr)
        return 2


def _command(argv: Sequence[str] | None, verb: str | None) -> list[str]:
    """The command that this process runs, for another process to run it, too."""
    if argv is None:
        return [sys.executable, *sys.orig_argv[1:]]
    words = argv if verb is None else [verb, *argv]
    return [sys.executable, "-m", "cyclegan_keras", *words]


def _open_what_is_closed() -> None:
    """Opens standard streams that whoever started the process had closed (`2>&-`).

    Python has none then, and what is written to their numbers would end up in the next file that
    is opened.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _print_any_name() -> None:
    """Lets names of files be printed that are no text, with escapes in place of what is none."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _in_words(error: Exception) -> str | None:
    """What there is to say about an error that a user can do something about, else `None`."""
    # TensorFlow's own, which must not be imported for this.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "The memory is full. Take a smaller --batch-size, --image-size, --gf or --df."
    if isinstance(error, ValueError | OSError | SetupError):
        return " ".join(str(error).split()) or type(error).__name__
    return None


def _module(verb: str) -> Any:
    # Light modules all: each imports TensorFlow only once it runs.
    return importlib.import_module(f"cyclegan_keras.cli.{verb}")


def _make_parser_of(verb: str, parser: argparse.ArgumentParser) -> None:
    module = _module(verb)
    parser.description = module.__doc__
    module.add_arguments(parser)
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error, not only its message"
    )
    parser.set_defaults(run=module.run)
