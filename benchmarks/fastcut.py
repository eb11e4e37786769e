"""Trains FastCUT on a data set, and saves its translations of the test images.

    python -m benchmarks.fastcut --data-dir DIR --output OUT [--size 256] [--minutes 60]
    python -m benchmarks.evaluate_pictures --data-dir DIR --size 256 OUT

FastCUT translates one way only: half of the time, a model learns to translate A into B, and then
another B into A. OUT/AB and OUT/BA get the translations, as PNG files under the names of the
originals; OUT/training.json says how many steps there were. The networks are as published; with
`--gf 8 --df 24 --blocks 4`, they are as wide and as deep as those of `--recipe fast`. Run it in the
project's folder, and let nothing else run meanwhile.
"""

import argparse
import json
import os
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

from cyclegan_keras._files import check_can_be_folder, write_text
from cyclegan_keras.data.images import denormalize, normalize, write_image
from cyclegan_keras.data.loader import DataLoader

TRAINING = "training.json"


def rate_at(share: float) -> float:
    """Tells how much of the rate is left when a share of the training is done.

    All of it for three quarters, and then ever less, as in the 150 + 50 epochs of the authors.
    """
    return min(1.0, 4 * (1 - share))


def train(model: Any, loader: DataLoader, swapped: bool, minutes: float) -> tuple[int, float]:
    """Trains until the time is over, and prints the losses after each epoch.

    Args:
        model: A `TorchFastCUT`.
        loader: Where the images come from.
        swapped: Whether to translate from B to A.
        minutes: For how long.

    Returns:
        Steps and seconds.
    """
    from benchmarks.torch_fastcut import LEARNING_RATE

    for domain in "AB":
        loader.pixels(domain)  # Decoding is no training.
    start, steps, seconds = time.perf_counter(), 0, 0.0
    while True:
        for imgs in loader.load_batch(1):
            seconds = time.perf_counter() - start
            share = seconds / (60 * minutes)
            if share >= 1:
                return steps, seconds
            model.set_learning_rate(LEARNING_RATE * rate_at(share))
            losses = model.step(*(imgs[::-1] if swapped else imgs))
            steps += 1
        words = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
        print(f"step {steps:,}, {seconds:.0f} s: {words}", flush=True)


def names_of(paths: Sequence[pathlib.Path]) -> list[str]:
    """Names the files of translations.

    Args:
        paths: Of the originals.

    Returns:
        A name for each.

    Raises:
        ValueError: If two are alike.
    """
    names = [f"{path.stem}.png" for path in paths]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Each test image needs a name of its own. Received twice: {twice}")
    return names


def main(argv: Sequence[str] | None = None) -> int:
    """Trains both ways, and saves all translations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, metavar="DIR")
    parser.add_argument("--output", required=True, metavar="OUT", help="a new folder")
    parser.add_argument("--size", type=int, default=256, metavar="N", help="pixels")
    parser.add_argument("--minutes", type=float, default=60, metavar="X", help="of both ways")
    parser.add_argument("--gf", type=int, default=64, metavar="N")
    parser.add_argument("--df", type=int, default=64, metavar="N")
    parser.add_argument("--blocks", type=int, default=9, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    arguments = parser.parse_args(argv)
    output = pathlib.Path(arguments.output)
    try:
        loader = load(arguments.data_dir, arguments.size, arguments.seed)
        names = {domain: names_of(loader.paths(domain, is_testing=True)) for domain in "AB"}
        pixels = {domain: loader.pixels(domain, is_testing=True) for domain in "AB"}
        check_can_be_folder(output)
        if output.exists():
            raise FileExistsError(f"{str(output)!r} is there already. Give another --output.")
    except (OSError, ValueError) as error:
        print(f"fastcut.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    import torch

    from benchmarks.torch_fastcut import TorchFastCUT

    trained = {}
    for way in ("AB", "BA"):
        print(f"{way[0]} → {way[1]}", flush=True)
        torch.manual_seed(arguments.seed)
        model = TorchFastCUT(arguments.gf, arguments.df, arguments.blocks)
        steps, seconds = train(model, loader, way == "BA", arguments.minutes / 2)
        trained[way] = {"steps": steps, "seconds": round(seconds, 1)}
        (output / way).mkdir(parents=True)
        translations = denormalize(model.translate(normalize(pixels[way[0]])))
        for name, translation in zip(names[way[0]], translations, strict=True):
            write_image(output / way / name, translation)
    write_text(output / TRAINING, json.dumps({**vars(arguments), **trained}, indent=2) + "\n")
    return 0


def load(data_dir: str, size: int, seed: int) -> DataLoader:
    """Reads images as the authors do: scaled to 286 pixels for 256, cut, mirrored.

    Args:
        data_dir: The folder of the data set.
        size: Height and width of the images, in pixels.
        seed: Of what chance decides.

    Returns:
        The loader.
    """
    folder, larger = pathlib.Path(os.path.abspath(data_dir)), round(size * 286 / 256)
    return DataLoader(
        folder.name,
        (size, size),
        folder.parent,
        load_res=(larger, larger),
        epoch_length="longer",
        seed=seed,
    )


if __name__ == "__main__":
    sys.exit(main())
