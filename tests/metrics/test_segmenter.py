"""The segmentation score, on drawn labels whose photos are known."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.metrics import segmenter
from cyclegan_keras.metrics.segmentation import confusion_matrix, nearest_labels, scores
from cyclegan_keras.metrics.segmenter import Plan, Segmenter, Settings

pytestmark = pytest.mark.integration

SIZE, COUNT, TESTS = 32, 24, 8
PALETTE = [(0, 0, 224), (255, 0, 0), (112, 255, 144)]
# What each class looks like in a photo. That the first two have one brightness, and the palette's
# colors are others, shows that photos are read, and not labels.
LOOKS = np.array([(200, 90, 40), (60, 160, 120), (30, 30, 200)])
QUICK = Settings(filters=4, steps=60, batch_size=4, learning_rate=0.01)


def draw_classes(rng):
    classes = np.zeros((SIZE, SIZE), np.uint8)
    for kind in (1, 2):
        top, left = rng.integers(0, SIZE // 2, 2)
        classes[top : top + SIZE // 2, left : left + SIZE // 2] = kind
    return classes


def photo_of(classes, rng=None):
    noise = 0 if rng is None else rng.normal(0, 12, (*classes.shape, 3))
    return np.clip(LOOKS[classes] + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photos as A and labels as B."""
    place, rng = tmp_path_factory.mktemp("data") / "drawn", np.random.default_rng(0)
    for split, count in (("train", COUNT), ("test", TESTS)):
        for domain in "AB":
            (place / f"{split}{domain}").mkdir(parents=True)
        for number in range(count):
            classes = draw_classes(rng)
            for domain, img in (
                ("A", photo_of(classes, rng)),
                ("B", np.array(PALETTE, np.uint8)[classes]),
            ):
                Image.fromarray(img).save(place / f"{split}{domain}" / f"{number:02d}.png")
    said = {"labels": {"B": PALETTE}, "test_pairs": True, "train_pairs": True}
    (place / "dataset.json").write_text(json.dumps(said))
    return place


@pytest.fixture
def loader(folder):
    return DataLoader(folder.name, (SIZE, SIZE), folder.parent)


@pytest.fixture(scope="module")
def kept(folder, tmp_path_factory):
    """A folder that has the network already."""
    place = tmp_path_factory.mktemp("kept")
    loader = DataLoader(folder.name, (SIZE, SIZE), folder.parent)
    network = Segmenter(loader, Plan("BA", PALETTE), QUICK, place)
    assert network.network is network.network
    assert not network.was_kept
    return place


def perfect(imgs, training):
    """Makes the photo of labels."""
    return normalize(photo_of(nearest_labels(imgs, PALETTE)))


def shuffled(imgs, training):
    """Makes the photo of another image's labels."""
    return np.roll(perfect(imgs, training), 1, axis=0)


def measure(generator, loader, kept, way="BA"):
    planned = segmenter.plans(loader, ["AB", "BA"])
    return segmenter.measure({f"g_{way}": generator}, loader, planned, QUICK, kept)


def test_perfect_photos_reach_the_ceiling(loader, kept):
    found = measure(perfect, loader, kept)
    for key, least in (("pixel_accuracy", 0.97), ("class_accuracy", 0.95), ("class_iou", 0.9)):
        ceiling = found[f"seg_{key}_real_A"]
        assert least < ceiling <= 1
        assert found[f"seg_{key}_BA"] == pytest.approx(ceiling, abs=0.02)
    assert {name for name in found if name != "segmentation"} == {
        f"seg_{key}_{end}" for key in segmenter.KEYS for end in ("BA", "real_A", "frequent_A")
    }


def test_photos_of_others_fall_to_chance(loader, kept):
    found = measure(shuffled, loader, kept)
    truth = nearest_labels(loader.pixels("B", is_testing=True), PALETTE)
    # By fours, as they are translated.
    others = np.concatenate([np.roll(part, 1, axis=0) for part in (truth[:4], truth[4:])])
    chance = scores(confusion_matrix(truth, others, 3))
    for key, value in chance.items():
        assert found[f"seg_{key}_BA"] == pytest.approx(value, abs=0.03)
    assert chance["class_iou"] < 0.5 < found["seg_class_iou_real_A"]
    # The most frequent class is right where it is, in a third of the classes, by hand.
    counts = np.bincount(truth.ravel(), minlength=3)
    share = counts[0] / counts.sum()
    assert found["seg_pixel_accuracy_frequent_A"] == pytest.approx(share)
    assert found["seg_class_accuracy_frequent_A"] == pytest.approx(1 / 3)
    assert found["seg_class_iou_frequent_A"] == pytest.approx(share / 3)


