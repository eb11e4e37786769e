"""Measures how near translations of drawn fruit are to the truth, by where their detail is from.

    python benchmarks/detail.py g_AB.keras [--pictures 20] [--size 512] [--large]
    python benchmarks/detail.py paper --large-only
    python benchmarks/detail.py g_AB.keras --photographs DIR [--size 512]

Prints the mean absolute difference to the truth in 8-bit levels. `--large` also translates one
picture of 4000 × 3000 pixels in each way, and prints seconds and the peak of the memory; for that,
the name of a recipe stands for its network before training. `--photographs` compares, for networks
that take statistics of the whole picture, strips and tiles with a single pass.
"""

import argparse
import resource
import subprocess
import sys
import time

import keras
import numpy as np
from PIL import Image

from cyclegan_keras import TrainConfig, load_generator, translate_image
from cyclegan_keras.data import listing
from cyclegan_keras.data.fruit.still_life import Scene, draw_scene
from cyclegan_keras.inference import strips
from cyclegan_keras.inference.manner import DETAILS
from cyclegan_keras.inference.whole import AnySize, _spans


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


def parts(model: str, folder: str, size: int, count: int) -> None:
    """Prints how far strips, and tiles with the statistics of half the size, are from one pass."""
    generator = load_generator(model)
    small, half = AnySize(generator), size // 2
    tiled = AnySize(generator, max(half, _least_tile(small)))
    differences: dict[str, list[np.ndarray]] = {"strips": [], "tiles": []}
    seams, elsewhere = [], []
    for path in listing.listed(folder).paths[:count]:
        with Image.open(path) as image:
            scaled = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        pixels = np.asarray(scaled, "float32") / 127.5 - 1
        one_pass = small(pixels)
        differences["strips"].append(np.abs(strips.run(generator, pixels) - one_pass))
        error = tiled(pixels) - one_pass
        differences["tiles"].append(np.abs(error))
        # Where tiles meet, a seam would be a step in the error.
        steps = np.abs(np.diff(error, axis=0)).mean(axis=(1, 2)) * 127.5
        spans = _spans(size, tiled._tile or size, tiled.margin)
        rows = [span.taken.stop - 1 for span in spans][:-1]
        seams += [steps[rows]]
        elsewhere += [np.delete(steps, rows)]
    for way, found in differences.items():
        levels = np.stack(found) * 127.5
        print(
            f"{way}: mean {levels.mean():.4f} levels, 99 % below {np.percentile(levels, 99):.4f}, "
            f"largest {levels.max():.4f}"
        )
    if not seams[0].size:
        print("one tile is as large as the pictures")
        return
    print(
        f"steps of the error from row to row: {np.concatenate(seams).mean():.4f} levels where "
        f"tiles meet, {np.concatenate(elsewhere).mean():.4f} elsewhere"
    )


def _least_tile(sizes: AnySize) -> int:
    return -(-(2 * sizes.margin + sizes.factor) // sizes.multiple) * sizes.multiple


def _generator(model: str) -> keras.Model:
    """Loads a generator, or makes that of a recipe for pictures of its size."""
    if model in ("pix2pix", "fast", "book", "paper"):
        chosen = {"model": model} if model == "pix2pix" else {"recipe": model}
        config = TrainConfig(**chosen)
        return config.model.generator.build((256, 256, 3), 0, None)
    return load_generator(model)


def large(model: str, way: str) -> None:
    """Translates one large picture, in a process of its own, and prints time and memory."""
    generator = _generator(model)
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
    parser.add_argument("--large-only", action="store_true")
    parser.add_argument("--photographs", metavar="DIR")
    arguments = parser.parse_args()
    if arguments.one:
        large(arguments.model, arguments.one)
        return
    if arguments.photographs:
        parts(arguments.model, arguments.photographs, arguments.size, arguments.pictures)
        return
    if arguments.large_only:
        _all_large(arguments.model)
        return
    for way, error in errors(arguments.model, arguments.pictures, arguments.size).items():
        print(f"{way:8} {error:6.2f} levels", flush=True)
    for way, error in errors_of_the_truth(arguments.pictures, arguments.size).items():
        print(f"the truth at 64×64, {way:8} {error:6.2f} levels", flush=True)
    if arguments.large:
        _all_large(arguments.model)


def _all_large(model: str) -> None:
    for way in DETAILS:
        subprocess.run([sys.executable, __file__, model, "--one", way], check=True)


if __name__ == "__main__":
    main()
