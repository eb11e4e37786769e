"""How much sooner many pictures are translated side by side than one after the other.

    python benchmarks/translate.py [--images 1000] [--size 64]
    python benchmarks/translate.py --onnx [--images 200] [--size 256]

The first compares with one `predict` call per image, for the book's generator; the second with ONNX
Runtime, image by image, for the paper's ResNet and its export. Both ways read the same JPEG files
and write PNG files, with the same untrained generator, and take turns in one run: on a machine that
others use too, only the ratio means something.
"""

import argparse
import os
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from PIL import Image

from cyclegan_keras.data.fruit import still_life
from cyclegan_keras.inference import translate
from cyclegan_keras.networks import build_resnet_generator, build_unet_generator

NUM_ROUNDS = 2
NUM_PLAIN = 100
# Of networks that take long; the rounds alternate all the same.
NUM_BY_ONNX = 50


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


def translate_one_by_one(compute: Callable[[Any], Any], jobs: list[Any]) -> None:
    """Translates as one would at first: read, compute, write, and the next.

    Args:
        compute: From a batch of one image to its translation, of the same size.
        jobs: Sources and targets, whose folder exists. The images have the generator's size.
    """
    for source, target in jobs:
        with Image.open(source) as image:
            img = np.asarray(image.convert("RGB"), np.float32) / 127.5 - 1
        translation = compute(img[None])[0]
        Image.fromarray(np.uint8(np.rint((translation + 1) * 127.5))).save(target)


def by_onnx_runtime(generator: keras.Model, folder: pathlib.Path) -> Callable[[Any], Any]:
    """Exports a generator and loads the file.

    Args:
        generator: From images to images.
        folder: Where the file goes.

    Returns:
        A function from batches to batches.
    """
    from cyclegan_keras.export import onnx_graph, runtimes

    path = folder / "generator.onnx"
    path.write_bytes(onnx_graph.to_onnx(generator, float16=False).SerializeToString())
    return runtimes.onnx_runtime(path)


def measure(num_images: int = 1000, size: int = 64, onnx: bool = False) -> dict[str, float]:
    """Times both ways, in alternating rounds.

    Each way has translated an image or two before the clock starts, but `translate_files` traces
    its function within its time, as it does each time it is called.

    Args:
        num_images: For `translate_files`, in each round. The plain way gets at most 100 of them.
        size: Height and width of the images and of the generator, in pixels; a multiple of 16.
        onnx: Whether the plain way is ONNX Runtime, and the generator the paper's ResNet of nine
            blocks, instead of `predict` and the book's.

    Returns:
        `plain` and `files`: images per second, over all rounds; `ratio`: the second over the first.
    """
    if onnx:
        generator = build_resnet_generator((size, size, 3), gf=64, num_blocks=9)
    else:
        generator = build_unet_generator((size, size, 3), gf=32)
    seconds = {"plain": 0.0, "files": 0.0}
    counts = {"plain": 0, "files": 0}
    with tempfile.TemporaryDirectory() as name:
        source, target = pathlib.Path(name, "source"), pathlib.Path(name, "target")
        source.mkdir()
        target.mkdir()
        draw(source, num_images, size)
        jobs = translate.plan([source], target, file_format="png")
        compute = (
            by_onnx_runtime(generator, pathlib.Path(name))
            if onnx
            else lambda imgs: generator.predict(imgs, verbose=0)
        )
        ways: dict[str, tuple[Callable[[list[Any]], Any], list[Any]]] = {
            "plain": (
                lambda part: translate_one_by_one(compute, part),
                jobs[: NUM_BY_ONNX if onnx else NUM_PLAIN],
            ),
            "files": (lambda part: translate.translate_files(generator, part), jobs),
        }
        for run, _ in ways.values():
            run(jobs[:2])
        for _ in range(NUM_ROUNDS):
            for way, (run, part) in ways.items():
                begun = time.perf_counter()
                run(part)
                seconds[way] += time.perf_counter() - begun
                counts[way] += len(part)
    rates = {way: counts[way] / seconds[way] for way in ways}
    return {**rates, "ratio": rates["files"] / rates["plain"]}


def main() -> None:
    """Measures as the command line says, and prints it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, metavar="N", help="1000; 200 with --onnx")
    parser.add_argument(
        "--size", type=int, metavar="N", help="height and width; 64, 256 with --onnx"
    )
    parser.add_argument("--onnx", action="store_true", help="compare a ResNet with ONNX Runtime")
    arguments = parser.parse_args()
    num_images = arguments.images or (200 if arguments.onnx else 1000)
    size = arguments.size or (256 if arguments.onnx else 64)
    result = measure(num_images, size, arguments.onnx)
    other = "ONNX Runtime, image by image" if arguments.onnx else "one `predict` call per image"
    print(
        f"{num_images} images of {size}×{size} pixels, from JPEG to PNG\n"
        f"{other}   {result['plain']:7.2f} images/s\n"
        f"translate_files                {result['files']:7.2f} images/s\n"
        f"ratio                          {result['ratio']:7.2f}"
    )


if __name__ == "__main__":
    main()
