import pytest

from cyclegan_keras.reports import metric_table
from cyclegan_keras.reports.metric_table import Cell

BOTH = {"change_AB": 30.0, "change_BA": 20.0}


def cells(kind, metrics):
    return {
        metric.title: [cells.get(way) for way in ("AB", "BA")]
        for metric, cells in metric_table.rows(kind, metrics)
    }


def test_each_way_has_the_metrics_of_its_own_target():
    metrics = {
        **BOTH,
        "kernel_AB": 0.125,
        "kernel_BA": -0.0625,
        "kernel_untranslated": 0.5,
        "kernel_real_A": 0.001,
        "kernel_real_B": 0.002,
        "kernel_std_BA": 0.003,
        "strength_AB": 0.25,
        "strength_BA": 0.75,
        "accuracy_A": 0.9,
        "accuracy_B": 0.8,
    }
    found = cells(metric_table.FEATURES, metrics)
    # KID and classification rate next to each other.
    assert list(found) == ["KID (kernel distance)", "target-domain classification rate"]
    assert found["KID (kernel distance)"] == [
        Cell("0.1250", ["untranslated: 0.5000", "halves of real B: 0.0020"]),
        Cell(
            "-0.0625",
            [
                "untranslated: 0.5000",
                "halves of real A: 0.0010",
                "standard deviation over blocks: 0.0030",
            ],
        ),
    ]
    # 10 % of the real A are taken for B as they stand, and 20 % of the real B for A.
    assert found["target-domain classification rate"] == [
        Cell("25%", ["real B: 80%", "untranslated: 10%"]),
        Cell("75%", ["real A: 90%", "untranslated: 20%"]),
    ]


def test_there_and_back_are_the_metrics_of_one_generator_each():
    metrics = {**BOTH, "cycle_A": 1.0, "cycle_B": 2.0, "identity_A": 3.0, "identity_B": 4.0}
    assert cells(metric_table.CHANGE, metrics) == {
        "cycle error": [Cell("1.00", []), Cell("2.00", [])],
        # What g_AB does to images of B, and g_BA to those of A.
        "identity error": [Cell("4.00", []), Cell("3.00", [])],
        "change": [Cell("30.00", []), Cell("20.00", [])],
    }


def test_what_was_not_measured_is_not_shown():
    metrics = {"change_BA": 20.0, "truth_BA": 12.25, "truth_untranslated": 26.5}
    assert metric_table.ways(metrics) == ["BA"]
    assert cells(metric_table.TRUTH, metrics) == {
        "mean absolute error": [None, Cell("12.25", ["untranslated: 26.50"])]
    }
    assert cells(metric_table.LABELS, metrics) == {}


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("truth_AB", "12.25"),
        ("psnr_AB", "12.25 dB"),
        ("ssim_AB", "12.2500"),
        ("frechet_AB", "12.25"),
        ("density_AB", "12.25"),
        ("pixel_accuracy_AB", "1225%"),
        ("class_accuracy_AB", "1225%"),
        ("class_iou_AB", "1225%"),
        ("coverage_AB", "1225%"),
        ("diversity_AB", "1225%"),
    ],
)
def test_every_metric_has_a_row(key, shown):
    found = [
        cell.value
        for kind in metric_table.KINDS
        for metric, cells in metric_table.rows(kind, {"change_AB": 1.0, key: 12.25})
        if metric.title != "change" and (cell := cells["AB"])
    ]
    assert found == [shown]
