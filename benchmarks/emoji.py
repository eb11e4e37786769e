"""Makes a set that no recipe was tuned on: the same emoji, flat and shaded.

    npm pack emoji-datasource-twitter @lobehub/fluent-emoji-3d
    tar xzf emoji-datasource-twitter-16.0.0.tgz --transform s,^package,twitter,
    tar xzf lobehub-fluent-emoji-3d-1.1.0.tgz --transform s,^package,fluent,
    python benchmarks/emoji.py twitter fluent EMOJI
    cyclegan train --data-dir EMOJI

A is Twitter's, which is flat, and B is Microsoft's, which is shaded. No training image has its
partner in the other domain. Things, plants, animals and food are taken, on white; people, symbols
and flags are left out.
"""

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence

import numpy as np
from PIL import Image

CATEGORIES = ("Animals & Nature", "Food & Drink", "Activities", "Travel & Places", "Objects")
NUM_TEST = 50


def names_of(package: pathlib.Path) -> set[str]:
    """Reads which emoji are of the categories: their code points, as files are named."""
    known = json.loads((package / "emoji.json").read_text(encoding="utf-8"))
    return {pathlib.Path(x["image"]).stem for x in known if x["category"] in CATEGORIES}


def write(pictures: Sequence[pathlib.Path], folder: pathlib.Path) -> None:
    """Writes pictures on white."""
    folder.mkdir(parents=True)
    for path in pictures:
        with Image.open(path) as picture:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            Image.alpha_composite(white, picture).convert("RGB").save(folder / f"{path.stem}.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the set.

    Args:
        arguments: The command line; `None` means that of the process.

    Returns:
        The exit status.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package_A", type=pathlib.Path)
    parser.add_argument("package_B", type=pathlib.Path)
    parser.add_argument("directory", type=pathlib.Path)
    known = parser.parse_args(arguments)
    files = {"A": known.package_A.glob("img/*/64/*"), "B": known.package_B.glob("assets/*")}
    found = {domain: {path.stem: path for path in paths} for domain, paths in files.items()}
    names = sorted(names_of(known.package_A) & found["A"].keys() & found["B"].keys())
    names = [names[i] for i in np.random.default_rng(0).permutation(len(names))]
    tests, train = names[:NUM_TEST], names[NUM_TEST:]
    parts = {"A": train[: len(train) // 2], "B": train[len(train) // 2 :]}
    for domain, pictures in found.items():
        write([pictures[name] for name in parts[domain]], known.directory / f"train{domain}")
        write([pictures[name] for name in tests], known.directory / f"test{domain}")
    print(f"{len(parts['A'])} and {len(parts['B'])} training images, {NUM_TEST} test pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
