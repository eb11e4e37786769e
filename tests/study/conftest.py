"""A small study, its key, and results that participants could have saved."""

import json
import random

import numpy as np
import pytest

from cyclegan_keras.study import making
from cyclegan_keras.study.key import Key
from cyclegan_keras.study.material import Material
from cyclegan_keras.study.page import Timing

# Long enough to be measured, and short enough for a test.
QUICK = Timing(before=40, exposure=100, between=40, answer=20, feedback=60)


def material(count, has_real=True, level=0, size=(16, 16)):
    """Scored images are dark and the others light, with some noise."""
    noise = np.random.default_rng(0).integers(0, 40, (2, count, *size, 3))
    imgs = (noise + np.array([level, 200]).reshape(2, 1, 1, 1, 1)).astype(np.uint8)
    files = [(f"hidden-a{number}.jpg", f"hidden-b{number}.jpg") for number in range(count)]
    return Material(imgs[0], imgs[1], imgs[1][: 0 if has_real else 2], files, has_real)


@pytest.fixture(scope="session")
def quick_study(tmp_path_factory):
    """The page of a study of one trial for practice and four that count, and its key."""
    path = tmp_path_factory.mktemp("study") / "study.html"
    key = making.write(
        path,
        material(5),
        1,
        way="AB",
        runs=("hidden-run",),
        about={"data_set": "hidden-set"},
        timing=QUICK,
        rng=random.Random(1),
    )
    return path, key


@pytest.fixture
def key():
    pairs = {(2 * number, 2 * number + 1): 2 * number + number % 2 for number in range(40)}
    return Key("0123456789abcdef", "real or fake", "AB", ("apples",), 1000, pairs, {})


@pytest.fixture
def result(key):
    """Makes the content of a result."""

    def make(choose, participant="one", exposures=(1000, 1000.1)):
        """`choose` is given the places on the left and right, and the one that is scored."""
        rng, trials = random.Random(participant), []
        for pair, scored in key.scored.items():
            left, right = rng.sample(pair, 2)
            trials.append(
                {
                    "left": left,
                    "right": right,
                    "chosen": choose(left, right, scored),
                    "exposure_ms": list(exposures),
                    "left_page": False,
                    "answer_ms": 700,
                }
            )
        return {
            "format": "cyclegan study result",
            "version": 1,
            "study": key.study,
            "participant": participant,
            "trials": trials,
        }

    return make


@pytest.fixture
def saved(tmp_path):
    """Writes the content of a result, and returns its path."""

    def write(content, name=None):
        path = tmp_path / f"{name or content['participant']}.json"
        path.write_text(json.dumps(content), "utf-8")
        return path

    return write


def always_left(left, right, scored):
    return "left"


def knows(left, right, scored):
    """Chooses the real one."""
    return "right" if left == scored else "left"


def is_fooled(left, right, scored):
    return "left" if left == scored else "right"
