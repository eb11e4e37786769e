"""Which images a study shows."""

import random

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.study import material


def lighter(images, training):
    """A generator that adds half of the way to white."""
    return (images + 1) / 2


def copying(images, training):
    return images


def expected(pixels):
    return np.rint((pixels.astype(float) + 255) / 2)


def places(shown, among):
    """Which of the images each is."""
    return [next(i for i, img in enumerate(among) if np.array_equal(img, one)) for one in shown]


def test_a_translation_meets_its_ground_truth(loader):
    found = material.against_real(lighter, loader, "AB", 3, random.Random(0))
    pixels = {domain: loader.pixels(domain, is_testing=True) for domain in "AB"}
    chosen = places(found.other, pixels["B"])
    assert len(set(chosen)) == 3
    assert np.abs(found.scored - expected(pixels["A"][chosen])).max() <= 1
    names = {domain: [path.name for path in loader.paths(domain, True)] for domain in "AB"}
    assert found.files == [(names["A"][place], names["B"][place]) for place in chosen]
    assert found.has_real
    assert len(found.examples) == 0


@pytest.fixture
def unpaired(tmp_path):
    """8 test images of A, 5 of B, of one color each."""
    for domain, count in (("A", 8), ("B", 5)):
        for part in ("train", "test"):
            folder = tmp_path / "set" / f"{part}{domain}"
            folder.mkdir(parents=True)
            for number in range(count):
                color = (20 * number, 100 if domain == "A" else 200, 0)
                Image.new("RGB", (32, 32), color).save(folder / f"{number}.png")
    return DataLoader("set", (32, 32), tmp_path)


def test_without_pairs_a_translation_meets_any_real_image(unpaired):
    assert material.num_pairs(unpaired, "AB", has_real=True) == 5
    met = set()
    for seed in range(20):
        found = material.against_real(copying, unpaired, "AB", 5, random.Random(seed))
        sources, targets = found.scored[:, 0, 0], found.other[:, 0, 0]
        assert (sources[:, 1] == 100).all()
        assert (targets[:, 1] == 200).all()
        for numbers in (sources[:, 0] // 20, targets[:, 0] // 20):
            assert len(set(numbers)) == 5
        met |= set(zip(sources[:, 0] // 20, targets[:, 0] // 20, strict=True))
    assert len(met) > 30  # Of 40.


def test_the_other_way(unpaired):
    assert material.num_pairs(unpaired, "BA", has_real=False) == 5
    found = material.against_real(copying, unpaired, "BA", 5, random.Random(0))
    assert (found.scored[:, 0, 0, 1] == 200).all()
    assert (found.other[:, 0, 0, 1] == 100).all()


def test_two_runs_get_the_same_images(unpaired):
    assert material.num_pairs(unpaired, "AB", has_real=False) == 8
    other = DataLoader("set", (64, 64), unpaired.directory.parent)
    found = material.of_two_runs([lighter, copying], [unpaired, other], "AB", 8, random.Random(0))
    assert found.scored.shape[1:3] == (32, 32)
    assert found.other.shape[1:3] == (64, 64)
    sources = found.other[:, 0, 0]
    assert sorted(sources[:, 0] // 20) == [*range(8)]
    assert np.abs(found.scored[:, 0, 0] - expected(sources)).max() <= 1
    assert not found.has_real
    assert (found.examples[:, 0, 0, 1] == 200).all()
    assert len(found.examples) == 5


def test_two_runs_with_other_images(unpaired, loader):
    with pytest.raises(ValueError, match="--data-dir"):
        material.of_two_runs([copying] * 2, [unpaired, loader], "AB", 2, random.Random(0))


def test_two_runs_with_other_shapes(unpaired):
    other = DataLoader("set", (32, 64), unpaired.directory.parent)
    with pytest.raises(ValueError, match=r"\(32, 32\) and \(32, 64\)"):
        material.of_two_runs([copying] * 2, [unpaired, other], "AB", 2, random.Random(0))
