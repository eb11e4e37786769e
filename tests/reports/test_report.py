"""The page as a whole: what is on it, and how it looks in a browser."""

import base64
import html
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image

from cyclegan_keras import DataLoader, TrainConfig, plotting
from cyclegan_keras.config.known import known_settings
from cyclegan_keras.metrics import evaluator
from cyclegan_keras.reports import report
from cyclegan_keras.reports.curves import Curves
from cyclegan_keras.reports.pictures import Evaluated
from tests.colour_features import MeanColours

pytestmark = pytest.mark.integration

CHROMIUM = shutil.which("chromium")
WINDOW = (1200, 6500)
CONFIG = TrainConfig(image_size=32, epochs=20, gf=3, recipe=None)
HISTORY = Curves(
    plain={
        "d_loss": ([100, 200], [0.5, 0.25]),
        "d_A_loss": ([100, 200], [0.5, 0.25]),
        "d_A_acc": ([100, 200], [0.5, 0.75]),
        "g_loss": ([100, 200], [5.0, 2.5]),
        "reconstr_A_loss": ([100, 200], [0.25, 0.125]),
        "truth_AB": ([200], [12.5]),
    },
    by_space={
        "eye <$>": {"kernel_AB": ([200], [0.0625]), "strength_BA": ([200], [0.75])},
        "ear": {"kernel_AB": ([200], [0.5])},
    },
)


def negative(imgs, training):
    return -imgs


def same(imgs, training):
    return imgs


