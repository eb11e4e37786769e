"""Fruit that lacks a part, as the benchmark of texture draws it."""

import numpy as np
import pytest

from benchmarks.texture import PARTS, SIZE, fruit, without
from cyclegan_keras.data.fruit.still_life import Scene

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("kind", "part"), [(kind, part) for kind, parts in PARTS.items() for part in parts]
)
def test_fruit_without_a_part_differs_in_the_fruit_alone(kind, part):
    whole = fruit(kind, 1, 0)
    with without(kind, part):
        lacking = fruit(kind, 1, 0)
    np.testing.assert_array_equal(fruit(kind, 1, 0), whole)
    differs = (whole != lacking).any(axis=-1)[0]
    scene = Scene.random(np.random.default_rng(0))
    y, x = (np.mgrid[:SIZE, :SIZE] + 0.5) / SIZE
    distance = np.hypot(x - scene.centre[0], y - scene.centre[1])
    assert differs.sum() > 20
    assert distance[differs].max() < 1.1 * scene.radius
