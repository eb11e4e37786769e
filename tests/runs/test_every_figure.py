import json
import shutil

import keras
import numpy as np
import pytest

from cyclegan_keras import DataLoader, TrainConfig
from cyclegan_keras.metrics import features, segmenter
from cyclegan_keras.metrics.backbones import efficientnet
from cyclegan_keras.metrics.evaluator import Evaluator
from cyclegan_keras.runs import every_figure
from cyclegan_keras.runs.every_figure import EveryFigure
from tests.colour_features import MeanColours
from tests.label_maps import COLORS, write_pairs

pytestmark = pytest.mark.integration

SIZE = 32
QUICK = segmenter.Settings(filters=2, steps=2, batch_size=2)


class Brightness(MeanColours):
    """Another extractor."""

    name = "brightness"

    def __call__(self, imgs):
        return super().__call__(imgs)[:, :3] ** 2


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    """Photos as A and label maps as B."""
    folder = tmp_path_factory.mktemp("data") / "pairs"
    write_pairs(folder, 6, 6, SIZE)
    said = {"labels": {"B": COLORS}, "test_pairs": True, "train_pairs": True}
    (folder / "dataset.json").write_text(json.dumps(said))
    return DataLoader(folder.name, (SIZE, SIZE), folder.parent)


def write_run(folder, share=1.0):
    """A run whose generators darken images, or leave them as they are."""
    folder.mkdir(exist_ok=True)
    for name in ("g_AB", "g_BA"):
        img = keras.Input((SIZE, SIZE, 3))
        scaled = keras.layers.DepthwiseConv2D(
            1, use_bias=False, depthwise_initializer=keras.initializers.Constant(share)
        )(img)
        keras.Model(img, scaled, name=name).save(folder / f"{name}.keras")
    return TrainConfig(run_dir=str(folder), image_size=SIZE)


def test_a_run_is_measured_by_everything(untraced, loader, tmp_path):
    extractors = [MeanColours(), Brightness()]
    judge = EveryFigure(loader, extractors, settings=QUICK, folder=tmp_path)
    figures = judge.of(write_run(tmp_path / "run"))
    assert list(figures.features) == [MeanColours.name, Brightness.name]
    for name, extractor in ((MeanColours.name, MeanColours()), (Brightness.name, Brightness())):
        # As an evaluation has them; untranslated images are as near as these.
        same = lambda imgs, training=False: imgs  # noqa: E731
        known = Evaluator(loader, extractor).evaluate({"g_AB": same, "g_BA": same}).metrics
        for key, value in figures.features[name].items():
            assert value == pytest.approx(known[key], abs=1e-6), key
        assert {"kernel_AB", "kernel_BA", "strength_BA", "accuracy_A"} <= figures.features[
            name
        ].keys()
        assert figures.features[name]["kernel_AB"] == pytest.approx(
            figures.features[name]["kernel_untranslated"], abs=1e-6
        )
    known = Evaluator(loader).evaluate({"g_AB": same}).metrics
    assert figures.scores["class_iou_AB"] == known["class_iou_AB"]
    assert "class_iou_BA" not in figures.scores  # A has no label maps.
    assert {"seg_class_iou_BA", "seg_class_iou_real_A"} <= figures.scores.keys()


def test_what_is_known_is_not_measured_again(loader, tmp_path):
    extractor = MeanColours()
    measure = EveryFigure(loader, [extractor, Brightness()], {})
    config = write_run(tmp_path / "run")
    first = measure.of(config)
    seen = extractor.seen
    assert measure.of(config) == first
    assert extractor.seen == seen
    # Other weights are, and so is a file that is damaged.
    write_run(tmp_path / "run", 0.5)
    other = measure.of(config)
    assert other != first
    for damage in ("", "[]", '{"judged": 1}', "{"):
        (tmp_path / "run" / every_figure.FILE).write_text(damage)
        assert measure.of(config) == other
    # Another judge is asked as well.
    alone = EveryFigure(loader, [MeanColours()], {}).of(config)
    assert list(alone.features) == [MeanColours.name]


def test_without_label_maps_there_are_no_scores(loader, tmp_path):
    config = write_run(tmp_path / "run")
    assert EveryFigure(loader, [], {}).of(config) == every_figure.Figures({}, {})