def page_of(folder, loader, extractor=None, config=CONFIG, history=None, is_own=True, **generators):
    tested = evaluator.Evaluator(loader, extractor)
    results = tested.evaluate(generators)
    results.metrics["translators"] = [f"{name}.keras" for name in generators]
    evaluated = Evaluated(generators, loader, tested, results)
    report.write(folder / "report.html", "a <run>", config, evaluated, history or Curves(), is_own)
    return (folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def whole(fruit_dir, tmp_path_factory):
    """The folder of a report with all that there can be in one."""
    folder = tmp_path_factory.mktemp("whole")
    loader = DataLoader(fruit_dir.name, (32, 32), fruit_dir.parent)
    page_of(folder, loader, MeanColours(), history=HISTORY, g_AB=same, g_BA=negative)
    return folder


def test_it_links_the_page_that_translates_or_says_how_to_write_it(loader, tmp_path):
    text = page_of(tmp_path, loader, g_AB=same, g_BA=same)
    assert 'href="page.html"' not in text
    assert f"--format page --output {tmp_path / 'page.html'}" in words(text)
    (tmp_path / "page.html").write_text("page")
    assert '<a href="page.html">' in page_of(tmp_path, loader, g_AB=same, g_BA=same)


def words(page):
    """The text that a reader sees, without marks."""
    text = re.sub(r"<(style|title).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def headings(page):
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_all_of_it_is_there_and_the_problems_come_first(whole):
    page = (whole / "report.html").read_text("utf-8")
    text = words(page)
    assert headings(page) == [
        "Metrics",
        "Random images",
        "The best and the worst",
        "Nearest training images",
        "Training curves",
        "Settings",
    ]
    assert text.startswith("a <run>: how good is it? Data set small_fruit")
    assert "evaluated on 4 test images of A and 4 of B · features of colours of <quarters>" in text
    assert "g_AB.keras, g_BA.keras" in text
    assert text.index("g_AB copies its input") < text.index("Metrics")
    assert "No problem was found" not in text
    # Every metric by features says which they are.
    assert "Feature metrics: colours of <quarters>" in text
    assert text.index("KID (kernel distance) (lower") < text.index(
        "target-domain classification rate (higher"
    )
    # 2 × 4 at random of 4 pictures each, 2 × 4 the best and the worst, 2 × 4 neighbours of 5.
    assert page.count("<img ") == 32 + 32 + 40
    assert page.count("<svg ") == 3 + 4


def test_nothing_is_fetched(whole):
    page = (whole / "report.html").read_text("utf-8")
    addresses = re.findall(r"(?:src|href|srcset|action|data)\s*=\s*[\"']?([^\"'\s>]+)", page)
    assert len(addresses) > 100
    assert {address[:1] for address in addresses if not address.startswith("data:")} <= {"#"}
    assert "url(" not in re.sub(r"url\(#\w+\)", "", page)
    assert "@import" not in page
    assert "<script" not in page
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page


def test_without_an_extractor_it_says_what_is_missing(loader, tmp_path):
    text = words(page := page_of(tmp_path, loader, g_AB=negative, g_BA=negative))
    assert "no extractor" in text
    assert (
        "No problem was found. Checked for: generators that copy their input; further checks need"
        in text
    )
    assert "KID, FID and the other feature metrics are missing" in text
    assert "Left out, because similarity is measured with the features" in text
    assert "kernel distance" not in text
    assert "This run has no history.csv with losses." in text
    assert "<svg" not in page


def test_one_way_and_no_test_images(fruit_dir, tmp_path):
    for folder in ("trainA", "trainB"):
        shutil.copytree(fruit_dir / folder, tmp_path / "set" / folder)
    loader = DataLoader("set", (32, 32), tmp_path)
    config = TrainConfig.make(model="pix2pix", image_size=32)
    page = page_of(tmp_path, loader, MeanColours(), config, g_BA=negative)
    text = words(page)
    assert "evaluated on 6 training images of A and 6 of B" in text
    assert (
        "There are no test images of both domains, so everything was evaluated on training" in text
    )
    assert "The networks were trained on them, so the metrics may be too good." in text
    assert "among at most 500 evenly spaced training images of set. B → A" in text
    assert "The best and the worst" not in headings(page)
    assert "A → B" not in text
    assert "lambda_cycle not of this model" in text
    assert "lambda_l1 100.0" in text
    # Of another data set, nobody knows.
    page = page_of(tmp_path, loader, MeanColours(), config, is_own=False, g_BA=negative)
    text = words(page)
    assert "If the networks were trained on them, the metrics may be too good." in text
    assert "The networks were trained on them" not in text
    assert "This is the data set of --data-dir ; the run may have been trained on another" in text


def test_settings_that_were_chosen_stand_out():
    config = TrainConfig.make(recipe="book", image_size=64, epochs=10, data_dir="x", flip=False)
    found = {s.name: s for group in report.settings(config).values() for s in group}
    assert found.keys() == known_settings().keys()
    changed = {s.name: (s.value, s.usual) for s in found.values() if s.usual is not None}
    assert changed == {
        "data_dir": ("x", "–"),
        "image_size": ("64", "128"),
        "flip": ("no", "yes"),
        "epochs": ("10", "100"),
    }
    assert (found["lambda_l1"].is_used, found["lambda_id"].value) == (False, "9.0")


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({}, set()),
        # What other settings decide has not been chosen.
        ({"epochs": 40}, {"epochs"}),
        ({"epochs": 40, "decay_epochs": 4}, {"epochs", "decay_epochs"}),
        ({"lambda_cycle": 4.0}, {"lambda_cycle"}),
        ({"lambda_cycle": 4.0, "lambda_id": 9.0}, {"lambda_cycle", "lambda_id"}),
        ({"image_size": 256}, {"image_size"}),
        ({"model": "pix2pix"}, set()),
        (
            {"model": "pix2pix", "lambda_l1": 50.0, "direction": "B-to-A"},
            {"lambda_l1", "direction"},
        ),
        ({"recipe": "paper"}, set()),
        ({"recipe": "paper", "ema": 0.999}, {"ema"}),
    ],
)
def test_only_what_was_chosen_stands_out(given, changed):
    groups = report.settings(TrainConfig.make(**given))
    assert {s.name for group in groups.values() for s in group if s.usual is not None} == changed


