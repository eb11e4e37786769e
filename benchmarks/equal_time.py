"""Trains recipes for equally long, one after the other, and measures what came out of each.

    python benchmarks/equal_time.py --data-dir DIR --output OUT [--minutes 15] [ROW ...]

A row is the flags of `train.py` in one argument, as in "--recipe paper --lambda-id 0", or the words
`book-loop` for the book's loop as printed (but with discriminators that train). Each trains at
batch size 1, in a process of its own; two epochs are run beforehand, to find out how many fit into
the time. Rows that were trained before are not trained again, whatever time they had. OUT holds
their runs, for each a picture with test images above their translations, and the table. Let nothing
else run meanwhile.
"""

import argparse
import csv
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image

from cyclegan_keras import DataLoader, TrainConfig, load_generator
from cyclegan_keras._files import check_can_be_folder, write_text
from cyclegan_keras.cli import train
from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.inference.arrays import translate_images
from cyclegan_keras.metrics import features, round_trip
from cyclegan_keras.metrics.evaluator import Evaluator

ROOT = pathlib.Path(__file__).resolve().parents[1]
BOOK_LOOP = "book-loop"
ROWS = (BOOK_LOOP, "--recipe book", "--recipe fast")
NUM_SHOWN, COLUMNS = 40, 20  # test images of each domain in a picture
MIN_IMAGES = 4  # For the KID between halves.
ASKED = "asked.json"
HEADER = (
    "| | steps | seconds a step | minutes | KID A→B | B→A | classification rate A→B | B→A |\n"
    "|---|---:|---:|---:|---:|---:|---:|---:|"
)


def name_of(row: str) -> str:
    """Makes the name of a row's folder of its flags."""
    return re.sub(r"[^\w.-]+", "-", row.removeprefix("--").replace(" --", " "))


def settings_of(row: str) -> TrainConfig:
    """Reads the flags of a row as `train.py` does."""
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    return train.config_from(parser.parse_args(shlex.split(row)))


def epochs_in(seconds: float, rows: list[dict[str, str]], steps: int) -> int:
    """Finds out how many epochs fit into a time.

    Args:
        seconds: The time.
        rows: Of the `history.csv` of the trial. Up to its first row, there is the tracing, and
            images are decoded.
        steps: In an epoch.

    Returns:
        The number, rounded to the nearest, at least 1.
    """
    first, last = ((int(row["step"]), float(row["seconds"])) for row in (rows[0], rows[-1]))
    step = (last[1] - first[1]) / (last[0] - first[0])
    before = first[1] - first[0] * step
    return max(1, round((seconds - before) / (step * steps)))


def train_row(row: str, data_dir: str, size: int, minutes: float, folder: pathlib.Path) -> None:
    """Trains a row into a folder, in a process of its own.

    Args:
        row: What to train.
        data_dir: The data set's folder.
        size: Height and width of the images, in pixels.
        minutes: For how long.
        folder: Where the run goes.
    """
    if row == BOOK_LOOP:
        command = [__file__, "--data-dir", data_dir, "--size", str(size)]
        _run([*command, "--minutes", str(minutes), "--output", str(folder), "--inside"])
        return
    config = settings_of(row)
    command = [str(ROOT / "train.py"), *shlex.split(row), "--data-dir", data_dir]
    command += ["--image-size", str(size), "--batch-size", "1"]
    with tempfile.TemporaryDirectory() as trial:
        # The clock is read, and a sample drawn, at the end of each epoch only, as later on.
        tried = ["--epochs", "2", "--decay-epochs", "0", "--sample-interval", str(10**9)]
        _run([*command, *tried, "--run-dir", trial])
        rows = history(pathlib.Path(trial))
    steps = int(rows[0]["step"])
    epochs = epochs_in(60 * minutes, rows, steps)
    # The rate falls over as large a share of the epochs as in the recipe.
    command += ["--decay-epochs", str(round(epochs * config.decay_epochs / config.epochs))]
    command += ["--epochs", str(epochs), "--sample-interval", str(steps)]
    _run([*command, "--run-dir", str(folder)])


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *command], env=environment, check=True)


