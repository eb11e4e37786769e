"""Reads damaged and hostile images, and looks whether anything but a clear error comes of it.

    python fuzz/images.py --count 100000 --seed 0 [--jobs 2] [--keep DIR]

Each file must either be refused in one line, or give the same RGB image whenever it is read,
without a word on stderr (but libtiff's on a damaged TIFF), within 5 s of computing and 2 GB. What
is cut off, and what has a wrong checksum, must be refused unless the pixels are those of the good
file. Others are compared with those of OpenCV, where it is installed; where a header is damaged,
either may be right. What goes wrong or differs is kept in DIR; the exit status tells whether
anything went wrong.
"""

import argparse
import collections
import os
import pathlib
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import image_mutations
import numpy as np
import workers
from PIL import Image

from cyclegan_keras.data import decoding, images

try:
    import cv2
except ImportError:
    cv2 = None

SECONDS = 5
# What a file may wait for the processor, or for OpenCV, which is not what is tested.
PATIENCE = 120
MEMORY = 2 * 10**9
ADDRESSES = 8 * 10**9

RESULTS = ("accepted", "refused", "crash", "hang", "memory", "noise", "wrong", "differs")
FINE = ("accepted", "refused")
WRONG = ("crash", "hang", "memory", "noise", "wrong")

# Whose checksums or end marks tell that a part of the file was zeroed.
TELL_ZEROS = ("JPEG", "PNG", "GIF")
# Largest difference of one pixel to what OpenCV decodes. JPEGs are scaled and converted elsewhere.
TOLERANCE = {"JPEG": 40, "WEBP": 8}


def damaged(seed: int, number: int, good: dict[str, list[bytes]]) -> tuple[str, str, bytes]:
    """Makes one file, always the same: its format, the kind of damage, and its content."""
    rng = random.Random(f"{seed} {number}")
    kind = list(good)[number % len(good)]
    before, other = rng.choice(good[kind]), rng.choice(good[kind])
    name, mutate = rng.choice(list(image_mutations.mutations(kind).items()))
    return kind, name, mutate(rng, before, other)


def read(path: pathlib.Path) -> np.ndarray | str:
    """Reads a file as the package does: the pixels, or the error if it is a proper one."""
    try:
        image = images.read_image(path)
    except (ValueError, FileNotFoundError) as error:
        text = str(error)
        if text.isprintable() and len(text) < 600 and repr(str(path)) in text:
            return text
        raise RuntimeError(f"no proper error: {text!r}") from error
    if image.mode != "RGB" or not 0 < image.width * image.height <= decoding.MAX_PIXELS:
        raise RuntimeError(f"{image.mode}, {image.size}")
    return np.asarray(image)


def judge(
    kind: str, name: str, pixels: np.ndarray, path: pathlib.Path, good: list[np.ndarray]
) -> tuple[str, str]:
    """Says of a file that was accepted which of the results it is, and why."""
    again = read(path)
    if isinstance(again, str) or not np.array_equal(pixels, again):
        return "wrong", f"{name}: another image when it is read again"
    checked = name in ("truncate", *(["zero_tail"] if kind in TELL_ZEROS else []))
    if kind == "PNG" and not name.startswith("fixed"):
        checked = True
    if checked and not any(np.array_equal(pixels, those) for those in good):
        return "wrong", f"{name}: an image that never was"
    difference = None if cv2 is None else compare(pixels, path)
    if difference is not None and difference > TOLERANCE.get(kind, 1):
        return "differs", f"{name}: {difference} from OpenCV's"
    return "accepted", ""


def compare(pixels: np.ndarray, path: pathlib.Path) -> int | None:
    """Gives the largest difference to OpenCV's pixels, if it should have and has the same ones."""
    with Image.open(path, formats=images.FORMATS) as image:
        if image.mode not in ("RGB", "L", "1", "P") or image.has_transparency_data:
            return None
    theirs = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if theirs is None:
        return None
    # In damaged EXIF, the two may find another orientation, or none.
    turned = [np.rot90(image, turns) for image in (theirs, theirs[:, ::-1]) for turns in range(4)]
    return min(
        (
            int(np.abs(those.astype(int) - pixels).max())
            for those in turned
            if those.shape == pixels.shape
        ),
        default=255,
    )