def test_discriminators_that_have_won_or_lost_at_the_end_are_named():
    def problems(accuracy, loss, config=CONFIG, name="d_A", before=None):
        shares, losses = [0.7, before or accuracy, accuracy], [0.2, loss, loss]
        curves = {f"{name}_acc": ([1, 2, 3], shares), f"{name}_loss": ([1, 2, 3], losses)}
        return report.problems({"change_AB": 1.0}, Curves(curves), config)

    copies, wins = problems(0.995, 0.01)
    assert copies.startswith("g_AB copies its input")
    assert wins.startswith("d_A always wins (accuracy 99.5%)")
    assert problems(0.3, 0.5)[1].startswith("d_A always loses (loss 0.50;")
    assert len(problems(0.3, 0.5, before=0.6)) == 1
    # Rows are held beside each other by their steps: of the second, the loss was no number.
    torn = {"d_A_acc": ([1, 2, 3], [0.3, 0.9, 0.3]), "d_A_loss": ([1, 3], [0.5, 0.5])}
    assert report.problems({}, Curves(torn), CONFIG)[0].startswith("d_A always loses")
    never = {"d_A_acc": ([1], [1.0]), "d_A_loss": ([2], [0.0])}
    assert report.problems({}, Curves(never), CONFIG) == []
    assert len(problems(0.7, 0.2)) == 1
    # Scores of no right side, and a loss that has other ends.
    assert len(problems(0.3, 0.5, TrainConfig(objective="wasserstein"))) == 1
    assert len(problems(0.3, 0.8, TrainConfig(objective="log_likelihood"))) == 1
    pairs = TrainConfig.make(model="pix2pix")
    assert problems(1.0, 0.0, pairs, "d")[1].startswith("d always wins")
    assert len(report.problems({"change_AB": 1.0}, Curves(), CONFIG)) == 1
    (parts,) = report.problems({}, Curves(), TrainConfig(enlarge=8.0))
    assert parts.startswith("Trained at another scale")


def test_kid_and_classification_rate_are_drawn_first_and_side_by_side():
    drawings = report.metric_drawings(HISTORY)
    titles = [re.findall(r">([^<]*better\)|ear|eye[^<]*)<", text) for text in drawings]
    # And never those of two extractors over each other.
    assert titles == [
        ["KID (kernel distance) (lower is better)", "eye &lt;$&gt;"],
        ["target-domain classification rate (higher is better)", "eye &lt;$&gt;"],
        ["KID (kernel distance) (lower is better)", "ear"],
        ["mean absolute error (lower is better)"],
    ]
    assert ">A → B<" in drawings[0]
    assert ">B → A<" in drawings[1]
    names = [re.findall(r">(d|d_A|g|reconstr_A)<", text) for text in report.loss_drawings(HISTORY)]
    assert names == [["d", "d_A"], ["g", "reconstr_A"], ["d_A"]]


def test_the_entry_says_which_losses_are_those_of_classifiers():
    plain = {name: ([1, 2], [0.5, 0.25]) for name in ("c_up_loss", "digits_loss", "digits_acc")}

    def drawn(*classifiers):
        drawings = report.loss_drawings(Curves(plain), classifiers)
        return [re.findall(r">(losses [\w ]+|accuracy [\w ]+|c_up|digits)<", d) for d in drawings]

    assert drawn("digits") == [
        ["losses of the generators", "c_up"],
        ["losses of the classifiers", "digits"],
        ["accuracy of the classifiers", "digits"],
    ]
    # What begins with `c_` need not be one.
    assert drawn() == [["losses of the generators", "c_up", "digits"]]


def test_the_learning_rate_is_a_curve():
    plain = {**HISTORY.plain, "learning_rate": ([100, 200], [0.0002, 0.0001])}
    *others, drawing = report.loss_drawings(Curves(plain))
    assert others == report.loss_drawings(HISTORY)
    assert ">learning rate<" in drawing


