"""Loads damaged and hostile model files, and looks whether anything but a clear error comes of it.

    python fuzz/models.py --count 2000 --seed 0 [--jobs 2] [--keep DIR]

Each file must either be refused in one line, or give a translator with finite weights. While it is
loaded, nothing may be opened, run or imported that honest files do not need. Each worker has 5 s
of the processor's time and 2 GB for a file. What goes wrong is kept in DIR; the exit status tells.
"""

import argparse
import collections
import multiprocessing
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import model_mutations
import numpy as np
import workers
from keras import layers

from cyclegan_keras.inference.safe_loading import model_files
from cyclegan_keras.networks import (
    build_deep_unet_generator,
    build_resnet_generator,
    build_unet_generator,
)

# Of work; and of waiting, where others may be at work on the same machine.
SECONDS = 5
PATIENCE = 60
MEMORY = 2 * 10**9
# A worker gives its memory back to nobody: after so many files, the next one takes over.
FILES_PER_WORKER = 200

RESULTS = ("accepted", "refused", "crash", "hang", "memory", "audit", "wrong")
FINE = ("accepted", "refused")

# What the loading of an honest file is seen to do, beside reading Python's own files.
WATCHED = """open os. subprocess. socket. urllib. shutil. tempfile. import exec marshal. pickle.
    ctypes. winreg. pty. ftplib. http. webbrowser.""".split()
HARMLESS = ("os.listdir", "os.scandir", "tempfile.mkdtemp")

Task = tuple[int, str]


def write_seeds(folder: pathlib.Path) -> None:
    """Writes tiny translators of every kind."""
    nets = {
        "unet": build_unet_generator((32, 32, 3), 1),
        "dropout": build_unet_generator((32, 32, 3), 1, dropout=0.5),
        "deep_unet": build_deep_unet_generator((32, 32, 3), 1),
        "resnet": build_resnet_generator((8, 8, 3), 1, 1),
        "resize": build_resnet_generator((16, 16, 3), 1, 1, upsampling="resize"),
        "plain": plain_generator(),
    }
    for name, net in nets.items():
        net.save(folder / f"{name}.keras")


