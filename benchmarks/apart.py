"""How far the translations of several runs are apart, pair by pair.

    python benchmarks/apart.py --pictures DIR RUN RUN [RUN ...]

Two computations of the same training round differently, and a GAN makes much of little. Whether
that matters shows beside the difference that another seed makes. Figures are mean absolute
differences, in levels of 0 to 255, between translations of the images in DIR.
"""

import argparse
import itertools
import pathlib
from collections.abc import Sequence

import numpy as np

from cyclegan_keras import load_generator, translate_image
from cyclegan_keras.data import listing


def translations(run: pathlib.Path, name: str, pictures: Sequence[pathlib.Path]) -> np.ndarray:
    """Translates images with a generator of a run.

    Args:
        run: Its folder.
        name: Of the generator, such as "g_AB".
        pictures: Files of images.

    Returns:
        All pixels, float64, one after the other.
    """
    generator = load_generator(run / f"{name}.keras")
    made = [np.asarray(translate_image(generator, path)).reshape(-1) for path in pictures]
    return np.concatenate(made).astype(float)


def main(argv: Sequence[str] | None = None) -> None:
    """Prints a line for each pair of runs.

    Args:
        argv: The words of the command line; `None` means the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", required=True, metavar="DIR", help="with testA and testB")
    parser.add_argument("runs", nargs="+", type=pathlib.Path, metavar="RUN")
    arguments = parser.parse_args(argv)
    folders = {"g_AB": "testA", "g_BA": "testB"}
    made = {
        name: [
            translations(run, name, listing.listed(pathlib.Path(arguments.pictures, folder)).paths)
            for run in arguments.runs
        ]
        for name, folder in folders.items()
    }
    for one, other in itertools.combinations(range(len(arguments.runs)), 2):
        figures = [
            f"{name} {np.abs(each[one] - each[other]).mean():6.2f}" for name, each in made.items()
        ]
        print(f"{arguments.runs[one]}, {arguments.runs[other]}: {', '.join(figures)}")


if __name__ == "__main__":
    main()
