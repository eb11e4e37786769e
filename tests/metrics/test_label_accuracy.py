"""Classifiers on real images and on translations, with networks whose answers are known."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras.data.labels import LabelledDataLoader
from cyclegan_keras.metrics.evaluator import Evaluator
from cyclegan_keras.metrics.label_accuracy import label_metrics

LEVELS = {"A": [0, 0, 255, 255], "B": [255, 255, 255, 0, 0]}
PIXELS = {
    d: np.array(of, "uint8")[:, None, None, None] * np.ones((1, 4, 4, 3), "uint8")
    for d, of in LEVELS.items()
}
LABELS = {"A": np.array([0, 0, 1, 1]), "B": np.array([1, 1, 0, 0, 0])}


def bright(imgs, training):
    """Says 1 of white images."""
    assert not training
    white = np.asarray(imgs).mean((1, 2, 3))
    return np.stack([-white, white], axis=-1)


def dark(imgs, training):
    return bright(imgs, training)[:, ::-1]


def negative(imgs, training):
    return -imgs


def same(imgs, training):
    return imgs


def test_shares_of_right_labels():
    found = label_metrics(
        {"g_AB": negative, "g_BA": same},
        {"c_source": bright, "c_image": dark, "c_target": bright},
        PIXELS,
        LABELS,
    )
    assert found == pytest.approx(
        {
            "label_source_A": 1.0,
            "label_source_AB": 0.8,
            "label_image_AB": 0.2,
            "label_target_AB": 0.8,
            "label_most_B": 0.6,
            "kept_AB": 0.0,
            "kept_BA": 0.8,
        }
    )


def test_what_is_not_there_is_left_out():
    classifiers = {"c_source": bright, "c_target": bright}
    of_A_alone = label_metrics({"g_AB": same}, classifiers, PIXELS, {**LABELS, "B": None})
    assert of_A_alone == {"label_source_A": 1.0, "kept_AB": 1.0}
    without_target = label_metrics({"g_BA": same}, {"c_source": bright}, PIXELS, LABELS)
    assert set(without_target) == {"label_source_A", "label_source_AB", "label_most_B", "kept_BA"}
    assert label_metrics({"g_AB": same}, {}, PIXELS, {"A": None, "B": None}) == {}


def test_the_evaluator_labels_with_classifiers_alone(tmp_path):
    for domain, levels in LEVELS.items():
        for place, (level, label) in enumerate(zip(levels, LABELS[domain], strict=True)):
            path = tmp_path / "set" / f"train{domain}" / f"of_{label}" / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (level,) * 3).save(path)
    loader = LabelledDataLoader("set", (32, 32), tmp_path)
    networks = {"g_AB": same, "c_source": bright, "c_up": same}
    found = Evaluator(loader, classifiers=["c_source", "c_later"]).evaluate(networks).metrics
    assert {name: x for name, x in found.items() if name.startswith("label_")} == {
        "label_source_A": 1.0,
        "label_source_AB": 0.8,
        "label_most_B": 0.6,
    }
    found = Evaluator(loader).evaluate(networks).metrics
    assert not any(name.startswith("label_") for name in found)
