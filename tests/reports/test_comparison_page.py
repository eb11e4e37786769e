import base64
import html
import io
import json
import re
import shutil

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from cyclegan_keras import DataLoader, plotting
from cyclegan_keras.config.train_config import TrainConfig
from cyclegan_keras.reports import comparison_page, measured_run, pictures

pytestmark = pytest.mark.integration

METRICS = {
    "num_A": 4,
    "num_B": 4,
    "on_test_images": True,
    "images": "aa",
    "change_AB": 30.0,
    "change_BA": 20.0,
    "truth_AB": 12.5,
    "extractor": "eye",
    "kernel_AB": 0.25,
    "strength_AB": 0.75,
    "frechet_AB": 40.0,
}
HISTORY = """epoch,step,seconds,g_loss,kernel_AB,strength_AB,frechet_AB,truth_AB,cycle_B,extractor
1,100,60,3,,,,,,
1,200,150,2,0.5,0.5,80,25,9,eye
1,300,210,1,0.25,0.75,40,12.5,8,eye
"""


@pytest.fixture
def make(tmp_path):
    """Makes a run with a history, and returns its folder."""

    def made(name, metrics=None, history=HISTORY):
        folder = tmp_path / name
        folder.mkdir()
        config = TrainConfig(image_size=32, data_dir="small_fruit")
        (folder / "config.json").write_text(config.to_json())
        (folder / "metrics.json").write_text(json.dumps({**METRICS, **(metrics or {})}))
        (folder / "history.csv").write_text(history)
        return folder

    return made


