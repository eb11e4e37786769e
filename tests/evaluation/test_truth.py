import shutil

import numpy as np
import pytest

from cyclegan_keras import DataLoader
from cyclegan_keras.data.images import normalize, read_image, write_image
from cyclegan_keras.evaluation import truth


def brighter(imgs, training):
    assert training is False
    return np.clip(imgs + 0.2, -1, 1)


def same(imgs, training):
    return imgs


def both(g_AB, g_BA) -> dict:
    return {"g_AB": g_AB, "g_BA": g_BA}


def test_the_distance_is_in_levels():
    one, other = np.zeros((2, 4, 4, 3), "float32"), np.zeros((2, 4, 4, 3), "float32")
    other[0] = 1.0  # half a range, on half of the images
    assert truth.mean_absolute_error(one, other) == pytest.approx(127.5 / 2)
    assert truth.mean_absolute_error(-np.ones(3), np.ones(3)) == 255


def test_a_perfect_and_a_useless_generator(loader):
    A, B = (
        np.stack([loader.load_img(p)[0] for p in loader.paths(d, is_testing=True)]) for d in "AB"
    )
    answers = {a.tobytes(): b for a, b in zip(A, B, strict=True)}

    def perfect(imgs, training):
        return np.stack([answers.get(img.tobytes(), img) for img in imgs])

    figures = truth.evaluate(both(perfect, same), loader)
    assert figures["truth_AB"] == 0
    assert figures["truth_BA"] == figures["untranslated"] > 15
    assert figures["untranslated"] == pytest.approx(np.abs(A - B).mean() * 127.5, rel=1e-6)
    assert figures["identity_A"] == figures["identity_B"] == 0


def test_cycle_and_identity_errors(loader):
    figures = truth.evaluate(both(brighter, same), loader)
    # 0.2 of half a range, less what is clipped.
    assert 15 < figures["cycle_A"] <= 25.5
    assert figures["cycle_B"] == figures["identity_B"] <= 25.5
    assert figures["identity_A"] == 0


def test_one_generator_has_no_way_back(loader):
    figures = truth.evaluate(both(brighter, same), loader)
    for name, generator, missing in (("g_AB", brighter, "truth_BA"), ("g_BA", same, "truth_AB")):
        way_back = {"cycle_A", "cycle_B", "identity_A", "identity_B"}
        expected = {k: v for k, v in figures.items() if k not in {missing, *way_back}}
        assert truth.evaluate({name: generator}, loader) == expected
        words = truth.in_words(expected)
        assert words.count("to the truth") == 1
        assert "cycle" not in words


def test_images_are_measured_a_few_at_a_time_and_count_alike(loader, monkeypatch):
    at_once = truth.evaluate(both(brighter, same), loader)
    sizes = []

    def counting(imgs, training):
        sizes.append(len(imgs))
        return brighter(imgs, training)

    monkeypatch.setattr(truth, "BATCH_SIZE", 3)  # of four images
    assert truth.evaluate(both(counting, same), loader) == pytest.approx(at_once, rel=1e-12)
    assert set(sizes) == {3, 1}


def test_without_pairs_there_is_no_truth(fruit_dir, tmp_path):
    for folder in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "set" / folder)
    figures = truth.evaluate(both(same, same), DataLoader("set", (32, 32), tmp_path))
    assert not {"truth_AB", "truth_BA", "untranslated"} & set(figures)
    assert (figures["num_A"], figures["num_B"], figures["on_test_images"]) == (6, 6, False)
    words = truth.in_words(figures)
    assert "truth" not in words
    assert "on training images" in words


def test_training_images_are_measured_without_chance(fruit_dir, tmp_path):
    for folder in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "set" / folder)
    loader = DataLoader("set", (20, 24), tmp_path, load_res=(32, 32))
    seen = []

    def watching(imgs, training):
        seen.extend(imgs)
        return imgs

    truth.evaluate(both(watching, same), loader)
    # The images are 32×32: rows 6 to 25 and columns 4 to 27 are the middle.
    middles = {imgs[6:26, 4:28].tobytes() for d in "AB" for imgs in normalize(loader.pixels(d))}
    assert {img.tobytes() for img in seen} == middles
    assert len(middles) == 12


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
    figures = truth.evaluate(both(brighter, same), together)
    assert figures == truth.evaluate(both(brighter, same), apart)
    assert figures["truth_AB"] > 15
    shutil.rmtree(tmp_path / "set" / "test")
    figures = truth.evaluate(both(same, same), DataLoader("set", (32, 32), tmp_path))
    assert "truth_AB" not in figures
    assert figures["num_A"] == 6


def test_of_very_many_images_some_are_taken(loader, monkeypatch):
    monkeypatch.setattr(truth, "MAX_IMAGES", 3)
    assert truth.evaluate(both(same, same), loader)["num_A"] == 3


def test_pairs_must_have_equal_names(fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "set")
    (tmp_path / "set" / "testB" / "0003.png").rename(tmp_path / "set" / "testB" / "odd.png")
    with pytest.raises(ValueError, match=r"same names.*0003.*odd"):
        truth.evaluate(both(same, same), DataLoader("set", (32, 32), tmp_path))


def test_pairs_may_be_named_after_their_domains(fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "set")
    for domain in "AB":
        for path in (tmp_path / "set" / f"test{domain}").iterdir():
            path.rename(path.with_stem(f"{path.stem}_{domain}"))
    figures = truth.evaluate(both(same, same), DataLoader("set", (32, 32), tmp_path))
    assert figures["truth_AB"] == figures["untranslated"] > 15


def test_in_words():
    words = truth.in_words(
        {
            **{f"cycle_{d}": 3.0 for d in "AB"},
            **{f"identity_{d}": 2.0 for d in "AB"},
            "truth_AB": 5.0,
            "truth_BA": 8.0,
            "untranslated": 20.0,
            "on_test_images": True,
        }
    )
    assert "A → B to the truth    5.00   untranslated  20.00   (25%)" in words
    assert "B → A to the truth    8.00   untranslated  20.00   (40%)" in words
    assert words.startswith("Mean absolute errors on test images")
