"""Beads, the drawn data set with labels: one folder for each kind, on dark and on light cloth."""

import json
import os
import pathlib

import numpy as np
from PIL import Image

from cyclegan_keras.data.beads.drawing import HUES, Cloth, Scene, draw_scene
from cyclegan_keras.data.drafts import check_free, drafted
from cyclegan_keras.data.fruit.still_life import checked_int

MIN_SIZE, MAX_SIZE = 16, 512
DARK: Cloth = "dark"
LIGHT: Cloth = "light"


def write_beads(
    directory: str | os.PathLike[str],
    num_train: int = 100,
    num_test: int = 25,
    size: int = 32,
    seed: int = 0,
) -> pathlib.Path:
    """Draws the data set `beads` into a new folder.

    The folder gets `trainA` and `testA` with beads on dark cloth, `trainB` and `testB` with beads
    on light cloth. Each has a folder for each kind (`blue`, `cyan`, `green`, `magenta`, `red` and
    `yellow`), and `dataset.json` says how all was made. A test scene is in both `testA` and
    `testB`, under the same name, so there the true translation is known. Only the hue of the beads
    tells their kind; on light cloth they are paler. When all hues are turned so that kinds become
    kinds, images as a whole look as before: for a translator without labels, that is as good as the
    true translation.

    The folder appears whole or not at all. The first scenes of each kind stay the same when more
    are asked for.

    Args:
        directory: Folder to make; it must be missing or empty. Missing parents are made.
        num_train: Number of training pictures of each kind in each domain, at least 1.
        num_test: Number of test scenes of each kind, at least 1.
        size: Width and height of the pictures in pixels, from 16 to 512.
        seed: Seed of all randomness, 0 or more. NumPy's global state is neither used nor changed.

    Returns:
        `directory` as a path.

    Raises:
        FileExistsError: If there is a file or a folder that is not empty at `directory`.
        ValueError: If a number is out of range or not an integer.
    """
    num_train = checked_int("num_train", num_train, 1, None, "such as 100 pictures")
    num_test = checked_int("num_test", num_test, 1, None, "such as 25 scenes")
    size = checked_int("size", size, MIN_SIZE, MAX_SIZE, "such as 32 pixels")
    seed = checked_int("seed", seed, 0, None, "such as 0")
    directory = pathlib.Path(directory)
    check_free(directory.resolve())
    streams = np.random.SeedSequence(seed).spawn(3)
    folders: list[tuple[int, dict[str, Cloth]]] = [
        (num_train, {"trainA": DARK}),
        (num_train, {"trainB": LIGHT}),
        (num_test, {"testA": DARK, "testB": LIGHT}),
    ]
    with drafted(directory.resolve()) as draft:
        for stream, (count, cloths) in zip(streams, folders, strict=True):
            for own, kind in zip(stream.spawn(len(HUES)), HUES, strict=True):
                rng = np.random.default_rng(own)
                for folder in cloths:
                    (draft / folder / kind).mkdir(parents=True)
                for i in range(count):
                    scene = Scene.random(rng, kind)
                    for folder, cloth in cloths.items():
                        picture = Image.fromarray(draw_scene(scene, cloth, size))
                        picture.save(draft / folder / kind / f"{i:04d}.png")
        about = {
            "name": "beads",
            "version": 1,
            "seed": seed,
            "size": size,
            "num_train": num_train,
            "num_test": num_test,
            "domain_A": "beads on dark cloth",
            "domain_B": "beads on light cloth",
            "kinds": list(HUES),
            "test_pairs": True,
        }
        (draft / "dataset.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return directory
