"""Fruit, the embedded data sets: apples (A) and oranges (B), drawn into a folder."""

import dataclasses
import json
import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from cyclegan_keras.data.drafts import check_free, drafted
from cyclegan_keras.data.fruit.still_life import (
    MAX_SIZE,
    MIN_SIZE,
    Scene,
    checked_int,
    draw_scene,
)

# The hues of `fruit_colors`: from orange over yellow, green and blue to violet. Red, the hue of the
# apples, is left out.
HUES = (0.07, 0.77)


def write_fruit(
    directory: str | os.PathLike[str],
    num_train: int = 300,
    num_test: int = 50,
    size: int = 128,
    seed: int = 0,
    train_pairs: bool = False,
    colors: bool = False,
) -> pathlib.Path:
    """Draws the data set `fruit`, `fruit_pairs` or `fruit_colors` into a new folder.

    The folder gets `trainA` and `testA` with apples, `trainB` and `testB` with oranges, all
    as `0000.png`, `0001.png` and so on, and `dataset.json`, which says how it was made. The
    training scenes of the two domains have nothing to do with each other, unless pairs are asked
    for. A test scene is in both `testA` and `testB`, under the same name, so there the true
    translation is known.

    The folder appears whole or not at all. The first scenes of each part stay the same when
    more are asked for.

    Args:
        directory: Folder to make; it must be missing or empty. Missing parents are made.
        num_train: Number of training pictures per domain, at least 1.
        num_test: Number of test scenes, at least 1.
        size: Width and height of the pictures in pixels, from 16 to 512.
        seed: Seed of all randomness, 0 or more. NumPy's global state is neither used nor
            changed.
        train_pairs: Whether a training scene, too, is in both `trainA` and `trainB`, under the
            same name. Then the set is called `fruit_pairs`; all but `trainB` is as without.
        colors: Whether the oranges come in many colors, of which the apples tell nothing: an apple
            has many true translations, and an orange has one. Then the set is called
            `fruit_colors`. The hue of each orange, in [0.07, 0.77), is in `dataset.json`, under
            "hues".

    Returns:
        `directory` as a path.

    Raises:
        FileExistsError: If there is a file or a folder that is not empty at `directory`.
        ValueError: If a number is out of range or not an integer.
    """
    num_train = checked_int("num_train", num_train, 1, None, "such as 300 pictures")
    num_test = checked_int("num_test", num_test, 1, None, "such as 50 scenes")
    size = checked_int("size", size, MIN_SIZE, MAX_SIZE, "such as 128 pixels")
    seed = checked_int("seed", seed, 0, None, "such as 0")
    directory = pathlib.Path(directory)
    target = directory.resolve()
    check_free(target)

    with drafted(target) as draft:
        hues: dict[str, list[float]] = {}
        for stream, count, folders in _parts(seed, num_train, num_test, train_pairs):
            rng = np.random.default_rng(stream)
            # From a stream of their own, so that the scenes are those of `fruit`.
            of_hues = np.random.default_rng(stream.spawn(1)[0])
            for folder in folders:
                (draft / folder).mkdir()
            for i in range(count):
                scene = Scene.random(rng)
                if colors:
                    scene = dataclasses.replace(scene, hue=float(of_hues.uniform(*HUES)))
                for folder, kind in folders.items():
                    if colors and kind == "orange":
                        hues.setdefault(folder, []).append(round(scene.hue or 0.0, 6))
                    picture = Image.fromarray(draw_scene(scene, kind, size))
                    picture.save(draft / folder / f"{i:04d}.png", compress_level=1)
        about: dict[str, Any] = {
            "name": "fruit_colors" if colors else "fruit_pairs" if train_pairs else "fruit",
            "version": 1,
            "seed": seed,
            "size": size,
            "num_train": num_train,
            "num_test": num_test,
            "domain_A": "apples",
            "domain_B": "oranges",
            "test_pairs": True,
        }
        if train_pairs:
            about["train_pairs"] = True
        if colors:
            about["hues"] = hues
        (draft / "dataset.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    return directory


def _parts(
    seed: int, num_train: int, num_test: int, train_pairs: bool
) -> list[tuple[np.random.SeedSequence, int, dict[str, str]]]:
    """Lists where scenes come from, how many, and which folders show them as which fruit."""
    # As many streams for either set, so that the scenes are the same.
    stream_A, stream_B, stream_test = np.random.SeedSequence(seed).spawn(3)
    apples, oranges = {"trainA": "apple"}, {"trainB": "orange"}
    tests = (stream_test, num_test, {"testA": "apple", "testB": "orange"})
    if train_pairs:
        return [(stream_A, num_train, apples | oranges), tests]
    return [(stream_A, num_train, apples), (stream_B, num_train, oranges), tests]
