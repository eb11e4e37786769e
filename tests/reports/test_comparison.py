import math

import pytest

from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.reports import comparison
from cyclegan_keras.reports.curves import Curves
from cyclegan_keras.reports.measured_run import Run

IMAGES = {"num_A": 4, "num_B": 5, "on_test_images": True, "images": "aa"}
COUNTS = {**IMAGES, "change_AB": 30.0, "change_BA": 20.0}
BY_EYE = {
    "extractor": "eye",
    "kernel_AB": 0.25,
    "kernel_BA": 0.5,
    "strength_AB": 0.75,
    "strength_BA": 0.5,
    "kernel_untranslated": 1.0,
}


def run(tmp_path, name, metrics=None, seconds=None, **settings):
    known = {**COUNTS, **(metrics or {})}
    curves = Curves(seconds=seconds or {})
    return Run(tmp_path / name, name, TrainConfig.make(**settings), known, curves)


@pytest.fixture
def make(tmp_path):
    """Makes runs: of each, metrics by name, beside those that all have."""
    names = "abcdefgh"
    return lambda *of_each: [
        run(tmp_path, n, metrics) for n, metrics in zip(names, of_each, strict=False)
    ]


def rows(runs):
    """By title, the cells as text, with a star at the best."""
    return {
        row.title: [
            (cell.value if cell else "") + "*" * best
            for cell, best in zip(row.cells, row.is_best, strict=True)
        ]
        for _, _, rows in comparison.tables(runs)
        for row in rows
    }


def test_only_settings_that_differ_are_shown(tmp_path):
    runs = [
        run(tmp_path, "a", gf=4, flip=False, run_dir="a", epochs=9, decay_epochs=4),
        run(tmp_path, "b", gf=5, run_dir="b", epochs=40, decay_epochs=20, extractor="none"),
    ]
    assert comparison.settings(runs) == [
        ("flip", ["no", "yes"]),
        ("gf", ["4", "5"]),
        ("epochs", ["9", "40"]),
        ("decay_epochs", ["4", "20"]),
        ("extractor", ["auto", "none"]),
    ]
    assert comparison.settings([runs[0], runs[0]]) == []


def test_what_the_other_model_does_not_have_is_empty(tmp_path):
    runs = [
        run(tmp_path, "a", lambda_cycle=10.0),
        run(tmp_path, "b", lambda_cycle=5.0),
        run(tmp_path, "c", model="pix2pix"),
    ]
    found = dict(comparison.settings(runs))
    assert found["model"] == ["cyclegan", "cyclegan", "pix2pix"]
    assert found["lambda_cycle"] == ["10.0", "5.0", ""]
    assert "lambda_cycle" not in dict(comparison.settings(runs[1:]))
    assert "lambda_l1" not in found


def test_which_translators_were_measured_is_told_if_it_differs(make):
    best = {"translators": ["g_AB.best.keras", "g_BA.best.keras"]}
    assert comparison.settings(make(best, {})) == [
        ("generators evaluated", ["g_AB.best.keras, g_BA.best.keras", "g_AB.keras, g_BA.keras"])
    ]
    assert comparison.settings(make(best, best)) == []


def test_how_long_runs_were_trained(tmp_path):
    runs = [run(tmp_path, "a", seconds={100: 30.0, 1200: 90.0}), run(tmp_path, "b")]
    assert comparison.trained(runs) == [
        ("steps done", ["1,200", ""]),
        ("minutes of training", ["1.5", ""]),
    ]


def test_the_best_is_marked_where_one_direction_is_better(make):
    found = rows(
        make(
            {**BY_EYE, "truth_AB": 3.0, "psnr_AB": 20.0, "diversity_AB": 0.9},
            {**BY_EYE, "truth_AB": 2.0, "psnr_AB": 25.0, "diversity_AB": 1.1, "strength_AB": 0.5},
            {**BY_EYE, "truth_AB": 4.0, "psnr_AB": math.inf, "kernel_AB": -0.125},
        )
    )
    assert found["mean absolute error, A → B"] == ["3.00", "2.00*", "4.00"]
    assert found["PSNR, A → B"] == ["20.00 dB", "25.00 dB", "inf dB*"]
    assert found["KID (kernel distance), A → B, features of eye"] == [
        "0.2500",
        "0.2500",
        "-0.1250*",
    ]
    assert found["target-domain classification rate, A → B, features of eye"] == [
        "75%*",
        "50%",
        "75%*",
    ]
    # About 100 % is best; and of the change, neither end is.
    assert found["diversity, A → B, features of eye"] == ["90%", "110%", ""]
    assert found["change, A → B"] == ["30.00", "30.00", "30.00"]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        # What looks the same is the same.
        ([2.001, 2.004, 3.0], ["2.00*", "2.00*", "3.00"]),
        ([2.001, 2.004, 2.0], ["2.00", "2.00", "2.00"]),
        ([math.nan, 5.0, 6.0], ["nan", "5.00*", "6.00"]),
        ([6.0, math.nan, 5.0], ["6.00", "nan", "5.00*"]),
        # One alone is no winner.
        ([2.0, None, None], ["2.00", "", ""]),
        ([3.0, None, 2.0], ["3.00", "", "2.00*"]),
        ([0.0, 1.0, 2.0], ["0.00*", "1.00", "2.00"]),
    ],
)
def test_ties_and_gaps(values, shown, make):
    runs = make(*({} if value is None else {"truth_AB": value} for value in values))
    assert rows(runs)["mean absolute error, A → B"] == shown


