"""Shows what latents decide: the colors of drawn fruit, of which the images of A tell nothing.

    cyclegan train --model augmented --run-dir augmented
    cyclegan train --dataset fruit_colors --run-dir cyclegan
    python benchmarks/latents.py augmented cyclegan [--extractor NAME]

For each run on `fruit_colors`, it prints how far ten translations of one image differ, how the hues
of translated fruit are distributed, and how near translations to B are to the truth; and the same
of true translations, which are drawn in ten colors.

Diversity is the mean distance of features between ten translations of one image, as a share of that
between real images of B. A hue is that of the mean color of the pixels in which a true pair
differs, in [0, 1), from red over green and blue back to red. Two sets of hues are compared by their
Wasserstein distance. The spread of a fruit is how far the hues of its pixels are from its own, on
average. Errors are in 8-bit levels.
"""

import argparse
import colorsys
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Iterable, Sequence
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from scipy.stats import wasserstein_distance

from cyclegan_keras import DataLoader, load_generator
from cyclegan_keras.data.fruit.sets import HUES
from cyclegan_keras.data.fruit.still_life import Scene, draw_scene
from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.inference.arrays import encode_images, translate_images
from cyclegan_keras.inference.latents import draw_latents, latent_size
from cyclegan_keras.inference.safe_loading.model_files import load_encoder
from cyclegan_keras.metrics import distances, features

NUM_LATENTS = 10
NUM_INPUTS = 20  # That diversity is measured on.
DIFFERENT = 30 / 127.5  # From where on a pixel of a pair is one of the fruit, in some channel.
COLUMNS = (
    "diversity",
    "distance of hues",
    "spread of hues in a fruit",
    "error, the true partner's latent",
    "error, random latents",
)


def true_translations(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws new scenes in ten colors: the apples, and the oranges, `(scene, color, …)`."""
    rng, apples, oranges = np.random.default_rng(23), [], []
    for _ in range(NUM_INPUTS):
        scene = Scene.random(rng)
        apples.append(draw_scene(scene, "apple", size))
        hues = rng.uniform(*HUES, NUM_LATENTS)
        colored = (dataclasses.replace(scene, hue=float(hue)) for hue in hues)
        oranges.append([draw_scene(each, "orange", size) for each in colored])
    return normalize(np.array(apples)), normalize(np.array(oranges))


def hues_of(imgs: np.ndarray, fruit: np.ndarray) -> tuple[list[float], list[float]]:
    """Computes the hue of each fruit, and how far those of its pixels are from it, on average.

    Args:
        imgs: `(count, height, width, 3)`, in [-1, 1].
        fruit: The pixels of the fruit, `(count, height, width)`.

    Returns:
        Both, a number for each image.
    """
    hues, spreads = [], []
    for img, place in zip(np.clip((imgs + 1) / 2, 0, 1), fruit, strict=True):
        hue = colorsys.rgb_to_hsv(*img[place].mean(axis=0))[0]
        apart = np.abs(np.subtract([colorsys.rgb_to_hsv(*pixel)[0] for pixel in img[place]], hue))
        hues.append(hue)
        spreads.append(float(np.minimum(apart, 1 - apart).mean()))
    return hues, spreads


def levels(imgs: np.ndarray, others: np.ndarray) -> float:
    """Computes the mean absolute difference, in 8-bit levels."""
    return float(np.abs(imgs - others).mean() * 127.5)


class Judge:
    """Measures translations of the test images of one set.

    Args:
        loader: A `DataLoader` of `fruit_colors`.
        extractor: By which diversity is measured.
    """

    def __init__(self, loader: Any, extractor: features.Extractor) -> None:
        self.imgs_A, self.imgs_B = (
            normalize(loader.pixels(domain, is_testing=True)) for domain in "AB"
        )
        self.fruit = np.abs(self.imgs_A - self.imgs_B).max(axis=-1) > DIFFERENT
        self.hues = hues_of(self.imgs_B, self.fruit)[0]
        self.extractor = extractor
        self.variety = self._diversity(self.imgs_B)

    def _diversity(self, imgs: np.ndarray) -> float:
        found = self.extractor(denormalize(imgs))
        return distances.diversity(features.Features(found, self.extractor.name))

    def _row(self, groups: Iterable[np.ndarray], hues: list[float], spreads: list[float]) -> Any:
        each = [self._diversity(imgs) / self.variety if len(imgs) > 1 else 0.0 for imgs in groups]
        apart = wasserstein_distance(hues, self.hues)
        return [f"{np.mean(each):.2f}", f"{apart:.3f}", f"{np.mean(spreads):.3f}"]

    def of_truth(self, size: int) -> list[str]:
        """Makes the row of true translations."""
        apples, oranges = true_translations(size)
        imgs = oranges.reshape(-1, *oranges.shape[2:])
        sources = np.repeat(apples, NUM_LATENTS, axis=0)
        found = hues_of(imgs, np.abs(imgs - sources).max(axis=-1) > DIFFERENT)
        return [*self._row(oranges, *found), "0.0", ""]

    def of_untranslated(self) -> list[str]:
        """Makes the row of images of A."""
        found = hues_of(self.imgs_A, self.fruit)
        error = f"{levels(self.imgs_A, self.imgs_B):.1f}"
        return [*self._row([self.imgs_A[:1]], *found), error, error]

    def of_run(self, run: pathlib.Path) -> list[str]:
        """Makes the row of a run."""
        generator = load_generator(run / "g_AB.keras")
        latents: list[Any] = [None]
        if latent_size(generator):
            latents = list(draw_latents(generator, NUM_LATENTS, 0))
        count, many = len(self.imgs_A), []
        for latent in latents:
            given = None if latent is None else np.repeat(latent[np.newaxis], count, axis=0)
            many.append(translate_images(generator, self.imgs_A, given))
        hues: list[float] = []
        spreads: list[float] = []
        for imgs in many:
            for whole, part in zip((hues, spreads), hues_of(imgs, self.fruit), strict=True):
                whole.extend(part)
        groups = np.array(many).swapaxes(0, 1)[:NUM_INPUTS]
        error = f"{np.mean([levels(imgs, self.imgs_B) for imgs in many]):.1f}"
        if latents[0] is None:
            return [*self._row(groups, hues, spreads), error, error]
        found = encode_images(load_encoder(run / "e_B.keras"), self.imgs_A, self.imgs_B)
        with_its_own = levels(translate_images(generator, self.imgs_A, found), self.imgs_B)
        return [*self._row(groups, hues, spreads), f"{with_its_own:.1f}", error]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table.

    Args:
        arguments: The command line; `None` means that of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN")
    parser.add_argument("--extractor", default="efficientnet")
    known = parser.parse_args(arguments)
    text = (known.runs[0] / "config.json").read_text(encoding="utf-8")
    size = json.loads(text)["data"]["image_size"]
    loader = DataLoader("fruit_colors", img_res=(size, size))
    judge = Judge(loader, features.choose(known.extractor))
    rows = {"untranslated": judge.of_untranslated(), "true translations": judge.of_truth(size)}
    rows |= {str(run): judge.of_run(run) for run in known.runs}
    print(f"| | {' | '.join(COLUMNS)} |", "|---|" + "---:|" * len(COLUMNS), sep="\n")
    for name, cells in rows.items():
        print(f"| {name} | {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
