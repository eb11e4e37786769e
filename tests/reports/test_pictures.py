import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader
from cyclegan_keras.data import augment
from cyclegan_keras.data.images import denormalize, normalize
from cyclegan_keras.metrics import evaluator
from cyclegan_keras.reports import pages, pictures
from tests.colour_features import MeanColours


def negative(imgs, training):
    return -imgs


def faint(imgs, training):
    return imgs / 2


def same(imgs, training):
    return imgs


def seen(loader, extractor=None, **generators):
    tested = evaluator.Evaluator(loader, extractor)
    return pictures.Evaluated(generators, loader, tested, tested.evaluate(generators))


def unpacked(uri):
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image)


def column_of(sheet, column):
    place = sheet.columns.index(column)
    return np.stack([unpacked(row.pictures[place]) for row in sheet.rows])


def test_images_at_random_there_and_back_beside_the_truth(loader):
    found = seen(loader, g_AB=negative, g_BA=faint)
    pixels = found.evaluator.pixels
    chosen = pictures.chosen_at_random(4)
    assert sorted(chosen) == [0, 1, 2, 3]
    sheet = pictures.at_random(found, "BA")
    assert sheet.columns == ["B", "B → A", "ground truth A", "back to B"]
    assert [row.note for row in sheet.rows] == [f"{place:04d}.png" for place in chosen]
    np.testing.assert_array_equal(column_of(sheet, "B"), pixels["B"][chosen])
    np.testing.assert_array_equal(column_of(sheet, "ground truth A"), pixels["A"][chosen])
    halves = normalize(pixels["B"][chosen]) / 2
    np.testing.assert_array_equal(column_of(sheet, "B → A"), denormalize(halves))
    np.testing.assert_array_equal(column_of(sheet, "back to B"), denormalize(-halves))


def test_the_same_few_of_many_are_drawn_each_time():
    one = pictures.chosen_at_random(500)
    assert one == pictures.chosen_at_random(500)
    assert len(set(one)) == 6
    assert one != sorted(one)
    assert max(one) > 50


def test_the_best_and_the_worst_by_cycle_error(loader):
    # There and back an image loses half of its contrast.
    found = seen(loader, g_AB=same, g_BA=faint)
    errors = np.abs(normalize(found.evaluator.pixels["A"])).mean(axis=(1, 2, 3)) / 2 * 127.5
    order = np.argsort(errors)
    best, worst = pictures.extremes(found, "AB")
    assert (best.title, worst.title) == ("A → B, the best", "A → B, the worst")
    notes = [f"{place:04d}.png, cycle error {errors[place]:.2f}" for place in order]
    assert [row.note for row in best.rows] == notes[:2]
    assert [row.note for row in worst.rows] == notes[:1:-1]
    np.testing.assert_array_equal(column_of(worst, "A"), found.evaluator.pixels["A"][order[:1:-1]])


def test_of_many_images_four_are_the_best_and_four_the_worst(loader, monkeypatch):
    found = seen(loader, g_AB=same, g_BA=faint)
    found.results.cycle_errors["A"] = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6, 0])
    wanted = []
    monkeypatch.setattr(pictures, "_sheet", lambda *args: wanted.append(args[3]))
    pictures.extremes(found, "AB")
    assert [[place for place, _ in sheet] for sheet in wanted] == [[9, 1, 5, 3], [2, 6, 4, 8]]


def test_of_one_generator_the_error_to_the_truth_counts(loader):
    found = seen(loader, g_AB=same)
    A, B = (normalize(found.evaluator.pixels[domain]) for domain in "AB")
    errors = np.abs(A - B).mean(axis=(1, 2, 3)) * 127.5
    best, worst = pictures.extremes(found, "AB")
    assert best.columns == ["A", "A → B", "ground truth B"]
    shown = [row.note for row in best.rows + worst.rows[::-1]]
    assert shown == [
        f"{i:04d}.png, error to the ground truth {errors[i]:.2f}" for i in np.argsort(errors)
    ]


def test_without_cycle_and_truth_there_is_no_best(fruit_dir, tmp_path):
    for folder in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "set" / folder)
    loader = DataLoader("set", (32, 32), tmp_path)
    found = seen(loader, MeanColours(), g_AB=same)
    assert pictures.extremes(found, "AB") == []
    assert pictures.at_random(found, "AB").columns == ["A", "A → B"]
    assert pictures.usual_distance(found, "AB") is None
    # Trained and measured on are the same here; their neighbours are found all the same.
    assert pictures.neighbors(found, "AB").columns[2:] == ["nearest", "second", "third"]


def test_a_memorized_image_is_found(fruit_dir, monkeypatch):
    """Of six training images the evaluator uses 0, 2 and 5; number 2 is what is always made."""
    for module in (evaluator, pictures):
        monkeypatch.setattr(module, "MAX_TRAIN_IMAGES", 3)
    loader = DataLoader(fruit_dir.name, (32, 32), fruit_dir.parent, load_res=(40, 40))
    known = augment.centre(loader.pixels("B"), (32, 32))

    def memorized(imgs, training):
        return np.repeat(normalize(known[2:3]), len(imgs), axis=0)

    found = seen(loader, MeanColours(), g_AB=memorized, g_BA=same)
    sheet = pictures.neighbors(found, "AB")
    assert sheet.columns == ["A", "A → B", "nearest", "second", "third"]
    np.testing.assert_array_equal(column_of(sheet, "nearest"), column_of(sheet, "A → B"))
    features = MeanColours()(known)
    far = {place: np.linalg.norm(features[place] - features[2]) for place in (0, 5)}
    second, third = sorted(far, key=far.get)
    assert sheet.rows[0].note == (
        f"{pictures.chosen_at_random(4)[0]:04d}.png; nearest: 0002.png (0.00), "
        f"{second:04d}.png ({far[second]:.2f}), {third:04d}.png ({far[third]:.2f})"
    )
    np.testing.assert_array_equal(unpacked(sheet.rows[0].pictures[3]), known[second])
    np.testing.assert_array_equal(unpacked(sheet.rows[0].pictures[4]), known[third])


def test_the_usual_distance_is_that_of_real_images(loader):
    found = seen(loader, MeanColours(), g_AB=same, g_BA=same)
    train, test = MeanColours()(loader.pixels("B")), MeanColours()(found.evaluator.pixels["B"])
    nearest = [min(np.linalg.norm(one - other) for other in train) for one in test]
    usual = pictures.usual_distance(found, "AB")
    assert usual == pytest.approx(np.median(nearest), rel=1e-5)
    assert usual > 0.01


def test_large_pictures_are_shrunk_and_small_ones_left(loader):
    pixels = np.zeros((256, 512, 3), np.uint8)
    pixels[:, 256:] = 200
    shrunk = unpacked(pictures.packed(pixels))
    assert shrunk.shape == (128, 256, 3)
    assert (shrunk[:, :120] == 0).all()
    assert (shrunk[:, 136:] == 200).all()
    assert pictures.packed(pixels[:, :256]) == pages.data_uri(pixels[:, :256])
    assert pictures.shrunk_to(loader) is None
    large = DataLoader("x", (256, 272), "y")
    assert pictures.shrunk_to(large) == 256
