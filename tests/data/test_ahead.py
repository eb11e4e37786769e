"""Training images that are decoded during the training, and not all at the start."""

import json
import threading

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data import dataset, pixel_cache
from cyclegan_keras.data.loader import DataLoader
from cyclegan_keras.data.rows import Rows


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def apart(tmp_path):
    """7 images of A, 5 of B, of random pixels; names are those of pairs where there are two."""
    rng = np.random.default_rng(0)
    for domain, count in (("A", 7), ("B", 5)):
        (tmp_path / "apart" / f"train{domain}").mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (6, 10, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "apart" / f"train{domain}" / f"{number}.png")
    return tmp_path / "apart"


@pytest.fixture
def together(tmp_path):
    """5 pairs side by side."""
    rng = np.random.default_rng(1)
    (tmp_path / "together" / "train").mkdir(parents=True)
    for number in range(5):
        pixels = rng.integers(0, 256, (6, 20, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "together" / "train" / f"{number}.png")
    return tmp_path / "together"


def make(folder, decode="ahead", **options):
    options = {"seed": 3, "load_res": (6, 10), **options}
    return DataLoader(folder.name, (4, 8), folder.parent, decode=decode, **options)


def batches(loader, **options):
    return list(loader.load_batch(2, drop_remainder=False, **options))


def assert_same(mine, theirs):
    assert len(mine) == len(theirs) > 0
    for pair, other in zip(mine, theirs, strict=True):
        for imgs, same in zip(pair, other, strict=True):
            np.testing.assert_array_equal(imgs, same)


def full(monkeypatch):
    """No disk has any room."""
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda folder: type("U", (), {"free": 0}))


