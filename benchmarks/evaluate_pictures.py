"""Measures translations that some other program saved as pictures, as `cyclegan evaluate` does.

    python -m benchmarks.evaluate_pictures --data-dir DIR --size 256 FOLDER [FOLDER ...]

Each FOLDER has AB, with translations of the test images of A, and BA, with those of B, or one of
them; they are PNG files under the names of the originals, of the size that is given. Run it in the
project's folder.
"""

import argparse
import os
import pathlib
import sys
from collections.abc import Callable, Sequence

# Before TensorFlow is first imported: its start-up notes are no result.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks.fastcut import load, names_of
from cyclegan_keras.data.images import as_pixels, normalize, read_image
from cyclegan_keras.metrics import evaluator, features

COLUMNS = ("kernel_AB", "kernel_BA", "strength_AB", "strength_BA", "truth_AB", "truth_BA")
HEADER = (
    "| features of {} | KID A→B | KID B→A | rate A→B | rate B→A | error A→B | error B→A |\n"
    "|---|---:|---:|---:|---:|---:|---:|"
)


def reader(folder: pathlib.Path, names: Sequence[str]) -> Callable[..., np.ndarray]:
    """Makes a stand-in for a generator, which reads what the generator made.

    Args:
        folder: Of the translations.
        names: Of the files, in the order in which the originals will come.

    Returns:
        A function of a batch of originals.
    """
    files = (folder / name for name in names)

    def translate(imgs: np.ndarray, training: bool) -> np.ndarray:
        found = np.stack([as_pixels(read_image(next(files)), 3) for _ in imgs])
        if found.shape != imgs.shape:
            raise ValueError(
                f"The translations in {str(folder)!r} must have the size that is measured, "
                f"{imgs.shape[2]}×{imgs.shape[1]}. Received: {found.shape[2]}×{found.shape[1]}"
            )
        return normalize(found)

    return translate


def measure(folder: pathlib.Path, images: evaluator.Evaluator) -> evaluator.Metrics:
    """Measures the translations in a folder.

    Args:
        folder: With `AB`, `BA` or both.
        images: Evaluates on the images of the data set.

    Returns:
        The metrics of `Evaluator.evaluate`, without those that take a round trip.

    Raises:
        FileNotFoundError: If there are no translations, or one is missing.
        ValueError: If they have another size, or one cannot be read.
    """
    ways = [way for way in ("AB", "BA") if (folder / way).is_dir()]
    if not ways:
        raise FileNotFoundError(f"{str(folder)!r} must have a folder AB or BA. It has neither.")
    metrics: evaluator.Metrics = {}
    for way in ways:
        stand_in = reader(folder / way, names_of(images.paths[way[0]]))
        metrics |= images.evaluate({f"g_{way}": stand_in}).metrics
    return metrics


def line(name: str, metrics: evaluator.Metrics) -> str:
    """Puts a row of the table together."""
    cells = []
    for column in COLUMNS:
        form = {"k": ".4f", "s": ".0%", "t": ".2f"}[column[0]]
        cells.append(format(metrics[column], form) if column in metrics else "–")
    return f"| {name} | {' | '.join(cells)} |"


def untranslated(metrics: evaluator.Metrics) -> evaluator.Metrics:
    """Takes from metrics what images have that nothing was done to."""
    found = {"strength_AB": 1 - metrics["accuracy_A"], "strength_BA": 1 - metrics["accuracy_B"]}
    for name in ("kernel", "truth"):
        if f"{name}_untranslated" in metrics:
            found |= {f"{name}_{way}": metrics[f"{name}_untranslated"] for way in ("AB", "BA")}
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measures what the command line names, and prints a table for each extractor."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", required=True, metavar="DIR")
    parser.add_argument("--size", type=int, default=256, metavar="N", help="pixels")
    parser.add_argument(
        "--extractor",
        action="append",
        metavar="NAME",
        help="may be given several times (default: efficientnet and efficientnet-lite1)",
    )
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    arguments = parser.parse_intermixed_args(argv)
    try:
        loader = load(arguments.data_dir, arguments.size, seed=0)
        for name in arguments.extractor or ("efficientnet", "efficientnet-lite1"):
            images = evaluator.Evaluator(loader, features.choose(name))
            rows = {folder: measure(pathlib.Path(folder), images) for folder in arguments.folders}
            rows["untranslated"] = untranslated(next(iter(rows.values())))
            print(HEADER.format(images.extractor.name))
            print("\n".join(line(folder, metrics) for folder, metrics in rows.items()), flush=True)
    except (OSError, ValueError) as error:
        print(f"evaluate_pictures.py: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
