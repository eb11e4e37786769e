"""What `Evaluator` puts together; each metric has tests of its own."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from cyclegan_keras import DataLoader
from cyclegan_keras.data import augment
from cyclegan_keras.data.images import (
    denormalize,
    normalize,
    read_image,
    write_image,
)
from cyclegan_keras.metrics import (
    diagnostics,
    distances,
    domain_classifier,
    evaluator,
    paired,
    round_trip,
)
from tests.colour_features import MeanColours


def brighter(imgs, training):
    return np.clip(imgs + 0.2, -1, 1)


def same(imgs, training):
    return imgs


def both(g_AB, g_BA) -> dict:
    return {"g_AB": g_AB, "g_BA": g_BA}


def metrics_of(generators, loader, *args, **kwargs):
    return evaluator.Evaluator(loader, *args, **kwargs).evaluate(generators).metrics


def by_content(imgs):
    return np.stack(sorted(imgs, key=lambda img: hashlib.sha256(img.tobytes()).digest()))


def without_tests(fruit_dir, tmp_path):
    for folder in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "set" / folder)
    return tmp_path


def test_a_perfect_and_a_useless_generator(loader):
    A, B = (normalize(loader.evaluation_pixels(domain)) for domain in "AB")
    answers = {a.tobytes(): b for a, b in zip(A, B, strict=True)}

    def perfect(imgs, training):
        return np.stack([answers.get(img.tobytes(), img) for img in imgs])

    metrics = metrics_of(both(perfect, same), loader)
    assert (metrics["truth_AB"], metrics["ssim_AB"], metrics["psnr_AB"]) == (0, 1, paired.MAX_PSNR)
    for name in ("truth", "psnr", "ssim"):
        assert metrics[f"{name}_BA"] == metrics[f"{name}_untranslated"]
    assert metrics["truth_untranslated"] == pytest.approx(np.abs(A - B).mean() * 127.5, rel=1e-6)
    assert metrics["change_AB"] == metrics["truth_untranslated"] > 15
    assert metrics["identity_A"] == metrics["identity_B"] == metrics["change_BA"] == 0


def test_cycle_and_identity_errors(loader):
    results = evaluator.Evaluator(loader).evaluate(both(brighter, same))
    metrics = results.metrics
    # 0.2 of half a range, less what is clipped.
    assert 15 < metrics["cycle_A"] <= 25.5
    assert metrics["cycle_B"] == metrics["identity_B"] <= 25.5
    assert metrics["identity_A"] == 0
    assert [len(errors) for errors in results.cycle_errors.values()] == [4, 4]
    assert metrics["cycle_A"] == np.mean(results.cycle_errors["A"])
    assert results.features == {}
    assert "extractor" not in metrics


def test_one_generator_has_no_way_back(loader):
    metrics = metrics_of(both(brighter, same), loader, MeanColours())
    for name, generator in (("g_AB", brighter), ("g_BA", same)):
        missing = {"cycle_A", "cycle_B", "identity_A", "identity_B"}
        other = "BA" if name == "g_AB" else "AB"
        expected = {
            key: x for key, x in metrics.items() if key not in missing and not key.endswith(other)
        }
        results = evaluator.Evaluator(loader, MeanColours()).evaluate({name: generator})
        assert results.metrics == expected
        assert results.cycle_errors == {}
        assert list(results.features) == [name[2:]]


def test_features_of_what_would_be_saved(loader):
    """All metrics by features, put together by hand."""
    extractor = MeanColours()
    tested = evaluator.Evaluator(loader, extractor)
    results = tested.evaluate(both(brighter, same))
    metrics = results.metrics
    A, B = (extractor.features(loader.pixels(d, is_testing=True)) for d in "AB")
    fake_B = extractor.features(
        denormalize(brighter(normalize(loader.pixels("A", is_testing=True)), False))
    )
    np.testing.assert_array_equal(results.features["AB"].values, fake_B.values)
    assert metrics["extractor"] == results.features["BA"].extractor == MeanColours.name
    assert metrics["kernel_AB"] == distances.kernel_distance(fake_B, B).mean
    assert metrics["kernel_BA"] == metrics["kernel_untranslated"]
    assert metrics["kernel_untranslated"] == pytest.approx(distances.kernel_distance(A, B).mean)
    assert metrics["frechet_AB"] == distances.frechet_distance(fake_B, B)
    assert metrics["frechet_BA"] == pytest.approx(metrics["frechet_untranslated"])
    assert metrics["kernel_real_A"] == distances.of_halves(A)
    assert metrics["diversity_AB"] == distances.diversity(fake_B) / distances.diversity(B)
    classifier = domain_classifier.DomainClassifier(
        *(extractor.features(loader.pixels(domain)) for domain in "AB")
    )
    assert metrics["strength_AB"] == classifier.share_of("B", fake_B)
    assert metrics["strength_BA"] == classifier.share_of("A", B)
    assert metrics["accuracy_A"] == classifier.share_of("A", A)
    assert metrics["accuracy_B"] == classifier.share_of("B", B)
    # Of four images there is no fifth neighbour.
    assert not {"density_AB", "coverage_AB", "kernel_std_AB"} & set(metrics)
    json.dumps(metrics, allow_nan=False)


def test_real_images_are_looked_at_once(loader):
    extractor = MeanColours()
    tested = evaluator.Evaluator(loader, extractor)
    first = tested.evaluate(both(brighter, same)).metrics
    assert extractor.seen == 4 + 4 + 6 + 6 + 4 + 4
    assert tested.evaluate(both(brighter, same)).metrics == first
    assert extractor.seen == 28 + 8


def test_density_and_coverage_of_the_target(fruit_dir, tmp_path):
    directory = without_tests(fruit_dir, tmp_path)  # six images of each
    loader = DataLoader("set", (32, 32), directory)
    extractor = MeanColours()
    metrics = metrics_of(both(brighter, same), loader, extractor)
    A, B = (extractor.features(loader.pixels(domain)) for domain in "AB")
    expected = distances.density_coverage(A, B, k=5)
    assert (metrics["density_BA"], metrics["coverage_BA"]) == (expected.density, expected.coverage)


def test_without_test_images_the_classifier_is_tested_on_what_it_has_not_seen(
    fruit_dir, tmp_path, monkeypatch
):
    loader = DataLoader("set", (32, 32), without_tests(fruit_dir, tmp_path))
    learned, classified = [], []

    class Watched(domain_classifier.DomainClassifier):
        def __init__(self, train_A, train_B):
            learned.extend([train_A.values, train_B.values])
            super().__init__(train_A, train_B)

        def share_of(self, domain, features):
            classified.append((domain, features.values))
            return super().share_of(domain, features)

    monkeypatch.setattr(evaluator, "DomainClassifier", Watched)
    metrics_of(both(same, same), loader, MeanColours())
    A, B = (MeanColours()(loader.pixels(domain)) for domain in "AB")
    # In an order that no name decides, the first and the sixth are kept from it.
    in_order = [by_content(loader.pixels(domain)) for domain in "AB"]
    for values, imgs in zip(learned, in_order, strict=True):
        np.testing.assert_array_equal(values, MeanColours()(imgs[[1, 2, 3, 4]]))
    held = [MeanColours()(imgs[[0, 5]]) for imgs in in_order]
    # First the accuracies, then both ways.
    assert [domain for domain, _ in classified] == ["A", "B", "B", "A"]
    for (_, values), expected in zip(classified, (*held, A, B), strict=True):
        np.testing.assert_allclose(values, expected, atol=1e-6)


def test_without_pairs_there_is_no_truth(fruit_dir, tmp_path):
    loader = DataLoader("set", (32, 32), without_tests(fruit_dir, tmp_path))
    metrics = metrics_of(both(same, same), loader)
    assert not any(name.startswith(("truth", "psnr", "ssim")) for name in metrics)
    assert (metrics["num_A"], metrics["num_B"], metrics["on_test_images"]) == (6, 6, False)


def test_training_images_are_measured_without_chance(fruit_dir, tmp_path):
    loader = DataLoader("set", (20, 24), without_tests(fruit_dir, tmp_path), load_res=(32, 32))
    tested = evaluator.Evaluator(loader)
    for domain in "AB":
        np.testing.assert_array_equal(
            tested.pixels[domain], augment.centre(loader.pixels(domain), (20, 24))
        )
        assert tested.paths[domain] == loader.paths(domain)


def test_training_images_are_cut_for_the_classifier(fruit_dir):
    loader = DataLoader(fruit_dir.name, (20, 24), fruit_dir.parent, load_res=(32, 32))
    extractor = MeanColours()
    train = evaluator.Evaluator(loader, extractor).real.train
    expected = extractor(augment.centre(loader.pixels("B"), (20, 24)))
    np.testing.assert_array_equal(train["B"].values, expected)


def test_pictures_side_by_side_have_their_truth(fruit_dir, tmp_path):
    for folder in ("train", "test"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for path in (fruit_dir / f"{folder}A").iterdir():
            domains = (fruit_dir / f"{folder}{domain}" / path.name for domain in "AB")
            picture = np.concatenate([np.asarray(read_image(p)) for p in domains], axis=1)
            write_image(tmp_path / "set" / folder / path.name, picture)
    apart, together = (
        DataLoader(name, (32, 32), directory)
        for name, directory in ((fruit_dir.name, fruit_dir.parent), ("set", tmp_path))
    )
    metrics, expected = (metrics_of(both(brighter, same), data) for data in (together, apart))
    # These are other files.
    assert metrics.pop("images") != expected.pop("images")
    assert metrics == expected
    assert metrics["truth_AB"] > 15


def test_of_very_many_images_some_are_taken(loader, monkeypatch):
    monkeypatch.setattr(round_trip.spread, "__defaults__", (3,))
    monkeypatch.setattr(round_trip.places, "__defaults__", (3,))
    tested = evaluator.Evaluator(loader)
    assert tested.evaluate(both(same, same)).metrics["num_A"] == 3
    paths = loader.paths("A", is_testing=True)
    assert tested.paths["A"] == [paths[0], paths[1], paths[3]]


def test_pairs_must_have_equal_names(fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "set")
    (tmp_path / "set" / "testB" / "0003.png").rename(tmp_path / "set" / "testB" / "odd.png")
    with pytest.raises(ValueError, match=r"same names.*0003.*odd"):
        evaluator.Evaluator(DataLoader("set", (32, 32), tmp_path))


def test_pairs_may_be_named_after_their_domains(fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "set")
    for domain in "AB":
        for path in (tmp_path / "set" / f"test{domain}").iterdir():
            path.rename(path.with_stem(f"{path.stem}_{domain}"))
    metrics = metrics_of(both(same, same), DataLoader("set", (32, 32), tmp_path))
    assert metrics["truth_AB"] == metrics["truth_untranslated"] > 15


def test_maps_of_labels_are_scored(tmp_path):
    """A is red where B is blue; a quarter of B is white, which a generator takes for blue."""
    red, blue, white = (200, 0, 0), (0, 0, 255), (255, 255, 255)
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((32, 32, 3), red if folder.endswith("A") else blue, np.uint8)
            if folder.endswith("B"):
                pixels[:8] = white
            write_image(tmp_path / "set" / folder / f"{number}.png", pixels)
    description = {"test_pairs": True, "labels": {"B": [blue, white]}}
    (tmp_path / "set" / "dataset.json").write_text(json.dumps(description))

    def all_blue(imgs, training):
        return np.broadcast_to(normalize(np.uint8(blue)), imgs.shape).astype(np.float32)

    metrics = metrics_of(both(all_blue, same), DataLoader("set", (32, 32), tmp_path))
    assert metrics["pixel_accuracy_AB"] == 0.75
    assert metrics["class_accuracy_AB"] == 0.5
    assert metrics["class_iou_AB"] == 0.375
    assert "pixel_accuracy_BA" not in metrics
    palettes = {"A": [red, white]}
    metrics = metrics_of(both(same, same), DataLoader("set", (32, 32), tmp_path), None, palettes)
    # Blue is nearer to red than to white, and white is white.
    assert metrics["pixel_accuracy_BA"] == 0.75
    assert "pixel_accuracy_AB" not in metrics


def test_one_image_cannot_be_compared_by_features(fruit_dir, tmp_path):
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        shutil.copy(fruit_dir / folder / "0000.png", tmp_path / "set" / folder)
    loader = DataLoader("set", (32, 32), tmp_path)
    with pytest.raises(ValueError, match=r"at least 2 images.*--extractor none.*Received: 1 of A"):
        metrics_of(both(same, same), loader, MeanColours())
    assert metrics_of(both(same, same), loader)["num_A"] == 1


@pytest.mark.parametrize("count", [2, 3])
def test_without_test_images_there_must_be_one_more(count, fruit_dir, tmp_path):
    for folder in ("trainA", "trainB"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for path in sorted((fruit_dir / folder).iterdir())[:count]:
            shutil.copy(path, tmp_path / "set" / folder)
    loader = DataLoader("set", (32, 32), tmp_path)
    if count == 3:
        assert metrics_of(both(same, same), loader, MeanColours())["accuracy_A"] in (0, 1)
        return
    told = r"at least 3 images.*there are no test images.*--extractor none.*Received: 2 of A"
    with pytest.raises(ValueError, match=told):
        metrics_of(both(same, same), loader, MeanColours())


def test_the_domain_classifier_needs_training_images(fruit_dir, tmp_path):
    for folder in ("testA", "testB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "set" / folder)
    loader = DataLoader("set", (32, 32), tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"trainA.*classifier needs training images.*--extractor none"
    ):
        metrics_of(both(same, same), loader, MeanColours())
    assert metrics_of(both(same, same), loader)["num_A"] == 4


def test_images_are_known_by_what_is_in_them(fruit_dir, tmp_path):
    def digest():
        return metrics_of(both(same, same), DataLoader("set", (32, 32), tmp_path))["images"]

    shutil.copytree(fruit_dir, tmp_path / "set")
    first = digest()
    assert (
        first
        == metrics_of(both(same, same), DataLoader(fruit_dir.name, (32, 32), fruit_dir.parent))[
            "images"
        ]
    )
    one, other = sorted((tmp_path / "set" / "testA").iterdir())[:2]
    shutil.copy(other, one)
    assert digest() != first


def test_without_an_extractor_there_are_no_features(loader):
    with pytest.raises(ValueError, match="need an extractor"):
        _ = evaluator.Evaluator(loader).real


def test_no_metric_depends_on_the_names_of_files(fruit_dir, tmp_path):
    names = {f"{number:04d}": f"{(number * 5 + 3) % 7}" for number in range(6)}
    for folder in ("trainA", "trainB", "testA", "testB"):
        for place in ("set", "renamed"):
            (tmp_path / place / folder).mkdir(parents=True)
        for path in sorted((fruit_dir / folder).iterdir()):
            shutil.copy(path, tmp_path / "set" / folder)
            shutil.copy(path, tmp_path / "renamed" / folder / f"{names[path.stem]}.png")
    one, other = (
        metrics_of(both(brighter, same), DataLoader(name, (32, 32), tmp_path), MeanColours())
        for name in ("set", "renamed")
    )
    assert one["kernel_real_A"] != one["kernel_real_B"]
    assert one.keys() == other.keys()
    for name in one.keys() - {"images", "extractor"}:  # the digest tells the order, too
        assert one[name] == pytest.approx(other[name], rel=1e-9), name


def test_real_images_that_are_all_alike(tmp_path):
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((32, 32, 3), 90, np.uint8)
            write_image(tmp_path / "set" / folder / f"{number}.png", pixels)
    loader = DataLoader("set", (32, 32), tmp_path)
    metrics = metrics_of(both(same, same), loader, MeanColours())
    assert (metrics["density_AB"], metrics["coverage_AB"]) == (1.0, 1.0)
    assert (metrics["strength_AB"], metrics["accuracy_A"]) == (0.5, 0.5)
    assert metrics["kernel_AB"] == pytest.approx(0, abs=1e-9)
    assert metrics["frechet_AB"] == 0.0
    assert "diversity_AB" not in metrics
    assert diagnostics.not_measured(metrics)[0] == (
        "No diversity of A → B: it is relative to that of the real images of B, which all have the "
        "same features of colours of <quarters>."
    )


def test_metrics_that_need_more_images_are_named(loader):
    metrics = metrics_of({"g_AB": brighter}, loader, MeanColours())
    assert diagnostics.not_measured(metrics) == [
        "No density and coverage of A → B: they need at least 6 real images of B, and there are 4."
    ]
    metrics |= {"num_B": 3}
    del metrics["kernel_real_B"]
    assert diagnostics.not_measured(metrics)[1] == (
        "No KID (kernel distance) between halves of the real images of B: it needs at least 4, "
        "and there are 3."
    )
    assert diagnostics.not_measured(metrics_of({"g_AB": brighter}, loader)) == []