@pytest.mark.parametrize("where", ["memory", "disk", "nowhere"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"load_res": None},
        {"epoch_length": "longer", "flip": False},
        {"channels": 1},
        {"paired": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("data", ["apart", "together"])
def test_batches_are_those_of_a_start_bit_for_bit(data, options, where, request, monkeypatch):
    folder = request.getfixturevalue(data)
    if options.get("paired") and data == "apart":
        for number in (5, 6):
            (folder / "trainA" / f"{number}.png").unlink()
    if where == "nowhere":
        full(monkeypatch)
    at_start = make(folder, "start", **options)
    ahead = make(folder, cache_memory=2.0 if where == "memory" else 0, **options)
    for _ in range(2):
        assert_same(batches(ahead), batches(at_start))
    assert_same(batches(ahead, seed=1, first_batch=1), batches(at_start, seed=1)[1:])
    assert isinstance(ahead.pixels("A"), Rows)
    assert ahead.pixels_place("A") == ahead.pixels_place("B") == where
    for domain in "AB":
        np.testing.assert_array_equal(
            ahead.load_data(domain, 3, seed=1), at_start.load_data(domain, 3, seed=1)
        )
        np.testing.assert_array_equal(
            np.asarray(ahead.evaluation_pixels(domain)), at_start.evaluation_pixels(domain)
        )


def test_only_what_does_not_fit_is_decoded_ahead_by_itself(apart):
    assert isinstance(make(apart, "auto").pixels("A"), np.ndarray)
    assert isinstance(make(apart, "auto", cache_memory=0).pixels("A"), Rows)
    one_fits = 7 * 6 * 10 * 3 / 2**30
    loader = make(apart, "auto", cache_memory=one_fits)
    assert isinstance(loader.pixels("A"), np.ndarray)
    assert isinstance(loader.pixels("B"), Rows)
    # As ever, the bad ones are then known before the first step.
    leaves_out = make(apart, "auto", cache_memory=0, skip_bad_images=True)
    assert isinstance(leaves_out.pixels("A"), np.ndarray)
    assert isinstance(make(apart, "start", cache_memory=0).pixels("A"), np.ndarray)
    with pytest.raises(ValueError, match="`decode` must be one of auto, start, ahead"):
        make(apart, "later")


def test_few_images_are_decoded_before_the_first_batch(apart, monkeypatch):
    rng = np.random.default_rng(0)
    for number in range(7, 100):
        pixels = rng.integers(0, 256, (6, 10, 3), np.uint8)
        for domain in "AB":
            Image.fromarray(pixels).save(apart / f"train{domain}" / f"{number}.png")
    read, lock = [], threading.Lock()
    real = dataset.images.read_image

    def counting(path, *rest):
        with lock:
            read.append(path)
        return real(path, *rest)

    monkeypatch.setattr(dataset.images, "read_image", counting)
    monkeypatch.setattr("cyclegan_keras.data.prefetch.IMAGES_AHEAD", 4)
    monkeypatch.setattr("cyclegan_keras.data.loader.IMAGES_AHEAD", 4)
    monkeypatch.setattr("cyclegan_keras.data.notes.NUM_LOOKED_AT", 10)
    loader = make(apart)
    assert loader.n_batches == 98
    assert read == []
    next(iter(loader.load_batch(1)))
    assert len(set(read)) < 60
    for _ in loader.load_batch(1):
        pass
    assert len(read) == len(set(read))  # And each once, in all epochs.


def test_it_is_told_before_the_training(apart):
    notes = make(apart).notes()
    assert any(
        "Decoded during the training, once: 7 images of trainA (looked at: 7) and 5 images of "
        "trainB"
        in line
        and "--decode start" in line
        for line in notes
    )
    assert not any("Decoded during" in line for line in make(apart, "auto").notes())


def test_some_images_tell_what_all_would(apart):
    for domain, count in (("A", 7), ("B", 5)):
        for number in range(count):
            pixels = np.random.default_rng(number).integers(0, 20, (6, 10), np.uint8)
            Image.fromarray(pixels).convert("RGB").save(apart / f"train{domain}" / f"{number}.png")
    loader = make(apart)
    assert loader.is_gray("A")
    assert any("levels 0 to 19" in line for line in loader.notes())


def test_a_bad_image_is_named_when_its_turn_comes(apart):
    (apart / "trainA" / "4.png").write_text("none")
    loader = make(apart, epoch_length="longer")
    with pytest.raises(ValueError, match=r"trainA/4\.png.*--skip-bad-images"):
        batches(loader)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("data", ["apart", "together"])
def test_the_next_image_takes_the_place_of_a_bad_one(data, paired, request):
    folder = request.getfixturevalue(data)
    if data == "apart" and paired:
        for number in (5, 6):
            (folder / "trainA" / f"{number}.png").unlink()
    names = ["train"] if data == "together" else ["trainA", "trainB"]
    bad = folder / names[0] / "2.png"
    bad.write_text("none")
    loader = make(folder, skip_bad_images=True, paired=paired)
    dealt = batches(loader)
    if data == "apart" and paired:
        # Partners have to be left out, too, which is known when all have been read.
        assert isinstance(loader.pixels("A"), np.ndarray)
        assert len(loader.paths("A")) == len(loader.paths("B")) == 4
    else:
        assert loader.n_batches == 3
        assert str(bad) in loader.skipped_in_words()[0]
        bad.write_bytes((folder / names[0] / "3.png").read_bytes())
        assert_same(batches(make(folder, "start", paired=paired)), dealt)


def test_value_ranges_are_found_as_ever(apart):
    ahead, at_start = (make(apart, decode, value_range="auto") for decode in ("ahead", "start"))
    assert ahead.value_ranges == at_start.value_ranges
    assert_same(batches(ahead), batches(at_start))


def test_test_images_are_decoded_at_the_start(apart):
    for domain in "AB":
        (apart / f"test{domain}").mkdir()
        Image.new("RGB", (8, 4), (9, 8, 7)).save(apart / f"test{domain}" / "0.png")
    (apart / "dataset.json").write_text(json.dumps({"test_pairs": True}))
    loader = make(apart)
    assert isinstance(loader.pixels("A", is_testing=True), np.ndarray)
    assert isinstance(loader.evaluation_pixels("B"), np.ndarray)
