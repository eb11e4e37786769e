"""Measures how near translations of drawn fruit are to the truth, by where their detail is from.

    python benchmarks/detail.py g_AB.keras [--pictures 20] [--size 512] [--large]

Prints the mean absolute difference to the truth in 8-bit levels. `--large` also translates one
picture of 4000 × 3000 pixels in each way, and prints seconds and the peak of the memory.
"""

import argparse
import resource
import subprocess
import sys
import time

import keras
import numpy as np
from PIL import Image

from cyclegan_keras import load_generator, translate_image
from cyclegan_keras.data.fruit.still_life import Scene, draw_scene
from cyclegan_keras.inference.manner import DETAILS


def errors(model: str, num_pictures: int, size: int) -> dict[str, float]:
    """Computes the mean error of each way, over scenes that no data set of the package has."""
    generator, rng = load_generator(model), np.random.default_rng([2026, 22])
    sums = dict.fromkeys(("source", *DETAILS), 0.0)
    for _ in range(num_pictures):
        scene = Scene.random(rng)
        apple, orange = (draw_scene(scene, kind, size) for kind in ("apple", "orange"))
        for way in sums:
            result = apple if way == "source" else translate_image(generator, apple, detail=way)
            sums[way] += float(np.abs(result.astype(float) - orange).mean())
    return {way: total / num_pictures for way, total in sums.items()}


def errors_of_the_truth(num_pictures: int, size: int, small: int = 64) -> dict[str, float]:
    """The same for the small truth itself: all that it draws anew, guided cannot take over."""
    rng, sums = np.random.default_rng([2026, 22]), {"guided": 0.0, "plain": 0.0}
    for _ in range(num_pictures):
        scene = Scene.random(rng)
        apple, orange = (draw_scene(scene, kind, size) for kind in ("apple", "orange"))
        truth = Image.fromarray(orange).resize((small, small), Image.Resampling.BICUBIC)
        image = keras.Input((small, small, 3))
        drawn = keras.Model(image, 0 * image + (np.asarray(truth, "float32") / 127.5 - 1))
        for way in sums:
            result = translate_image(drawn, apple, detail=way)
            sums[way] += float(np.abs(result.astype(float) - orange).mean())
    return {way: total / num_pictures for way, total in sums.items()}


def large(model: str, way: str) -> None:
    """Translates one large picture, in a process of its own, and prints time and memory."""
    generator = load_generator(model)
    pixels = np.random.default_rng(0).integers(0, 256, (375, 500, 3), np.uint8)
    pixels = pixels.repeat(8, axis=0).repeat(8, axis=1)
    before = time.perf_counter()
    try:
        translate_image(generator, pixels, detail=way)
    except ValueError as error:
        print(f"{way}: {error}")
        return
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{way}: {seconds:.1f} s, {peak:.2f} GB")


def main() -> None:
    """Reads the arguments, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--one", choices=DETAILS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        large(arguments.model, arguments.one)
        return
    for way, error in errors(arguments.model, arguments.pictures, arguments.size).items():
        print(f"{way:8} {error:6.2f} levels", flush=True)
    for way, error in errors_of_the_truth(arguments.pictures, arguments.size).items():
        print(f"the truth at 64×64, {way:8} {error:6.2f} levels", flush=True)
    if arguments.large:
        for way in DETAILS:
            command = [sys.executable, __file__, arguments.model, "--one", way]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