def history(folder: pathlib.Path) -> list[dict[str, str]]:
    """Reads the `history.csv` of a run."""
    with open(folder / "history.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def train_book_loop(data_dir: str, size: int, minutes: float, folder: pathlib.Path) -> None:
    """Trains with the book's loop as printed until the time is over, and saves what a run has."""
    from benchmarks.book_loop import BookCycleGAN

    gan = BookCycleGAN(size, batch_size=1)
    loader = _loader(data_dir, size)
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < 60 * minutes:
        for imgs_A, imgs_B in loader.load_batch(1):
            gan.step(imgs_A, imgs_B)
            steps += 1
            if time.perf_counter() - start >= 60 * minutes:
                break
    seconds = time.perf_counter() - start
    folder.mkdir(parents=True)
    (folder / "history.csv").write_text(f"step,seconds\n{steps},{seconds:.2f}\n", "utf-8")
    gan.g_AB.save(folder / "g_AB.keras")
    gan.g_BA.save(folder / "g_BA.keras")


def _loader(data_dir: str, size: int) -> DataLoader:
    directory = pathlib.Path(data_dir).resolve()
    return DataLoader(directory.name, (size, size), directory.parent)


def picture(translators: dict[str, Any], evaluator: Evaluator) -> Image.Image:
    """Draws test images, their translations below them; first from A to B, then back."""
    rows = []
    for way in ("AB", "BA"):
        originals = evaluator.pixels[way[0]][:NUM_SHOWN]
        translated = denormalize(translate_images(translators[f"g_{way}"], normalize(originals)))
        for place in range(0, len(originals), COLUMNS):
            for imgs in (originals, translated):
                row = np.concatenate(list(imgs[place : place + COLUMNS]), axis=1)
                missing = COLUMNS * imgs.shape[2] - row.shape[1]
                rows.append(np.pad(row, ((0, 0), (0, missing), (0, 0)), constant_values=255))
    return Image.fromarray(np.concatenate(rows))


def asked(evaluator: Evaluator) -> dict[str, Any]:
    """What all rows of a table have in common."""
    return {"images": round_trip.digest(evaluator.paths), "size": evaluator.pixels["A"].shape[1]}


def check(evaluator: Evaluator, output: pathlib.Path) -> None:
    """Tells what would fail after the training.

    Args:
        evaluator: Has the images to evaluate on.
        output: Where everything goes.

    Raises:
        ValueError: If there are too few images, or rows of other images are there.
        OSError: If there cannot be such a folder.
    """
    for domain, pixels in evaluator.pixels.items():
        if len(pixels) < MIN_IMAGES:
            raise ValueError(
                f"Real halves take at least {MIN_IMAGES} test images of each domain. "
                f"Received: {len(pixels)} of {domain}"
            )
    _ = evaluator.real  # Whatever is wrong with the training images.
    check_can_be_folder(output)
    if (output / ASKED).exists():
        before, now = json.loads((output / ASKED).read_text("utf-8")), asked(evaluator)
        if before != now:
            raise ValueError(
                f"The rows in {str(output)!r} are of other images, or of another size. Give "
                f"another --output. Received: {now} where it was {before}"
            )


def line(row: str, folder: pathlib.Path, metrics: dict[str, Any]) -> str:
    """Puts a row of the table together."""
    steps, minutes = int(history(folder)[-1]["step"]), minutes_of(folder)
    times = f"{steps:,} | {60 * minutes / steps:.3f} | {minutes:.1f}"
    return f"| {row} | {times} | {cells(metrics)} |"


def minutes_of(folder: pathlib.Path) -> float:
    """Reads how long a row was trained."""
    return float(history(folder)[-1]["seconds"]) / 60


def cells(metrics: dict[str, Any]) -> str:
    """KID and target-domain classification rates, always side by side."""
    kernels = " | ".join(f"{metrics[f'kernel_{way}']:.4f}" for way in ("AB", "BA"))
    return f"{kernels} | " + " | ".join(f"{metrics[f'strength_{way}']:.0%}" for way in ("AB", "BA"))


def main(argv: Sequence[str] | None = None) -> int:
    """Trains what is not trained yet, measures everything, and prints and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, metavar="DIR")
    parser.add_argument(
        "--output", required=True, metavar="OUT", help="where runs, pictures and table go"
    )
    parser.add_argument("--size", type=int, default=64, metavar="N", help="pixels")
    parser.add_argument("--minutes", type=float, default=15, metavar="X")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"default: {', '.join(ROWS)}")
    arguments = parser.parse_args(argv)
    output, rows = pathlib.Path(arguments.output), arguments.rows or list(ROWS)
    data_dir = os.path.abspath(arguments.data_dir)
    if arguments.inside:
        train_book_loop(data_dir, arguments.size, arguments.minutes, output)
        return 0
    try:  # What is wrong is told now, and not after hours of training.
        for row in rows:
            if row != BOOK_LOOP:
                settings_of(row)
        loader = _loader(data_dir, arguments.size)
        evaluator = Evaluator(loader, features.choose("auto"))
        check(evaluator, output)
    except (OSError, ValueError) as error:
        print(f"equal_time.py: error: {error}", file=sys.stderr)
        return 2
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / ASKED, json.dumps(asked(evaluator)) + "\n")
    for row in rows:
        folder = output / name_of(row)
        if (folder / "g_BA.keras").exists():
            print(f"{row}: trained before, for {minutes_of(folder):.1f} minutes", flush=True)
        else:
            train_row(row, data_dir, arguments.size, arguments.minutes, folder)
    real = evaluator.real.metrics
    lines = [HEADER]
    for row in rows:
        folder = output / name_of(row)
        translators = {name: load_generator(folder / f"{name}.keras") for name in ("g_AB", "g_BA")}
        lines.append(line(row, folder, evaluator.evaluate(translators).metrics))
        picture(translators, evaluator).save(output / f"{name_of(row)}.png")
    untranslated = {"AB": 1 - real["accuracy_A"], "BA": 1 - real["accuracy_B"]}
    lines.append(
        f"| untranslated | | | | {real['kernel_untranslated']:.4f} | "
        f"{real['kernel_untranslated']:.4f} | {untranslated['AB']:.0%} | {untranslated['BA']:.0%} |"
    )
    lines.append(
        f"| real halves | | | | {real['kernel_real_B']:.4f} | {real['kernel_real_A']:.4f} | "
        f"{real['accuracy_B']:.0%} | {real['accuracy_A']:.0%} |"
    )
    lines += [
        "",
        f"Features of {evaluator.extractor.name}; {len(evaluator.pixels['A'])} test images of A, "
        f"{len(evaluator.pixels['B'])} of B.",
    ]
    (output / "table.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