def test_photos_are_not_scored_where_none_are_made(loader, tmp_path, caplog):
    with caplog.at_level("INFO", "cyclegan_keras"):
        measure = EveryFigure(loader, [], ways=["AB"])
    assert "No photos are scored" in caplog.text
    scores = measure.of(write_run(tmp_path / "run")).scores
    assert not any(name.startswith("seg_") for name in scores)


def test_which_extractors(monkeypatch, caplog, tmp_path):
    monkeypatch.setattr(features, "choose", lambda name: name)
    monkeypatch.setattr(features, "inception_path", lambda: tmp_path / "none.h5")
    monkeypatch.setattr(efficientnet, "is_installed", lambda variant: variant is efficientnet.LITE1)
    assert every_figure.choose("none") == []
    assert every_figure.choose("mine.keras") == ["mine.keras"]
    with caplog.at_level("INFO", "cyclegan_keras"):
        assert every_figure.choose("auto") == ["efficientnet-lite1"]
    assert "EfficientNet-Lite0, which is not installed" in caplog.text
    (tmp_path / "none.h5").touch()
    assert every_figure.choose("auto") == ["inception", "efficientnet-lite1"]


def test_runs_on_the_same_test_images_have_the_same_judge(loader, tmp_path):
    data = {"data_dir": str(loader.directory), "image_size": SIZE}
    one = write_run(tmp_path / "one").replace(**data)
    other = TrainConfig(model="pix2pix", run_dir=str(tmp_path / "one"), **data)
    smaller = one.replace(image_size=SIZE * 2)
    extractor = MeanColours()
    judges = every_figure.Judges([one, other, smaller], [extractor], {})
    seen = extractor.seen  # All real images of two sizes, once.
    assert seen == 2 * (6 + 6) * 2
    judges.of(one)
    assert extractor.seen == seen + 6 + 6
    # That of A to B is not measured again, but with B to A missing, it is another run.
    judges.of(other)
    assert extractor.seen == seen + 6 + 6 + 6


@pytest.mark.parametrize("enlarge", [(1.0, 2.0), (2.0, 1.0)])
def test_judges_see_whole_images_however_the_first_run_enlarged_them(enlarge, loader, tmp_path):
    first, second = (
        write_run(tmp_path / name).replace(
            data_dir=str(loader.directory), image_size=SIZE, enlarge=times
        )
        for name, times in zip(("one", "other"), enlarge, strict=True)
    )
    extractor = MeanColours()
    judges = every_figure.Judges([first, second], [extractor], settings=QUICK)
    assert extractor.seen == 2 * (6 + 6)  # There is one judge.
    (judge,) = judges._known.values()
    (real,) = (each.real for each in judge._evaluators.values())
    expected = Evaluator(loader, MeanColours()).real
    for domain in "AB":
        np.testing.assert_array_equal(real.train[domain].values, expected.train[domain].values)
    plan = segmenter.plans(loader, ["BA"])[0]
    (found,) = judge._segmenters.values()
    assert found.name == segmenter.Segmenter(loader, plan, QUICK).name  # It tells the images.


def test_other_training_images_are_another_judge(loader, tmp_path):
    config = write_run(tmp_path / "run")
    first = EveryFigure(loader, [MeanColours()], {}).of(config)
    shutil.copytree(loader.directory, tmp_path / "pairs")
    for old, new in (("trainA", "other"), ("trainB", "trainA"), ("other", "trainB")):
        (tmp_path / "pairs" / old).rename(tmp_path / "pairs" / new)
    other = EveryFigure(DataLoader("pairs", (SIZE, SIZE), tmp_path), [MeanColours()], {})
    assert other._digest == EveryFigure(loader, [], {})._digest  # Of the same test images.
    found = other.of(config)
    for name, by_one in found.features.items():
        assert by_one["accuracy_A"] == 1 - first.features[name]["accuracy_A"] == 0


@pytest.mark.parametrize(("extractors", "palettes"), [([], None), ([MeanColours()], {"B": COLORS})])
def test_something_to_compare_by(loader, tmp_path, extractors, palettes):
    (tmp_path / "unpaired").mkdir()
    for folder in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "unpaired" / folder).symlink_to(loader.directory / folder)
    config = TrainConfig(data_dir=str(tmp_path / "unpaired"), image_size=SIZE)
    with pytest.raises(ValueError, match="testA and testB must be pairs"):
        every_figure.Judges([config], extractors, palettes)
    every_figure.Judges([config], [MeanColours()])