def test_losses_are_drawn_logarithmically_where_that_is_possible():
    def scale(values, is_loss=True):
        metric = plotting.step_curves("x", {"a": ([1, 2], values)}, is_loss)
        assert list(metric.axes[0].lines[0].get_ydata()) == values
        return metric.axes[0].get_yscale()

    assert scale([0.5, 50.0]) == "log"
    # As a hinge loss may be, and the Wasserstein objective's.
    assert scale([0.5, 0.0]) == scale([-1.0, 1.0]) == "linear"
    assert scale([0.5, 50.0], is_loss=False) == "linear"


# What the browser makes of the images, written where --dump-dom shows it.
ASK = """<pre id="answer"></pre><script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("img, svg")].map((element) => {
    const box = element.getBoundingClientRect();
    return [element.tagName, element.naturalWidth ?? 0, box.left, box.top, box.right, box.bottom];
  });
  document.getElementById("answer").textContent = JSON.stringify(found);
});
</script>"""


@pytest.fixture
def site():
    """A web site on this machine: its address, and the paths that it was asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


def browse(path, *flags):
    """Opens a page in Chromium and returns the DOM that it ends with."""
    if CHROMIUM is None:
        pytest.skip("needs the program chromium")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += ["--hide-scrollbars", f"--window-size={WINDOW[0]},{WINDOW[1]}"]
    command += [f"--user-data-dir={path.parent / 'profile'}", *flags, path.as_uri()]
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout


def at_the_end(page, text):
    assert page.count("</body>") == 1
    return page.replace("</body>", f"{text}</body>")


def test_a_browser_shows_it_and_asks_nobody(whole, tmp_path, site):
    address, asked = site
    page = (whole / "report.html").read_text("utf-8")
    # As it is, but with a picture from elsewhere: its own policy forbids that.
    shown = tmp_path / "shown.html"
    shown.write_text(at_the_end(page, f'<img src="{address}/forbidden.png">'), "utf-8")
    browse(shown, f"--screenshot={tmp_path / 'screen.png'}")
    assert asked == []
    # Without the policy, the same browser would have fetched it, and it can be asked.
    open_page = re.sub("<meta http-equiv[^>]*>", "", page)
    asking = tmp_path / "asking.html"
    asking.write_text(at_the_end(open_page, ASK + f'<img src="{address}/there.png">'), "utf-8")
    dom = browse(asking, "--dump-dom")
    assert asked == ["/there.png"]
    found = json.loads(html.unescape(re.search('<pre id="answer">(.*?)</pre>', dom)[1]))
    own, drawings = found[:-1][: page.count("<img ")], [x for x in found if x[0] == "svg"]
    assert [width for tag, width, *_ in own] == [32] * page.count("<img ")
    assert len(drawings) == 7
    look(tmp_path / "screen.png", page, found)


def look(path, page, found):
    """Compares what is on the screen with what should be there."""
    with Image.open(path) as image:
        screen = np.asarray(image.convert("RGB"), np.float64)
    assert screen.shape == (WINDOW[1], WINDOW[0], 3)
    sources = iter(re.findall(r'<img src="data:image/png;base64,([^"]*)"', page))
    num_seen = {"IMG": 0, "svg": 0}
    for tag, _, *box in found[:-1]:
        left, top, right, bottom = (round(side) for side in box)
        region = screen[top:bottom, left:right]
        assert bottom <= WINDOW[1]
        num_seen[tag] += 1
        if tag == "svg":
            assert region.std() > 10, "a drawing is blank"
            continue
        with Image.open(io.BytesIO(base64.b64decode(next(sources)))) as image:
            scaled = image.resize((right - left, bottom - top), Image.Resampling.NEAREST)
        assert np.abs(region - np.asarray(scaled)).mean() < 6, "a picture is not itself"
    assert num_seen == {"IMG": page.count("<img "), "svg": 7}
    text = screen[:400]
    assert 1 < text.std() < 80
    assert (text.mean(axis=2) < 100).mean() > 0.005, "there is no text"
