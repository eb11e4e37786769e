"""Makes a set that no recipe was tuned on: the same emoji, as two vendors draw them.

    npm pack emoji-datasource-twitter emoji-datasource-google
    tar xzf emoji-datasource-twitter-16.0.0.tgz --transform s,^package,twitter,
    tar xzf emoji-datasource-google-16.0.0.tgz --transform s,^package,google,
    python benchmarks/emoji.py twitter google EMOJI
    cyclegan train --data-dir EMOJI

A is flat, B is shaded. No training image has its partner in the other domain. The test images do,
under the same name, so the true translation is known. Things, plants, animals and food are taken,
on white; people, symbols and flags are left out.
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


def pictures_of(package: pathlib.Path) -> dict[str, pathlib.Path]:
    """Finds the pictures of the categories in an unpacked package, by name."""
    known = json.loads((package / "emoji.json").read_text(encoding="utf-8"))
    names = {each["image"] for each in known if each["category"] in CATEGORIES}
    return {path.name: path for path in package.glob("img/*/64/*.png") if path.name in names}


def write(pictures: Sequence[pathlib.Path], folder: pathlib.Path) -> None:
    """Writes pictures on white."""
    folder.mkdir(parents=True)
    for path in pictures:
        with Image.open(path) as picture:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            Image.alpha_composite(white, picture).convert("RGB").save(folder / path.name)


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
    found = {"A": pictures_of(known.package_A), "B": pictures_of(known.package_B)}
    names = sorted(found["A"].keys() & found["B"].keys())
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