def test_kid_and_classification_rate_of_a_direction_stand_together(make):
    titles = list(rows(make(BY_EYE, BY_EYE)))
    assert titles[:4] == [
        "KID (kernel distance), A → B, features of eye",
        "target-domain classification rate, A → B, features of eye",
        "KID (kernel distance), B → A, features of eye",
        "target-domain classification rate, B → A, features of eye",
    ]


def test_two_feature_spaces_are_never_compared(make):
    other = {**BY_EYE, "extractor": "ear", "kernel_AB": 0.125}
    runs = make(BY_EYE, other, {**BY_EYE, "kernel_AB": 0.5}, {})
    found = rows(runs)
    # The smallest of all numbers is no best: nothing else was heard by that ear.
    assert found["KID (kernel distance), A → B, features of eye"] == ["0.2500*", "", "0.5000", ""]
    assert found["KID (kernel distance), A → B, features of ear"] == ["", "0.1250", "", ""]
    spaces = [space for kind, space, _ in comparison.tables(runs) if kind.by_features]
    assert spaces == ["eye", "ear"]
    assert comparison.notes(runs) == [comparison.TWO_EXTRACTORS]
    assert comparison.notes(make(BY_EYE, BY_EYE, {})) == []


@pytest.mark.parametrize(
    ("metrics", "settings", "told"),
    [
        ({"num_A": 3}, {}, "images of A: 4, 3"),
        ({"num_B": 4}, {}, "images of B: 5, 4"),
        ({"on_test_images": False}, {}, "evaluated on: test images, training images"),
        ({"images": "bb"}, {}, "SHA-256 of the images: aa, bb"),
        ({"data_set": "other"}, {}, "data set: fruit, other"),
        ({}, {"data_dir": "photos/set"}, "data set: fruit, set"),
        ({}, {"dataset": "horses"}, "data set: fruit, horses"),
        ({"num_A": 3}, {"image_size": 32}, "image_size: 64, 32; images of A: 4, 3"),
    ],
)
def test_metrics_of_different_data_have_no_best(metrics, settings, told, tmp_path):
    one = run(tmp_path, "a", {**BY_EYE, "truth_AB": 3.0})
    other = run(
        tmp_path, "b", {**BY_EYE, "truth_AB": 2.0, "strength_AB": 0.5, **metrics}, **settings
    )
    found = rows([one, other])
    assert found["mean absolute error, A → B"] == ["3.00", "2.00"]
    assert found["target-domain classification rate, A → B, features of eye"] == ["75%", "50%"]
    assert comparison.why_incomparable([one, other]) == (
        "The runs were evaluated on different data, so their metrics are not comparable, and none "
        f"is marked ({told})."
    )
    assert comparison.notes([one, other]) == [comparison.why_incomparable([one, other])]


def test_the_same_images_can_be_shown_though_there_are_fewer_of_them_now(tmp_path):
    one, fewer = run(tmp_path, "a"), run(tmp_path, "b", {"num_A": 3})
    assert comparison.why_no_pictures([one, fewer]) is None
    assert comparison.why_no_pictures([one, run(tmp_path, "b", image_size=32)]) == (
        "No pictures are shown, because the runs have different images (image_size: 64, 32)."
    )


def test_data_of_one_name_in_two_places_are_the_same(tmp_path):
    runs = [run(tmp_path, "a", data_dir="x/set"), run(tmp_path, "b", data_dir="/y/set/")]
    assert comparison.why_incomparable(runs) is None


def test_pix2pix_beside_cyclegan(tmp_path):
    both = run(tmp_path, "a", {"truth_AB": 3.0, "truth_BA": 2.0, "cycle_A": 5.0})
    pix2pix = {"model": "pix2pix", "dataset": "fruit", "image_size": 64}
    one_way = run(tmp_path, "b", {"truth_AB": 1.0}, **pix2pix)
    del one_way.metrics["change_BA"]
    found = rows([both, one_way])
    assert found["mean absolute error, A → B"] == ["3.00", "1.00*"]
    assert found["mean absolute error, B → A"] == ["2.00", ""]
    assert found["cycle error, A → B"] == ["5.00", ""]
    assert found["change, B → A"] == ["20.00", ""]


def test_problems_are_named_with_their_run(make):
    found = comparison.problems(make({}, {"change_AB": 1.0}))
    assert len(found) == 1
    assert found[0].startswith("b: g_AB copies its input: it changes a pixel by 1.0 of 255")


def test_the_tables_as_text(tmp_path):
    runs = [
        run(tmp_path, "a|b", {"truth_AB": 3.0}, {600: 90.0}, gf=4),
        run(tmp_path, "c", {"truth_AB": 12.5, "change_AB": 1.0, "change_BA": 0.5}, {}, gf=8),
    ]
    assert comparison.markdown(runs).splitlines()[:14] == [
        r"| setting             | a\|b |   c |",
        "| ------------------- | ---: | --: |",
        "| gf                  |    4 |   8 |",
        "| steps done          |  600 |     |",
        "| minutes of training |  1.5 |     |",
        "",
        r"| metric                     | better  |     a\|b |     c |",
        "| -------------------------- | ------- | -------: | ----: |",
        "| mean absolute error, A → B | lower   | **3.00** | 12.50 |",
        "| change, A → B              | neither |    30.00 |  1.00 |",
        "| change, B → A              | neither |    20.00 |  0.50 |",
        "",
        "c: g_AB copies its input: it changes a pixel by 1.0 of 255 levels on average. A smaller "
        "--lambda-id or --lambda-cycle lets it change more.",
        "",
    ]
    runs[1].metrics["num_A"] = 3
    text = comparison.markdown(runs)
    assert "**" not in text
    assert text.splitlines()[12].startswith("The runs were evaluated on different data")