def plain_generator() -> keras.Model:
    """A translator of Keras's own layers, one of them a model."""
    img = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(2, 1), layers.PReLU()])
    x = layers.BatchNormalization()(inner(img) * 2.0)
    x = layers.UpSampling2D()(layers.AveragePooling2D(2)(x))
    return keras.Model(img, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


def attempt(path: pathlib.Path) -> tuple[str, str]:
    """Loads a file, and says which of the results it is, and why."""
    try:
        model = model_files.load_generator(path)
    except (ValueError, FileNotFoundError) as error:
        text = str(error)
        fine = text.isprintable() and len(text) < 1000 and repr(str(path)) in text
        return ("refused" if fine else "wrong"), text
    except BaseException as error:
        return "wrong", f"{type(error).__name__}: {error}"
    shape = model.input_shape
    if shape != model.output_shape or shape[-1] != 3 or len(shape) != 4:
        return "wrong", f"{shape} to {model.output_shape}"
    finite = all(np.isfinite(np.asarray(x, "float64")).all() for x in model.weights)
    return ("accepted", "") if finite else ("wrong", "weights are not finite")


class Watch:
    """Writes down what happens in this process that loading has no need of.

    Args:
        folder: Where files may be written.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = str(folder)
        self.active = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if (
            self.active
            and event.startswith(tuple(WATCHED))
            and not self._is_harmless(event, arguments)
        ):
            self.seen.append(f"{event} {arguments!r}"[:300])

    def _is_harmless(self, event: str, arguments: tuple[Any, ...]) -> bool:
        first = arguments[0] if arguments else None
        if event in HARMLESS:
            return True
        if event == "exec":
            return _is_pythons_own(getattr(first, "co_filename", ""))
        if event == "import":
            return str(first).split(".")[0] in sys.modules
        if isinstance(first, int) and event == "open":
            return True  # A file that is open already.
        path = os.fsdecode(first) if isinstance(first, (str, bytes, os.PathLike)) else ""
        if event in ("os.remove", "os.rmdir") and arguments[1] >= 0:
            path = os.readlink(f"/proc/self/fd/{arguments[1]}")  # The folder that it lies in.
        if event == "open" and (_is_pythons_own(path) or path.startswith("/proc/")):
            return not arguments[2] & (os.O_WRONLY | os.O_RDWR)
        return path.startswith(self.folder)


def _is_pythons_own(path: str) -> bool:
    own = {sys.prefix, sys.base_prefix, str(pathlib.Path(model_files.__file__).parents[2])}
    return path.startswith(tuple(own))


def work(pipe: Any, seed: int, folder: pathlib.Path) -> None:
    """Takes tasks out of a pipe, and puts back what came of them."""
    scratch = folder / str(os.getpid())
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    seeds = [path.read_bytes() for path in sorted((folder / "seeds").iterdir())]
    # What TensorFlow does when it is first used, is not the files' doing.
    for path in sorted((folder / "seeds").iterdir()):
        model_files.load_generator(path)
    mutations = model_mutations.mutations(folder / "canary")
    watch = Watch(scratch)
    pipe.send("ready")
    while (task := pipe.recv()) is not None:
        number, kind = task
        rng = random.Random(f"{seed} {number}")
        path = scratch / "model.keras"
        path.write_bytes(mutations[kind](rng, rng.choice(seeds)))
        keras.backend.clear_session()
        watch.seen.clear()
        pipe.send("start")
        watch.active = True
        result = attempt(path)
        watch.active = False
        pipe.send(("audit", watch.seen[0]) if watch.seen else result)


class Loader(workers.Worker):
    """Loads one file after the other.

    Args:
        seed: Of all files.
        folder: Where the good files are, and where it may write.
    """

    def __init__(self, seed: int, folder: pathlib.Path) -> None:
        super().__init__(work, seed, folder, "model.keras")
        self.started: float | None = None
        self.used = 0.0
        self.done = 0
        self.baseline = self._memory()

    def _memory(self) -> int:
        pages = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def give(self, task: Task) -> None:
        """Gives it a file to load."""
        self.started = None
        super().give(task)

    def look(self) -> tuple[str, str] | None:
        """Says what came of the file and why, if anything did."""
        try:
            while self.pipe.poll():
                message = self.pipe.recv()
                if message != "start":
                    self.done += 1
                    return message
                self.started, self.used = time.monotonic(), self.seconds_used()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return "crash", f"exit code {self.process.exitcode}"
        if self.started and time.monotonic() - self.started > PATIENCE:
            return "hang", f"more than {PATIENCE} s on the clock"
        if self.started and self.seconds_used() - self.used > SECONDS:
            return "hang", f"more than {SECONDS} s of work"
        if self.process.is_alive() and self._memory() > self.baseline + MEMORY:
            return "memory", f"more than {MEMORY} bytes"
        return None

    def is_spent(self, result: str) -> bool:
        """Tells whether another one must take over after this result."""
        return super().is_spent(result) or self.done >= FILES_PER_WORKER


def main(argv: Sequence[str] | None = None) -> int:
    """Makes as many files as the command line says, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000, help="files to make")
    parser.add_argument("--seed", type=int, default=0, help="of the files")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for files that went wrong")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = pathlib.Path(temporary)
        # Whoever opens it for reading, waits for ever.
        os.mkfifo(folder / "canary")
        (folder / "seeds").mkdir()
        # Elsewhere, for no process may be forked off one that has used TensorFlow.
        writer = multiprocessing.get_context("fork").Process(
            target=write_seeds, args=(folder / "seeds",)
        )
        writer.start()
        writer.join()
        if writer.exitcode:
            return 2
        kinds = list(model_mutations.mutations(folder / "canary"))
        counts = {kind: collections.Counter[str]() for kind in kinds}
        tasks = [(number, kinds[number % len(kinds)]) for number in range(arguments.count)]
        for task, file, result, reason in workers.run(
            tasks, arguments.jobs, lambda: Loader(arguments.seed, folder)
        ):
            counts[task[1]][result] += 1
            if result not in FINE:
                print(f"{task[0]} ({task[1]}): {result}: {reason}", file=sys.stderr, flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, arguments.keep / f"{task[0]}.keras")
    print(workers.table("kind", counts, RESULTS))
    return int(any(counts[kind][result] for kind in kinds for result in set(RESULTS) - {*FINE}))


if __name__ == "__main__":
    sys.exit(main())