def words(page):
    """The text that a reader sees, without marks."""
    text = re.sub(r"<(style|title).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def titles(runs):
    """Of each heading, the words of its drawings that are no numbers."""
    return {
        title: [" ".join(re.findall(r">([^<>]*[a-z][^<>]*)</text>", svg)) for svg in drawn]
        for title, drawn in comparison_page.drawings(runs)
    }


def lines_of(monkeypatch, runs):
    """What is drawn, by heading and title: for each run its points."""
    found = {}
    draw = plotting.step_curves

    def watched(title, curves, *args, xlabel="step"):
        found[xlabel, title.partition("\n")[0]] = curves
        return draw(title, curves, *args, xlabel=xlabel)

    monkeypatch.setattr(plotting, "step_curves", watched)
    comparison_page.drawings(runs)
    return found


def test_curves_lie_over_each_other_by_step_and_by_time(make, monkeypatch):
    slower = HISTORY.replace("210", "420").replace("12.5", "11.5")
    runs = measured_run.read([make("a"), make("b", history=slower)])
    assert list(titles(runs)) == [
        "A → B, by step",
        "A → B, by minutes of training",
        "B → A, by step",
        "B → A, by minutes of training",
    ]
    first = titles(runs)["A → B, by step"]
    # KID and classification rate first, each with its extractor and both runs.
    assert [text.replace(" (lower is better)", "") for text in first] == [
        "step KID (kernel distance) eye a b",
        "step target-domain classification rate (higher is better) eye a b",
        "step mean absolute error a b",
    ]
    assert titles(runs)["B → A, by step"] == ["step cycle error (lower is better) a b"]
    found = lines_of(monkeypatch, runs)
    title = "mean absolute error (lower is better)"
    assert found["step", title] == {"a": ([200, 300], [25, 12.5]), "b": ([200, 300], [25, 11.5])}
    by_time = found["minutes of training", title]
    assert by_time == {"a": ([2.5, 3.5], [25, 12.5]), "b": ([2.5, 7.0], [25, 11.5])}


def test_curves_of_two_feature_spaces_lie_apart(make):
    ear, unknown = (HISTORY.replace("eye", other) for other in ("ear", ""))
    both = HISTORY.replace("9,eye", "9,ear")  # One that changed it on the way.
    histories = {"a": HISTORY, "b": ear, "c": unknown, "d": both, "e": HISTORY, "f": unknown}
    runs = measured_run.read([make(name, history=text) for name, text in histories.items()])
    drawn = titles(runs)["A → B, by step"]
    assert [text for text in drawn if "kernel" in text] == [
        "step KID (kernel distance) (lower is better) eye a d e",
        "step KID (kernel distance) (lower is better) ear b d",
        "step KID (kernel distance) (lower is better) extractor unknown c",
        "step KID (kernel distance) (lower is better) extractor unknown f",
    ]
    assert drawn[-1] == "step mean absolute error (lower is better) a b c d e f"
    assert "classification rate" in drawn[1]
    assert "eye" in drawn[1]


def test_a_run_has_one_colour_in_all_drawings():
    metric = plotting.step_curves("x", {"a": ([], []), "b": ([1, 2], [3.0, 4.0])}, xlabel="minutes")
    (axes,) = metric.axes
    assert [to_hex(line.get_color()) for line in axes.lines] == [to_hex("C0"), to_hex("C1")]
    assert [text.get_text() for text in metric.legends[0].get_texts()] == ["b"]
    assert axes.get_xlabel() == "minutes"


def test_names_are_drawn_as_they_are(make):
    runs = measured_run.read([make("_a$x$"), make("b" * 40)])
    drawn = titles(runs)["A → B, by step"][0]
    assert " _a$x$ " + "b" * 40 in drawn


def test_without_metrics_on_the_way_or_with_other_data_nothing_is_drawn(make):
    losses = "epoch,step,seconds,g_loss\n1,100,60,3\n"
    runs = measured_run.read([make("a", history=losses), make("b", history=losses)])
    assert comparison_page.drawings(runs) == []
    others = measured_run.read([make("c"), make("d", {"num_A": 3})])
    assert comparison_page.drawings(others) == []


def test_learning_rates_lie_over_each_other(make, monkeypatch):
    text = "epoch,step,seconds,g_loss,learning_rate\n1,100,60,3,0.0002\n2,200,120,3,0.0001\n"
    runs = measured_run.read(
        [make("a", history=text), make("b", history=text.replace("2,1", "4,1"))]
    )
    assert list(titles(runs)) == ["Learning rate, by step"]
    rates = {name: ([100, 200], [0.0002, 0.0001]) for name in "ab"}
    assert lines_of(monkeypatch, runs) == {("step", "learning rate"): rates}
    # A run that was begun before there was such a column.
    runs = measured_run.read([make("c", history=text), make("d")])
    assert lines_of(monkeypatch, runs)["step", "learning rate"]["d"] == ([], [])


def test_without_a_clock_there_is_no_drawing_by_time(make):
    no_clock = re.sub(r"(?m)^(\d+,\d+),\d+", r"\1,", HISTORY)
    runs = measured_run.read([make("a", history=no_clock), make("b", history=no_clock)])
    assert list(titles(runs)) == ["A → B, by step", "B → A, by step"]


def negative(imgs, training):
    return -imgs


def same(imgs, training):
    return imgs


def unpacked(address):
    with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as image:
        return np.asarray(image)


def test_each_run_has_a_column_of_the_same_images(make, loader):
    runs = measured_run.read([make("a"), make("b"), make("A")])
    translators = [
        {"g_AB": same, "g_BA": negative},
        {"g_AB": negative},
        {"g_AB": same, "g_BA": same},
    ]
    there, back = comparison_page.sheets(runs, translators, loader)
    assert (there.title, there.columns) == ("A → B", ["A", "a", "b", "A", "ground truth B"])
    # One without this way has no column.
    assert (back.title, back.columns) == ("B → A", ["B", "a", "A", "ground truth A"])
    chosen = pictures.chosen_at_random(4)
    assert len(there.rows) == 4
    for place, row in zip(chosen, there.rows, strict=True):
        source, *outputs, truth = (unpacked(picture) for picture in row.pictures)
        assert row.note == loader.paths("A", True)[place].name
        np.testing.assert_array_equal(source, loader.pixels("A", True)[place])
        np.testing.assert_array_equal(truth, loader.pixels("B", True)[place])
        for output, expected in zip(outputs, (source, 255 - source, source), strict=True):
            np.testing.assert_array_equal(output, expected)


def test_without_the_truth_there_is_no_column_for_it(make, fruit_dir, tmp_path):
    shutil.copytree(fruit_dir, tmp_path / "unpaired")
    (tmp_path / "unpaired" / "dataset.json").unlink()
    loader = DataLoader("unpaired", (32, 32), tmp_path)
    runs = measured_run.read([make("a"), make("b")])
    (sheet,) = comparison_page.sheets(runs, [{"g_BA": same}, {"g_BA": negative}], loader)
    assert sheet.columns == ["B", "a", "b"]


def test_all_of_it_is_on_the_page(make, loader, tmp_path):
    runs = measured_run.read([make("<a>", {"truth_AB": 25.0, "change_AB": 1.0}), make("b")])
    translators = [{"g_AB": same}, {"g_AB": negative}]
    sheets = comparison_page.sheets(runs, translators, loader)
    comparison_page.write(tmp_path / "page.html", runs, sheets, None)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Settings that differ",
        "Metrics",
        "The same images",
        "Training curves",
    ]
    text = words(page)
    assert text.startswith("2 runs side by side Data set small_fruit")
    assert "<a>: g_AB copies its input" in text
    assert "minutes of training 3.5 3.5" in text
    assert "No setting differs." in text
    assert (
        "mean absolute error, A → B (lower is better) Mean absolute difference of a pixel" in text
    )
    assert "25.00 12.50 best" in text
    assert text.index("KID (kernel distance), A → B, features of eye") < text.index(
        "target-domain classification rate, A → B, features of eye"
    )
    assert page.count("<img ") == 4 * 4
    assert page.count("<svg ") == 3 * 2 + 2
    addresses = re.findall(r"(?:src|href|srcset|action|data)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert {address[:1] for address in addresses if not address.startswith("data:")} <= {"#"}
    assert "<script" not in page


def test_the_page_says_what_cannot_be_shown(make, tmp_path):
    runs = measured_run.read([make("a"), make("b", {"num_A": 3, "truth_AB": 25.0})])
    comparison_page.write(tmp_path / "page.html", runs, [], "No pictures are shown, for a reason.")
    text = words((tmp_path / "page.html").read_text("utf-8"))
    assert "The runs were evaluated on different data" in text
    assert "No pictures are shown, for a reason." in text
    assert "Not drawn: metrics of different data are not comparable." in text
    assert " best " not in text.replace("No best is marked", "").replace("is best)", "")