def work(pipe: Any, seed: int, folder: pathlib.Path) -> None:
    """Takes numbers out of a pipe, and puts back what came of these files."""
    scratch = folder / str(os.getpid())
    scratch.mkdir()
    noise = os.open(scratch / "noise", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.dup2(noise, 2)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    if cv2 is not None:
        cv2.setNumThreads(0)
    good, path = image_mutations.seeds(), scratch / "image"
    known: dict[str, list[np.ndarray]] = collections.defaultdict(list)
    for kind, files in good.items():
        for file in files:
            path.write_bytes(file)
            if isinstance(pixels := read(path), str):
                raise RuntimeError(pixels)
            known[kind].append(pixels)
    pipe.send("ready")
    while (number := pipe.recv()) is not None:
        kind, name, data = damaged(seed, number, good)
        path.write_bytes(data)
        os.truncate(noise, 0)
        pipe.send("start")
        try:
            pixels = read(path)
            heard = pathlib.Path(scratch / "noise").read_bytes()
            pipe.send("read")
            if heard and kind != "TIFF":
                result = "noise", f"{name}: {heard[:200]!r}"
            elif resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 > MEMORY:
                result = "memory", f"{name}: more than {MEMORY} bytes"
            elif isinstance(pixels, str):
                result = "refused", pixels
            else:
                result = judge(kind, name, pixels, path, known[kind])
        except MemoryError:
            result = "memory", f"{name}: no more memory"
        except BaseException as error:
            result = "wrong", f"{name}: {type(error).__name__}: {error}"
        pipe.send(result)


class Reader(workers.Worker):
    """Reads one file after the other.

    Args:
        seed: Of all files.
        folder: Where it may write.
    """

    def __init__(self, seed: int, folder: pathlib.Path) -> None:
        super().__init__(work, seed, folder, "image")
        self.message: Any = None
        self.given = self.used = 0.0

    def give(self, task: int) -> None:
        """Gives it the number of a file to make and read."""
        self.message, self.given = None, time.monotonic()
        super().give(task)

    def look(self) -> tuple[str, str] | None:
        """Says what came of the file and why, if anything did."""
        try:
            while self.pipe.poll():
                self.message = self.pipe.recv()
                if isinstance(self.message, tuple):
                    return self.message
                self.used = self.seconds_used()
        except (EOFError, ConnectionResetError):
            self.process.join()
            # After it was read, it is OpenCV that the file has brought down.
            result = "accepted" if self.message == "read" else "crash"
            return result, f"exit code {self.process.exitcode}"
        if self.message == "start" and self.seconds_used() - self.used > SECONDS:
            return "hang", f"more than {SECONDS} s"
        if time.monotonic() - self.given > PATIENCE:
            return "accepted" if self.message == "read" else "hang", f"more than {PATIENCE} s"
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """Makes and reads as many files as the command line says, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3000, help="files to make")
    parser.add_argument("--seed", type=int, default=0, help="of the files")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for files that went wrong")
    arguments = parser.parse_args(argv)
    formats = list(image_mutations.seeds())
    counts = {kind: collections.Counter[str]() for kind in formats}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = pathlib.Path(temporary)
        for number, file, result, reason in workers.run(
            range(arguments.count), arguments.jobs, lambda: Reader(arguments.seed, folder)
        ):
            kind = formats[number % len(formats)]
            counts[kind][result] += 1
            if result not in FINE:
                print(f"{number} ({kind}): {result}: {reason}", file=sys.stderr, flush=True)
                if arguments.keep:
                    arguments.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(file, arguments.keep / f"{number}.{kind.lower()}")
    print(workers.table("format", counts, RESULTS))
    return int(any(counts[kind][result] for kind in formats for result in WRONG))


if __name__ == "__main__":
    sys.exit(main())
