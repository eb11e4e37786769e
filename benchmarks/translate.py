"""How much sooner many pictures are translated side by side than one after the other.

    python benchmarks/translate.py [--images 1000] [--size 64]

Both ways read the same JPEG files and write PNG files, with the same untrained generator, and take
turns in one run: on a machine that others use too, only the ratio means something.
"""

import argparse
import os
import pathlib
import tempfile
import time
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image

from cyclegan_keras.data.fruit import still_life
from cyclegan_keras.inference import translate
from cyclegan_keras.networks import build_unet_generator

NUM_ROUNDS = 2
NUM_PLAIN = 100


def draw(folder: pathlib.Path, num_images: int, size: int) -> None:
    """Draws still lifes as JPEG files.

    Args:
        folder: Where to.
        num_images: How many.
        size: Height and width, in pixels.
    """
    rng = np.random.default_rng(0)
    for index in range(num_images):
        kind = still_life.KINDS[index % 2]
        picture = still_life.draw_scene(still_life.Scene.random(rng), kind, size)
        Image.fromarray(picture).save(folder / f"{index:05d}.jpg", quality=90)


def translate_plainly(generator: keras.Model, jobs: list[Any]) -> None:
    """Translates as one would at first: read, `predict`, write, and the next.

    Args:
        generator: From images to images of the same size.
        jobs: Sources and targets, whose folder exists. The images have the generator's size.
    """
    for source, target in jobs:
        with Image.open(source) as image:
            img = np.asarray(image.convert("RGB"), np.float32) / 127.5 - 1
        translation = generator.predict(img[None], verbose=0)[0]
        Image.fromarray(np.uint8(np.rint((translation + 1) * 127.5))).save(target)


def measure(num_images: int = 1000, size: int = 64) -> dict[str, float]:
    """Times both ways, in alternating rounds.

    Each way has translated an image or two before the clock starts, but `translate_files` traces
    its function within its time, as it does each time it is called.

    Args:
        num_images: For `translate_files`, in each round. The plain way gets at most 100 of them.
        size: Height and width of the images and of the generator, in pixels; a multiple of 16.

    Returns:
        `plain` and `files`: images per second, over all rounds; `ratio`: the second over the first.
    """
    generator = build_unet_generator((size, size, 3), gf=32)
    seconds = {"plain": 0.0, "files": 0.0}
    counts = {"plain": 0, "files": 0}
    with tempfile.TemporaryDirectory() as name:
        source, target = pathlib.Path(name, "source"), pathlib.Path(name, "target")
        source.mkdir()
        target.mkdir()
        draw(source, num_images, size)
        jobs = translate.plan([source], target, file_format="png")
        ways = {
            "plain": (translate_plainly, jobs[:NUM_PLAIN]),
            "files": (translate.translate_files, jobs),
        }
        for run, _ in ways.values():
            run(generator, jobs[:2])
        for _ in range(NUM_ROUNDS):
            for way, (run, part) in ways.items():
                begun = time.perf_counter()
                run(generator, part)
                seconds[way] += time.perf_counter() - begun
                counts[way] += len(part)
    rates = {way: counts[way] / seconds[way] for way in ways}
    return {**rates, "ratio": rates["files"] / rates["plain"]}


def main() -> None:
    """Measures as the command line says, and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, metavar="N")
    parser.add_argument("--size", type=int, default=64, metavar="N", help="height and width")
    arguments = parser.parse_args()
    result = measure(arguments.images, arguments.size)
    print(
        f"{arguments.images} images of {arguments.size}×{arguments.size} pixels, from JPEG to PNG\n"
        f"one `predict` call per image   {result['plain']:7.1f} images/s\n"
        f"translate_files                {result['files']:7.1f} images/s\n"
        f"ratio                          {result['ratio']:7.1f}"
    )


if __name__ == "__main__":
    main()