def test_what_is_kept_is_what_was_trained(loader, kept):
    taken = Segmenter(loader, Plan("BA", PALETTE), QUICK, kept)
    (file,) = kept.iterdir()
    assert file.name == f"{taken.name}.npz"
    with np.load(file) as found:
        for place, weight in enumerate(taken.network.get_weights()):
            np.testing.assert_array_equal(weight, found[f"weight_{place}"])
    assert taken.was_kept


ONE_STEP = dataclasses.replace(QUICK, steps=1)


def test_the_same_seed_gives_the_same_network(loader, untraced):
    one, other = (Segmenter(loader, Plan("BA", PALETTE), ONE_STEP) for _ in range(2))
    for mine, theirs in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert (one.path, one.was_kept) == (None, False)


def test_other_settings_images_or_sizes_have_files_of_their_own(loader, folder, kept):
    plan = Plan("BA", PALETTE)
    names = {
        Segmenter(*given).name
        for given in (
            (loader, plan, ONE_STEP),
            (loader, plan, dataclasses.replace(ONE_STEP, seed=1)),
            (loader, plan, dataclasses.replace(ONE_STEP, learning_rate=0.02)),
            (loader, Plan("BA", [*PALETTE, (255, 255, 255)]), ONE_STEP),
            (DataLoader(folder.name, (36, 32), folder.parent), plan, ONE_STEP),
            (DataLoader(folder.name, (SIZE, SIZE), folder.parent, channels=1), plan, ONE_STEP),
        )
    }
    assert len(names) == 6
    assert names.isdisjoint({path.stem for path in kept.iterdir()})


def test_a_damaged_file_is_made_anew(loader, untraced, tmp_path, capsys):
    def made():
        found = Segmenter(loader, Plan("BA", PALETTE), ONE_STEP, tmp_path)
        assert found.network is not None
        return found

    path = made().path
    with np.load(path) as found:
        other, first = dict(found), found["weight_0"]
    whole = path.read_bytes()
    np.savez(path, **{**other, "weight_0": np.zeros((1, 2))})
    damages = [path.read_bytes(), whole[: len(whole) // 2], b""]
    for damage in damages:
        path.write_bytes(damage)
        assert not made().was_kept
        assert "is damaged" in "".join(capsys.readouterr())
        with np.load(path) as found:
            np.testing.assert_array_equal(found["weight_0"], first)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]  # Nothing half-written.
    assert made().was_kept


def test_photos_are_read_one_by_one(loader, kept):
    network = Segmenter(loader, Plan("BA", PALETTE), QUICK, kept)
    photos = loader.pixels("A", is_testing=True)
    together = network.classes(photos)
    assert together.shape == photos.shape[:3]
    np.testing.assert_array_equal(network.classes(photos[3:4])[0], together[3])


@pytest.mark.parametrize(
    ("said", "ways", "palettes", "words"),
    [
        ({"test_pairs": True}, ["BA"], None, "needs label maps.*Received: images without labels"),
        ({}, ["AB"], {"B": PALETTE}, "translates from B. Received: generators from A"),
        ({}, ["BA"], {"B": PALETTE}, "needs test images that are pairs"),
        (
            {"test_pairs": True},
            ["BA"],
            {"B": PALETTE},
            "needs pairs to train on.*of the test images only",
        ),
        ({"test_pairs": True}, ["BA", "AB"], {"A": PALETTE, "B": PALETTE}, "there must be a gen"),
    ],
)
def test_what_cannot_be_scored_is_told(said, ways, palettes, words, folder, tmp_path):
    place = tmp_path / "drawn"
    place.mkdir()
    for path in folder.iterdir():
        if path.is_dir():
            (place / path.name).symlink_to(path)
    (place / "dataset.json").write_text(json.dumps(said))
    loader = DataLoader("drawn", (SIZE, SIZE), tmp_path)
    with pytest.raises(ValueError, match=words) as caught:
        segmenter.plans(loader, ways, palettes)
    assert "\n" not in str(caught.value)


def test_perfect_photos_of_the_test_are_what_they_should_be(loader):
    labels = normalize(loader.pixels("B", is_testing=True))
    made = denormalize(perfect(labels, False)).astype(int)
    assert np.abs(made - loader.pixels("A", is_testing=True)).mean() < 12
